//! One instrument: random draws turn into trades and book changes that keep every relation of kis.md 5.1, 5.2
//! and 6.2 true.

use std::collections::VecDeque;

use super::book::{BookRecord, Middle, Sizes, ladder};
use super::catalog::{Listing, Profile};
use super::random::Random;
use super::tally::{Print, Side, Tally};
use crate::clock::{Local, Moment};
use crate::tr::{Broker, Tape};

/// Prints kept for REST paging, per tape: some minutes of a storm, about 4 MB.
pub const HISTORY: usize = 65_536;

/// A print as REST shows it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// HHMMSS.
    pub time: u32,
    /// The print.
    pub print: Print,
    /// Cumulative volume after it.
    pub volume: i64,
    /// Cumulative value after it.
    pub value: i64,
    /// Best ask after it.
    pub ask: i64,
    /// Best bid after it.
    pub bid: i64,
    /// Sell- and buy-initiated shares so far.
    pub sides: (i64, i64),
}

/// What the frames of a trade say of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCodes {
    /// KIS: `NEW_MKOP_CLS_CODE`.
    pub operation: &'static str,
    /// KIS: `MARKET_CLS_CODE`.
    pub class: &'static str,
    /// Kiwoom: FID 290.
    pub kiwoom: &'static str,
}

impl SessionCodes {
    /// In session.
    pub const REGULAR: Self = Self { operation: "20", class: "2", kiwoom: "2" };
}

/// An instrument and its running day.
#[derive(Debug)]
pub struct Instrument {
    /// The registration key, for example `005930` or `DNASAAPL`.
    pub key: String,
    /// The bare symbol, for example `005930` or `AAPL`.
    pub code: String,
    /// Where it trades.
    pub listing: Listing,
    /// Its profile; `base` follows the days.
    pub profile: Profile,
    /// Best ask.
    pub ask: i64,
    /// Best bid.
    pub bid: i64,
    /// Volume of the previous day.
    pub previous_volume: i64,
    /// Listed shares.
    pub listed: i64,
    /// The session that trades are said to fall into.
    pub session: SessionCodes,
    venues: [Sizes; 2],
    middles: [Middle; 2],
    tallies: [Tally; 3],
    shown: [[Option<Sizes>; 3]; 2],
    history: [VecDeque<Row>; 3],
    cap: i64,
    last: i64,
    date: u32,
    random: Random,
}

impl Instrument {
    /// The instrument before its first print.
    #[must_use]
    pub fn new(key: &str, code: &str, listing: Listing, profile: Profile, seed: u64) -> Self {
        let mut random = Random::new(seed, key);
        // About 20 million won or 30 thousand dollars a level: realistic, and cumulative values stay far from 2^63.
        let cap = match listing {
            Listing::Korea { .. } => 20_000_000 / profile.base + 20,
            Listing::Us | Listing::UsDay => 300_000_000 / profile.base + 50,
        };
        let nxt = matches!(listing, Listing::Korea { nxt: true });
        let second = if nxt { Sizes::fresh(&mut random, cap / 2 + 1) } else { Sizes::default() };
        let (bid, previous_volume) = (profile.base, random.between(400_000, 20_000_000));
        Self {
            key: key.to_owned(),
            code: code.to_owned(),
            listing,
            ask: profile.grid.up(bid),
            bid,
            previous_volume,
            listed: previous_volume * 300,
            session: SessionCodes::REGULAR,
            venues: [Sizes::fresh(&mut random, cap), second],
            middles: [Middle::default(); 2],
            tallies: [Tally::default(); 3],
            shown: [[None; 3]; 2],
            history: Default::default(),
            cap,
            last: profile.base,
            date: 0,
            profile,
            random,
        }
    }

    /// The local time of its market.
    #[must_use]
    pub fn local(&self, now: &Moment) -> Local {
        match self.listing {
            Listing::Korea { .. } | Listing::UsDay => now.korea,
            Listing::Us => now.new_york,
        }
    }

    /// Whether it trades on NXT as well.
    #[must_use]
    pub fn has_nxt(&self) -> bool {
        matches!(self.listing, Listing::Korea { nxt: true })
    }

