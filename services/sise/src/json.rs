//! An event as JSON for people: prices as decimal text, times also in the exchange's clock.

use market::{At, Body, Event, Gap, Levels, Market, Recovery, Status, Symbol, Tape, TradeDate};
use serde_json::{Map, Value, json};

/// One event as a JSON object.
#[must_use]
pub fn event(event: &Event) -> Value {
    let mut map = Map::new();
    match &event.body {
        Body::Trade(trade) => {
            place(&mut map, "trade", &trade.at);
            put(&mut map, "price", json!(trade.price.to_string()));
            put(&mut map, "quantity", json!(trade.quantity.units()));
            put(&mut map, "aggressor_side", json!(trade.aggressor_side.as_str()));
            put(&mut map, "cumulative_volume", json!(trade.cumulative_volume.units()));
            put(&mut map, "cumulative_value", json!(trade.cumulative_value.to_string()));
            put(&mut map, "cumulative_value_step", json!(trade.cumulative_value_step.to_string()));
            put(&mut map, "best_ask", json!(trade.best_ask.map(|price| price.to_string())));
            put(&mut map, "best_bid", json!(trade.best_bid.map(|price| price.to_string())));
            put(&mut map, "session", json!(trade.session.as_str()));
            put(&mut map, "session_codes", json!(trade.session_codes.as_str()));
            put(&mut map, "halted", json!(trade.halted));
        }
        Body::OrderBook(book) => {
            place(&mut map, "order_book", &book.at);
            put(&mut map, "asks", levels(&book.asks));
            put(&mut map, "bids", levels(&book.bids));
            put(&mut map, "total_ask_quantity", json!(book.total_ask_quantity.units()));
            put(&mut map, "total_bid_quantity", json!(book.total_bid_quantity.units()));
            put(&mut map, "expected_price", json!(book.expected_price.map(|price| price.to_string())));
            put(&mut map, "expected_quantity", json!(book.expected_quantity.units()));
            put(&mut map, "cumulative_volume", json!(book.cumulative_volume.map(market::Quantity::units)));
            put(&mut map, "session", json!(book.session.as_str()));
            put(&mut map, "session_codes", json!(book.session_codes.as_str()));
        }
        Body::Status(status) => {
            put(&mut map, "kind", json!("status"));
            put(&mut map, "what", json!(status.what()));
            self::status(&mut map, status);
        }
    }
    let stamp = &event.stamp;
    put(&mut map, "market", json!(stamp.market.as_str()));
    put(&mut map, "source", json!(stamp.source.as_str()));
    put(&mut map, "origin", json!(stamp.origin.as_str()));
    put(&mut map, "received_ns", json!(stamp.received_ns));
    put(&mut map, "connection_id", json!(stamp.connection_id));
    put(&mut map, "frame_sequence", json!(stamp.frame_sequence));
    put(&mut map, "record_index", json!(stamp.record_index));
    Value::Object(map)
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    map.insert(name.to_owned(), value);
}

fn place(map: &mut Map<String, Value>, kind: &str, at: &At) {
    put(map, "kind", json!(kind));
    put(map, "symbol", json!(at.symbol.as_str()));
    put(map, "tape", json!(at.tape.as_str()));
    put(map, "trade_date", json!(at.trade_date.to_string()));
    put(map, "exchange_time", json!(clock(at.exchange_ns)));
    put(map, "exchange_ns", json!(at.exchange_ns));
}

