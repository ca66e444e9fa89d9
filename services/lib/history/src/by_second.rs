//! Live and fetched trades without a cumulative volume become what to add, second by second, by counting.
//!
//! Only where no cumulative volume is to be had. Equal trades in one second are different trades: what is compared are
//! multisets, never sets.

use std::collections::BTreeMap;
use std::collections::HashMap;

use market::{Price, Quantity};

use crate::row::Row;

/// A live trade, as far as it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Exchange time, UTC ns; whole seconds.
    pub exchange_ns: i64,
    /// Price of the print.
    pub price: Price,
    /// Shares of the print.
    pub quantity: Quantity,
}

/// What a second's comparison showed beside what to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The same trades in another order: the rows' order counts.
    Order,
    /// Live trades that the rows lack: all were kept.
    LiveOnly {
        /// How many.
        trades: usize,
    },
}

/// What to add to the live trades of a stretch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BySecond {
    /// Rows without a live counterpart, in the order of the rows.
    pub add: Vec<Row>,
    /// Seconds (UTC ns) in which the two did not simply agree.
    pub flags: Vec<(i64, Flag)>,
}

/// Compares the seconds from `from_ns` to `until_ns`, both included: the first and last second of the gap, which are the
/// ones received in part. Other seconds are not touched. Live trades and rows in the order of trading.
#[must_use]
pub fn by_second(live: &[Seen], rows: &[Row], from_ns: i64, until_ns: i64) -> BySecond {
    let mut seconds: BTreeMap<i64, (Vec<Seen>, Vec<Row>)> = BTreeMap::new();
    for trade in live.iter().filter(|trade| (from_ns..=until_ns).contains(&trade.exchange_ns)) {
        seconds.entry(trade.exchange_ns).or_default().0.push(*trade);
    }
    for row in rows.iter().filter(|row| (from_ns..=until_ns).contains(&row.exchange_ns)) {
        seconds.entry(row.exchange_ns).or_default().1.push(*row);
    }
    let mut result = BySecond::default();
    for (second, (live, rows)) in seconds {
        if let Some(added) = subsequence(&live, &rows) {
            result.add.extend(added);
            continue;
        }
        let (added, live_only) = difference(&live, &rows);
        result.add.extend(added);
        let flag = if live_only == 0 { Flag::Order } else { Flag::LiveOnly { trades: live_only } };
        result.flags.push((second, flag));
    }
    result
}

fn content(row: &Row) -> (Price, Quantity) {
    (row.price, row.quantity)
}

/// The rows beside the live trades, if these are among them in the same order. Where there are several ways to match,
/// they differ only in which of two equal trades is called new.
fn subsequence(live: &[Seen], rows: &[Row]) -> Option<Vec<Row>> {
    let mut live = live.iter().peekable();
    let mut added = Vec::new();
    for row in rows {
        if live.next_if(|trade| (trade.price, trade.quantity) == content(row)).is_none() {
            added.push(*row);
        }
    }
    live.peek().is_none().then_some(added)
}

/// The rows beyond the live trades, by count, and how many live trades the rows lack.
fn difference(live: &[Seen], rows: &[Row]) -> (Vec<Row>, usize) {
    let mut counts: HashMap<(Price, Quantity), usize> = HashMap::new();
    for trade in live {
        *counts.entry((trade.price, trade.quantity)).or_default() += 1;
    }
    let mut added = Vec::new();
    for row in rows {
        match counts.get_mut(&content(row)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => added.push(*row),
        }
    }
    (added, counts.values().sum())
}

#[cfg(test)]
mod tests {
    use market::AggressorSide;
    use market::time::SECOND;

    use super::*;

    fn seen(second: i64, price: i64, quantity: i64) -> Seen {
        Seen {
            exchange_ns: second * SECOND,
            price: Price::from_units(price),
            quantity: Quantity::from_units(quantity),
        }
    }

    fn row(second: i64, price: i64, quantity: i64) -> Row {
        Row {
            exchange_ns: second * SECOND,
            price: Price::from_units(price),
            quantity: Quantity::from_units(quantity),
            aggressor_side: AggressorSide::Unspecified,
            cumulative_volume: None,
            best_ask: None,
            best_bid: None,
            cumulative_value: None,
            received_ns: 0,
        }
    }

    fn compare(live: &[Seen], rows: &[Row]) -> BySecond {
        by_second(live, rows, 0, 100 * SECOND)
    }

    #[test]
    fn equal_trades_of_one_second_are_counted_and_not_made_one() {
        let rows = [row(1, 7, 5), row(1, 7, 5), row(1, 7, 5)];
        let result = compare(&[seen(1, 7, 5)], &rows);
        assert_eq!((result.add.len(), result.flags.len()), (2, 0));
        assert_eq!(compare(&[seen(1, 7, 5); 3], &rows), BySecond::default());
        assert_eq!(compare(&[], &rows).add, rows);
    }

    #[test]
    fn what_is_between_live_trades_is_added_in_the_order_of_the_rows() {
        let rows = [row(1, 7, 1), row(1, 8, 2), row(1, 7, 3), row(2, 7, 1)];
        let result = compare(&[seen(1, 8, 2), seen(2, 7, 1)], &rows);
        assert_eq!(result, BySecond { add: vec![row(1, 7, 1), row(1, 7, 3)], flags: vec![] });
    }

    #[test]
    fn another_order_is_flagged_and_nothing_doubled() {
        let rows = [row(1, 7, 1), row(1, 8, 2), row(1, 9, 3)];
        let result = compare(&[seen(1, 8, 2), seen(1, 7, 1)], &rows);
        assert_eq!(result, BySecond { add: vec![row(1, 9, 3)], flags: vec![(SECOND, Flag::Order)] });
    }

    #[test]
    fn live_trades_that_the_rows_lack_are_kept() {
        let result = compare(&[seen(1, 7, 1), seen(1, 7, 1), seen(1, 9, 9)], &[row(1, 7, 1), row(1, 8, 2)]);
        assert_eq!(result.add, [row(1, 8, 2)]);
        assert_eq!(result.flags, [(SECOND, Flag::LiveOnly { trades: 2 })]);
    }

    #[test]
    fn seconds_outside_the_gap_are_not_touched() {
        let rows = [row(1, 7, 1), row(2, 7, 1), row(3, 7, 1), row(4, 7, 1)];
        let result = by_second(&[], &rows, 2 * SECOND, 3 * SECOND);
        assert_eq!(result.add, [row(2, 7, 1), row(3, 7, 1)]);
    }
}
