//! The first step: find, plan, ask, match, publish, until nothing is left that anybody could tell.
//!
//! Each round asks one route and publishes at once what it proved; the next round looks at what is missing then. Volume
//! without a print (the head of a day, a change of session) is asked for by minutes where that is cheaper than by trades.

use market::calendar::Calendar;
use market::chain::{Missing, session_changed};
use market::{Event, Method, Source};
use process::clock::now_ns;
use store::history::InstrumentDay;

use super::ask::{Got, only};
use super::minutes::may_be_off_hours;
use super::results::{described, left, nobody_reaches, print, refused, summary, without_print};
use super::state::State;
use super::tell::{Attempt, first_source};
use super::{DayError, Outcome, Work, hold, look};
use crate::evidence::Evidence;
use crate::fetch::Ask;
use crate::plan::{DayState, Plan, Reach, Request, Route, plan};
use crate::proof::{Closed, Open};
use crate::rebuild::{Filled, rebuild};

/// Rounds for one instrument: each source has at most three ways.
const ROUNDS: usize = 10;
/// A source that would need more pages than this for what another one lacked is not asked: KIS gives 30 trades a page, and
/// a morning of a busy stock is a thousand pages.
const MOST_PAGES_OF_THE_SECOND: u64 = 200;

/// What to do next.
enum Next {
    Ask { route: Route, source: Source },
    Stop,
}

