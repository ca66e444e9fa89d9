//! Payload to event, refusing what cannot be.
//!
//! Fields that this version does not know are ignored; values that would change the meaning are errors: a payload
//! that is refused is set aside with its reason and can be read again by a newer version.

use market::{
    At, Body, Change, Codes, DayTotal, Event, Gap, Level, Levels, Market, MissingVolume, OrderBook, Price,
    Quantity, Recovery, Stamp, Status, Symbol, Tape, Trade, TradeDate, Value,
};
use prost::Message as _;

use crate::decode_error::DecodeError;
use crate::generated as proto;
use crate::words;

/// Reads one payload.
///
/// # Errors
/// [`DecodeError`] for everything that no publisher of ours writes.
pub fn decode(payload: &[u8]) -> Result<Event, DecodeError> {
    let message = proto::Event::decode(payload)
        .map_err(|error| DecodeError::Malformed { problem: error.to_string() })?;
    from_proto(message)
}

fn from_proto(message: proto::Event) -> Result<Event, DecodeError> {
    let stamp = Stamp {
        market: words::market_from_proto(message.market)?,
        source: words::source_from_proto(message.source)?,
        received_ns: message.received_ns,
        connection_id: message.connection_id,
        frame_sequence: message.frame_sequence,
        record_index: message.record_index,
        origin: words::origin_from_proto(message.origin)?,
    };
    let body = match message.body.as_ref().ok_or(DecodeError::NoBody)? {
        proto::event::Body::Trade(body) => Body::Trade(trade(at(&message, stamp.market)?, body)?),
        proto::event::Body::OrderBook(body) => {
            Body::OrderBook(order_book(at(&message, stamp.market)?, body)?)
        }
        proto::event::Body::Status(body) => Body::Status(status(&message, body, stamp.market)?),
    };
    Ok(Event { stamp, body })
}

fn at(message: &proto::Event, market: Market) -> Result<At, DecodeError> {
    Ok(At {
        tape: tape(message.tape, market)?,
        symbol: Symbol::parse(&message.symbol)?,
        trade_date: trade_date(message)?,
        exchange_ns: message.exchange_ns,
    })
}

fn trade_date(message: &proto::Event) -> Result<TradeDate, DecodeError> {
    let days = message.trade_date.ok_or(DecodeError::Missing { field: "trade_date" })?;
    let trade_date = i32::try_from(days).ok().and_then(TradeDate::from_days_since_epoch);
    trade_date.ok_or(DecodeError::TradeDate { days })
}

fn trade(at: At, body: &proto::Trade) -> Result<Trade, DecodeError> {
    let trade = Trade {
        at,
        price: price("price", body.price)?,
        quantity: quantity("quantity", body.quantity)?,
        aggressor_side: words::aggressor_side_from_proto(body.aggressor_side)?,
        cumulative_volume: quantity("cumulative_volume", body.cumulative_volume)?,
        cumulative_value: value("cumulative_value", body.cumulative_value)?,
        cumulative_value_step: value("cumulative_value_step", body.cumulative_value_step)?,
        best_ask: body.best_ask.map(|units| price("best_ask", units)).transpose()?,
        best_bid: body.best_bid.map(|units| price("best_bid", units)).transpose()?,
        session: words::session_from_proto(body.session)?,
        session_codes: codes(&body.session_codes)?,
        halted: body.halted,
    };
    Ok(trade.checked()?)
}

fn order_book(at: At, body: &proto::OrderBook) -> Result<OrderBook, DecodeError> {
    Ok(OrderBook {
        at,
        asks: levels(["ask_prices", "ask_quantities"], &body.ask_prices, &body.ask_quantities)?,
        bids: levels(["bid_prices", "bid_quantities"], &body.bid_prices, &body.bid_quantities)?,
        total_ask_quantity: quantity("total_ask_quantity", body.total_ask_quantity)?,
        total_bid_quantity: quantity("total_bid_quantity", body.total_bid_quantity)?,
        expected_price: body.expected_price.map(|units| price("expected_price", units)).transpose()?,
        expected_quantity: quantity("expected_quantity", body.expected_quantity)?,
        cumulative_volume: body
            .cumulative_volume
            .map(|units| quantity("cumulative_volume", units))
            .transpose()?,
        session: words::session_from_proto(body.session)?,
        session_codes: codes(&body.session_codes)?,
    })
}