/// An exchange time as a person reads it in Seoul; both brokers stamp US events with it too.
#[must_use]
pub fn clock(utc_ns: i64) -> String {
    let seconds = (utc_ns + market::time::KST).rem_euclid(market::time::DAY) / market::time::SECOND;
    let date = market::calendar::trade_date(Market::Kr, utc_ns);
    format!("{date} {:02}:{:02}:{:02} KST", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn levels(levels: &Levels) -> Value {
    let pairs =
        levels.as_slice().iter().map(|level| json!([level.price.to_string(), level.quantity.units()]));
    Value::Array(pairs.collect())
}

fn status(map: &mut Map<String, Value>, status: &Status) {
    match status {
        Status::LinkUp { connection, registered, refused } => {
            put(map, "connection", json!(connection));
            put(map, "registered", json!(registered));
            put(map, "refused", json!(refused));
        }
        Status::LinkDown { connection, reason } => {
            put(map, "connection", json!(connection));
            put(map, "reason", json!(reason));
        }
        Status::Refused { registration, code, text } => {
            put(map, "registration", json!(registration));
            put(map, "code", json!(code));
            put(map, "text", json!(text));
        }
        Status::Silent { symbols, since_ns } => {
            let symbols: Vec<_> = symbols.iter().map(market::Symbol::as_str).collect();
            put(map, "symbols", json!(symbols));
            put(map, "since_ns", json!(since_ns));
        }
        Status::GapOpened(gap) | Status::GapClosed(gap) => self::gap(map, gap),
        Status::Ownership { change, uncovered } => {
            let symbols: Vec<_> = uncovered.iter().map(market::Symbol::as_str).collect();
            put(map, "group", json!(change.group.as_str()));
            put(map, "from", json!(change.from.as_str()));
            put(map, "to", json!(change.to.as_str()));
            put(map, "by", json!(change.by.as_str()));
            put(map, "hold", json!(change.hold));
            put(map, "why", json!(change.why));
            put(map, "missed_since_ns", json!(change.missed_since_ns));
            put(map, "uncovered", json!(symbols));
        }
        Status::Recovery(recovery) => self::recovery(map, recovery),
        Status::DayTotal(total) => {
            instrument(map, total.instrument, total.trade_date);
            put(map, "volume", json!(total.volume.units()));
            put(map, "method", json!(total.method.as_str()));
            put(map, "is_final", json!(total.is_final));
            put(map, "off_hours", json!(total.off_hours.units()));
        }
    }
}

fn instrument(map: &mut Map<String, Value>, (tape, symbol): (Tape, Symbol), trade_date: TradeDate) {
    put(map, "tape", json!(tape.as_str()));
    put(map, "symbol", json!(symbol.as_str()));
    put(map, "trade_date", json!(trade_date.to_string()));
}

fn recovery(map: &mut Map<String, Value>, recovery: &Recovery) {
    instrument(map, recovery.instrument, recovery.trade_date);
    put(map, "after", json!(recovery.after.units()));
    put(map, "until", json!(recovery.until.units()));
    put(map, "method", json!(recovery.method.as_str()));
    put(map, "asked", json!(recovery.asked));
    put(map, "returned", json!(recovery.returned));
    put(map, "added", json!(recovery.added));
    put(map, "added_volume", json!(recovery.added_volume.units()));
    put(map, "residue", json!(recovery.residue));
    put(map, "proof", json!(recovery.proof.as_str()));
    put(map, "started_ns", json!(recovery.started_ns));
    put(map, "detail", json!(recovery.detail));
}

fn gap(map: &mut Map<String, Value>, gap: &Gap) {
    put(map, "reason", json!(gap.reason.as_str()));
    put(map, "connection", json!(gap.connection));
    put(map, "tape", json!(gap.instrument.map(|(tape, _): (Tape, _)| tape.as_str())));
    put(map, "symbol", json!(gap.instrument.map(|(_, symbol)| symbol.to_string())));
    put(map, "from_ns", json!(gap.from_ns));
    put(map, "until_ns", json!(gap.until_ns));
    put(map, "detail", json!(gap.detail));
    if let Some(missing) = gap.volume {
        put(map, "trade_date", json!(missing.trade_date.to_string()));
        put(map, "after", json!(missing.after.units()));
        put(map, "until", json!(missing.until.units()));
        put(map, "residue", json!(missing.residue.map(market::Quantity::units)));
    }
}
