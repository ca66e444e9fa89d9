//! One Kiwoom session: shows the token, registers items in batches with one request under way, judges the answers.
//!
//! Rules: nothing before the answer to LOGIN, 200 items a connection, REG 0.35 s apart (beyond five a second comes
//! 105110), PING sent back byte for byte, one session a key: the newest wins. A REG is answered with 0 whatever its
//! codes are, so only data proves a subscription; the session watches for items that never bring any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::answer::{Limit, Verdict};
use super::control::{self, Answer, Asked, Control};
use super::registration::Item;
use super::registration_plan::{Plan, PlanRules, Why};
use crate::feed::{Action, Note, Now, Protocol, Retry};
use crate::silence::Silence;
use crate::token_file::Token;

/// Another session logged in with the same app key.
const KICKED: &str = "R10001";
/// The wait between requests is never lengthened beyond this.
const SLOWEST_PACE: Duration = Duration::from_millis(5_600);

/// Times and limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// Items one connection may hold.
    pub limit: usize,
    /// Items in one request.
    pub batch: usize,
    /// Between two requests; doubled by each refusal for being too fast.
    pub pace: Duration,
    /// Until LOGIN is given up.
    pub login_limit: Duration,
    /// Until another answer is given up.
    pub answer_limit: Duration,
    /// Before items that failed for the moment are asked for once more.
    pub retry_after: Duration,
    /// Before items that failed again are asked for again.
    pub retry_refused_after: Duration,
    /// After another session took the key: time for a person's mistake to end, and for the server to forget us.
    pub kicked_wait: Duration,
    /// So many losses of the key in a row are a fight: two programs with one key end each other for ever.
    pub kicks: u32,
    /// The wait in a fight; and a session that lived this long has ended it.
    pub kicked_rest: Duration,
    /// No message at all for this long: the socket is dead. The server pings every 10 s.
    pub liveness_limit: Duration,
    /// Confirmed items without a single data frame for this long, while data is expected: an error.
    pub silence_limit: Duration,
    /// A book confirmed for this long, while data is expected and other items bring some, that never brought a frame
    /// is named once. Trades alone may rightly be absent for a day; a book that nobody touches in ten minutes of
    /// regular trading is a rarity or a wrong code.
    pub unheard_limit: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            limit: super::registration::LIMIT,
            batch: 50,
            pace: Duration::from_millis(350),
            login_limit: Duration::from_secs(10),
            answer_limit: Duration::from_secs(5),
            retry_after: Duration::from_secs(5),
            retry_refused_after: Duration::from_secs(300),
            kicked_wait: Duration::from_secs(30),
            kicks: 3,
            kicked_rest: Duration::from_secs(600),
            liveness_limit: Duration::from_secs(60),
            silence_limit: Duration::from_secs(60),
            unheard_limit: Duration::from_secs(600),
        }
    }
}

/// What is known of an app key beyond one session.
#[derive(Debug)]
pub struct KeyState {
    name: String,
    kicks: AtomicU32,
}

impl KeyState {
    /// A key that nobody took away yet; `name` is its name in the settings.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), kicks: AtomicU32::new(0) }
    }
}

/// How far the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// LOGIN is not answered yet.
    LoggingIn { since: Duration },
    /// Logged in.
    Live { since: Duration },
    /// To be closed.
    Over,
}

/// The state machine of one session.
#[derive(Debug)]
pub struct KiwoomSession {
    token: Token,
    key: Arc<KeyState>,
    rules: SessionRules,
    stage: Stage,
    plan: Plan,
    limit_unchecked: bool,
    last_request: Option<Duration>,
    pace: Duration,
    silence: Silence,
    /// Since when data has been expected without a break.
    expected_since: Option<Duration>,
    unheard: u32,
}

impl KiwoomSession {
    /// A session that wants nothing yet.
    #[must_use]
    pub fn new(token: Token, key: Arc<KeyState>, rules: SessionRules) -> Self {
        let SessionRules { limit, batch, retry_after, retry_refused_after, .. } = rules;
        Self {
            token,
            key,
            rules,
            stage: Stage::LoggingIn { since: Duration::ZERO },
            plan: Plan::new(PlanRules { limit, batch, retry_after, retry_refused_after }),
            limit_unchecked: false,
            last_request: None,
            pace: rules.pace,
            silence: Silence::new(rules.silence_limit),
            expected_since: None,
            unheard: 0,
        }
    }

    fn close(&mut self, reason: String, then: Retry, actions: &mut Vec<Action>) {
        self.stage = Stage::Over;
        actions.push(Action::Close { reason, then });
    }

