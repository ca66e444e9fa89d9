//! Round trips, pinned bytes, and what is refused.

use market::symbol::SymbolError;
use market::trade::ImpossibleTrade;
use market::{AggressorSide, GapReason, Method, Origin, Proof, Session, Source};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::samples;
use crate::to_proto::{encode, to_proto};

/// `name hex` per line: what publishers have written to streams, which every later version must read.
const PINNED: &str = include_str!("../../fixtures/pinned.txt");

/// The same of status events before they named connections: still in streams, still read.
const WITHOUT_CONNECTION: &str = include_str!("../../fixtures/pinned_before_connection_names.txt");

fn kinds() -> Vec<(&'static str, Event)> {
    let names = [
        "link_up",
        "link_down",
        "refused",
        "silent",
        "gap_opened",
        "gap_closed",
        "ownership",
        "volume_gap_opened",
        "volume_gap_closed",
        "recovery",
        "day_total",
    ];
    let mut kinds = vec![("trade", samples::trade()), ("order_book", samples::order_book())];
    kinds.extend(names.into_iter().zip(samples::statuses()));
    kinds
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(pair).collect()
}

#[test]
fn one_encoding_of_each_kind_is_pinned() {
    let pinned: Vec<_> = PINNED.lines().map(|line| line.split_once(' ').expect("name and hex")).collect();
    let kinds = kinds();
    assert_eq!(pinned.len(), kinds.len());
    for ((name, event), (pinned_name, hex)) in kinds.iter().zip(pinned) {
        assert_eq!(*name, pinned_name);
        assert_eq!(encode(event), bytes(hex), "{name} is written otherwise: {:02x}", Hex(&encode(event)));
        assert_eq!(decode(&bytes(hex)), Ok(event.clone()), "{name} is read otherwise");
    }
}