impl<A: Ask> Work<'_, A> {
    /// Finds what an instrument's day lacks, asks for it and publishes what came.
    ///
    /// # Errors
    /// [`DayError`] when the archive cannot be read or nothing can be published; what fails for this instrument alone is
    /// in the outcome.
    pub async fn recover(&self, of: InstrumentDay) -> Result<Outcome, DayError> {
        let seen = look(self.store, self.ledger, of).await?;
        let mut state = State::new(seen, self.ledger.end_ns(), self.reach(&of));
        if state.seen.told.is_refused(self.ledger.end_ns()) {
            state.stopped.extend(Source::ALL);
        }
        let newer = self.newer_rows(&state).await?;
        for _ in 0..ROUNDS {
            let Next::Ask { route, source } = self.next(&state, newer) else { break };
            if self.dry_run {
                let requests: Vec<String> = route.requests.iter().map(described).collect();
                state.outcome.planned.push(format!("{}: {} pages", requests.join(", then "), route.pages));
                break;
            }
            self.attempt(&mut state, &route, source).await?;
        }
        if self.dry_run {
            let line = state.line();
            state.outcome.missing = line.missing.len();
            state.outcome.missing_volume = line.missing_volume().units();
            state.outcome.open = line.missing.len();
            state.outcome.open_volume = line.missing_volume().units();
            state.outcome.proven = state.seen.is_proven();
        } else {
            self.finish(&mut state).await?;
        }
        Ok(state.outcome)
    }

    /// Trades of later days, which a call that begins at the newest must read through.
    async fn newer_rows(&self, state: &State) -> Result<u64, DayError> {
        let broker_day = crate::fetch::broker_day(Calendar::built_in(), state.of.market(), now_ns());
        if state.seen.line.missing.is_empty() || broker_day.ok().flatten() == Some(state.of.trade_date) {
            return Ok(0);
        }
        Ok(self.store.newer_prints(&state.of).await?)
    }

    fn next(&self, state: &State, newer_rows: u64) -> Next {
        let line = state.line();
        if !line.resets.is_empty() {
            return Next::Stop;
        }
        let reach = self.reach(&state.of);
        // A total below a print was told too early.
        let total = state
            .total
            .map(|(volume, ..)| volume)
            .filter(|total| state.is_total_new || line.volume <= *total);
        let first = first_source(state.of.market());
        let others = Source::ALL.iter().copied().filter(|source| *source != first);
        for source in std::iter::once(first).chain(others) {
            let missing = state.open_to(source, &line.missing);
            let reach = only(reach, source);
            let day = DayState {
                tape: state.of.tape,
                missing: &missing,
                prints: &state.prints,
                is_one_counter: true,
                known_volume: total,
                start_ns: self.day.start_ns(),
                newer_rows,
                reach,
            };
            let routes = match plan(&day) {
                Plan::Fill { routes } => routes,
                Plan::Total(route) if line.missing.is_empty() && !state.stopped.contains(&source) => {
                    vec![route]
                }
                _ => continue,
            };
            if self.wants_minutes(state, &missing, reach, routes.first()) {
                return Next::Ask { route: Route { requests: vec![Request::Minutes], pages: 1 }, source };
            }
            let untried = |route: &&Route| {
                route.requests.first().is_some_and(|request| {
                    !state.tried.contains(&std::mem::discriminant(request))
                        && (source == first || route.pages <= MOST_PAGES_OF_THE_SECOND)
                })
            };
            if let Some(route) = routes.iter().find(untried) {
                return Next::Ask { route: state.without_asked(route), source };
            }
        }
        Next::Stop
    }

    /// Whether a page of minutes comes first: it proves volume without a print, tells the total, and spares the way back to
    /// the head of the day.
    fn wants_minutes(&self, state: &State, missing: &[Missing], reach: Reach, first: Option<&Route>) -> bool {
        let calendar = Calendar::built_in();
        reach.ka10080
            && !state.is_minutes_asked
            && first.is_some_and(|route| route.pages > 1 || !state.tried.is_empty())
            && missing.iter().any(|missing| may_be_off_hours(missing, state.of.tape, calendar))
    }

    async fn attempt(&self, state: &mut State, route: &Route, source: Source) -> Result<(), DayError> {
        let started_ns = now_ns();
        let mut got = self.route(&state.of, &route.requests).await;
        state.tried.extend(route.requests.iter().map(std::mem::discriminant));
        state.take(&mut got, source);
        let method = route.requests.first().map_or(Method::None, |request| request.method());
        let mut attempt = Attempt { method, source, pages: got.pages, returned: got.returned, started_ns };
        let with_trades =
            route.requests.iter().any(|request| !matches!(request, Request::LastTrades | Request::Minutes));
        if with_trades {
            let mut filled = self.matched(state, &got, source);
            let anchored = got.rows.iter().any(|row| row.cumulative_volume.is_none());
            let may_be = |open: &Open| may_be_off_hours(&open.within, state.of.tape, Calendar::built_in());
            let helps = (filled.wants_minutes && anchored) || filled.open.iter().any(may_be);
            if helps && !state.is_minutes_asked && self.reach(&state.of).ka10080 {
                let mut more = self.route(&state.of, &[Request::Minutes]).await;
                attempt.pages += more.pages;
                attempt.returned += more.returned;
                state.take(&mut more, source);
                filled = self.matched(state, &got, source);
            }
            self.publish(state, &attempt, &got, filled).await?;
        }
        state.last = Some(attempt);
        Ok(())
    }

    fn matched(&self, state: &State, got: &Got, source: Source) -> Filled {
        let missing = state.not_in_vain(source, &state.line().missing);
        let tape = state.of.tape;
        let changed = |from: i64, until: i64| session_changed(Calendar::built_in(), tape, from, until);
        let is_over = self.started_ns >= self.ledger.end_ns();
        let evidence = Evidence {
            known: &state.prints,
            last: &got.last,
            minutes: &state.minutes,
            session_changed: &changed,
            day_volume: state.total.map(|(volume, ..)| volume).filter(|_| is_over && got.is_whole),
            reached_start: got.reached_start,
        };
        rebuild(&missing, &got.rows, &evidence)
    }

    /// Publishes what rows proved, and what could not be.
    async fn publish(
        &self,
        state: &mut State,
        attempt: &Attempt,
        got: &Got,
        filled: Filled,
    ) -> Result<(), DayError> {
        let of = state.of;
        let is_vain = !state.stopped.contains(&attempt.source);
        let real: Vec<&Closed> = filled.closed.iter().filter(|closed| closed.added > 0).collect();
        let mut statuses = Vec::new();
        let gaps = real.iter().map(|closed| closed.gap).chain(filled.open.iter().map(|open| open.gap));
        for gap in gaps {
            if !state.is_opened(&gap) {
                state.opened.push((gap.after, gap.until));
                state.outcome.missing += 1;
                state.outcome.missing_volume += gap.volume().units();
                statuses.push(self.opened(&of, attempt.source, &gap, None));
            }
        }
        let trades: Vec<Event> =
            filled.trades.iter().filter_map(|row| self.recorder.trade(&of, attempt.source, row)).collect();
        let mut after = Vec::new();
        if !trades.is_empty() {
            after.push(self.recovery(&of, attempt, summary(&filled, &real)));
        }
        for open in filled.open.iter().filter(|_| is_vain) {
            after.push(self.recovery(&of, attempt, left(open)));
            after.extend(self.left_open(state, attempt, open));
        }
        state.note(attempt.source, &filled, is_vain && self.is_last_word(&of, attempt.method));
        state.outcome.added += trades.len() as u64;
        state.outcome.added_volume += filled.added_volume().units();
        state.prints.extend(filled.trades.iter().filter_map(print));
        state.off_hours.extend(filled.off_hours.iter().copied());
        if let Some(refused) = filled.refused {
            tracing::warn!(symbol = %of.symbol, tape = %of.tape, %refused, rows = got.rows.len(), "rows are refused");
        }
        let events = statuses.into_iter().chain(trades).chain(after);
        state.outcome.published += self.recorder.publish(events).await?;
        Ok(())
    }

    /// Whether no other call of that broker can tell more. Of two equal trades of one second, one known and one lost, rows
    /// without cumulative volumes say not which of them the broker lacks.
    fn is_last_word(&self, of: &InstrumentDay, method: Method) -> bool {
        method != Method::Ka10079 || !self.reach(of).ka10084
    }

    /// A gap of which nothing could be filled, with what is left of it.
    fn left_open(&self, state: &mut State, attempt: &Attempt, open: &Open) -> Option<Event> {
        let within = open.within;
        let volume = within.volume();
        if (within.after, within.until) != (open.gap.after, open.gap.until) {
            // The gap as it was found keeps its name; the second step says what is left of it.
            return None;
        }
        let told = state.seen.told.gap(&within);
        if told.is_some_and(|gap| gap.is_open && gap.residue == Some(volume)) {
            return None;
        }
        if !state.opened.contains(&(within.after, within.until)) {
            return None;
        }
        Some(self.opened(&state.of, attempt.source, &within, Some(volume)))
    }

    /// Says what is known at the end: stretches without a print, the total, what nobody could be asked for.
    async fn finish(&self, state: &mut State) -> Result<(), DayError> {
        let of = state.of;
        let line = state.line();
        let source = first_source(of.market());
        let nobody =
            Attempt { method: Method::None, source, pages: 0, returned: 0, started_ns: self.started_ns };
        let attempt = state.last.clone().unwrap_or_else(|| nobody.clone());
        let mut events = Vec::new();
        for stretch in state.new_off_hours(&line) {
            events.push(self.recovery(&of, &attempt, without_print(&stretch, state.off_hours_proof)));
        }
        let unanswered = self.unanswered(state, &line.missing);
        if let Some(trouble) = unanswered.trouble {
            state.outcome.troubles.push(trouble);
        }
        for missing in unanswered.no_source {
            if !state.is_opened(&missing) {
                state.outcome.missing += 1;
                state.outcome.missing_volume += missing.volume().units();
            }
            events.push(self.opened(&of, source, &missing, Some(missing.volume())));
            events.push(self.recovery(&of, &nobody, nobody_reaches(&missing)));
        }
        if state.is_refused_now() && !state.seen.told.is_refused(self.ledger.end_ns()) {
            events.push(self.recovery(&of, &attempt, refused()));
        }
        let off_hours = line.off_hours_volume();
        let is_over = self.started_ns >= self.ledger.end_ns();
        let told = state.seen.told.total.as_ref().filter(|told| told.is_final == is_over);
        let is_told = |volume| told.is_some_and(|told| told.volume == volume && told.off_hours == off_hours);
        if let Some(total) = state.total.filter(|(volume, ..)| !is_told(*volume)) {
            events.push(self.total(&of, total, off_hours, is_over));
        }
        state.outcome.off_hours = off_hours.units();
        state.outcome.published += self.recorder.publish(events).await?;
        Ok(())
    }

    /// What stays missing and nobody was asked for: out of reach of everybody, or of those that are there.
    fn unanswered(&self, state: &State, missing: &[Missing]) -> Unanswered {
        let reach = self.reach(&state.of);
        let trades =
            |reach: &Reach| reach.ka10084 || reach.ka10079 || reach.fhpst01060000 || reach.hhdfs76200300;
        let is_absent =
            Source::ALL.iter().any(|source| self.absent.has(*source) && source.serves(state.of.market()));
        let asked =
            |missing: &&Missing| state.vain.iter().any(|(_, vain)| hold(vain.after, vain.until, missing));
        let told = |missing: &&Missing| {
            let recoveries = &state.seen.told.recoveries;
            recoveries.iter().any(|told| told.residue != 0 && hold(told.after, told.until, missing))
        };
        let left: Vec<Missing> =
            missing.iter().filter(|missing| !asked(missing) && !told(missing)).copied().collect();
        let is_troubled = !state.outcome.troubles.is_empty();
        let needs_somebody = !left.is_empty() || state.total.is_none();
        if is_absent && needs_somebody && !is_troubled {
            let absent: Vec<&str> = Source::ALL
                .iter()
                .filter(|source| self.absent.has(**source))
                .map(|source| source.as_str())
                .collect();
            let text = format!("no cell answers for {}: is its service running?", absent.join(", "));
            return Unanswered { no_source: Vec::new(), trouble: Some(text) };
        }
        let nobody = !trades(&reach) && !is_absent && !is_troubled;
        Unanswered { no_source: if nobody { left } else { Vec::new() }, trouble: None }
    }
}

struct Unanswered {
    no_source: Vec<Missing>,
    trouble: Option<String>,
}