    /// Sends the next request if none is under way and the pace allows it.
    fn ask_next(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let too_soon = self.last_request.is_some_and(|last| now.saturating_sub(last) < self.pace);
        if too_soon || !matches!(self.stage, Stage::Live { .. }) {
            return;
        }
        let Some(request) = self.plan.next(now) else { return };
        let make = if request.register { control::register } else { control::remove };
        actions.push(Action::Send(make(request.group, &request.codes, request.types)));
        self.last_request = Some(now);
    }

    fn answered(&mut self, asked: Asked, answer: &Answer, now: Duration, actions: &mut Vec<Action>) {
        let logging_in = matches!(self.stage, Stage::LoggingIn { .. });
        let register = self.plan.under_way().map(|request| request.register);
        match (asked, logging_in, register) {
            (Asked::Login, true, _) => self.logged_in(answer, now, actions),
            (Asked::Register, false, Some(true)) | (Asked::Remove, false, Some(false)) => {
                self.judged(answer, now, actions);
            }
            // One request is under way, so an answer without a name belongs to it.
            (Asked::Unnamed, false, Some(_)) => self.judged(answer, now, actions),
            _ => {
                metrics::counter!("sise_broker_unmatched_answers_total").increment(1);
            }
        }
    }

    fn logged_in(&mut self, answer: &Answer, now: Duration, actions: &mut Vec<Action>) {
        let verdict = answer.verdict();
        if verdict == Verdict::Ok {
            self.stage = Stage::Live { since: now };
            self.show_unheard(0);
            self.plan_changed(now, actions);
            return;
        }
        // 805002 (no token) and 8103 (which the official client renews the token on) come from here only.
        let of_token = matches!(verdict, Verdict::TokenDead | Verdict::TokenTrouble | Verdict::WrongWorld)
            || matches!(answer.precise_code().as_str(), "805002" | "8103");
        if of_token {
            self.token.mark_dead();
        }
        let then = match verdict {
            Verdict::WrongWorld => Retry::Never,
            Verdict::BadCredentials if !of_token => Retry::Never,
            _ => Retry::Backoff,
        };
        let reason = format!("LOGIN refused: {} {}", answer.precise_code(), answer.text);
        self.close(reason, then, actions);
    }

    /// The answer to the request under way.
    fn judged(&mut self, answer: &Answer, now: Duration, actions: &mut Vec<Action>) {
        let code = answer.precise_code();
        let why = Why { code: &code, text: &answer.text };
        let mut notes = Vec::new();
        let then = match answer.verdict() {
            Verdict::Ok => {
                self.plan.granted(now);
                None
            }
            Verdict::RateLimited(Limit::Registrations) if self.pace < SLOWEST_PACE => {
                metrics::counter!("sise_broker_requests_too_fast_total").increment(1);
                self.pace = (self.pace * 2).min(SLOWEST_PACE);
                self.plan.too_fast(now, Duration::from_secs(1));
                None
            }
            Verdict::RateLimited(_) | Verdict::ServerTrouble => {
                self.plan.failed(now, why, &mut notes);
                None
            }
            Verdict::ItemLimit => {
                self.plan.no_room(now, why, &mut notes);
                None
            }
            Verdict::TokenDead | Verdict::TokenTrouble => {
                self.token.mark_dead();
                Some(Retry::Backoff)
            }
            Verdict::NotLoggedIn => Some(Retry::Backoff),
            Verdict::BadCredentials | Verdict::WrongWorld => Some(Retry::Never),
            _ => {
                self.plan.refused(now, why, &mut notes);
                None
            }
        };
        actions.extend(notes.into_iter().map(Action::Note));
        match then {
            Some(then) => self.close(format!("refused: {code} {}", answer.text), then, actions),
            None => self.plan_changed(now, actions),
        }
    }

