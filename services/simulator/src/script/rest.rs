//! Faults of REST: those of the script turn into what happens to one call.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, FaultKind};
use crate::tr::Broker;

/// What is wrong with one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFault {
    /// The page before once more, with the cursor that it was asked with.
    Again,
    /// The page begins so many rows too early.
    Overlap(usize),
    /// One row of empty texts.
    Blank,
}

/// What the broker answers in place of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestFailure {
    /// Too many calls.
    TooMany,
    /// The page of the filter in front of the API.
    Html,
    /// HTTP 502.
    BadGateway,
    /// A refusal with this code.
    Code(String),
    /// Data, but the wrong page of it.
    Page(PageFault),
}

/// What happens to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RestFault {
    /// How much later the answer comes.
    pub delay: Duration,
    /// What takes its place.
    pub failure: Option<RestFailure>,
}

#[derive(Debug)]
struct Failing {
    broker: Option<Broker>,
    tr: Option<String>,
    skip: u64,
    calls: u64,
    failure: RestFailure,
}

/// The faults that wait for calls.
#[derive(Debug, Default)]
pub struct Rest {
    failing: VecDeque<Failing>,
    slow: Vec<(Option<Broker>, Instant, Duration)>,
}

fn is_for(named: Option<Broker>, broker: Broker) -> bool {
    named.is_none_or(|named| named == broker)
}

impl Rest {
    /// Adds a fault of REST; others are none of its business.
    pub fn add(&mut self, fault: Fault, now: Instant) {
        let failure = match fault.kind {
            FaultKind::TooMany => RestFailure::TooMany,
            FaultKind::Html => RestFailure::Html,
            FaultKind::BadGateway => RestFailure::BadGateway,
            FaultKind::RestError => RestFailure::Code(fault.code.unwrap_or_else(|| "1999".to_owned())),
            FaultKind::SamePage => RestFailure::Page(PageFault::Again),
            FaultKind::OverlappingPage => RestFailure::Page(PageFault::Overlap(fault.rows)),
            FaultKind::BlankPage => RestFailure::Page(PageFault::Blank),
            FaultKind::SlowAnswers => {
                let until = now + Duration::from_secs(fault.seconds);
                self.slow.push((fault.broker, until, Duration::from_millis(fault.delay_ms)));
                return;
            }
            _ => return,
        };
        let (broker, tr, skip) = (fault.broker, fault.tr, fault.skip);
        self.failing.push_back(Failing { broker, tr, skip, calls: fault.count, failure });
    }

    /// What happens to a call of `tr` at `now`.
    pub fn take(&mut self, broker: Broker, tr: &str, now: Instant) -> RestFault {
        self.slow.retain(|(_, until, _)| now < *until);
        let mut slow = self.slow.iter().filter(|(named, _, _)| is_for(*named, broker));
        let delay = slow.next().map_or(Duration::ZERO, |(_, _, delay)| *delay);
        let position = self.failing.iter().position(|failing| {
            is_for(failing.broker, broker) && failing.tr.as_deref().is_none_or(|named| named == tr)
        });
        let Some(position) = position else { return RestFault { delay, failure: None } };
        let Some(failing) = self.failing.get_mut(position) else {
            return RestFault { delay, failure: None };
        };
        if failing.skip > 0 {
            failing.skip -= 1;
            return RestFault { delay, failure: None };
        }
        let failure = Some(failing.failure.clone());
        failing.calls = failing.calls.saturating_sub(1);
        if failing.calls == 0 {
            self.failing.remove(position);
        }
        RestFault { delay, failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failures_are_counted_by_broker_and_slowness_ends() {
        let faults: Vec<Fault> = serde_json::from_str(
            r#"[{"do":"429","broker":"kiwoom","count":2},{"do":"slow_answers","seconds":5,"delay_ms":30},{"do":"502"}]"#,
        )
        .expect("faults");
        let (mut rest, now) = (Rest::default(), Instant::now());
        for fault in faults {
            rest.add(fault, now);
        }
        let delay = Duration::from_millis(30);
        let of = |failure| RestFault { delay, failure };
        assert_eq!(rest.take(Broker::Kis, "FHPST01060000", now), of(Some(RestFailure::BadGateway)));
        assert_eq!(rest.take(Broker::Kiwoom, "ka10079", now), of(Some(RestFailure::TooMany)));
        assert_eq!(rest.take(Broker::Kiwoom, "ka10079", now), of(Some(RestFailure::TooMany)));
        assert_eq!(rest.take(Broker::Kiwoom, "ka10079", now), of(None));
        let later = now + Duration::from_secs(5);
        assert_eq!(rest.take(Broker::Kis, "FHPST01060000", later), RestFault::default());
    }
}
