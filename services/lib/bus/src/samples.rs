//! One event of each kind, for the tests of this crate.

use market::{
    AggressorSide, At, Body, Change, ChangedBy, Codes, DayTotal, Event, Gap, GapReason, Group, Level, Levels,
    Market, Method, MissingVolume, OrderBook, Origin, Price, Proof, Quantity, Recovery, Session, Source,
    Stamp, Status, Symbol, Tape, Trade, TradeDate, Value,
};

pub(crate) fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("symbol")
}

pub(crate) fn stamp(market: Market) -> Stamp {
    Stamp {
        market,
        source: Source::Kis,
        received_ns: 1_795_478_430_123_456_789,
        connection_id: 1_795_478_000_000_000_001,
        frame_sequence: 42,
        record_index: 1,
        origin: Origin::Live,
    }
}

pub(crate) fn trade() -> Event {
    let trade = Trade {
        at: At {
            tape: Tape::Krx,
            symbol: symbol("005930"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_478_430_000_000_000,
        },
        price: Price::from_units(700_005_000),
        quantity: Quantity::from_units(3),
        aggressor_side: AggressorSide::Buy,
        cumulative_volume: Quantity::from_units(10_247_065),
        cumulative_value: Value::from_units(6_051_423_848_000_000),
        cumulative_value_step: Value::ONE,
        best_ask: Some(Price::from_units(700_010_000)),
        best_bid: Some(Price::from_units(700_000_000)),
        session: Session::Continuous,
        session_codes: Codes::from_text("20|0||2"),
        halted: false,
    };
    Event { stamp: stamp(Market::Kr), body: Body::Trade(trade) }
}

pub(crate) fn order_book() -> Event {
    let side = |prices: [i64; 10]| {
        let level = |(index, price)| Level {
            price: Price::from_units(price),
            quantity: Quantity::from_units(100 + 37 * index),
        };
        Levels::collect((0_i64..).zip(prices).map(level)).expect("levels")
    };
    let book = OrderBook {
        at: At {
            tape: Tape::Us,
            symbol: symbol("BRK/B"),
            trade_date: TradeDate::parse("20261124").expect("date"),
            exchange_ns: 1_795_531_800_000_000_000,
        },
        asks: side(std::array::from_fn(|index| 5_031_200 + 100 * i64::try_from(index).expect("small"))),
        bids: side(std::array::from_fn(|index| 5_031_100 - 100 * i64::try_from(index).expect("small"))),
        total_ask_quantity: Quantity::from_units(2_665),
        total_bid_quantity: Quantity::from_units(2_665),
        expected_price: None,
        expected_quantity: Quantity::ZERO,
        cumulative_volume: None,
        session: Session::Regular,
        session_codes: Codes::default(),
    };
    Event { stamp: stamp(Market::Us), body: Body::OrderBook(book) }
}

/// One of each status, in the order of the vocabulary.
pub(crate) fn statuses() -> Vec<Event> {
    let gap = |until_ns, instrument| Gap {
        reason: GapReason::Refused,
        connection: Some("main".into()),
        instrument,
        from_ns: 1_795_478_000_000_000_000,
        until_ns,
        detail: "record 2: not a number".into(),
        volume: None,
    };
    [
        Status::LinkUp { connection: "main".into(), registered: 40, refused: 1 },
        Status::LinkDown { connection: "main".into(), reason: "closed by the broker".into() },
        Status::Refused {
            registration: "H0STCNT0 005930".into(),
            code: "OPSP0008".into(),
            text: "MAX SUBSCRIBE OVER".into(),
        },
        Status::Silent {
            symbols: vec![symbol("005930"), symbol("0155E0")],
            since_ns: 1_795_478_000_000_000_000,
        },
        Status::GapOpened(gap(None, None)),
        Status::GapClosed(gap(Some(1_795_478_431_000_000_000), Some((Tape::Nxt, symbol("000660"))))),
        Status::Ownership {
            change: Change {
                group: Group::A,
                from: Source::Kiwoom,
                to: Source::Kis,
                by: ChangedBy::Auto,
                hold: false,
                why: "kiwoom is dead: no message for 60 s".into(),
                missed_since_ns: Some(1_795_478_000_000_000_000),
            },
            uncovered: vec![symbol("0155E0")],
        },
    ]
    .into_iter()
    .chain(of_volume())
    .map(|status| Event { stamp: stamp(Market::Kr), body: Body::Status(status) })
    .collect()
}

/// What is said of missing volume, in the order of the vocabulary.
fn of_volume() -> [Status; 4] {
    let trade_date = TradeDate::parse("20261124").expect("date");
    let shares = Quantity::from_units;
    let instrument = (Tape::Krx, symbol("005930"));
    let missing = |residue| Gap {
        reason: GapReason::ChainBreak,
        connection: None,
        instrument: Some(instrument),
        from_ns: 1_795_478_000_000_000_000,
        until_ns: Some(1_795_478_431_000_000_000),
        detail: "no print covers these shares".into(),
        volume: Some(MissingVolume {
            trade_date,
            after: shares(10_247_065),
            until: shares(10_247_312),
            residue,
        }),
    };
    [
        Status::GapOpened(missing(None)),
        Status::GapClosed(missing(Some(shares(0)))),
        Status::Recovery(Recovery {
            instrument,
            trade_date,
            after: shares(10_247_065),
            until: shares(10_247_312),
            method: Method::Ka10084,
            asked: 3,
            returned: 300,
            added: 12,
            added_volume: shares(250),
            residue: -3,
            proof: Proof::Unproven,
            started_ns: 1_795_500_000_000_000_000,
            detail: "3 shares too many".into(),
        }),
        Status::DayTotal(DayTotal {
            instrument,
            trade_date,
            volume: shares(18_113_904),
            method: Method::Fhpst01060000,
            is_final: true,
            off_hours: shares(40),
        }),
    ]
}
