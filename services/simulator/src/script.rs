//! Faults by script: a list in the settings or sent to `/control/faults` turns into what happens to the next frames
//! and connections.
//!
//! A fault is JSON: `{"at_event":1000,"do":"cut"}`. `at_event` counts the events sent so far; without it the fault
//! happens at once. Faults on frames may name a `tr`, and then wait for a frame of that TR. A fault with a `broker`
//! (`kis`, `kiwoom`) hurts that one alone; without it all sockets, all keys, the next frame or call of either.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::tr::{Broker, Tr};

pub use self::fault::{Fault, FaultKind};
pub use self::rest::{PageFault, RestFailure, RestFault};

mod fault;
mod rest;

/// What happens to one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameFault {
    /// Not sent.
    Drop,
    /// Sent twice.
    Duplicate,
    /// Sent after the next one.
    Reorder,
    /// Half the payload.
    Truncate,
    /// One record too many in the count.
    WrongCount,
    /// Field and text.
    Garbage(Option<usize>, String),
}

/// What happens to connections, credentials and registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkFault {
    /// Without a close frame; `true` = reset.
    Cut(bool),
    /// Silence.
    Stall(Duration),
    /// Death with an open socket.
    Mute(Duration),
    /// Sessions end as if another had logged in.
    Kick,
    /// The next subscription is refused with this code, or the broker's own.
    Refuse(Option<String>),
    /// Forget the keys.
    DeadKey,
}

/// The faults that wait and those that last.
#[derive(Debug, Default)]
pub struct Script {
    waiting: Vec<Fault>,
    frame: VecDeque<Fault>,
    grow: Vec<Fault>,
    silent: Vec<Fault>,
    rest: rest::Rest,
    slow: Option<(u64, Instant)>,
    /// Raised when `silent` changes: the plan of registrations must be made again.
    pub version: u64,
}

impl Script {
    /// Adds faults.
    pub fn add(&mut self, faults: Vec<Fault>) {
        self.waiting.extend(faults);
    }

    /// Whether nothing waits and nothing lasts.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.frame.is_empty() && self.grow.is_empty()
    }

    /// Starts the faults that are due after `sent` events; those on links are handed back, with the broker that they
    /// are meant for.
    pub fn due(&mut self, sent: u64, now: Instant) -> Vec<(LinkFault, Option<Broker>)> {
        let mut links = Vec::new();
        if self.waiting.is_empty() {
            return links;
        }
        let (due, later): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|fault| fault.at_event <= sent);
        self.waiting = later;
        for fault in due {
            let seconds = Duration::from_secs(fault.seconds);
            let mut link = |it: LinkFault| links.push((it, fault.broker));
            match fault.kind {
                FaultKind::Cut => link(LinkFault::Cut(false)),
                FaultKind::Reset => link(LinkFault::Cut(true)),
                FaultKind::Stall => link(LinkFault::Stall(seconds)),
                FaultKind::Mute => link(LinkFault::Mute(seconds)),
                FaultKind::Kick => link(LinkFault::Kick),
                FaultKind::Refuse => link(LinkFault::Refuse(fault.code)),
                FaultKind::DeadKey => link(LinkFault::DeadKey),
                FaultKind::Grow => self.grow.push(fault),
                FaultKind::Silent => {
                    self.silent.push(fault);
                    self.version += 1;
                }
                FaultKind::Slow => self.slow = Some((fault.rate, now + seconds)),
                FaultKind::Clear => *self = Self { version: self.version + 1, ..Self::default() },
                FaultKind::TooMany
                | FaultKind::Html
                | FaultKind::BadGateway
                | FaultKind::RestError
                | FaultKind::SamePage
                | FaultKind::OverlappingPage
                | FaultKind::BlankPage
                | FaultKind::SlowAnswers => self.rest.add(fault, now),
                FaultKind::Drop
                | FaultKind::Duplicate
                | FaultKind::Reorder
                | FaultKind::Truncate
                | FaultKind::WrongCount
                | FaultKind::Garbage
                | FaultKind::Null => self.frame.push_back(fault),
            }
        }
        links
    }

    /// The event number at which the next fault waits.
    #[must_use]
    pub fn next_at(&self) -> Option<u64> {
        self.waiting.iter().map(|fault| fault.at_event).min()
    }

    /// What happens to the next frame, of `tr` with `records` events.
    pub fn take(&mut self, tr: Tr, records: u64) -> Option<FrameFault> {
        let position = self.frame.iter().position(|fault| fault.is_for(tr))?;
        let fault = self.frame.get_mut(position)?;
        let action = match fault.kind {
            FaultKind::Drop => FrameFault::Drop,
            FaultKind::Duplicate => FrameFault::Duplicate,
            FaultKind::Reorder => FrameFault::Reorder,
            FaultKind::Truncate => FrameFault::Truncate,
            FaultKind::WrongCount => FrameFault::WrongCount,
            FaultKind::Null => FrameFault::Garbage(fault.field, "(null)".to_owned()),
            _ => FrameFault::Garbage(fault.field, fault.text.clone().unwrap_or_else(|| "12x4".to_owned())),
        };
        let counted = matches!(action, FrameFault::Drop | FrameFault::Duplicate);
        fault.count = fault.count.saturating_sub(if counted { records } else { 1 });
        if fault.count == 0 {
            self.frame.remove(position);
        }
        Some(action)
    }

    /// How many fields records of `tr` have grown.
    #[must_use]
    pub fn grown(&self, tr: Tr) -> u64 {
        self.grow.iter().filter(|fault| fault.is_for(tr)).map(|fault| fault.count).sum()
    }

    /// Whether a registration delivers nothing.
    #[must_use]
    pub fn is_silent(&self, tr: Tr, tr_key: &str) -> bool {
        let mut silent = self.silent.iter();
        silent.any(|fault| fault.is_for(tr) && fault.tr_key.as_deref().is_none_or(|key| key == tr_key))
    }

    /// What happens to the next REST call of a TR.
    pub fn rest(&mut self, broker: Broker, tr: &str, now: Instant) -> RestFault {
        self.rest.take(broker, tr, now)
    }

    /// The rate at `now` in place of `rate`.
    pub fn rate(&mut self, rate: u64, now: Instant) -> u64 {
        match self.slow {
            Some((slow, until)) if now < until => slow,
            _ => {
                self.slow = None;
                rate
            }
        }
    }
}

