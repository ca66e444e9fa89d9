//! Event to payload. Cannot fail: what an [`Event`] holds, the payload holds.

use bytes::Bytes;
use market::{
    At, Body, Change, DayTotal, Event, Gap, Level, OrderBook, Price, Quantity, Recovery, Status, Symbol,
    Trade, TradeDate,
};
use prost::Message as _;

use crate::generated as proto;
use crate::words;

/// The payload of an event: `sise.v1.Event` of `proto/`.
#[must_use]
pub fn encode(event: &Event) -> Bytes {
    to_proto(event).encode_to_vec().into()
}

pub(crate) fn to_proto(event: &Event) -> proto::Event {
    let stamp = &event.stamp;
    let mut message = proto::Event {
        market: words::market_to_proto(stamp.market),
        source: words::source_to_proto(stamp.source),
        received_ns: stamp.received_ns,
        connection_id: stamp.connection_id,
        frame_sequence: stamp.frame_sequence,
        record_index: stamp.record_index,
        origin: words::origin_to_proto(stamp.origin),
        ..proto::Event::default()
    };
    message.body = Some(match &event.body {
        Body::Trade(event) => {
            set_at(&mut message, &event.at);
            proto::event::Body::Trade(trade(event))
        }
        Body::OrderBook(event) => {
            set_at(&mut message, &event.at);
            proto::event::Body::OrderBook(order_book(event))
        }
        Body::Status(event) => {
            if let Some((tape, symbol)) = event.instrument() {
                message.tape = words::tape_to_proto(tape);
                message.symbol = symbol.to_string();
            }
            message.trade_date = event.trade_date().map(days);
            proto::event::Body::Status(proto::Status { what: Some(status(event)) })
        }
    });
    message
}

fn set_at(message: &mut proto::Event, at: &At) {
    message.tape = words::tape_to_proto(at.tape);
    message.symbol = at.symbol.to_string();
    message.trade_date = Some(days(at.trade_date));
    message.exchange_ns = at.exchange_ns;
}

fn days(trade_date: TradeDate) -> u32 {
    trade_date.days_since_epoch().unsigned_abs()
}

fn trade(trade: &Trade) -> proto::Trade {
    proto::Trade {
        price: trade.price.units(),
        quantity: trade.quantity.units(),
        aggressor_side: words::aggressor_side_to_proto(trade.aggressor_side),
        cumulative_volume: trade.cumulative_volume.units(),
        cumulative_value: trade.cumulative_value.units(),
        cumulative_value_step: trade.cumulative_value_step.units(),
        best_ask: trade.best_ask.map(Price::units),
        best_bid: trade.best_bid.map(Price::units),
        session: words::session_to_proto(trade.session),
        session_codes: trade.session_codes.as_str().to_owned(),
        halted: trade.halted,
    }
}

fn order_book(book: &OrderBook) -> proto::OrderBook {
    let prices = |side: &[Level]| side.iter().map(|level| level.price.units()).collect();
    let quantities = |side: &[Level]| side.iter().map(|level| level.quantity.units()).collect();
    proto::OrderBook {
        ask_prices: prices(book.asks.as_slice()),
        ask_quantities: quantities(book.asks.as_slice()),
        bid_prices: prices(book.bids.as_slice()),
        bid_quantities: quantities(book.bids.as_slice()),
        total_ask_quantity: book.total_ask_quantity.units(),
        total_bid_quantity: book.total_bid_quantity.units(),
        expected_price: book.expected_price.map(Price::units),
        expected_quantity: book.expected_quantity.units(),
        cumulative_volume: book.cumulative_volume.map(Quantity::units),
        session: words::session_to_proto(book.session),
        session_codes: book.session_codes.as_str().to_owned(),
    }
}

fn status(status: &Status) -> proto::status::What {
    use proto::status::What;
    match status {
        Status::LinkUp { connection, registered, refused } => {
            let connection = connection.clone();
            What::LinkUp(proto::LinkUp { registered: *registered, refused: *refused, connection })
        }
        Status::LinkDown { connection, reason } => {
            What::LinkDown(proto::LinkDown { reason: reason.clone(), connection: connection.clone() })
        }
        Status::Refused { registration, code, text } => What::Refused(proto::Refused {
            registration: registration.clone(),
            code: code.clone(),
            text: text.clone(),
        }),
        Status::Silent { symbols, since_ns } => What::Silent(proto::Silent {
            symbols: symbols.iter().map(Symbol::to_string).collect(),
            since_ns: *since_ns,
        }),
        Status::GapOpened(event) => What::GapOpened(gap(event)),
        Status::GapClosed(event) => What::GapClosed(gap(event)),
        Status::Ownership { change, uncovered } => What::Ownership(ownership(change, uncovered)),
        Status::Recovery(event) => What::Recovery(recovery(event)),
        Status::DayTotal(event) => What::DayTotal(day_total(event)),
    }
}

fn recovery(recovery: &Recovery) -> proto::Recovery {
    proto::Recovery {
        after: recovery.after.units(),
        until: recovery.until.units(),
        method: words::method_to_proto(recovery.method),
        asked: recovery.asked,
        returned: recovery.returned,
        added: recovery.added,
        added_volume: recovery.added_volume.units(),
        residue: recovery.residue,
        proof: words::proof_to_proto(recovery.proof),
        started_ns: recovery.started_ns,
        detail: recovery.detail.clone(),
    }
}

fn day_total(total: &DayTotal) -> proto::DayTotal {
    proto::DayTotal {
        volume: total.volume.units(),
        method: words::method_to_proto(total.method),
        is_final: total.is_final,
        off_hours: total.off_hours.units(),
    }
}

fn ownership(change: &Change, uncovered: &[Symbol]) -> proto::Ownership {
    proto::Ownership {
        group: words::group_to_proto(change.group),
        from: words::source_to_proto(change.from),
        to: words::source_to_proto(change.to),
        by: words::changed_by_to_proto(change.by),
        hold: change.hold,
        why: change.why.clone(),
        missed_since_ns: change.missed_since_ns,
        uncovered: uncovered.iter().map(Symbol::to_string).collect(),
    }
}

fn gap(gap: &Gap) -> proto::Gap {
    proto::Gap {
        reason: words::gap_reason_to_proto(gap.reason),
        from_ns: gap.from_ns,
        until_ns: gap.until_ns,
        detail: gap.detail.clone(),
        connection: gap.connection.clone(),
        volume: gap.volume.map(|missing| proto::MissingVolume {
            after: missing.after.units(),
            until: missing.until.units(),
            residue: missing.residue.map(Quantity::units),
        }),
    }
}
