//! The wall clock as the frames show it: whole seconds, Korean and New York local time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A local date and time as numbers: `20261125` and `90003` for 09:00:03.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Local {
    /// YYYYMMDD.
    pub date: u32,
    /// HHMMSS.
    pub time: u32,
}

/// One second, seen from everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, UTC.
    pub unix: i64,
    /// In Seoul.
    pub korea: Local,
    /// In New York, daylight saving included.
    pub new_york: Local,
}

/// Reads the clock and remembers the conversion of the running second.
#[derive(Debug)]
pub struct Clock {
    korea: TimeZone,
    new_york: TimeZone,
    last: Moment,
}

impl Clock {
    /// A clock with both time zones.
    ///
    /// # Errors
    /// When the time zone data lack one of them.
    pub fn new() -> anyhow::Result<Self> {
        let korea = TimeZone::get("Asia/Seoul")?;
        let new_york = TimeZone::get("America/New_York")?;
        Ok(Self { korea, new_york, last: Moment::default() })
    }

    /// The running second.
    pub fn now(&mut self) -> Moment {
        self.at(Timestamp::now())
    }

    /// The second of `timestamp`.
    pub fn at(&mut self, timestamp: Timestamp) -> Moment {
        let unix = timestamp.as_second();
        if unix != self.last.unix {
            self.last = Moment {
                unix,
                korea: local(timestamp, &self.korea),
                new_york: local(timestamp, &self.new_york),
            };
        }
        self.last
    }
}

fn local(timestamp: Timestamp, zone: &TimeZone) -> Local {
    let there = zone.to_datetime(timestamp);
    let two = |part: i8| u32::from(part.unsigned_abs());
    let year = u32::from(there.year().unsigned_abs());
    Local {
        date: year * 10_000 + two(there.month()) * 100 + two(there.day()),
        time: two(there.hour()) * 10_000 + two(there.minute()) * 100 + two(there.second()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_in_two_places() {
        let mut clock = Clock::new().expect("time zones");
        let winter = clock.at("2026-11-25T00:30:05.9Z".parse().expect("time"));
        assert_eq!(winter.korea, Local { date: 20_261_125, time: 93_005 });
        assert_eq!(winter.new_york, Local { date: 20_261_124, time: 193_005 });
        let summer = clock.at("2026-07-10T14:53:34Z".parse().expect("time"));
        assert_eq!(summer.new_york, Local { date: 20_260_710, time: 105_334 });
        assert_eq!(summer.korea, Local { date: 20_260_710, time: 235_334 });
    }
}
