//! What a run knows of an instrument's day: what was found, what was asked, what came of it.

use market::calendar::Calendar;
use market::chain::{Line, Missing, OffHours, Print};
use market::{Method, Proof, Quantity, Source};
use store::history::InstrumentDay;

use super::ask::{Got, of_method};
use super::minutes::{may_be_off_hours, off_hours};
use super::tell::Attempt;
use super::{Outcome, Seen, hold, known, line};
use crate::plan::{Reach, Request, Route};
use crate::proof::{Why, weaker};
use crate::rebuild::Filled;
use crate::row::Minute;

/// What is known of the instrument in this run.
pub(super) struct State {
    pub of: InstrumentDay,
    pub seen: Seen,
    pub prints: Vec<Print>,
    pub off_hours: Vec<OffHours>,
    /// How it is known that off-hours stretches are such: the weakest of this run.
    pub off_hours_proof: Proof,
    pub total: Option<(Quantity, Method, Source)>,
    /// The total was asked for in this run.
    pub is_total_new: bool,
    pub minutes: Vec<Minute>,
    pub is_minutes_asked: bool,
    /// Ways that were tried.
    pub tried: Vec<std::mem::Discriminant<Request>>,
    /// Shares that a broker was asked for and does not have.
    pub vain: Vec<(Source, Missing)>,
    /// Brokers that are not asked any more: they failed, or do not know the symbol.
    pub stopped: Vec<Source>,
    /// Gaps that were told to be open, now or before.
    pub opened: Vec<(Quantity, Quantity)>,
    pub last: Option<Attempt>,
    pub outcome: Outcome,
}

impl State {
    pub fn new(seen: Seen, end_ns: i64, reach: Reach) -> Self {
        let told = &seen.told;
        let vain = seen.line.missing.iter().flat_map(|missing| {
            let methods = told.asked_in_vain(missing, end_ns);
            let decides = |method: &Method| !(*method == Method::Ka10079 && reach.ka10084);
            methods.into_iter().filter(decides).filter_map(|method| Some((of_method(method)?, *missing)))
        });
        let opened = told.gaps.iter().filter(|gap| gap.is_open).map(|gap| (gap.after, gap.until));
        Self {
            of: seen.of,
            prints: known(&seen.prints),
            off_hours: told.off_hours(),
            off_hours_proof: Proof::Chained,
            total: told.final_total().map(|total| (total.volume, total.method, total.source)),
            is_total_new: false,
            minutes: Vec::new(),
            is_minutes_asked: false,
            tried: Vec::new(),
            vain: vain.collect(),
            stopped: Vec::new(),
            opened: opened.collect(),
            last: None,
            outcome: Outcome::default(),
            seen,
        }
    }

    pub fn line(&self) -> Line {
        line(&self.prints, self.total.map(|(volume, ..)| volume), &self.off_hours)
    }

    /// Whether a gap was told to be open that holds all of this one: each share is missing once.
    pub fn is_opened(&self, gap: &Missing) -> bool {
        self.opened.iter().any(|(after, until)| hold(*after, *until, gap))
    }

    /// What a broker may still have of it.
    pub fn open_to(&self, source: Source, missing: &[Missing]) -> Vec<Missing> {
        if self.stopped.contains(&source) {
            return Vec::new();
        }
        self.not_in_vain(source, missing)
    }

    /// What a broker was not asked for in vain.
    pub fn not_in_vain(&self, source: Source, missing: &[Missing]) -> Vec<Missing> {
        let in_vain = |missing: &Missing| {
            self.vain.iter().any(|(of, vain)| *of == source && hold(vain.after, vain.until, missing))
        };
        missing.iter().filter(|missing| !in_vain(missing)).copied().collect()
    }

    /// Notes what came beside trades.
    pub fn take(&mut self, got: &mut Got, source: Source) {
        self.outcome.pages += got.pages;
        self.outcome.returned += got.returned;
        if let Some(total) = got.total {
            (self.total, self.is_total_new) = (Some(total), true);
        } else if got.is_blank && self.prints.is_empty() && got.trouble.is_none() && got.unknown.is_none() {
            (self.total, self.is_total_new) = (Some((Quantity::ZERO, Method::None, source)), true);
        }
        if !got.bars.is_empty() || got.is_blank {
            let missing = self.line().missing;
            let stretches = off_hours(&got.bars, &missing, self.of.tape, Calendar::built_in());
            if !stretches.is_empty() {
                self.off_hours_proof = weaker(self.off_hours_proof, Proof::Minutes);
            }
            self.off_hours.extend(stretches);
            self.minutes = std::mem::take(&mut got.minutes);
        }
        self.is_minutes_asked |=
            !self.minutes.is_empty() || self.tried.contains(&std::mem::discriminant(&Request::Minutes));
        if let Some(trouble) = got.trouble.take() {
            self.outcome.troubles.push(trouble);
            self.stopped.push(source);
        }
        // Whether an absent broker was needed shows at the end.
        if got.unknown.is_some() || got.is_absent {
            self.stopped.push(source);
        }
        for remark in got.remarks.drain(..) {
            tracing::warn!(symbol = %self.of.symbol, tape = %self.of.tape, remark, "page with something to remark");
        }
    }

    /// The brokers that could be asked do not know the symbol.
    pub fn is_refused_now(&self) -> bool {
        !self.stopped.is_empty()
            && self.outcome.troubles.is_empty()
            && self.total.is_none()
            && self.outcome.pages == 0
    }

    /// Off-hours stretches that were not told before.
    pub fn new_off_hours(&self, line: &Line) -> Vec<OffHours> {
        let told = self.seen.told.off_hours();
        let is_new = |stretch: &&OffHours| {
            !told.iter().any(|known| known.after <= stretch.after && known.until >= stretch.until)
        };
        line.off_hours.iter().filter(is_new).copied().collect()
    }

    /// Notes what is asked in vain from now on.
    pub fn note(&mut self, source: Source, filled: &Filled, is_vain: bool) {
        for open in filled.open.iter().filter(|_| is_vain) {
            // Confined to more than what is lacking: a call that tells cumulative volumes may confine it further.
            let is_exact = open.within.volume().units() == open.residue;
            // Minutes may prove that there never was a print.
            let may_be_proven =
                !self.is_minutes_asked && may_be_off_hours(&open.within, self.of.tape, Calendar::built_in());
            match open.why {
                // The broker itself has no more: the caller asks for this only at the last word of it.
                Why::SourceLacksRows if is_exact && !may_be_proven => self.vain.push((source, open.within)),
                Why::SourceHasMore | Why::OtherCut => self.vain.push((source, open.within)),
                Why::SourceLacksRows
                | Why::NotReached
                | Why::NoAnchor
                | Why::Ambiguous
                | Why::Refused
                | Why::NoSource => {}
            }
        }
    }

    /// The requests of a route that were not answered already.
    pub fn without_asked(&self, route: &Route) -> Route {
        let keep = |request: &&Request| !(self.is_minutes_asked && matches!(request, Request::Minutes));
        Route { requests: route.requests.iter().filter(keep).copied().collect(), pages: route.pages }
    }
}
