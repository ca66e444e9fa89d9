//! A day's prints, its total and the recorded outages become what is missing, each part with its reason.

use market::Quantity;
use market::chain::{self, Day, Line, Missing, Print};

/// A stretch for which a publisher said that something may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Last moment at which nothing was missing, UTC ns.
    pub from_ns: i64,
    /// First moment at which nothing was missing any more, UTC ns; none = it never ended.
    pub until_ns: Option<i64>,
    /// What a person calls it, for example `kiwoom disconnected`.
    pub name: String,
}

/// Where on the line of a day shares are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Between two prints.
    Between,
    /// Before the first print.
    Head,
    /// After the last print: only the broker's total tells.
    Tail,
    /// There is no print at all.
    WholeDay,
}

impl Place {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Between => "between",
            Self::Head => "head",
            Self::Tail => "tail",
            Self::WholeDay => "whole_day",
        }
    }

    /// The place of a missing stretch.
    #[must_use]
    pub const fn of(missing: &Missing) -> Self {
        match (missing.from_ns, missing.until_ns) {
            (Some(_), Some(_)) => Self::Between,
            (None, Some(_)) => Self::Head,
            (Some(_), None) => Self::Tail,
            (None, None) => Self::WholeDay,
        }
    }
}

/// Shares that are missing, and what is known of the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The shares.
    pub missing: Missing,
    /// Where on the line.
    pub place: Place,
    /// The recorded outages in which they may have been traded, as indices into what was given; none = they were lost
    /// while everything seemed well.
    pub outages: Vec<usize>,
}

/// What a day's record lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The line of the day.
    pub line: Line,
    /// What is missing, in rising order.
    pub lacks: Vec<Lack>,
}

impl Found {
    /// The missing stretches alone.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.lacks.iter().map(|lack| lack.missing).collect()
    }

    /// Shares missing.
    #[must_use]
    pub fn volume(&self) -> Quantity {
        self.line.missing_volume()
    }

    /// Whether names by cumulative volume are unique on this day: if the counter started again within it, nothing can be
    /// filled or proven.
    #[must_use]
    pub fn is_one_counter(&self) -> bool {
        self.line.resets.is_empty()
    }
}

/// Finds what is missing. `prints` of all sources and origins, in any order: what one source has is not missing, however
/// the others cut it.
#[must_use]
pub fn find(prints: impl IntoIterator<Item = Print>, day: &Day<'_>, outages: &[Outage]) -> Found {
    let line = chain::line(prints, day);
    let lack = |missing: &Missing| {
        let during = |outage: &Outage| {
            missing.until_ns.is_none_or(|until| outage.from_ns <= until)
                && missing.from_ns.is_none_or(|from| outage.until_ns.is_none_or(|until| from <= until))
        };
        let outages = (0..outages.len()).filter(|&index| during(&outages[index])).collect();
        Lack { missing: *missing, place: Place::of(missing), outages }
    };
    let lacks = line.missing.iter().map(lack).collect();
    Found { line, lacks }
}

#[cfg(test)]
mod tests {
    use market::Price;

    use super::*;

    fn print(cumulative: i64, quantity: i64, second: i64) -> Print {
        Print {
            cumulative_volume: Quantity::from_units(cumulative),
            quantity: Quantity::from_units(quantity),
            exchange_ns: second * market::time::SECOND,
            price: Price::from_units(700_000_000),
        }
    }

    fn units(found: &Found) -> Vec<(i64, i64, Place)> {
        found.lacks.iter().map(|l| (l.missing.after.units(), l.missing.until.units(), l.place)).collect()
    }

    #[test]
    fn every_lack_says_where_it_is() {
        let day = Day { known_volume: Some(Quantity::from_units(100)), ..Day::default() };
        let found = find([print(20, 10, 1), print(40, 10, 5)], &day, &[]);
        assert_eq!(units(&found), [(0, 10, Place::Head), (20, 30, Place::Between), (40, 100, Place::Tail)]);
        assert_eq!((found.volume().units(), found.is_one_counter()), (80, true));
        let found = find([], &day, &[]);
        assert_eq!(units(&found), [(0, 100, Place::WholeDay)]);
    }

    #[test]
    fn a_quiet_minute_is_no_gap() {
        let found = find([print(10, 10, 0), print(15, 5, 600)], &Day::default(), &[]);
        assert_eq!(units(&found), []);
    }

    #[test]
    fn two_brokers_over_the_same_shares_are_one() {
        let same = [print(10, 10, 0), print(30, 20, 1), print(10, 10, 0), print(30, 20, 2)];
        assert_eq!(units(&find(same, &Day::default(), &[])), []);
        // The other broker cuts (10, 40] into three: no gap, and nothing twice.
        let cut = [print(10, 10, 0), print(40, 30, 1), print(20, 10, 1), print(25, 5, 1), print(40, 15, 1)];
        let found = find(cut, &Day::default(), &[]);
        assert_eq!((units(&found), found.line.covered.units()), (vec![], 40));
        // What one has lost, the other has.
        let half = [print(10, 10, 0), print(40, 15, 1), print(25, 15, 1)];
        assert_eq!(units(&find(half, &Day::default(), &[])), []);
    }

    #[test]
    fn a_lack_names_the_outages_it_may_come_from() {
        let outage = |from: i64, until: Option<i64>, name: &str| Outage {
            from_ns: from * market::time::SECOND,
            until_ns: until.map(|until| until * market::time::SECOND),
            name: name.to_owned(),
        };
        let outages = [
            outage(0, Some(4), "kis disconnected"),
            outage(12, Some(18), "kiwoom disconnected"),
            outage(50, None, "kis journal_full"),
        ];
        let day = Day { known_volume: Some(Quantity::from_units(70)), ..Day::default() };
        let prints = [print(20, 10, 3), print(30, 10, 10), print(50, 10, 20), print(60, 5, 30)];
        let found = find(prints, &day, &outages);
        let named: Vec<(i64, &[usize])> =
            found.lacks.iter().map(|l| (l.missing.after.units(), l.outages.as_slice())).collect();
        // (50, 55] was lost although nothing was recorded.
        assert_eq!(named, [(0, &[0_usize][..]), (30, &[1]), (50, &[]), (60, &[2])]);
    }
}
