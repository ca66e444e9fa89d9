//! What rows, minutes and nobody said of a stretch → an entry of the ledger of recoveries.

use market::chain::{Missing, OffHours, Print};
use market::{Proof, Quantity};

use super::tell::Result as Told;
use crate::plan::Request;
use crate::proof::{Closed, Open, weaker};
use crate::rebuild::Filled;
use crate::row::Row;

pub(super) fn described(request: &Request) -> String {
    match request {
        Request::DayTrades { down_to } => format!("ka10084 down to {down_to}"),
        Request::Ticks { .. } => "ka10079".to_owned(),
        Request::LastTrades => "ka10003".to_owned(),
        Request::Minutes => "ka10080".to_owned(),
        Request::KisDayTrades { down_to } => format!("FHPST01060000 down to {down_to}"),
        Request::KisUsTrades { down_to } => format!("HHDFS76200300 down to {down_to}"),
    }
}

pub(super) fn print(row: &Row) -> Option<Print> {
    let cumulative_volume = row.cumulative_volume?;
    Some(Print { cumulative_volume, quantity: row.quantity, exchange_ns: row.exchange_ns, price: row.price })
}

pub(super) fn summary(filled: &Filled, closed: &[&Closed]) -> Told {
    let gaps = || closed.iter().map(|closed| closed.gap).chain(filled.open.iter().map(|open| open.gap));
    let proof = closed.iter().fold(Proof::Chained, |proof, closed| weaker(proof, closed.proof));
    let mut detail = format!("{} gaps closed, {} stay open", closed.len(), filled.open.len());
    if filled.reading.reversed_in_second {
        detail.push_str("; the order inside each second was turned round");
    }
    if filled.reading.time_shift_ns != 0 {
        detail.push_str("; times are shifted by a second");
    }
    Told {
        after: gaps().map(|gap| gap.after).min().unwrap_or_default(),
        until: gaps().map(|gap| gap.until).max().unwrap_or_default(),
        added: filled.trades.len() as u64,
        added_volume: filled.added_volume(),
        residue: 0,
        proof,
        detail,
    }
}

pub(super) fn left(open: &Open) -> Told {
    let volume = open.within.volume().units();
    Told {
        after: open.within.after,
        until: open.within.until,
        added: 0,
        added_volume: Quantity::ZERO,
        residue: if open.residue == 0 { volume } else { open.residue },
        proof: Proof::Unproven,
        detail: open.why.as_str().to_owned(),
    }
}

pub(super) fn without_print(stretch: &OffHours, proof: Proof) -> Told {
    Told {
        after: stretch.after,
        until: stretch.until,
        added: 0,
        added_volume: Quantity::ZERO,
        residue: 0,
        proof,
        detail: "volume without a print".to_owned(),
    }
}

pub(super) fn nobody_reaches(missing: &Missing) -> Told {
    Told {
        after: missing.after,
        until: missing.until,
        added: 0,
        added_volume: Quantity::ZERO,
        residue: missing.volume().units(),
        proof: Proof::NoSource,
        detail: "no source reaches this day".to_owned(),
    }
}

pub(super) fn refused() -> Told {
    Told {
        after: Quantity::ZERO,
        until: Quantity::ZERO,
        added: 0,
        added_volume: Quantity::ZERO,
        residue: 0,
        proof: Proof::NoSource,
        detail: "the broker does not know the symbol".to_owned(),
    }
}