    /// Whether the KRX opening print (a US feed's first print) of the day of `now` is past.
    pub fn is_open(&mut self, now: &Moment) -> bool {
        self.roll(now);
        self.tallies[0].prints > 0
    }

    /// The figures of `tape`.
    #[must_use]
    pub fn tally(&self, tape: Tape) -> &Tally {
        &self.tallies[tape.index()]
    }

    /// The sizes of `tape`.
    #[must_use]
    pub fn sizes(&self, tape: Tape) -> Sizes {
        let sizes = match tape {
            Tape::First => self.venues[0],
            Tape::Nxt => self.venues[1],
            Tape::All => self.venues[0].plus(&self.venues[1]),
        };
        sizes.cut(self.profile.ask_depth)
    }

    /// What rests at the middle on KRX (0) or NXT (1), and the middle price; 0 where it is no whole won.
    #[must_use]
    pub fn middle(&self, venue: usize) -> (i64, Middle) {
        let sum = self.ask + self.bid;
        if sum % 2 == 0 { (sum / 2, self.middles[venue]) } else { (0, Middle::default()) }
    }

    /// How many prints of `tape` and the running day are older than [`Instrument::rows`].
    #[must_use]
    pub fn forgotten(&self, tape: Tape) -> usize {
        let all = usize::try_from(self.tallies[tape.index()].prints).unwrap_or(0);
        all.saturating_sub(self.history[tape.index()].len())
    }

    /// The date of the running day, YYYYMMDD; 0 before the first event.
    #[must_use]
    pub fn date(&self) -> u32 {
        self.date
    }

    /// The newest prints of `tape`, oldest first.
    #[must_use]
    pub fn rows(&self, tape: Tape) -> &VecDeque<Row> {
        &self.history[tape.index()]
    }

    /// Starts a new day when the date of its market has changed.
    fn roll(&mut self, now: &Moment) {
        let date = self.local(now).date;
        if self.date == date {
            return;
        }
        if self.date != 0 {
            self.profile.base = self.profile.grid.floor(self.last);
            self.previous_volume = self.tallies[2].volume.max(self.tallies[0].volume).max(1);
        }
        self.date = date;
        self.tallies = [Tally::default(); 3];
        self.shown = [[None; 3]; 2];
        self.history = Default::default();
    }

    /// The next trade on KRX (or the US feed), or on NXT. The first one of a Korean day is the opening auction's.
    pub fn trade(&mut self, nxt: bool, now: &Moment) -> Print {
        self.roll(now);
        let korean = matches!(self.listing, Listing::Korea { .. });
        let opening = !nxt && self.tallies[0].prints == 0;
        if opening {
            let shares = self.random.between(100, 20 * self.cap);
            self.tallies[0].add_off_hours(shares, self.profile.base);
            self.tallies[2].add_off_hours(shares, self.profile.base);
        }
        let print =
            if opening && korean { self.opening_print() } else { self.continuous_print(usize::from(nxt)) };
        self.last = print.price;
        let time = self.local(now).time;
        let own = if nxt { Tape::Nxt } else { Tape::First };
        let tapes: &[Tape] = if korean { &[own, Tape::All] } else { &[own] };
        for &tape in tapes {
            self.tallies[tape.index()].record(&print, time);
            self.remember(tape, print, time);
        }
        print
    }

    /// Counts a print that was drawn elsewhere, and before it the shares and the value that entered the counters off
    /// hours; `quote` is the best ask and bid after it. Nothing is remembered for REST.
    pub fn play(&mut self, tape: Tape, print: &Print, off_hours: (i64, i64), quote: (i64, i64), time: u32) {
        let tally = &mut self.tallies[tape.index()];
        tally.volume += off_hours.0;
        tally.value += off_hours.1;
        tally.record(print, time);
        self.last = print.price;
        (self.ask, self.bid) = quote;
    }

    fn remember(&mut self, tape: Tape, print: Print, time: u32) {
        let tally = self.tallies[tape.index()];
        let row = Row {
            time,
            print,
            volume: tally.volume,
            value: tally.value,
            ask: self.ask,
            bid: self.bid,
            sides: (tally.sell_volume, tally.buy_volume),
        };
        let rows = &mut self.history[tape.index()];
        if rows.len() == HISTORY {
            rows.pop_front();
        }
        rows.push_back(row);
    }

