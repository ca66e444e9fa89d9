//! A captured page of ka10084: whatever is taken from it comes back exactly.

use broker::kiwoom::page::trades_of_day;
use market::chain::{Day, OffHours, line};
use market::{Proof, Quantity, TradeDate};
use proptest::prelude::*;

use super::tape::{config, names};
use super::{Evidence, print, rebuild};
use crate::row::Row;

/// Oldest first.
fn captured() -> Vec<Row> {
    let body = include_str!("../../fixtures/ka10084_006360_20260819_rows_001_050.json");
    let date = TradeDate::from_ymd(2026, 8, 19).expect("date");
    let page = trades_of_day(body, date).expect("page");
    let row = |row: &broker::kiwoom::page::TradeRow| Row {
        exchange_ns: row.exchange_ns,
        price: row.price,
        quantity: row.quantity,
        aggressor_side: row.aggressor_side,
        cumulative_volume: Some(row.cumulative_volume),
        best_ask: row.best_ask,
        best_bid: row.best_bid,
        cumulative_value: row.cumulative_value.map(|value| (value, row.cumulative_value_step)),
        received_ns: 1,
    };
    page.rows.iter().rev().map(row).collect()
}

/// What of the page is missing when only `kept` rows are in the record.
fn rebuilt(rows: &[Row], source: &[Row], kept: &[bool]) -> (Vec<Row>, super::Filled) {
    let (mut live, mut removed) = (Vec::new(), Vec::new());
    for (row, kept) in rows.iter().zip(kept) {
        if *kept { live.extend(print(row)) } else { removed.push(*row) }
    }
    let first = print(&rows[0]).expect("print");
    // The page begins in the middle of the day: what is before it is none of this test's business.
    let before = [OffHours { after: Quantity::ZERO, until: first.after(), from_ns: None, until_ns: None }];
    let known_volume = rows.last().and_then(|row| row.cumulative_volume);
    let day = Day { known_volume, off_hours: &before, ..Day::default() };
    let missing = line(live.iter().copied(), &day).missing;
    let evidence = Evidence { known: &live, day_volume: known_volume, ..Evidence::default() };
    (removed, rebuild(&missing, source, &evidence))
}

#[test]
fn the_page_is_the_captured_one() {
    let rows = captured();
    assert_eq!(rows.len(), 50);
    assert_eq!(rows[49].cumulative_volume, Some(Quantity::from_units(2_837_598)));
    assert!(rows.windows(2).all(|pair| {
        print(&pair[1]).expect("print").after() == pair[0].cumulative_volume.expect("volume")
    }));
}

#[test]
fn a_page_of_which_nothing_was_received_comes_back_whole() {
    let rows = captured();
    let (removed, filled) = rebuilt(&rows, &rows, &[false; 50]);
    assert_eq!((filled.trades, filled.open), (removed, vec![]));
}

proptest! {
    #![proptest_config(config(20_260_819))]

    #[test]
    fn any_subset_comes_back_exactly(kept in prop::collection::vec(any::<bool>(), 50)) {
        let rows = captured();
        let (removed, filled) = rebuilt(&rows, &rows, &kept);
        prop_assert_eq!(&filled.trades, &removed);
        prop_assert_eq!(&filled.open, &vec![]);
        prop_assert!(filled.closed.iter().all(|closed| closed.proof == Proof::Chained));
    }

    /// As ka10079 would have the same trades. The first is known, for the page is not the begin of the day.
    #[test]
    fn so_it_does_without_cumulative_volumes(kept in prop::collection::vec(any::<bool>(), 49)) {
        let rows = captured();
        let bare: Vec<Row> = rows.iter().map(|row| Row { cumulative_volume: None, ..*row }).collect();
        let kept: Vec<bool> = std::iter::once(true).chain(kept).collect();
        let (removed, filled) = rebuilt(&rows, &bare, &kept);
        prop_assert_eq!(names(&filled.trades), names(&removed));
        prop_assert_eq!(filled.open, vec![]);
    }
}
