//! Events → items of the stream, as JSON text. Prices and nanoseconds are text; `docs/gateway.md` is the description.

use std::fmt::Display;

use market::{At, Gap, Levels, OrderBook, Price, Stamp, Status, Symbol, TradeDate};
use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer};
use serde_json::{Map, Value, json};

use crate::merge::books::{Book, Change};
use crate::merge::trades::Print;
use crate::view::{Instrument, View};

/// A value as the text that it shows.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The levels of a side as pairs.
struct Side<'a>(&'a Levels);

impl Serialize for Side<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let levels = self.0.as_slice();
        let mut seq = serializer.serialize_seq(Some(levels.len()))?;
        for level in levels {
            seq.serialize_element(&(Text(level.price), level.quantity.units()))?;
        }
        seq.end()
    }
}

/// What every item of an instrument begins with.
#[derive(Serialize)]
struct Head<'a> {
    kind: &'static str,
    market: &'static str,
    source: &'static str,
    symbol: &'a str,
    tape: &'static str,
    trade_date: Text<TradeDate>,
    exchange_ns: Text<i64>,
    received_ns: Text<i64>,
}

impl<'a> Head<'a> {
    fn new(kind: &'static str, stamp: &Stamp, at: &'a At) -> Self {
        Self {
            kind,
            market: stamp.market.as_str(),
            source: stamp.source.as_str(),
            symbol: at.symbol.as_str(),
            tape: at.tape.as_str(),
            trade_date: Text(at.trade_date),
            exchange_ns: Text(at.exchange_ns),
            received_ns: Text(stamp.received_ns),
        }
    }
}

#[derive(Serialize)]
struct TradeItem<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    price: Text<Price>,
    quantity: i64,
    aggressor_side: &'static str,
    cumulative_volume: i64,
    cumulative_value: Text<market::Value>,
    best_ask: Option<Text<Price>>,
    best_bid: Option<Text<Price>>,
    session: &'static str,
    halted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
}

#[derive(Serialize)]
struct BookItem<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    asks: Side<'a>,
    bids: Side<'a>,
    total_ask_quantity: i64,
    total_bid_quantity: i64,
    expected_price: Option<Text<Price>>,
    expected_quantity: i64,
    session: &'static str,
}

/// Writes an item behind what is there, with a comma between.
fn write(out: &mut Vec<u8>, item: &impl Serialize) {
    if !out.is_empty() {
        out.push(b',');
    }
    // Writing to memory cannot fail, and no item has a key that is no text.
    let _infallible = serde_json::to_writer(&mut *out, item);
}

/// Writes a trade.
pub fn trade(out: &mut Vec<u8>, print: &Print, late: bool) {
    let trade = &print.trade;
    let item = TradeItem {
        head: Head::new("trade", &print.stamp, &trade.at),
        price: Text(trade.price),
        quantity: trade.quantity.units(),
        aggressor_side: trade.aggressor_side.as_str(),
        cumulative_volume: trade.cumulative_volume.units(),
        cumulative_value: Text(trade.cumulative_value),
        best_ask: trade.best_ask.map(Text),
        best_bid: trade.best_bid.map(Text),
        session: trade.session.as_str(),
        halted: trade.halted,
        late,
    };
    write(out, &item);
}

/// Writes a book.
pub fn order_book(out: &mut Vec<u8>, shown: &Book) {
    let book: &OrderBook = &shown.book;
    let item = BookItem {
        head: Head::new("order_book", &shown.stamp, &book.at),
        asks: Side(&book.asks),
        bids: Side(&book.bids),
        total_ask_quantity: book.total_ask_quantity.units(),
        total_bid_quantity: book.total_bid_quantity.units(),
        expected_price: book.expected_price.map(Text),
        expected_quantity: book.expected_quantity.units(),
        session: book.session.as_str(),
    };
    write(out, &item);
}

/// Writes that shares were not told in time.
pub fn gap(out: &mut Vec<u8>, view: View, (tape, symbol): Instrument, day: TradeDate, shares: (i64, i64)) {
    write(
        out,
        &json!({
            "kind": "gap", "market": tape.market().as_str(), "source": view.as_str(), "symbol": symbol.as_str(),
            "tape": tape.as_str(), "trade_date": day.to_string(), "after": shares.0, "until": shares.1,
        }),
    );
}

/// Writes that the book has another broker.
pub fn source(out: &mut Vec<u8>, (tape, symbol): Instrument, change: &Change) {
    write(
        out,
        &json!({
            "kind": "source", "market": tape.market().as_str(), "source": change.to.as_str(), "symbol": symbol.as_str(),
            "tape": tape.as_str(), "from": change.from.as_str(), "why": change.why,
        }),
    );
}

/// Writes any other item.
pub fn value(out: &mut Vec<u8>, item: &Value) {
    write(out, item);
}

/// A status as an item.
pub fn status(stamp: &Stamp, status: &Status) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| {
        map.insert(name.to_owned(), value);
    };
    put("kind", json!("status"));
    put("market", json!(stamp.market.as_str()));
    put("source", json!(stamp.source.as_str()));
    put("what", json!(status.what()));
    put("received_ns", json!(stamp.received_ns.to_string()));
    if let Some((tape, symbol)) = status.instrument() {
        put("tape", json!(tape.as_str()));
        put("symbol", json!(symbol.as_str()));
    }
    if let Some(day) = status.trade_date() {
        put("trade_date", json!(day.to_string()));
    }
    if let Value::Object(rest) = details(status) {
        map.extend(rest);
    }
    Value::Object(map)
}

