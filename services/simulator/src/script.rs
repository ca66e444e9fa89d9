//! Faults by script: a list in the settings or sent to `/control/faults` turns into what happens to the next frames
//! and connections.
//!
//! A fault is JSON: `{"at_event":1000,"do":"cut"}`. `at_event` counts the events sent so far; without it the fault
//! happens at once. Faults on frames may name a `tr`, and then wait for a frame of that TR.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::tr::Tr;

/// One fault of a script.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Happens when so many events have been sent.
    #[serde(default)]
    pub at_event: u64,
    /// What happens.
    #[serde(rename = "do")]
    pub kind: FaultKind,
    /// Only frames of this TR; for `silent` only registrations of it.
    #[serde(default)]
    pub tr: Option<String>,
    /// `silent`: only registrations of this key.
    #[serde(default)]
    pub tr_key: Option<String>,
    /// `drop`, `duplicate`: how many events; `grow`: how many fields.
    #[serde(default = "one")]
    pub count: u64,
    /// `stall`, `slow`: how long.
    #[serde(default = "ten")]
    pub seconds: u64,
    /// `slow`: events a second meanwhile.
    #[serde(default = "one")]
    pub rate: u64,
    /// `refuse`: the msg_cd of the answer.
    #[serde(default)]
    pub code: Option<String>,
    /// `garbage`, `null`: which field of the first record; 2 is the Korean price, 11 the US one.
    #[serde(default)]
    pub field: Option<usize>,
    /// `garbage`: the text that takes the field's place.
    #[serde(default)]
    pub text: Option<String>,
}

fn one() -> u64 {
    1
}

fn ten() -> u64 {
    10
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// All sockets end without a close frame.
    Cut,
    /// All sockets are reset: what the receiver has not read yet is gone.
    Reset,
    /// All sockets stay open and silent for `seconds`, PINGPONG included.
    Stall,
    /// The next `count` events happen but are not sent.
    Drop,
    /// The next frame with at least one of `count` events is sent twice.
    Duplicate,
    /// The next frame loses the second half of its payload.
    Truncate,
    /// From now on every record has `count` more fields.
    Grow,
    /// The next frame says one record more than it has.
    WrongCount,
    /// The next frame has a text where its first record has a number.
    Garbage,
    /// As garbage with the text `(null)`.
    Null,
    /// The next subscription is refused with `code`.
    Refuse,
    /// Registrations are acknowledged and deliver nothing.
    Silent,
    /// All approval keys so far are forgotten.
    DeadKey,
    /// `rate` events a second for `seconds`.
    Slow,
    /// Ends grow, silent, slow, and whatever has not happened yet.
    Clear,
}

/// What happens to one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameFault {
    /// Not sent.
    Drop,
    /// Sent twice.
    Duplicate,
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
    /// The next subscription is refused with this code.
    Refuse(String),
    /// Forget the approval keys.
    DeadKey,
}

/// The faults that wait and those that last.
#[derive(Debug, Default)]
pub struct Script {
    waiting: Vec<Fault>,
    frame: VecDeque<Fault>,
    grow: Vec<(Option<String>, u64)>,
    silent: Vec<(Option<String>, Option<String>)>,
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

    /// Starts the faults that are due after `sent` events; those on links are handed back.
    pub fn due(&mut self, sent: u64, now: Instant) -> Vec<LinkFault> {
        let mut links = Vec::new();
        if self.waiting.is_empty() {
            return links;
        }
        let (due, later): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|fault| fault.at_event <= sent);
        self.waiting = later;
        for fault in due {
            match fault.kind {
                FaultKind::Cut => links.push(LinkFault::Cut(false)),
                FaultKind::Reset => links.push(LinkFault::Cut(true)),
                FaultKind::Stall => links.push(LinkFault::Stall(Duration::from_secs(fault.seconds))),
                FaultKind::Refuse => {
                    links.push(LinkFault::Refuse(fault.code.unwrap_or_else(|| "OPSP0007".to_owned())));
                }
                FaultKind::DeadKey => links.push(LinkFault::DeadKey),
                FaultKind::Grow => self.grow.push((fault.tr, fault.count)),
                FaultKind::Silent => {
                    self.silent.push((fault.tr, fault.tr_key));
                    self.version += 1;
                }
                FaultKind::Slow => self.slow = Some((fault.rate, now + Duration::from_secs(fault.seconds))),
                FaultKind::Clear => *self = Self { version: self.version + 1, ..Self::default() },
                _ => self.frame.push_back(fault),
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
        let position =
            self.frame.iter().position(|f| f.tr.as_deref().is_none_or(|named| named == tr.code()))?;
        let fault = self.frame.get_mut(position)?;
        let action = match fault.kind {
            FaultKind::Drop => FrameFault::Drop,
            FaultKind::Duplicate => FrameFault::Duplicate,
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
        let ours =
            self.grow.iter().filter(|(named, _)| named.as_deref().is_none_or(|named| named == tr.code()));
        ours.map(|(_, count)| *count).sum()
    }

    /// Whether a registration delivers nothing.
    #[must_use]
    pub fn is_silent(&self, tr: Tr, tr_key: &str) -> bool {
        self.silent.iter().any(|(named, key)| {
            named.as_deref().is_none_or(|named| named == tr.code())
                && key.as_deref().is_none_or(|key| key == tr_key)
        })
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
        FrameFault::Drop | FrameFault::Duplicate => frame.to_owned(),
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
        assert_eq!(script.due(10, Instant::now()), [LinkFault::Cut(false)]);
        assert_eq!(script.due(11, Instant::now()), []);
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
