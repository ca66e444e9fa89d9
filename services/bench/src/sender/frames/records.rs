//! The records themselves: a print or a book of a symbol as it goes on, and where in it the places are that are written over.

use std::fmt::Write as _;

/// Won between two prices from 20,000 to 50,000.
const TICK: u64 = 50;
/// The walk ends so many ticks from where it began: no grid but this one.
const WALK: u64 = 20;
/// The cumulative value of each symbol at the start, in won: fifteen digits for as long as anyone sends.
const VALUE: u64 = 100_000_000_000_000;

/// Of a trade alone: where its date and cumulative figures stand, and what it adds to them.
#[derive(Debug, Clone, Copy)]
pub struct Print {
    /// The date, `yyyymmdd`.
    pub date: usize,
    /// The cumulative value, 15 digits.
    pub value: usize,
    /// The cumulative volume of sales, 10 digits.
    pub sold: usize,
    /// The cumulative volume of purchases, 10 digits.
    pub bought: usize,
    price: u64,
    quantity: u64,
    is_sale: bool,
}

impl Print {
    /// The same print with its places so many bytes further.
    pub const fn behind(self, bytes: usize) -> Self {
        let Self { date, value, sold, bought, .. } = self;
        Self { date: date + bytes, value: value + bytes, sold: sold + bytes, bought: bought + bytes, ..self }
    }
}

/// One symbol as it goes on.
#[derive(Debug, Clone)]
pub struct Instrument {
    key: String,
    /// Whether trades and whether books are registered.
    pub kinds: [bool; 2],
    seed: u64,
    /// Won.
    base: u64,
    /// Ticks from `base - WALK * TICK`.
    step: u64,
    /// Shares of the day.
    pub volume: u64,
    /// Won of the day.
    pub value: u64,
    /// Shares sold.
    pub sold: u64,
    /// Shares bought.
    pub bought: u64,
}

impl Instrument {
    /// The symbol `key`, which has this place in the list.
    pub fn new(key: &str, place: usize) -> Self {
        let place = u64::try_from(place).unwrap_or_default();
        let seed = key.bytes().fold(0x9e37_79b9_7f4a_7c15 ^ place, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut one = Self {
            key: key.to_owned(),
            kinds: [false; 2],
            seed: seed | 1,
            base: 0,
            step: WALK,
            volume: 0,
            value: VALUE,
            sold: 0,
            bought: 0,
        };
        one.base = 25_000 + one.below(400) * TICK;
        // Ten digits, and about what was paid for it.
        one.volume = VALUE / one.base;
        one.sold = one.volume / 2 - 1;
        one.bought = one.volume / 2 - 1;
        one
    }

    /// A number below `end` (xorshift).
    fn below(&mut self, end: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 16) % end
    }

    fn price(&self) -> u64 {
        self.base + self.step * TICK - WALK * TICK
    }

    /// The day with this print in it.
    pub fn go_on(&mut self, print: &Print) {
        self.volume += print.quantity;
        self.value += print.price * print.quantity;
        if print.is_sale { self.sold += print.quantity } else { self.bought += print.quantity }
    }
}

/// A record that is being written.
#[derive(Debug, Default)]
pub struct Record {
    /// As on the wire.
    pub text: String,
    /// Where its time stands, `hhmmss`.
    pub time: usize,
    /// Where the cumulative volume stands, 10 digits.
    pub volume: usize,
}

impl Record {
    /// Appends a field; says where it begins.
    fn field(&mut self, value: impl std::fmt::Display) -> usize {
        if !self.text.ends_with('|') {
            self.text.push('^');
        }
        let at = self.text.len();
        // Writing to a String cannot fail.
        let _infallible = write!(self.text, "{value}");
        at
    }

    fn fields<const N: usize>(&mut self, values: [u64; N]) {
        for value in values {
            self.field(value);
        }
    }

    /// A sign code and the amount of a change; gives the sign as it is written.
    fn change(&mut self, now: u64, before: u64) -> &'static str {
        let (sign, minus) = match now.cmp(&before) {
            std::cmp::Ordering::Greater => (2, ""),
            std::cmp::Ordering::Equal => (3, ""),
            std::cmp::Ordering::Less => (5, "-"),
        };
        self.field(sign);
        self.field(format_args!("{minus}{}", now.abs_diff(before)));
        minus
    }
}

/// Fields 0 to 46 of a print.
pub fn trade(one: &mut Instrument, record: &mut Record) -> Print {
    let up = one.below(3);
    one.step = (one.step + up).saturating_sub(1).min(2 * WALK);
    let (price, quantity, is_sale) = (one.price(), 1 + one.below(20), one.below(2) == 0);
    let (open, high, low) = (one.base, one.base + WALK * TICK, one.base - WALK * TICK);
    let (sales, buys) = (3_000 + one.below(2_000), 3_000 + one.below(2_000));
    let _infallible = write!(record.text, "0|H0STCNT0|001|");
    record.field(&one.key);
    record.time = record.field("000000");
    record.field(price);
    let minus = record.change(price, one.base);
    let hundredths = price.abs_diff(one.base) * 10_000 / one.base.max(1);
    record.field(format_args!("{minus}{}.{:02}", hundredths / 100, hundredths % 100));
    record.field(format_args!("{}.00", one.base));
    record.fields([open, high, low, price + TICK, price, quantity]);
    record.volume = record.field("0000000000");
    let value = record.field("000000000000000");
    record.fields([sales, buys]);
    record.field(i128::from(buys) - i128::from(sales));
    record.field("100.00");
    let sold = record.field("0000000000");
    let bought = record.field("0000000000");
    record.field(if is_sale { "5" } else { "1" });
    record.field("0.51");
    record.field("46.62");
    for (time, other) in [("090011", open), ("090553", high), ("090023", low)] {
        record.field(time);
        record.change(price, other);
    }
    let date = record.field("00000000");
    for field in ["20", "N"] {
        record.field(field);
    }
    let totals = [1 + one.below(9_999), 1 + one.below(9_999), 200_000 + one.below(99_999), 200_000];
    record.fields(totals);
    record.field("0.25");
    record.field(one.volume - one.volume / 10);
    record.field("111.11");
    for field in ["0", ""] {
        record.field(field);
    }
    record.field(open);
    record.field(2);
    Print { date, value, sold, bought, price, quantity, is_sale }
}

/// Fields 0 to 62 of a book.
pub fn book(one: &mut Instrument, record: &mut Record) {
    let price = one.price();
    let sizes: [u64; 20] = std::array::from_fn(|_| 1 + one.below(50_000));
    let (asks, bids) = (sizes.iter().take(10).sum::<u64>(), sizes.iter().skip(10).sum::<u64>());
    let _infallible = write!(record.text, "0|H0STASP0|001|");
    record.field(&one.key);
    record.time = record.field("000000");
    record.field(0);
    record.fields::<10>(std::array::from_fn(|level| price + (level as u64 + 1) * TICK));
    record.fields::<10>(std::array::from_fn(|level| price - level as u64 * TICK));
    record.fields(sizes);
    record.fields([asks, bids, 0, 0, 0, 0, 457_236]);
    record.field(format_args!("-{}", one.base));
    record.field(5);
    record.field("-100.00");
    record.volume = record.field("0000000000");
    let changes = [one.below(500), one.below(500), 0, 0, 0, price + TICK / 2, 0, 0, 2];
    record.fields(changes);
}
