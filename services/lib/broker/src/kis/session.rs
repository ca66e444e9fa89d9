//! One KIS session: asks for each registration in turn, one request in flight, and judges the answers.
//!
//! Rules: 41 registrations a session, requests 120 ms apart, an answer within 3 s, PINGPONG sent back byte for byte,
//! nothing asked for twice that is registered. A storm of requests gets the address or the key blocked.

use std::fmt;
use std::time::Duration;

use super::control::{self, Answer, Ask, Control, Verdict};
use super::registration::{Progress, Registration, Slot};
use crate::feed::{Action, Note, Now, Protocol, Retry};
use crate::lines::Subscription as _;
use crate::silence::Silence;

/// Times and limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// Registrations one session may hold.
    pub limit: usize,
    /// Between two requests. The official notice recommends 100 to 150 ms.
    pub pace: Duration,
    /// Until an answer is given up.
    pub answer_limit: Duration,
    /// Before a registration that failed for the moment is asked for once more.
    pub retry_after: Duration,
    /// Before a registration that failed again is asked for again.
    pub retry_refused_after: Duration,
    /// After `ALREADY IN USE appkey`: a dead session holds the key for tens of seconds.
    pub key_in_use_wait: Duration,
    /// No message at all for this long: the socket is dead. The server pings every 10 to 14 s.
    pub liveness_limit: Duration,
    /// Confirmed registrations without a single data frame for this long, while data is expected: an error.
    pub silence_limit: Duration,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            limit: super::registration::LIMIT,
            pace: Duration::from_millis(120),
            answer_limit: Duration::from_secs(3),
            retry_after: Duration::from_secs(5),
            retry_refused_after: Duration::from_secs(300),
            key_in_use_wait: Duration::from_secs(45),
            liveness_limit: Duration::from_secs(60),
            silence_limit: Duration::from_secs(60),
        }
    }
}

/// The state machine of one session.
pub struct KisSession {
    approval_key: String,
    rules: SessionRules,
    slots: Vec<Slot>,
    last_request: Option<Duration>,
    silence: Silence,
}

impl fmt::Debug for KisSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KisSession").field("approval_key", &"***").field("slots", &self.slots.len()).finish()
    }
}

impl KisSession {
    /// A session that wants nothing yet.
    #[must_use]
    pub fn new(approval_key: String, rules: SessionRules) -> Self {
        Self {
            approval_key,
            rules,
            slots: Vec::new(),
            last_request: None,
            silence: Silence::new(rules.silence_limit),
        }
    }

    fn held(&self) -> usize {
        let holds = |slot: &&Slot| !matches!(slot.progress, Progress::Wanted { .. } | Progress::Refused);
        self.slots.iter().filter(holds).count()
    }

    fn count(&self, wanted: Progress) -> u32 {
        u32::try_from(self.slots.iter().filter(|slot| slot.progress == wanted).count()).unwrap_or(u32::MAX)
    }

    /// Sends the next request if none is in flight and the pace allows it.
    fn ask_next(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let too_soon = self.last_request.is_some_and(|last| now.saturating_sub(last) < self.rules.pace);
        if too_soon || self.slots.iter().any(Slot::in_flight) {
            return;
        }
        let room = self.held() < self.rules.limit;
        let next = self.slots.iter_mut().find(|slot| match slot.progress {
            Progress::Unwanted => true,
            Progress::Wanted { not_before, .. } => room && not_before <= now,
            _ => false,
        });
        let Some(slot) = next else { return };
        let (ask, progress) = match slot.progress {
            Progress::Wanted { tries, .. } => (Ask::Subscribe, Progress::Asked { at: now, tries: tries + 1 }),
            _ => (Ask::Unsubscribe, Progress::Leaving { at: now }),
        };
        slot.progress = progress;
        let registration = &slot.registration;
        let text = control::request(ask, &self.approval_key, registration.tr.id, &registration.tr_key);
        self.last_request = Some(now);
        actions.push(Action::Send(text));
    }

    fn answered(&mut self, answer: &Answer, now: Duration, actions: &mut Vec<Action>) {
        let verdict = answer.verdict();
        if let Some((reason, then)) = match verdict {
            Verdict::ServerTrouble => Some(("server trouble", Retry::Backoff)),
            Verdict::KeyExpired => Some(("approval key not accepted", Retry::Backoff)),
            Verdict::KeyInUse => {
                Some(("another session holds the app key", Retry::After(self.rules.key_in_use_wait)))
            }
            Verdict::BadCredentials => Some(("credentials refused", Retry::Never)),
            _ => None,
        } {
            actions
                .push(Action::Close { reason: format!("{reason}: {} {}", answer.code, answer.text), then });
            return;
        }
        // One request is in flight, so an answer without a name belongs to it.
        let named = |slot: &Slot| match &answer.tr_id {
            Some(id) => slot.registration.tr.id == id && slot.registration.tr_key == answer.tr_key,
            None => slot.in_flight(),
        };
        let Some(index) = self.slots.iter().position(named) else {
            metrics::counter!("sise_broker_unmatched_answers_total").increment(1);
            return;
        };
        match verdict {
            Verdict::Registered => self.slots[index].progress = Progress::Registered,
            Verdict::Deregistered => {
                self.slots.remove(index);
            }
            Verdict::TryAgain => self.failed(index, now, &answer.code, &answer.text, actions),
            Verdict::LimitReached => self.limit_reached(index, &answer.code, &answer.text, actions),
            _ => self.refuse(index, &answer.code, &answer.text, actions),
        }
    }

