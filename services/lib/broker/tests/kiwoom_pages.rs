//! The published REST pages of Kiwoom: trades chain by cumulative volume, two calls tell the same trades, bars add up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use broker::kiwoom::page::{self, TradeRow};
use market::{AggressorSide, Price, TradeDate};
use serde_json::Value;

const LAST_TRADES: &str = include_str!("../fixtures/kiwoom/ka10003_006360_20260819.json");
const DAY: &str = include_str!("../fixtures/kiwoom/ka10084_006360_20260819_rows_001_050.json");

fn chains(rows: &[TradeRow]) -> usize {
    let pairs = rows.windows(2);
    pairs
        .map(|pair| {
            assert_eq!(
                pair[0].cumulative_volume.checked_sub(pair[0].quantity),
                Some(pair[1].cumulative_volume)
            )
        })
        .count()
}

fn day() -> TradeDate {
    TradeDate::parse("20260819").expect("date")
}

#[test]
fn rows_of_past_trades_chain_by_cumulative_volume() {
    let last = page::last_trades(LAST_TRADES, day()).expect("page").rows;
    let of_day = page::trades_of_day(DAY, day()).expect("page").rows;
    assert_eq!((chains(&last), chains(&of_day)), (29, 49));
    let official = page::last_trades(include_str!("../fixtures/kiwoom/ka10003_official.json"), day())
        .expect("page")
        .rows;
    assert_eq!(chains(&official), 5);
    let today = page::trades_of_day(include_str!("../fixtures/kiwoom/ka10084_official.json"), day())
        .expect("page")
        .rows;
    assert_eq!((chains(&today), today[0].best_ask, today[0].tape), (1, None, None));
    // In ka10003 the money chains too, to the won.
    for pair in last.windows(2).chain(official.windows(2)) {
        let value = |row: &TradeRow| row.cumulative_value.expect("value").units();
        assert_eq!(value(&pair[0]) - value(&pair[1]), pair[0].price.units() * pair[0].quantity.units());
    }
    let unsigned: Vec<_> = of_day
        .iter()
        .filter(|row| row.aggressor_side == AggressorSide::None)
        .map(|row| (row.exchange_ns, row.quantity.units()))
        .collect();
    // The first print at the closing price, 15:40:00, and the closing auction, 15:30:20.
    assert_eq!(unsigned, [(1_787_121_600_000_000_000, 82), (1_787_121_020_000_000_000, 28_325)]);
}

#[test]
fn two_calls_tell_the_same_trades() {
    let last = page::last_trades(LAST_TRADES, day()).expect("page").rows;
    let of_day = page::trades_of_day(DAY, day()).expect("page").rows;
    let texts = |body: &str, list: &str| -> Vec<(String, String)> {
        let body: Value = serde_json::from_str(body).expect("body");
        let text = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
        body[list]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| (text(row, "acc_trde_qty"), text(row, "cntr_str")))
            .collect()
    };
    let strengths = texts(DAY, "tdy_pred_cntr");
    let differ = texts(LAST_TRADES, "cntr_infr")
        .iter()
        .filter(|(volume, strength)| {
            strengths.iter().any(|(other, there)| other == volume && there != strength)
        })
        .count();
    assert_eq!((last.len(), differ), (30, 5));
    for row in &last {
        let same: Vec<_> =
            of_day.iter().filter(|other| other.cumulative_volume == row.cumulative_volume).collect();
        let [other] = same.as_slice() else { panic!("{row:?}: {same:?}") };
        // ka10084 rounds to the nearest million.
        let won = row.cumulative_value.expect("value").units() / 10_000;
        assert_eq!(
            other.cumulative_value.expect("value").units() / 10_000,
            (won + 500_000) / 1_000_000 * 1_000_000
        );
        let expected = TradeRow {
            cumulative_value: row.cumulative_value,
            cumulative_value_step: row.cumulative_value_step,
            ..**other
        };
        assert_eq!(*row, expected);
    }
}

#[test]
fn a_minute_ends_with_the_volume_before_it_and_its_own() {
    let bars =
        page::minute_chart(include_str!("../fixtures/kiwoom/ka10080_official.json")).expect("page").rows;
    let [newest, before] = bars.as_slice() else { panic!("{bars:?}") };
    assert_eq!(
        newest.cumulative_volume.and_then(|volume| volume.checked_sub(newest.quantity)),
        before.cumulative_volume
    );
    assert_eq!(newest.start_ns - before.start_ns, 60_000_000_000);
    assert_eq!((newest.open, newest.close), (Price::parse("78850").ok(), Price::from_units(788_000_000)));
}