    fn opening_print(&mut self) -> Print {
        let price = if self.random.per_mille(500) { self.ask } else { self.bid };
        Print { price, quantity: self.random.between(10, 10 * self.cap), side: Side::None }
    }

    fn continuous_print(&mut self, venue: usize) -> Print {
        let buy = self.wants_up();
        let side = if buy { Side::Buy } else { Side::Sell };
        let sum = self.ask + self.bid;
        if sum % 2 == 0 && self.random.per_mille(30) {
            // Between bid and ask: Korea names the side, the US feed counts it for neither.
            let side = if matches!(self.listing, Listing::Korea { .. }) { side } else { Side::None };
            return Print { price: sum / 2, quantity: self.random.between(1, self.cap / 10 + 1), side };
        }
        let available = if buy { self.venues[venue].asks[0] } else { self.venues[venue].bids[0] };
        let takes_all = self.random.per_mille(80);
        let wanted = if takes_all { available } else { self.random.between(1, self.cap / 12 + 1) };
        let quantity = wanted.clamp(1, available.max(1));
        let price = if buy { self.ask } else { self.bid };
        if quantity == available {
            self.shift(buy);
        } else if buy {
            self.venues[venue].asks[0] -= quantity;
        } else {
            self.venues[venue].bids[0] -= quantity;
        }
        Print { price, quantity, side }
    }

    /// A coin that falls towards the previous close, the harder the farther the price is away: within about 6 %.
    fn wants_up(&mut self) -> bool {
        let away = (self.profile.base - self.bid) * 1_000 / self.profile.base;
        self.random.per_mille((500 + away * 5).clamp(200, 800))
    }

    /// Moves both best prices by one step.
    fn shift(&mut self, up: bool) {
        let grid = self.profile.grid;
        (self.bid, self.ask) =
            if up { (self.ask, grid.up(self.ask)) } else { (grid.down(self.bid), self.bid) };
        let count = if self.has_nxt() { 2 } else { 1 };
        for venue in 0..count {
            let (best, last) = (self.random.between(1, self.cap), self.random.between(1, self.cap));
            let sizes = &mut self.venues[venue];
            if up { sizes.shift_up(best, last) } else { sizes.shift_down(best, last) }
        }
    }

    /// Orders come and go on KRX (or the US feed), or on NXT.
    pub fn change_book(&mut self, nxt: bool, now: &Moment) {
        self.roll(now);
        let venue = usize::from(nxt);
        if self.random.per_mille(40) {
            let up = self.wants_up();
            self.shift(up);
        }
        for _ in 0..self.random.between(1, 3) {
            let (level, size) = (self.random.below(10), self.random.between(1, self.cap));
            let sizes = &mut self.venues[venue];
            let side = if self.random.per_mille(500) { &mut sizes.asks } else { &mut sizes.bids };
            side[level] = size;
        }
        self.middles[venue] = if self.random.per_mille(200) {
            Middle { size: self.random.between(1, self.cap), side: self.random.between(1, 2) }
        } else {
            Middle::default()
        };
    }

    /// The book of `tape` as the next record of `broker` shows it.
    pub fn book_record(&mut self, tape: Tape, broker: Broker) -> BookRecord {
        let sizes = self.sizes(tape);
        let mut ask_prices = ladder(self.profile.grid, self.ask, true);
        for price in ask_prices.iter_mut().skip(self.profile.ask_depth) {
            *price = 0;
        }
        let mut changes = Sizes::default();
        if let Some(before) = self.shown[broker as usize][tape.index()].replace(sizes) {
            for level in 0..sizes.asks.len() {
                changes.asks[level] = sizes.asks[level] - before.asks[level];
                changes.bids[level] = sizes.bids[level] - before.bids[level];
            }
        }
        let bid_prices = ladder(self.profile.grid, self.bid, false);
        BookRecord { ask_prices, bid_prices, sizes, changes }
    }
}
