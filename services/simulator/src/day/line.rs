//! One instrument on one tape for one day: seed and windows turn into its prints, always the same ones.

use super::phases::{Phase, Window};
use crate::market::catalog::Profile;
use crate::market::random::Random;
use crate::market::tally::{self, Side};

/// Bits of [`Print::when`]: the second of the day, who started it, the phase.
const SECOND: u32 = 0x1_ffff;
const SIDE: u32 = 20;
const PHASE: u32 = 24;
const PHASES: [Phase; 6] =
    [Phase::Pre, Phase::OpenAuction, Phase::Regular, Phase::CloseAuction, Phase::ClosingPrice, Phase::After];

/// A print in 24 bytes: a day of two million is 48 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    when: u32,
    price: u32,
    quantity: u32,
    volume: u32,
    value: u64,
}

impl Print {
    /// Second since local midnight.
    #[must_use]
    pub fn second(&self) -> u32 {
        self.when & SECOND
    }

    /// HHMMSS.
    #[must_use]
    pub fn time(&self) -> u32 {
        super::clock_time(self.second())
    }

    /// The phase that it fell into.
    #[must_use]
    pub fn phase(&self) -> Phase {
        usize::try_from(self.when >> PHASE)
            .ok()
            .and_then(|at| PHASES.get(at))
            .copied()
            .unwrap_or(Phase::Regular)
    }

    /// Shares.
    #[must_use]
    pub fn quantity(&self) -> i64 {
        self.quantity.into()
    }

    /// Cumulative volume after it.
    #[must_use]
    pub fn volume(&self) -> i64 {
        self.volume.into()
    }

    /// Cumulative value after it.
    #[must_use]
    pub fn value(&self) -> i64 {
        i64::try_from(self.value).unwrap_or(i64::MAX)
    }

    /// As the market knows it.
    #[must_use]
    pub fn print(&self) -> tally::Print {
        let side = match self.when >> SIDE & 3 {
            1 => Side::Buy,
            2 => Side::Sell,
            _ => Side::None,
        };
        tally::Print { price: self.price.into(), quantity: self.quantity.into(), side }
    }

    /// Best ask and bid after it. They follow from the print: a buyer took the ask, a seller the bid, and a price
    /// between two steps is the middle.
    #[must_use]
    pub fn quote(&self, profile: &Profile) -> (i64, i64) {
        let (grid, price) = (profile.grid, i64::from(self.price));
        let floor = grid.floor(price);
        if floor != price {
            return (grid.up(floor), floor);
        }
        match self.print().side {
            Side::Buy => (price, grid.down(price)),
            Side::Sell | Side::None => (grid.up(price), price),
        }
    }
}

/// What decides a line beside its windows.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    /// The seed of the day.
    pub seed: u64,
    /// A name that no other line and day has.
    pub name: &'a str,
    /// The instrument.
    pub profile: &'a Profile,
    /// Shares of an ordinary print, at most; auctions have ten times as many.
    pub cap: i64,
}

/// The walk of a line.
struct Walk<'a> {
    random: Random,
    profile: &'a Profile,
    cap: i64,
    bid: i64,
    last: i64,
    volume: i64,
    value: i64,
}

/// The `count` prints of a line, oldest first.
#[must_use]
pub fn prints(draw: Draw<'_>, windows: &[Window], count: usize) -> Vec<Print> {
    let base = draw.profile.base;
    let random = Random::new(draw.seed, draw.name);
    let mut walk =
        Walk { random, profile: draw.profile, cap: draw.cap, bid: base, last: base, volume: 0, value: 0 };
    let mut prints = Vec::with_capacity(count);
    let mut codes = None;
    for (window, count) in windows.iter().zip(shares(windows, count)) {
        if count == 0 {
            continue;
        }
        // Only where the session changes (kis.md 5.4): not between an auction and what follows in the same session.
        let is_change = codes.replace(window.phase.codes()) != Some(window.phase.codes());
        if is_change && walk.random.between(0, 99) < window.phase.off_hours_percent() {
            walk.off_hours();
        }
        for second in walk.seconds(window, count) {
            prints.push(walk.print(window.phase, second));
        }
    }
    prints
}

/// How many of `count` prints fall into each window. The opening auction comes first; a quiet line has no other one.
fn shares(windows: &[Window], count: usize) -> Vec<usize> {
    let mut left = count;
    let mut counts: Vec<usize> = windows.iter().map(|_| 0).collect();
    for (window, of) in windows.iter().zip(&mut counts) {
        if left > 0 && window.phase.is_auction() && (window.phase == Phase::OpenAuction || count >= 20) {
            *of = 1;
            left -= 1;
        }
    }
    let parts: usize = windows.iter().map(|window| window.share).sum();
    let mut given = 0;
    for (window, of) in windows.iter().zip(&mut counts).filter(|(window, _)| window.share > 0) {
        let share = left * window.share / parts.max(1);
        *of = share;
        given += share;
    }
    let rest = left - given;
    if let Some(at) = windows.iter().position(|window| window.phase == Phase::Regular)
        && let Some(of) = counts.get_mut(at)
    {
        *of += rest;
    }
    counts
}