    /// Not had this time: once more soon, then reported and tried again rarely.
    fn failed(&mut self, index: usize, now: Duration, code: &str, text: &str, actions: &mut Vec<Action>) {
        let tries = match self.slots[index].progress {
            Progress::Asked { tries, .. } => tries,
            _ => 1,
        };
        if tries > 1 {
            self.refuse(index, code, text, actions);
        }
        let wait = if tries > 1 { self.rules.retry_refused_after } else { self.rules.retry_after };
        self.slots[index].progress = Progress::Wanted { not_before: now + wait, tries };
    }

    fn refuse(&mut self, index: usize, code: &str, text: &str, actions: &mut Vec<Action>) {
        let slot = &mut self.slots[index];
        slot.progress = Progress::Refused;
        actions.push(Action::Note(Note::Refused {
            registration: slot.registration.name(),
            code: code.to_owned(),
            text: text.to_owned(),
        }));
    }

    /// The session is full: this one and all that would come after it stay uncovered, each by name.
    fn limit_reached(&mut self, index: usize, code: &str, text: &str, actions: &mut Vec<Action>) {
        for other in 0..self.slots.len() {
            if other == index || matches!(self.slots[other].progress, Progress::Wanted { .. }) {
                self.refuse(other, code, text, actions);
            }
        }
    }

    /// What does not fit into the session is told at once, before anyone waits for its data.
    fn refuse_beyond_limit(&mut self, actions: &mut Vec<Action>) {
        let text = format!("more than the {} registrations of one session", self.rules.limit);
        let leaving =
            self.slots.iter().filter(|s| matches!(s.progress, Progress::Unwanted | Progress::Leaving { .. }));
        let mut left = self.rules.limit + leaving.count();
        for index in 0..self.slots.len() {
            if self.slots[index].progress == Progress::Refused {
                continue;
            }
            match left.checked_sub(1) {
                Some(rest) => left = rest,
                None => self.refuse(index, "LIMIT", &text, actions),
            }
        }
    }

    fn check_answer_limit(&mut self, now: Duration, actions: &mut Vec<Action>) {
        for index in 0..self.slots.len() {
            match self.slots[index].progress {
                Progress::Asked { at, .. } if now.saturating_sub(at) >= self.rules.answer_limit => {
                    self.failed(index, now, "UNANSWERED", "no answer from the broker", actions);
                }
                Progress::Leaving { at } if now.saturating_sub(at) >= self.rules.answer_limit => {
                    self.slots[index].progress = Progress::Unwanted;
                }
                _ => {}
            }
        }
    }

    fn check_settled(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let open = self.slots.iter().any(|slot| match slot.progress {
            Progress::Wanted { tries, .. } => tries < 2,
            Progress::Asked { .. } => true,
            _ => false,
        });
        if !open && self.silence.settle(now) {
            let registered = self.count(Progress::Registered);
            let refused = u32::try_from(self.slots.len()).unwrap_or(u32::MAX) - registered;
            actions.push(Action::Note(Note::Settled { registered, refused }));
        }
    }

    fn check_silence(&mut self, now: Now, actions: &mut Vec<Action>) {
        let confirmed = || self.slots.iter().filter(|slot| slot.progress == Progress::Registered);
        let Some(silence) = self.silence.check(now, confirmed().next().is_some()) else { return };
        let mut symbols: Vec<_> = confirmed().map(|slot| slot.registration.symbol).collect();
        symbols.sort_unstable();
        symbols.dedup();
        actions.push(Action::Note(Note::Silent { symbols, silence }));
    }
}

impl Protocol for KisSession {
    type Registration = Registration;

    fn want(&mut self, wanted: &[Registration]) {
        self.slots.retain_mut(|slot| {
            if wanted.contains(&slot.registration) {
                if slot.progress == Progress::Unwanted {
                    slot.progress = Progress::Registered;
                }
                return true;
            }
            match slot.progress {
                Progress::Wanted { .. } | Progress::Refused => false,
                Progress::Leaving { .. } => true,
                Progress::Asked { .. } | Progress::Registered | Progress::Unwanted => {
                    slot.progress = Progress::Unwanted;
                    true
                }
            }
        });
        for registration in wanted {
            if !self.slots.iter().any(|slot| slot.registration == *registration) {
                self.slots.push(Slot::wanted(registration.clone()));
            }
        }
        self.silence.unsettle();
    }

    fn opened(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.refuse_beyond_limit(actions);
        self.ask_next(now.elapsed, actions);
        self.check_settled(now.elapsed, actions);
    }

    fn received(&mut self, text: &str, now: Now, actions: &mut Vec<Action>) -> bool {
        if !text.starts_with('{') {
            // Data, or an anomaly: both are kept and go to the parser, which tells them apart.
            self.silence.heard(now.elapsed);
            return true;
        }
        match control::read(text) {
            Some(Control::PingPong) => actions.push(Action::Send(text.to_owned())),
            Some(Control::Answer(answer)) => {
                self.answered(&answer, now.elapsed, actions);
                self.ask_next(now.elapsed, actions);
                self.check_settled(now.elapsed, actions);
            }
            Some(Control::Unknown) | None => {
                metrics::counter!("sise_broker_unknown_control_total").increment(1);
            }
        }
        false
    }

    fn passed(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.check_answer_limit(now.elapsed, actions);
        self.ask_next(now.elapsed, actions);
        self.check_settled(now.elapsed, actions);
        self.check_silence(now, actions);
    }

    fn liveness_limit(&self) -> Duration {
        self.rules.liveness_limit
    }
}

#[cfg(test)]
mod tests;