#[test]
fn statuses_without_a_connection_are_still_read() {
    let names = |line: &str| {
        let (_, hex) = line.split_once(' ').expect("name and hex");
        match decode(&bytes(hex)).expect("event").body {
            Body::Status(Status::LinkUp { connection, .. } | Status::LinkDown { connection, .. }) => {
                connection
            }
            Body::Status(Status::GapOpened(gap) | Status::GapClosed(gap)) => format!("{:?}", gap.connection),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(WITHOUT_CONNECTION.lines().map(names).collect::<Vec<_>>(), ["", "", "None", "None"]);
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A sample, changed on the wire.
fn changed(event: &Event, change: impl FnOnce(&mut proto::Event)) -> Result<Event, DecodeError> {
    let mut message = to_proto(event);
    change(&mut message);
    decode(&message.encode_to_vec())
}

fn changed_trade(change: impl FnOnce(&mut proto::Trade)) -> DecodeError {
    let result = changed(&samples::trade(), |message| match message.body.as_mut() {
        Some(proto::event::Body::Trade(trade)) => change(trade),
        _ => panic!("no trade"),
    });
    result.expect_err("refused")
}

fn changed_book(change: impl FnOnce(&mut proto::OrderBook)) -> DecodeError {
    let result = changed(&samples::order_book(), |message| match message.body.as_mut() {
        Some(proto::event::Body::OrderBook(book)) => change(book),
        _ => panic!("no book"),
    });
    result.expect_err("refused")
}

#[test]
fn an_impossible_trade_is_refused() {
    let negative = |field, value| DecodeError::Negative { field, value };
    let unknown = |field, value| DecodeError::UnknownValue { field, value };
    for (error, expected) in [
        (changed_trade(|t| t.price = -1), negative("price", -1)),
        (changed_trade(|t| t.price = 0), DecodeError::Trade(ImpossibleTrade::NoPrice)),
        (changed_trade(|t| t.quantity = 0), DecodeError::Trade(ImpossibleTrade::NoQuantity)),
        (changed_trade(|t| t.quantity = -3), negative("quantity", -3)),
        (
            changed_trade(|t| t.cumulative_volume = 2),
            DecodeError::Trade(ImpossibleTrade::CumulativeBelowQuantity),
        ),
        (changed_trade(|t| t.cumulative_value = i64::MIN), negative("cumulative_value", i64::MIN)),
        (changed_trade(|t| t.cumulative_value_step = -1), negative("cumulative_value_step", -1)),
        (changed_trade(|t| t.best_ask = Some(-1)), negative("best_ask", -1)),
        (changed_trade(|t| t.best_bid = Some(-1)), negative("best_bid", -1)),
        (changed_trade(|t| t.aggressor_side = 4), unknown("aggressor_side", 4)),
        (changed_trade(|t| t.session = 15), unknown("session", 15)),
        (changed_trade(|t| t.session_codes = "장".into()), DecodeError::SessionCodes { text: "장".into() }),
        (
            changed_trade(|t| t.session_codes = "1".repeat(24)),
            DecodeError::SessionCodes { text: "1".repeat(24) },
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn an_impossible_book_is_refused() {
    for (error, expected) in [
        (
            changed_book(|b| b.ask_prices.push(1)),
            DecodeError::UnevenLevels { field: "ask_prices", prices: 11, quantities: 10 },
        ),
        (
            changed_book(|b| {
                b.bid_prices.push(0);
                b.bid_quantities.push(0);
            }),
            DecodeError::TooManyLevels { field: "bid_prices", levels: 11 },
        ),
        (changed_book(|b| b.bid_prices[3] = -1), DecodeError::Negative { field: "bid_prices", value: -1 }),
        (
            changed_book(|b| b.ask_quantities[9] = -7),
            DecodeError::Negative { field: "ask_quantities", value: -7 },
        ),
        (
            changed_book(|b| b.cumulative_volume = Some(-1)),
            DecodeError::Negative { field: "cumulative_volume", value: -1 },
        ),
        (
            changed_book(|b| b.expected_price = Some(-1)),
            DecodeError::Negative { field: "expected_price", value: -1 },
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn an_envelope_without_its_parts_is_refused() {
    let refused = |change: fn(&mut proto::Event)| changed(&samples::trade(), change).expect_err("refused");
    for (error, expected) in [
        (refused(|m| m.body = None), DecodeError::NoBody),
        (refused(|m| m.market = 0), DecodeError::UnknownValue { field: "market", value: 0 }),
        (refused(|m| m.source = 3), DecodeError::UnknownValue { field: "source", value: 3 }),
        (refused(|m| m.tape = 0), DecodeError::UnknownValue { field: "tape", value: 0 }),
        (refused(|m| m.tape = 4), DecodeError::TapeOfOtherMarket { tape: Tape::Us, market: Market::Kr }),
        (refused(|m| m.origin = 0), DecodeError::UnknownValue { field: "origin", value: 0 }),
        (refused(|m| m.trade_date = None), DecodeError::Missing { field: "trade_date" }),
        (refused(|m| m.trade_date = Some(65_536)), DecodeError::TradeDate { days: 65_536 }),
        (
            refused(|m| m.symbol = "005930.>".into()),
            DecodeError::Symbol(SymbolError { text: "005930.>".into() }),
        ),
    ] {
        assert_eq!(error, expected);
    }
    assert_eq!(decode(b""), Err(DecodeError::UnknownValue { field: "market", value: 0 }));
    assert!(matches!(decode(b"{\"price\": 1}"), Err(DecodeError::Malformed { .. })));
}

#[test]
fn a_gap_names_its_instrument_wholly_or_not_at_all() {
    let closed = samples::statuses().remove(5);
    assert_eq!(
        changed(&closed, |message| message.symbol.clear()),
        Err(DecodeError::Symbol(SymbolError { text: String::new() }))
    );
    assert_eq!(
        changed(&closed, |message| message.tape = 0),
        Err(DecodeError::UnknownValue { field: "tape", value: 0 })
    );
    let nothing = changed(&closed, |message| {
        message.body = Some(proto::event::Body::Status(proto::Status { what: None }));
    });
    assert_eq!(nothing, Err(DecodeError::NoStatus));
}

#[test]
fn what_is_said_of_volume_names_instrument_and_day() {
    for index in 7..=10 {
        let event = samples::statuses().remove(index);
        assert_eq!(
            changed(&event, |message| message.trade_date = None),
            Err(DecodeError::Missing { field: "trade_date" }),
            "{index}"
        );
        assert_eq!(
            changed(&event, |message| {
                message.symbol.clear();
                message.tape = 0;
            }),
            Err(DecodeError::UnknownValue { field: "tape", value: 0 }),
            "{index}"
        );
    }
    let recovery = samples::statuses().remove(9);
    let refused = |change: fn(&mut proto::Recovery)| {
        let result = changed(&recovery, |message| match message.body.as_mut() {
            Some(proto::event::Body::Status(proto::Status {
                what: Some(proto::status::What::Recovery(body)),
            })) => change(body),
            _ => panic!("no recovery"),
        });
        result.expect_err("refused")
    };
    assert_eq!(refused(|body| body.after = -1), DecodeError::Negative { field: "after", value: -1 });
    assert_eq!(refused(|body| body.method = 0), DecodeError::UnknownValue { field: "method", value: 0 });
    assert_eq!(refused(|body| body.proof = 6), DecodeError::UnknownValue { field: "proof", value: 6 });
}

#[test]
fn fields_of_a_newer_version_are_ignored() {
    let event = samples::trade();
    let mut payload = encode(&event).to_vec();
    // Field 1000, a text.
    payload.extend([0xc2, 0x3e, 3, b'n', b'e', b'w']);
    assert_eq!(decode(&payload), Ok(event));
}

#[test]
fn a_cut_payload_is_never_taken_for_another_event() {
    for (name, event) in kinds() {
        let payload = encode(&event);
        for length in 0..payload.len() {
            assert_ne!(decode(&payload[..length]), Ok(event.clone()), "{name} cut at {length}");
        }
    }
}

prop_compose! {
    fn level()(price in 0..i64::MAX, quantity in 0..i64::MAX) -> Level {
        Level { price: Price::from_units(price), quantity: Quantity::from_units(quantity) }
    }
}

prop_compose! {
    fn event()(
        (asks, bids) in (prop::collection::vec(level(), 0..=10), prop::collection::vec(level(), 0..=10)),
        (price, quantity, more) in (1..i64::MAX, 1..i64::MAX / 2, 0..i64::MAX / 2),
        optional in prop::option::of(0..i64::MAX),
        (days, at_ns, received_ns) in (0..65_536, any::<i64>(), any::<i64>()),
        (connection_id, frame_sequence, record_index) in (any::<i64>(), any::<u64>(), any::<u32>()),
        (tape, source, session) in (
            prop::sample::select(Tape::ALL),
            prop::sample::select(Source::ALL),
            prop::sample::select(Session::ALL),
        ),
        (side, origin) in (prop::sample::select(AggressorSide::ALL), prop::sample::select(Origin::ALL)),
        symbol in "[A-Z0-9]([A-Z0-9/]{0,13}[A-Z0-9])?",
        (codes, detail) in ("[!-~]{0,23}", "\\PC{0,40}"),
        (halted, kind) in (any::<bool>(), 0..7),
    ) -> Event {
        let stamp = Stamp {
            market: tape.market(), source, received_ns, connection_id, frame_sequence, record_index, origin,
        };
        let at = At {
            tape,
            symbol: samples::symbol(&symbol),
            trade_date: TradeDate::from_days_since_epoch(days).expect("date"),
            exchange_ns: at_ns,
        };
        let quantities = Quantity::from_units;
        let body = match kind {
            0 => Body::Trade(Trade {
                at,
                price: Price::from_units(price),
                quantity: quantities(quantity),
                aggressor_side: side,
                cumulative_volume: quantities(quantity + more),
                cumulative_value: Value::from_units(more),
                cumulative_value_step: Value::from_units(quantity),
                best_ask: optional.map(Price::from_units),
                best_bid: (!halted).then_some(Price::from_units(more)),
                session,
                session_codes: Codes::from_text(&codes),
                halted,
            }),
            1 => Body::OrderBook(OrderBook {
                at,
                asks: Levels::collect(asks).expect("levels"),
                bids: Levels::collect(bids).expect("levels"),
                total_ask_quantity: quantities(more),
                total_bid_quantity: quantities(quantity),
                expected_price: optional.map(Price::from_units),
                expected_quantity: quantities(more),
                cumulative_volume: halted.then_some(quantities(quantity)),
                session,
                session_codes: Codes::from_text(&codes),
            }),
            2 => Body::Status(Status::GapClosed(Gap {
                reason: GapReason::JournalFull,
                connection: None,
                instrument: halted.then_some((at.tape, at.symbol)),
                from_ns: at_ns,
                until_ns: optional,
                detail,
                volume: None,
            })),
            3 => Body::Status(Status::GapOpened(Gap {
                reason: GapReason::ChainBreak,
                connection: None,
                instrument: Some((at.tape, at.symbol)),
                from_ns: at_ns,
                until_ns: optional,
                detail,
                volume: Some(MissingVolume {
                    trade_date: at.trade_date,
                    after: quantities(more),
                    until: quantities(quantity),
                    residue: optional.map(quantities),
                }),
            })),
            4 => Body::Status(Status::Recovery(Recovery {
                instrument: (at.tape, at.symbol),
                trade_date: at.trade_date,
                after: quantities(more),
                until: quantities(quantity),
                method: Method::Ka10079,
                asked: record_index,
                returned: frame_sequence,
                added: frame_sequence / 2,
                added_volume: quantities(quantity),
                residue: at_ns,
                proof: Proof::Anchored,
                started_ns: received_ns,
                detail,
            })),
            5 => Body::Status(Status::DayTotal(DayTotal {
                instrument: (at.tape, at.symbol),
                trade_date: at.trade_date,
                volume: quantities(quantity),
                method: Method::None,
                is_final: halted,
                off_hours: quantities(more),
            })),
            _ => Body::Status(Status::Refused { registration: codes, code: symbol, text: detail }),
        };
        Event { stamp, body }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(event in event()) {
        prop_assert_eq!(decode(&encode(&event)), Ok(event));
    }

    #[test]
    fn no_bytes_make_it_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let _any = decode(&payload);
    }

    #[test]
    fn no_damage_makes_it_panic(event in event(), at: prop::sample::Index, byte: u8) {
        let mut payload = encode(&event).to_vec();
        let at = at.index(payload.len());
        payload[at] = byte;
        // What is still an event has a wire form of its own again.
        if let Ok(other) = decode(&payload) {
            prop_assert_eq!(decode(&encode(&other)), Ok(other));
        }
    }
}