impl Walk<'_> {
    /// Shares that enter the counter without a print.
    fn off_hours(&mut self) {
        let shares = self.random.between(10, 2_000);
        self.volume += shares;
        self.value += shares * self.last;
    }

    /// Seconds in order, most of them shared by several prints.
    fn seconds(&mut self, window: &Window, count: usize) -> Vec<u32> {
        let length = usize::try_from(window.end - window.start).unwrap_or(1);
        let mut seconds = Vec::with_capacity(count);
        let mut second = window.start;
        for n in 0..count {
            if n == 0 || !self.random.per_mille(550) {
                second = window.start + u32::try_from(self.random.below(length)).unwrap_or(0);
            }
            seconds.push(second);
        }
        seconds.sort_unstable();
        seconds
    }

    fn print(&mut self, phase: Phase, second: u32) -> Print {
        let (price, quantity, side) = match phase {
            Phase::OpenAuction | Phase::CloseAuction => {
                (self.bid, self.random.between(10, 10 * self.cap), Side::None)
            }
            Phase::ClosingPrice => (self.last, self.shares(), Side::None),
            Phase::Pre | Phase::Regular | Phase::After => self.continuous(),
        };
        self.last = price;
        self.volume += quantity;
        self.value += price * quantity;
        let side = match side {
            Side::None => 0,
            Side::Buy => 1,
            Side::Sell => 2,
        };
        let phase = PHASES.iter().position(|known| *known == phase).unwrap_or(0);
        let small = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Print {
            when: second | side << SIDE | u32::try_from(phase).unwrap_or(0) << PHASE,
            price: small(price),
            quantity: small(quantity),
            volume: small(self.volume),
            value: self.value.unsigned_abs(),
        }
    }

    fn continuous(&mut self) -> (i64, i64, Side) {
        let grid = self.profile.grid;
        // A coin that falls towards the previous close, the harder the farther the price is away.
        let away = (self.profile.base - self.bid) * 1_000 / self.profile.base;
        if self.random.per_mille(120) {
            let up = self.random.per_mille((500 + away * 5).clamp(200, 800));
            self.bid = if up { grid.up(self.bid) } else { grid.down(self.bid) };
        }
        let (ask, buy) = (grid.up(self.bid), self.random.per_mille(500));
        let side = if buy { Side::Buy } else { Side::Sell };
        let price = if (ask - self.bid) % 2 == 0 && self.random.per_mille(40) {
            i64::midpoint(ask, self.bid)
        } else if buy {
            ask
        } else {
            self.bid
        };
        (price, self.shares(), side)
    }

    /// Small ones are so frequent that equal prints in one second are common.
    fn shares(&mut self) -> i64 {
        match self.random.between(0, 99) {
            0..35 => 1,
            35..60 => self.random.between(1, 10),
            60..98 => self.random.between(1, self.cap / 12 + 1),
            _ => self.random.between(1, self.cap),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::DayKind;
    use crate::day::phases;
    use crate::market::catalog;
    use crate::tr::Tape;

    fn of(name: &str, tape: Tape, count: usize) -> (Vec<Print>, Profile) {
        let profile = catalog::profile("005930", false, None, 1);
        let windows = phases::korean(20_261_125, DayKind::Normal, tape);
        let draw = Draw { seed: 1, name, profile: &profile, cap: 92 };
        (prints(draw, &windows, count), profile)
    }

    #[test]
    fn a_day_has_what_makes_days_hard() {
        let mut jumps = 0;
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let (prints, profile) = of(name, Tape::First, 5_000);
            assert_eq!((prints.len(), prints == of(name, Tape::First, 5_000).0), (5_000, true));
            assert!(prints.windows(2).all(|two| two[0].second() <= two[1].second()));
            let mut same: BTreeMap<(u32, i64, i64), u32> = BTreeMap::new();
            let mut volume = 0;
            for print in &prints {
                let of = print.print();
                *same.entry((print.second(), of.price, of.quantity)).or_default() += 1;
                assert!(print.volume() - of.quantity >= volume && of.quantity >= 1);
                jumps += i32::from(print.volume() - of.quantity > volume);
                volume = print.volume();
                let (ask, bid) = print.quote(&profile);
                assert!(bid <= of.price && of.price <= ask && bid < ask);
            }
            assert!(same.values().filter(|count| **count > 1).count() > 50, "few equal prints in one second");
            assert_eq!((prints[0].time() / 100, prints[0].print().side), (900, Side::None));
            let closing = prints.iter().filter(|print| print.phase() == Phase::ClosingPrice);
            assert!(closing.clone().count() > 10 && closing.clone().all(|p| p.print().side == Side::None));
            let middle = |print: &&Print| profile.grid.floor(print.print().price) != print.print().price;
            assert!(prints.iter().filter(middle).count() > 20);
        }
        // Off-hours volume: before most opens, sometimes in the evening, and nowhere else.
        assert!((4..=20).contains(&jumps), "{jumps} jumps in 8 days");
    }

    #[test]
    fn a_line_of_one_print_is_the_opening_auction() {
        let (prints, _) = of("a", Tape::First, 1);
        assert_eq!((prints.len(), prints[0].phase()), (1, Phase::OpenAuction));
        assert_eq!(of("a", Tape::First, 0).0.len(), 0);
        assert_eq!(of("a", Tape::Nxt, 3).0.len(), 3);
    }
}
