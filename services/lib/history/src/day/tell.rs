//! What was found, asked and proven → the statuses that say so.

use market::chain::Missing;
use market::{
    DayTotal, Event, Gap, GapReason, Market, Method, MissingVolume, Proof, Quantity, Recovery, Source, Status,
};
use process::clock::now_ns;
use store::history::{InstrumentDay, Outage};

use super::Work;
use crate::find::Place;

/// Outages that the detail of a gap names; more would say nothing more.
const NAMED: usize = 3;

/// What was asked, for the ledger.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) method: Method,
    pub(super) source: Source,
    pub(super) pages: u32,
    pub(super) returned: u64,
    pub(super) started_ns: i64,
}

/// What came of it for a stretch.
#[derive(Debug, Clone)]
pub(super) struct Result {
    pub(super) after: Quantity,
    pub(super) until: Quantity,
    pub(super) added: u64,
    pub(super) added_volume: Quantity,
    pub(super) residue: i64,
    pub(super) proof: Proof,
    pub(super) detail: String,
}

/// The broker whose trades are asked for first.
pub(super) const fn first_source(market: Market) -> Source {
    match market {
        Market::Kr => Source::Kiwoom,
        Market::Us => Source::Kis,
    }
}

impl<A> Work<'_, A> {
    fn status(&self, of: &InstrumentDay, source: Source, status: Status) -> Event {
        self.recorder.status(of.market(), source, status, now_ns())
    }

    /// A gap is open, with what is left of it after somebody was asked.
    pub(super) fn opened(
        &self,
        of: &InstrumentDay,
        source: Source,
        missing: &Missing,
        residue: Option<Quantity>,
    ) -> Event {
        let detail = self.reason(of, missing);
        self.status(of, source, Status::GapOpened(self.gap(of, missing, residue, detail)))
    }

    /// What is missing still of a gap that was asked for: nothing, and it is closed, or a rest, and it stays open.
    pub(super) fn closed(
        &self,
        of: &InstrumentDay,
        source: Source,
        missing: &Missing,
        rest: Quantity,
    ) -> Event {
        let detail = match rest.units() {
            0 => "no share is missing any more".to_owned(),
            shares => format!("{shares} shares are missing still"),
        };
        self.status(of, source, Status::GapClosed(self.gap(of, missing, Some(rest), detail)))
    }

    fn gap(&self, of: &InstrumentDay, missing: &Missing, residue: Option<Quantity>, detail: String) -> Gap {
        let Missing { after, until, from_ns, until_ns } = *missing;
        Gap {
            reason: GapReason::ChainBreak,
            connection: None,
            instrument: Some((of.tape, of.symbol)),
            from_ns: from_ns.unwrap_or(self.day.start_ns()),
            until_ns,
            detail,
            volume: Some(MissingVolume { trade_date: of.trade_date, after, until, residue }),
        }
    }

    /// Where the shares are missing, and in which recorded outages.
    fn reason(&self, of: &InstrumentDay, missing: &Missing) -> String {
        let place = match Place::of(missing) {
            Place::Between => "between two prints",
            Place::Head => "before the first print",
            Place::Tail => "after the last print",
            Place::WholeDay => "no print at all",
        };
        let during = |outage: &&Outage| {
            missing.until_ns.is_none_or(|until| outage.from_ns <= until)
                && missing.from_ns.is_none_or(|from| outage.until_ns.is_none_or(|until| from <= until))
        };
        let mut names: Vec<String> = self
            .ledger
            .outages_of(of)
            .filter(during)
            .map(|outage| format!("{} {} of {}", outage.reason, outage.connection, outage.source))
            .collect();
        names.dedup();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        match (names.is_empty(), more) {
            (true, _) => place.to_owned(),
            (false, 0) => format!("{place}, in {}", names.join(", ")),
            (false, more) => format!("{place}, in {} and {more} more outages", names.join(", ")),
        }
    }

    /// An entry of the ledger of recoveries.
    pub(super) fn recovery(&self, of: &InstrumentDay, attempt: &Attempt, result: Result) -> Event {
        let recovery = Recovery {
            instrument: (of.tape, of.symbol),
            trade_date: of.trade_date,
            after: result.after,
            until: result.until,
            method: attempt.method,
            asked: attempt.pages,
            returned: attempt.returned,
            added: result.added,
            added_volume: result.added_volume,
            residue: result.residue,
            proof: result.proof,
            started_ns: attempt.started_ns,
            detail: result.detail,
        };
        self.status(of, attempt.source, Status::Recovery(recovery))
    }

    /// What the broker says of the day.
    pub(super) fn total(
        &self,
        of: &InstrumentDay,
        (volume, method, source): (Quantity, Method, Source),
        off_hours: Quantity,
        is_final: bool,
    ) -> Event {
        let total = DayTotal {
            instrument: (of.tape, of.symbol),
            trade_date: of.trade_date,
            volume,
            method,
            is_final,
            off_hours,
        };
        self.status(of, source, Status::DayTotal(total))
    }
}
