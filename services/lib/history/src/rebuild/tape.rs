//! Tapes for tests: a day of trades with everything that makes it hard, and what a broker's pages would hold of it.

use market::chain::{Day, Missing, Print, line};
use market::time::SECOND;
use market::{AggressorSide, Price, Quantity};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use super::{Evidence, print};
use crate::row::{Minute, Row};

/// 09:00 in Seoul on some day.
pub(super) const OPEN: i64 = 1_787_097_600 * SECOND;

/// How a trade follows the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Seconds later; 0 = the same second.
    pub(super) seconds: u8,
    /// Steps of half a tick, so that midpoint prices occur.
    pub(super) price: u8,
    pub(super) quantity: u16,
    /// Shares that come into the counter before it without a print; the session changes there.
    pub(super) off_hours: u16,
    /// The print of an auction bears the first second of the new session and stands before those shares.
    pub(super) auction: bool,
}

impl Step {
    /// A trade without anything special before it.
    pub(super) const fn plain(seconds: u8, price: u8, quantity: u16) -> Self {
        Self { seconds, price, quantity, off_hours: 0, auction: false }
    }

    /// The first trade of a session, or of the day, with shares before it.
    pub(super) const fn after(off_hours: u16, seconds: u8, price: u8, quantity: u16) -> Self {
        Self { seconds, price, quantity, off_hours, auction: false }
    }
}

/// A day.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    pub(super) rows: Vec<Row>,
    pub(super) minutes: Vec<Minute>,
    /// Instants at which a session ended.
    pub(super) changes: Vec<i64>,
    pub(super) total: i64,
}

impl Tape {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut tape = Self::default();
        let mut ns = OPEN;
        for step in steps {
            ns += i64::from(step.seconds) * SECOND;
            if step.off_hours > 0 && !tape.rows.is_empty() {
                // Sessions begin at full minutes, long after the last trade of the one before.
                ns = (ns / (600 * SECOND) + 1) * 600 * SECOND;
                tape.changes.push(ns);
                if step.auction {
                    tape.print(ns, step.price, 77);
                    ns += i64::from(step.seconds % 50) * SECOND;
                }
            }
            tape.total += i64::from(step.off_hours);
            tape.print(ns, step.price, step.quantity);
        }
        tape.minutes = minutes(&tape.rows);
        tape
    }

    fn print(&mut self, exchange_ns: i64, price: u8, quantity: u16) {
        self.total += i64::from(quantity);
        self.rows.push(Row {
            exchange_ns,
            price: Price::from_units(349_500_000 + 250_000 * i64::from(price)),
            quantity: Quantity::from_units(i64::from(quantity)),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Some(Quantity::from_units(self.total)),
            best_ask: None,
            best_bid: None,
            cumulative_value: None,
            received_ns: 7,
        });
    }

    /// What the record holds when only these trades were received.
    pub(super) fn live(&self, kept: impl Fn(usize) -> bool) -> Vec<Print> {
        let kept = self.rows.iter().enumerate().filter(|(index, _)| kept(*index));
        kept.filter_map(|(_, row)| print(row)).collect()
    }

    pub(super) fn missing(&self, live: &[Print]) -> Vec<Missing> {
        let day = Day { known_volume: Some(Quantity::from_units(self.total)), ..Day::default() };
        line(live.iter().copied(), &day).missing
    }

    /// As `ka10079` has them.
    pub(super) fn bare(rows: &[Row]) -> Vec<Row> {
        let bare =
            |row: &Row| Row { cumulative_volume: None, aggressor_side: AggressorSide::Unspecified, ..*row };
        rows.iter().map(bare).collect()
    }

    pub(super) fn session_changed(&self, from_ns: i64, until_ns: i64) -> bool {
        self.changes.iter().any(|&change| from_ns < change && change <= until_ns)
    }

    pub(super) fn evidence<'a>(
        &self,
        live: &'a [Print],
        session_changed: &'a dyn Fn(i64, i64) -> bool,
    ) -> Evidence<'a> {
        Evidence {
            known: live,
            session_changed,
            day_volume: Some(Quantity::from_units(self.total)),
            reached_start: true,
            ..Evidence::default()
        }
    }
}

/// The chart of the minutes, as ka10080 has it.
fn minutes(rows: &[Row]) -> Vec<Minute> {
    let minute = 60 * SECOND;
    rows.chunk_by(|one, other| one.exchange_ns / minute == other.exchange_ns / minute)
        .filter_map(|rows| {
            let first = rows.first()?;
            Some(Minute {
                start_ns: first.exchange_ns / minute * minute,
                quantity: Quantity::from_units(rows.iter().map(|row| row.quantity.units()).sum()),
                cumulative_volume: rows.last()?.cumulative_volume,
            })
        })
        .collect()
}

/// (cumulative volume, time, price, quantity): everything that names a trade.
pub(super) fn names(rows: &[Row]) -> Vec<(i64, i64, i64, i64)> {
    let name = |row: &Row| {
        let volume = row.cumulative_volume.expect("cumulative volume").units();
        (volume, row.exchange_ns, row.price.units(), row.quantity.units())
    };
    rows.iter().map(name).collect()
}

/// Numbers that look random and are the same every time (a linear congruence; the high bits are good enough here).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// A busy day: bursts in one second, small and round quantities, prices that move by half ticks.
pub(super) fn busy(trades: usize, seed: u64) -> Tape {
    let mut numbers = Numbers(seed);
    let mut price = 40_u8;
    let step = |_| {
        price = price.saturating_add_signed([0, 0, 0, 0, 0, 1, -1, 2, -2, 0][numbers.below(10)]);
        let odd = u16::try_from(1 + numbers.below(900)).expect("three digits");
        let quantity = [1, 1, 1, 2, 5, 10, 10, 50, 100, odd][numbers.below(10)];
        Step::plain([0, 0, 0, 0, 1, 1, 2, 5][numbers.below(8)], price, quantity)
    };
    Tape::new(&(0..trades).map(step).collect::<Vec<_>>())
}

/// At least 512 cases, more by `PROPTEST_CASES`; the same every time.
pub(super) fn config(seed: u64) -> ProptestConfig {
    let cases = ProptestConfig::default().cases.max(512);
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}