/// The frame after the fault. `width` is the number of fields of one record; `price_field` is what garbage replaces
/// unless the fault names another field.
#[must_use]
pub fn mangle(frame: &str, fault: &FrameFault, price_field: usize) -> String {
    let mut parts = frame.splitn(4, '|');
    let (Some(flag), Some(tr), Some(count), Some(payload)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return frame.to_owned();
    };
    match fault {
        FrameFault::Drop | FrameFault::Duplicate | FrameFault::Reorder => frame.to_owned(),
        FrameFault::Truncate => {
            format!("{flag}|{tr}|{count}|{}", payload.get(..payload.len() / 2).unwrap_or(""))
        }
        FrameFault::WrongCount => {
            format!("{flag}|{tr}|{:03}|{payload}", count.parse::<u32>().unwrap_or(0) + 1)
        }
        FrameFault::Garbage(field, text) => {
            let mut fields: Vec<&str> = payload.split('^').collect();
            if let Some(place) = fields.get_mut(field.unwrap_or(price_field)) {
                *place = text;
            }
            format!("{flag}|{tr}|{count}|{}", fields.join("^"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(json: &str) -> Script {
        let mut script = Script::default();
        script.add(serde_json::from_str(json).expect("faults"));
        script
    }

    #[tokio::test]
    async fn faults_wait_for_their_event_and_their_tr() {
        let mut script = script(
            r#"[{"at_event":10,"do":"cut"},{"do":"drop","count":3,"tr":"H0STCNT0"},{"do":"grow","tr":"H0STASP0"}]"#,
        );
        assert_eq!(script.due(0, Instant::now()), []);
        assert_eq!(script.take(Tr::KrxBook, 1), None);
        assert_eq!(script.take(Tr::KrxTrade, 2), Some(FrameFault::Drop));
        assert_eq!(script.take(Tr::KrxTrade, 2), Some(FrameFault::Drop));
        assert_eq!(script.take(Tr::KrxTrade, 2), None);
        assert_eq!((script.grown(Tr::KrxBook), script.grown(Tr::KrxTrade)), (1, 0));
        assert_eq!(script.due(10, Instant::now()), [(LinkFault::Cut(false), None)]);
        assert_eq!(script.due(11, Instant::now()), []);
    }

    #[tokio::test]
    async fn a_named_broker_is_hurt_alone() {
        let mut script =
            script(r#"[{"do":"drop","broker":"kiwoom"},{"do":"grow","broker":"kis"},{"do":"kick"}]"#);
        assert_eq!(script.due(0, Instant::now()), [(LinkFault::Kick, None)]);
        assert_eq!(script.take(Tr::KrxTrade, 1), None);
        assert_eq!(script.take(Tr::KiwoomNxtTrade, 1), Some(FrameFault::Drop));
        assert_eq!((script.grown(Tr::KrxTrade), script.grown(Tr::KiwoomTrade)), (1, 0));
    }

    #[tokio::test]
    async fn silence_and_slowness_end() {
        let mut script = script(r#"[{"do":"silent","tr_key":"005930"},{"do":"slow","rate":2,"seconds":5}]"#);
        let now = Instant::now();
        script.due(0, now);
        assert!(script.is_silent(Tr::KrxBook, "005930") && !script.is_silent(Tr::KrxBook, "000660"));
        assert_eq!((script.rate(100, now), script.rate(100, now + Duration::from_secs(6))), (2, 100));
        script.add(serde_json::from_str(r#"[{"do":"clear"}]"#).expect("faults"));
        script.due(0, now);
        assert!(!script.is_silent(Tr::KrxBook, "005930"));
    }

    #[test]
    fn frames_are_mangled_in_one_place() {
        let frame = "0|H0STCNT0|002|005930^090000^70000^005930^090001^70100";
        let text = |fault: &FrameFault| mangle(frame, fault, 2);
        assert_eq!(text(&FrameFault::WrongCount), "0|H0STCNT0|003|005930^090000^70000^005930^090001^70100");
        assert_eq!(text(&FrameFault::Truncate), "0|H0STCNT0|002|005930^090000^70000");
        let garbage = FrameFault::Garbage(None, "x".to_owned());
        assert_eq!(text(&garbage), "0|H0STCNT0|002|005930^090000^x^005930^090001^70100");
        let hour = FrameFault::Garbage(Some(1), "256199".to_owned());
        assert_eq!(text(&hour), "0|H0STCNT0|002|005930^256199^70000^005930^090001^70100");
    }
}
