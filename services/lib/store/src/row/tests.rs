//! Rows with every value pinned: a column that swaps with another would be silent.

use market::{AggressorSide, Market, Origin, Price, Quantity, Session, Source, Tape, TradeDate, Value};

use super::*;

pub(crate) fn position(stream_sequence: u64, event_id: u64) -> Position {
    Position { stream: Arc::from("TICKER_KR_KIS"), epoch: 2, stream_sequence, event_id }
}

fn stamp() -> Stamp {
    Stamp {
        market: Market::Kr,
        source: Source::Kis,
        received_ns: 1_795_478_430_123_456_789,
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: 42,
        record_index: 1,
        origin: Origin::Live,
    }
}

fn at() -> At {
    At {
        tape: Tape::Krx,
        symbol: Symbol::parse("0155E0").expect("symbol"),
        trade_date: TradeDate::parse("20261125").expect("date"),
        exchange_ns: 1_795_478_430_000_000_000,
    }
}

pub(crate) fn trade_row(stream_sequence: u64, event_id: u64) -> TradeRow {
    let trade = Trade {
        at: at(),
        price: Price::from_units(700_005_000),
        quantity: Quantity::from_units(3),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(1_000),
        cumulative_value: Value::from_units(700_000_000_000),
        cumulative_value_step: Value::ONE,
        best_ask: Some(Price::from_units(700_010_000)),
        best_bid: None,
        session: Session::Continuous,
        session_codes: Codes::join(&["20", "0", "", "2"]),
        halted: true,
    };
    TradeRow::new(&stamp(), &trade, position(stream_sequence, event_id))
}

fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price::from_units(price), quantity: Quantity::from_units(quantity) }
}

#[test]
fn every_value_of_a_trade_stands_in_its_column() {
    let expected = serde_json::json!({
        "market": "kr", "source": "kis", "tape": "krx", "symbol": "0155E0", "trade_date": 20_782,
        "exchange_ns": 1_795_478_430_000_000_000_i64, "received_ns": 1_795_478_430_123_456_789_i64,
        "connection_id": 1_795_478_000_000_000_001_i64, "frame_sequence": 42, "record_index": 1,
        "origin": "live", "price": 700_005_000, "quantity": 3, "aggressor_side": "buy",
        "cumulative_volume": 1_000, "cumulative_value": 700_000_000_000_i64, "cumulative_value_step": 10_000,
        "best_ask": 700_010_000, "best_bid": null, "session": "continuous", "session_codes": "20|0||2",
        "halted": true, "stream": "TICKER_KR_KIS", "epoch": 2, "stream_sequence": 9, "event_id": 77,
    });
    assert_eq!(serde_json::to_value(trade_row(9, 77)).expect("json"), expected);
}

#[test]
fn every_value_of_a_book_stands_in_its_column() {
    let book = OrderBook {
        at: at(),
        asks: Levels::collect([level(101, 1), level(0, 5), level(103, 3)]).expect("asks"),
        bids: Levels::collect([level(99, 7)]).expect("bids"),
        total_ask_quantity: Quantity::from_units(9),
        total_bid_quantity: Quantity::from_units(8),
        expected_price: Some(Price::from_units(100)),
        expected_quantity: Quantity::from_units(50),
        cumulative_volume: Some(Quantity::from_units(1_000)),
        session: Session::CloseAuction,
        session_codes: Codes::join(&["30"]),
    };
    let expected = serde_json::json!({
        "market": "kr", "source": "kis", "tape": "krx", "symbol": "0155E0", "trade_date": 20_782,
        "exchange_ns": 1_795_478_430_000_000_000_i64, "received_ns": 1_795_478_430_123_456_789_i64,
        "connection_id": 1_795_478_000_000_000_001_i64, "frame_sequence": 42, "record_index": 1,
        "origin": "live", "ask_prices": [101, 0, 103], "ask_quantities": [1, 5, 3],
        "bid_prices": [99], "bid_quantities": [7], "total_ask_quantity": 9, "total_bid_quantity": 8,
        "expected_price": 100, "expected_quantity": 50, "cumulative_volume": 1_000,
        "session": "close_auction", "session_codes": "30",
        "stream": "TICKER_KR_KIS", "epoch": 2, "stream_sequence": 10, "event_id": 78,
    });
    let row = OrderBookRow::new(&stamp(), &book, position(10, 78));
    assert_eq!(serde_json::to_value(row).expect("json"), expected);

    let empty = OrderBook { asks: Levels::default(), expected_price: None, cumulative_volume: None, ..book };
    let row = serde_json::to_value(OrderBookRow::new(&stamp(), &empty, position(10, 78))).expect("json");
    assert_eq!(row["ask_prices"], serde_json::json!([]));
    assert!(row["expected_price"].is_null() && row["cumulative_volume"].is_null());
}