    fn plan_changed(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.limit_unchecked) {
            let mut notes = Vec::new();
            self.plan.refuse_beyond_limit(&mut notes);
            actions.extend(notes.into_iter().map(Action::Note));
        }
        self.ask_next(now, actions);
        if self.plan.settled() && self.silence.settle(now) {
            let (registered, refused) = self.plan.counts();
            actions.push(Action::Note(Note::Settled { registered, refused }));
        }
    }

    /// Another session has the key now: when to come back.
    fn kicked(&self) -> Retry {
        let kicks = self.key.kicks.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        metrics::counter!("sise_broker_kicked_total").increment(1);
        if kicks < self.rules.kicks {
            return Retry::After(self.rules.kicked_wait);
        }
        tracing::error!(key = self.key.name, kicks, "another program uses the app key: stop one of the two");
        Retry::After(self.rules.kicked_rest)
    }

    fn system(&mut self, code: &str, message: &str, actions: &mut Vec<Action>) {
        if code != KICKED {
            tracing::info!(code, message, "the broker says");
            return;
        }
        let then = self.kicked();
        let wait = if let Retry::After(wait) = then { wait.as_secs() } else { 0 };
        let key = &self.key.name;
        let reason = format!("another session uses the app key {key}, waiting {wait} s: {code} {message}");
        self.close(reason, then, actions);
    }

    fn check_limits(&mut self, now: Duration, actions: &mut Vec<Action>) {
        match self.stage {
            Stage::LoggingIn { since } if now.saturating_sub(since) >= self.rules.login_limit => {
                let reason = format!("no answer to LOGIN within {} s", self.rules.login_limit.as_secs());
                self.close(reason, Retry::Backoff, actions);
            }
            Stage::Live { since } if now.saturating_sub(since) >= self.rules.kicked_rest => {
                self.key.kicks.store(0, Ordering::Relaxed);
            }
            _ => {}
        }
        let late = |at: Duration| now.saturating_sub(at) >= self.rules.answer_limit;
        if self.plan.under_way().is_some_and(|request| late(request.at)) {
            let why = Why { code: "UNANSWERED", text: "no answer from the broker" };
            let mut notes = Vec::new();
            self.plan.failed(now, why, &mut notes);
            actions.extend(notes.into_iter().map(Action::Note));
        }
    }

    fn show_unheard(&mut self, count: u32) {
        self.unheard = count;
        metrics::gauge!("sise_broker_unheard_items", "key" => self.key.name.clone()).set(count);
    }

    fn check_silence(&mut self, now: Now, actions: &mut Vec<Action>) {
        let anything = self.plan.counts().0 > 0;
        if let Some(silence) = self.silence.check(now, anything) {
            let symbols = self.plan.covered_symbols();
            actions.push(Action::Note(Note::Silent { symbols, silence }));
        }
        if !now.data_expected {
            self.expected_since = None;
            return;
        }
        let since = *self.expected_since.get_or_insert(now.elapsed);
        if !self.silence.hears(now.elapsed) {
            return;
        }
        let limit = self.rules.unheard_limit;
        let (count, symbols) = self.plan.unheard(now.elapsed, since, limit);
        if count != self.unheard {
            self.show_unheard(count);
        }
        if !symbols.is_empty() {
            actions.push(Action::Note(Note::Silent { symbols, silence: limit }));
        }
    }
}

impl Protocol for KiwoomSession {
    type Registration = Item;

    fn want(&mut self, wanted: &[Item]) {
        self.plan.want(wanted);
        self.limit_unchecked = true;
        self.silence.unsettle();
    }

    fn opened(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.stage = Stage::LoggingIn { since: now.elapsed };
        actions.push(Action::Send(control::login(self.token.expose())));
    }

    fn received(&mut self, text: &str, now: Now, actions: &mut Vec<Action>) -> bool {
        match control::read(text) {
            Some(Control::Real) => {
                self.silence.heard(now.elapsed);
                if self.plan.any_unheard() {
                    control::items(text).for_each(|code| self.plan.heard(code));
                }
                return true;
            }
            // No JSON object: an anomaly, kept and refused by the parser, so that nothing is lost unseen.
            None => return true,
            Some(Control::Ping) => actions.push(Action::Send(text.to_owned())),
            Some(Control::System { code, message }) => self.system(&code, &message, actions),
            Some(Control::Answer(asked, answer)) => self.answered(asked, &answer, now.elapsed, actions),
            Some(Control::Unknown) => {
                metrics::counter!("sise_broker_unknown_control_total").increment(1);
            }
        }
        false
    }

    fn passed(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.check_limits(now.elapsed, actions);
        if matches!(self.stage, Stage::Live { .. }) {
            self.plan_changed(now.elapsed, actions);
            self.check_silence(now, actions);
        }
    }

    fn closed(&mut self, code: Option<u16>, reason: &str) -> Retry {
        // A close with 1000 before the answer to LOGIN is how a quick reconnect is turned away.
        let live = matches!(self.stage, Stage::Live { .. });
        if live && code == Some(1000) && reason == "Bye" { self.kicked() } else { Retry::Backoff }
    }

    fn liveness_limit(&self) -> Duration {
        self.rules.liveness_limit
    }
}

#[cfg(test)]
mod tests;