fn levels(fields: [&'static str; 2], prices: &[i64], quantities: &[i64]) -> Result<Levels, DecodeError> {
    if prices.len() != quantities.len() {
        let (prices, quantities) = (prices.len(), quantities.len());
        return Err(DecodeError::UnevenLevels { field: fields[0], prices, quantities });
    }
    let mut side = [Level::default(); Levels::MAX];
    let too_many = DecodeError::TooManyLevels { field: fields[0], levels: prices.len() };
    let slots = side.get_mut(..prices.len()).ok_or(too_many.clone())?;
    for (slot, (units, shares)) in slots.iter_mut().zip(prices.iter().zip(quantities)) {
        *slot = Level { price: price(fields[0], *units)?, quantity: quantity(fields[1], *shares)? };
    }
    Levels::collect(side).ok_or(too_many)
}

fn status(message: &proto::Event, body: &proto::Status, market: Market) -> Result<Status, DecodeError> {
    use proto::status::What;
    Ok(match body.what.as_ref().ok_or(DecodeError::NoStatus)? {
        What::LinkUp(proto::LinkUp { registered, refused, connection }) => {
            Status::LinkUp { connection: connection.clone(), registered: *registered, refused: *refused }
        }
        What::LinkDown(proto::LinkDown { reason, connection }) => {
            Status::LinkDown { connection: connection.clone(), reason: reason.clone() }
        }
        What::Refused(proto::Refused { registration, code, text }) => {
            Status::Refused { registration: registration.clone(), code: code.clone(), text: text.clone() }
        }
        What::Silent(proto::Silent { symbols, since_ns }) => Status::Silent {
            symbols: symbols.iter().map(|text| Symbol::parse(text)).collect::<Result<_, _>>()?,
            since_ns: *since_ns,
        },
        What::GapOpened(body) => Status::GapOpened(gap(message, body, market)?),
        What::GapClosed(body) => Status::GapClosed(gap(message, body, market)?),
        What::Ownership(body) => Status::Ownership {
            change: change(body)?,
            uncovered: body.uncovered.iter().map(|text| Symbol::parse(text)).collect::<Result<_, _>>()?,
        },
        What::Recovery(body) => Status::Recovery(recovery(message, body, market)?),
        What::DayTotal(body) => Status::DayTotal(day_total(message, body, market)?),
    })
}

fn recovery(message: &proto::Event, body: &proto::Recovery, market: Market) -> Result<Recovery, DecodeError> {
    Ok(Recovery {
        instrument: instrument(message, market)?,
        trade_date: trade_date(message)?,
        after: quantity("after", body.after)?,
        until: quantity("until", body.until)?,
        method: words::method_from_proto(body.method)?,
        asked: body.asked,
        returned: body.returned,
        added: body.added,
        added_volume: quantity("added_volume", body.added_volume)?,
        residue: body.residue,
        proof: words::proof_from_proto(body.proof)?,
        started_ns: body.started_ns,
        detail: body.detail.clone(),
    })
}

fn day_total(
    message: &proto::Event,
    body: &proto::DayTotal,
    market: Market,
) -> Result<DayTotal, DecodeError> {
    Ok(DayTotal {
        instrument: instrument(message, market)?,
        trade_date: trade_date(message)?,
        volume: quantity("volume", body.volume)?,
        method: words::method_from_proto(body.method)?,
        is_final: body.is_final,
        off_hours: quantity("off_hours", body.off_hours)?,
    })
}

fn instrument(message: &proto::Event, market: Market) -> Result<(Tape, Symbol), DecodeError> {
    Ok((tape(message.tape, market)?, Symbol::parse(&message.symbol)?))
}

fn change(body: &proto::Ownership) -> Result<Change, DecodeError> {
    Ok(Change {
        group: words::group_from_proto(body.group)?,
        from: words::source_from_proto(body.from)?,
        to: words::source_from_proto(body.to)?,
        by: words::changed_by_from_proto(body.by)?,
        hold: body.hold,
        why: body.why.clone(),
        missed_since_ns: body.missed_since_ns,
    })
}

fn gap(message: &proto::Event, body: &proto::Gap, market: Market) -> Result<Gap, DecodeError> {
    let nothing = message.symbol.is_empty() && message.tape == 0 && body.volume.is_none();
    let instrument = if nothing { None } else { Some(instrument(message, market)?) };
    let volume = body.volume.as_ref().map(|missing| missing_volume(message, missing)).transpose()?;
    Ok(Gap {
        reason: words::gap_reason_from_proto(body.reason)?,
        connection: body.connection.clone(),
        instrument,
        from_ns: body.from_ns,
        until_ns: body.until_ns,
        detail: body.detail.clone(),
        volume,
    })
}

fn missing_volume(message: &proto::Event, body: &proto::MissingVolume) -> Result<MissingVolume, DecodeError> {
    Ok(MissingVolume {
        trade_date: trade_date(message)?,
        after: quantity("after", body.after)?,
        until: quantity("until", body.until)?,
        residue: body.residue.map(|shares| quantity("residue", shares)).transpose()?,
    })
}

fn units(field: &'static str, units: i64) -> Result<i64, DecodeError> {
    if units < 0 { Err(DecodeError::Negative { field, value: units }) } else { Ok(units) }
}

fn price(field: &'static str, value: i64) -> Result<Price, DecodeError> {
    units(field, value).map(Price::from_units)
}

fn quantity(field: &'static str, value: i64) -> Result<Quantity, DecodeError> {
    units(field, value).map(Quantity::from_units)
}

fn value(field: &'static str, value: i64) -> Result<Value, DecodeError> {
    units(field, value).map(Value::from_units)
}

fn codes(text: &str) -> Result<Codes, DecodeError> {
    let codes = Codes::from_text(text);
    if codes.as_str() == text {
        Ok(codes)
    } else {
        Err(DecodeError::SessionCodes { text: text.chars().take(40).collect() })
    }
}

fn tape(number: i32, market: Market) -> Result<Tape, DecodeError> {
    let tape = words::tape_from_proto(number)?;
    if tape.market() == market { Ok(tape) } else { Err(DecodeError::TapeOfOtherMarket { tape, market }) }
}

#[cfg(test)]
mod tests;