fn details(status: &Status) -> Value {
    let texts = |symbols: &[Symbol]| symbols.iter().map(ToString::to_string).collect::<Vec<_>>();
    match status {
        Status::LinkUp { connection, registered, refused } => {
            json!({ "connection": connection, "registered": registered, "refused": refused })
        }
        Status::LinkDown { connection, reason } => json!({ "connection": connection, "reason": reason }),
        Status::Refused { registration, code, text } => {
            json!({ "registration": registration, "code": code, "text": text })
        }
        Status::Silent { symbols, since_ns } => {
            json!({ "symbols": texts(symbols), "since_ns": since_ns.to_string() })
        }
        Status::GapOpened(gap) | Status::GapClosed(gap) => self::told_gap(gap),
        Status::Ownership { change, uncovered } => json!({
            "group": change.group.as_str(), "from": change.from.as_str(), "to": change.to.as_str(), "by": change.by.as_str(),
            "hold": change.hold, "why": change.why, "missed_since_ns": change.missed_since_ns.map(|ns| ns.to_string()),
            "uncovered": texts(uncovered),
        }),
        Status::Recovery(recovery) => json!({
            "after": recovery.after.units(), "until": recovery.until.units(), "method": recovery.method.as_str(),
            "asked": recovery.asked, "returned": recovery.returned, "added": recovery.added,
            "added_volume": recovery.added_volume.units(), "residue": recovery.residue, "proof": recovery.proof.as_str(),
            "started_ns": recovery.started_ns.to_string(), "detail": recovery.detail,
        }),
        Status::DayTotal(total) => json!({
            "volume": total.volume.units(), "method": total.method.as_str(), "is_final": total.is_final,
            "off_hours": total.off_hours.units(),
        }),
    }
}

fn told_gap(gap: &Gap) -> Value {
    json!({
        "reason": gap.reason.as_str(), "connection": gap.connection, "from_ns": gap.from_ns.to_string(),
        "until_ns": gap.until_ns.map(|ns| ns.to_string()), "detail": gap.detail,
        "after": gap.volume.map(|missing| missing.after.units()), "until": gap.volume.map(|missing| missing.until.units()),
        "residue": gap.volume.and_then(|missing| missing.residue).map(market::Quantity::units),
    })
}

#[cfg(test)]
mod tests {
    use market::{
        AggressorSide, Codes, Level, Market, Origin, Quantity, Session, Source, Tape, Trade, Value as Money,
    };

    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            market: Market::Kr,
            source: Source::Kis,
            received_ns: 1_795_478_430_123_456_789,
            connection_id: 1,
            frame_sequence: 1,
            record_index: 0,
            origin: Origin::Live,
        }
    }

    fn at() -> At {
        At {
            tape: Tape::Krx,
            symbol: Symbol::parse("005930").expect("symbol"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_478_430_000_000_000,
        }
    }

    #[test]
    fn a_trade_is_exact_text() {
        let trade = Trade {
            at: at(),
            price: Price::from_units(700_005_000),
            quantity: Quantity::from_units(3),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Quantity::from_units(10_247_065),
            cumulative_value: Money::from_units(6_051_423_848_000_000),
            cumulative_value_step: Money::ONE,
            best_ask: Some(Price::from_units(700_010_000)),
            best_bid: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
            halted: false,
        };
        let mut out = Vec::new();
        let print = Print { stamp: stamp(), trade };
        super::trade(&mut out, &print, false);
        super::trade(&mut out, &print, true);
        let text = String::from_utf8(out).expect("text");
        let one = concat!(
            r#"{"kind":"trade","market":"kr","source":"kis","symbol":"005930","tape":"krx","trade_date":"2026-11-24","#,
            r#""exchange_ns":"1795478430000000000","received_ns":"1795478430123456789","price":"70000.5","quantity":3,"#,
            r#""aggressor_side":"buy","cumulative_volume":10247065,"cumulative_value":"605142384800","best_ask":"70001","#,
            r#""best_bid":null,"session":"continuous","halted":false"#
        );
        assert_eq!(text, format!("{one}}},{one},\"late\":true}}"));
    }

    #[test]
    fn a_book_has_its_levels_as_pairs() {
        let level = |price, quantity| Level {
            price: Price::from_units(price),
            quantity: Quantity::from_units(quantity),
        };
        let book = OrderBook {
            at: at(),
            asks: Levels::collect([level(700_010_000, 5), level(700_020_000, 7)]).expect("levels"),
            bids: Levels::collect([level(700_000_000, 9)]).expect("levels"),
            total_ask_quantity: Quantity::from_units(12),
            total_bid_quantity: Quantity::from_units(9),
            expected_price: None,
            expected_quantity: Quantity::ZERO,
            cumulative_volume: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
        };
        let mut out = Vec::new();
        order_book(&mut out, &Book { stamp: stamp(), book });
        let read: Value = serde_json::from_slice(&out).expect("json");
        assert_eq!(read["asks"], json!([["70001", 5], ["70002", 7]]));
        assert_eq!(read["bids"], json!([["70000", 9]]));
        assert_eq!((&read["expected_price"], &read["total_ask_quantity"]), (&Value::Null, &json!(12)));
    }

    #[test]
    fn a_status_keeps_what_it_says() {
        let link = Status::LinkDown { connection: "main".into(), reason: "closed".into() };
        assert_eq!(
            status(&stamp(), &link),
            json!({"kind": "status", "market": "kr", "source": "kis", "what": "link_down",
                "received_ns": "1795478430123456789", "connection": "main", "reason": "closed"})
        );
    }
}
