//! A trading day of a few symbols, known share for share, and what the feed delivered of it.

use std::time::Duration;

use bus::publisher::{Outgoing, Publisher};
use market::calendar::Calendar;
use market::{
    AggressorSide, At, Body, Codes, Event, Market, Origin, Price, Quantity, Source, Stamp, Symbol, Tape,
    Trade, TradeDate, Value, calendar, time,
};

/// Symbols with trades; one more has none.
const TRADED: usize = 6;
/// Trades of each.
const TRADES: i64 = 260;

/// One trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub exchange_ns: i64,
    pub price: i64,
    pub quantity: i64,
    pub cumulative: i64,
    pub lost: bool,
}

/// A symbol's day.
#[derive(Debug, Clone)]
pub struct SymbolDay {
    pub symbol: String,
    pub rows: Vec<Row>,
}

/// A market's day.
#[derive(Debug, Clone)]
pub struct Day {
    pub date: TradeDate,
    pub tapes: Vec<SymbolDay>,
}

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) % limit.unsigned_abs()).expect("small")
    }
}

impl Day {
    pub fn new(seed: u64) -> Self {
        let date =
            Calendar::built_in().last_ended(Market::Kr, process::clock::now_ns()).expect("covered").date();
        let mut random = Random(seed);
        let mut tapes: Vec<SymbolDay> = (0..TRADED).map(|index| tape(date, index, &mut random)).collect();
        // Nobody traded it.
        tapes.push(SymbolDay { symbol: "900000".to_owned(), rows: Vec::new() });
        Self { date, tapes }
    }

    pub fn symbols_file(&self) -> String {
        let entry = |tape: &SymbolDay| format!("- {{symbol: '{}', market: kr, tapes: [krx]}}\n", tape.symbol);
        format!("symbols:\n{}", self.tapes.iter().map(entry).collect::<String>())
    }

    pub fn symbols(&self) -> u64 {
        self.tapes.len() as u64
    }

    /// One that lost single trades.
    pub fn lossy(&self) -> &str {
        &self.tapes[1].symbol
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.tapes.iter().flat_map(|tape| &tape.rows)
    }

    pub fn trades(&self) -> u64 {
        self.rows().count() as u64
    }

    pub fn lost(&self) -> u64 {
        self.rows().filter(|row| row.lost).count() as u64
    }

    pub fn checksum(&self) -> u64 {
        self.rows().map(|row| (row.cumulative * row.quantity).unsigned_abs()).sum()
    }

    /// The whole day by ka10084, and minutes, for each symbol.
    pub fn enough_pages(&self) -> u64 {
        self.symbols() * (TRADES.unsigned_abs().div_ceil(100) + 1)
    }

    /// Publishes what was delivered as KIS's cell; returns how many trades.
    pub async fn publish(&self, settings: &bus::NatsSettings) -> u64 {
        let mut publisher: Publisher<u64> = Publisher::new(settings, "kis-service").expect("publisher");
        let mut number = 0;
        for tape in &self.tapes {
            for row in tape.rows.iter().filter(|row| !row.lost) {
                number += 1;
                let event = event(self.date, &tape.symbol, row, number);
                publisher.publish(Outgoing::event(&event), number).await.expect("published");
            }
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        publisher.drain(deadline).await.expect("stored");
        number
    }
}

/// Volume without a print before the open and before 15:40; a second with many equal trades; losses of every kind.
fn tape(date: TradeDate, index: usize, random: &mut Random) -> SymbolDay {
    let open = time::kst(date, time::parse_hhmmss("110000").expect("time"));
    let late = time::kst(date, time::parse_hhmmss("154000").expect("time"));
    let mut cumulative = 1_000 + random.below(5_000);
    let mut rows = Vec::new();
    for number in 0..TRADES {
        let is_late = number >= TRADES - 5;
        if number == TRADES - 5 {
            cumulative += 777;
        }
        // Two or three trades a second, equal ones among them.
        let second = if is_late {
            late + (number - TRADES + 5) * time::SECOND
        } else {
            open + number / 3 * 20 * time::SECOND
        };
        let quantity = if number % 50 < 6 { 7 } else { 1 + random.below(200) };
        let price = if number % 50 < 6 { 700_000_000 } else { 700_000_000 + random.below(9) * 1_000_000 };
        cumulative += quantity;
        let lost = match index {
            0 => false,
            // A late start and single losses.
            1 => number < 20 || random.below(20) == 0,
            // The end of the day.
            2 => number > TRADES - 30,
            // A cut link.
            3 => (100..160).contains(&number),
            // Everything.
            4 => true,
            _ => random.below(5) == 0,
        };
        rows.push(Row { exchange_ns: second, price, quantity, cumulative, lost });
    }
    SymbolDay { symbol: format!("10000{index}"), rows }
}

fn event(date: TradeDate, symbol: &str, row: &Row, number: u64) -> Event {
    let at = At {
        tape: Tape::Krx,
        symbol: Symbol::parse(symbol).expect("symbol"),
        trade_date: date,
        exchange_ns: row.exchange_ns,
    };
    let trade = Trade {
        at,
        price: Price::from_units(row.price),
        quantity: Quantity::from_units(row.quantity),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(row.cumulative),
        cumulative_value: Value::ZERO,
        cumulative_value_step: Value::ZERO,
        best_ask: None,
        best_bid: None,
        session: calendar::session_of(Tape::Krx, row.exchange_ns),
        session_codes: Codes::default(),
        halted: false,
    };
    let stamp = Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: row.exchange_ns + 300_000_000,
        connection_id: 1,
        frame_sequence: number,
        record_index: 0,
        origin: Origin::Live,
    };
    Event { stamp, body: Body::Trade(trade) }
}
