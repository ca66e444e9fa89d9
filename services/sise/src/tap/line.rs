//! An event as one line for a person: when it was received, where it comes from, what it says.

use market::universe::Universe;
use market::{At, Body, Event, Levels, Origin};

use crate::json;
use crate::words::{grouped, printable};

/// The line, without an end.
pub fn of(event: &Event, universe: &Universe) -> String {
    let stamp = &event.stamp;
    let recovered = if stamp.origin == Origin::Recovered { " recovered" } else { "" };
    let text = match &event.body {
        Body::Trade(trade) => format!(
            "{} trade {} x {} {}, volume {}{recovered}",
            place(&trade.at, universe),
            trade.price,
            grouped(trade.quantity.units()),
            trade.aggressor_side,
            grouped(trade.cumulative_volume.units())
        ),
        Body::OrderBook(book) => {
            format!("{} book bid {} ask {}", place(&book.at, universe), best(&book.bids), best(&book.asks))
        }
        Body::Status(_) => status(event),
    };
    // `2026-11-24 10:00:31 KST`
    let clock = json::clock(stamp.received_ns);
    let time = clock.split(' ').nth(1).unwrap_or_default();
    let millis = stamp.received_ns.rem_euclid(1_000_000_000) / 1_000_000;
    printable(&format!("{time}.{millis:03} {:<2} {:<6} {text}", stamp.market, stamp.source))
}

fn place(at: &At, universe: &Universe) -> String {
    let is_it =
        |entry: &&market::universe::Entry| entry.symbol == at.symbol && entry.market == at.tape.market();
    let name = universe.entries.iter().find(is_it).and_then(|entry| entry.name.as_deref());
    format!("{:<3} {:<6} {}", at.tape, at.symbol, name.unwrap_or_default()).trim_end().to_owned()
}

fn best(levels: &Levels) -> String {
    let best = levels.as_slice().first();
    best.map_or_else(
        || "-".to_owned(),
        |level| format!("{} x {}", level.price, grouped(level.quantity.units())),
    )
}

/// What a status says, without what stands before it already.
fn status(event: &Event) -> String {
    let serde_json::Value::Object(map) = json::event(event) else { return String::new() };
    let said = [
        "kind",
        "what",
        "market",
        "source",
        "origin",
        "received_ns",
        "connection_id",
        "frame_sequence",
        "record_index",
    ];
    let what = map.get("what").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let values = map.iter().filter(|(name, value)| !said.contains(&name.as_str()) && !value.is_null());
    let values = values.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    format!("{what} {}", values.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use market::{
        AggressorSide, Codes, Market, Price, Quantity, Session, Source, Stamp, Status, Symbol, Tape, Trade,
        TradeDate, Value,
    };

    use super::*;

    #[test]
    fn an_event_is_one_readable_line() {
        let universe =
            Universe::from_yaml("symbols:\n- {symbol: 005930, name: 삼성전자}\n").expect("universe");
        let stamp = Stamp {
            market: Market::Kr,
            source: Source::Kis,
            received_ns: 1_795_478_430_123_456_789,
            connection_id: 7,
            frame_sequence: 42,
            record_index: 1,
            origin: Origin::Recovered,
        };
        let trade = Trade {
            at: At {
                tape: Tape::Krx,
                symbol: Symbol::parse("005930").expect("symbol"),
                trade_date: TradeDate::parse("20261124").expect("date"),
                exchange_ns: 1_795_478_430_000_000_000,
            },
            price: Price::parse("70000.5").expect("price"),
            quantity: Quantity::from_units(1_000),
            aggressor_side: AggressorSide::Buy,
            cumulative_volume: Quantity::from_units(1_234_567),
            cumulative_value: Value::ONE,
            cumulative_value_step: Value::ONE,
            best_ask: None,
            best_bid: None,
            session: Session::Continuous,
            session_codes: Codes::default(),
            halted: false,
        };
        let told = of(&Event { stamp, body: Body::Trade(trade) }, &universe);
        let expected = "09:00:30.123 kr kis    krx 005930 삼성전자 trade 70000.5 x 1,000 buy, volume 1,234,567 recovered";
        assert_eq!(told, expected);
        let down = Status::LinkDown { connection: "main".to_owned(), reason: "reset\n".to_owned() };
        let told = of(&Event { stamp, body: Body::Status(down) }, &universe);
        assert_eq!(told, "09:00:30.123 kr kis    link_down connection=main reason=reset\u{fffd}");
    }
}
