//! Conditions of a process → whether it is ready, and if not, why. What `/readyz` answers and `sise_process_ready` shows.
//!
//! Each part of a process holds a [`Part`] and says when it can do its work and when it cannot. One state a process, as
//! with logs and metrics: whoever knows something need not be handed anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// What a part says before it knows.
const STARTING: &str = "starting";

static PARTS: Mutex<Vec<Weak<State>>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct State {
    name: &'static str,
    /// Why it is not ready.
    not: Mutex<Option<Cow<'static, str>>>,
}

/// A condition of readiness. It counts for as long as it lives; several of one name are one condition, which holds when
/// it holds for all of them.
#[derive(Debug)]
pub struct Part(Arc<State>);

impl Part {
    /// It can do its work.
    pub fn ready(&self) {
        *self.0.not.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It cannot, and why.
    pub fn not_ready(&self, why: impl Into<Cow<'static, str>>) {
        *self.0.not.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.into());
    }

    /// One or the other.
    pub fn set(&self, state: Result<(), impl Into<Cow<'static, str>>>) {
        match state {
            Ok(()) => self.ready(),
            Err(why) => self.not_ready(why),
        }
    }
}

/// A new condition, which does not hold yet.
#[must_use]
pub fn part(name: &'static str) -> Part {
    let [part] = parts([name]);
    part
}

/// New conditions, none of which holds yet: together, so that a process is not ready between the first and the last.
#[must_use]
pub fn parts<const N: usize>(names: [&'static str; N]) -> [Part; N] {
    let parts = names.map(|name| Part(Arc::new(State { name, not: Mutex::new(Some(STARTING.into())) })));
    let mut known = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|part| part.strong_count() > 0);
    known.extend(parts.iter().map(|part| Arc::downgrade(&part.0)));
    parts
}

/// Asks now and then whether a condition holds, for as long as the process lives. Must run inside the tokio runtime.
pub fn watch<Looked>(part: Part, every: Duration, mut look: impl FnMut() -> Looked + Send + 'static)
where
    Looked: Future<Output = Result<(), &'static str>> + Send,
{
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            part.set(look().await);
        }
    });
}

/// Every condition by its name, and why it does not hold.
#[must_use]
pub fn report() -> BTreeMap<&'static str, Option<String>> {
    let mut report = BTreeMap::new();
    let parts: Vec<_> = {
        let known = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter_map(Weak::upgrade).collect()
    };
    for part in parts {
        let not = part.not.lock().unwrap_or_else(PoisonError::into_inner).as_deref().map(ToOwned::to_owned);
        let said: &mut Option<String> = report.entry(part.name).or_default();
        if said.is_none() {
            *said = not;
        }
    }
    report
}

/// The report as text, a line a condition; an error when the process is not ready.
///
/// # Errors
/// The same text.
pub fn told() -> Result<String, String> {
    let report = report();
    if report.is_empty() {
        return Err(format!("{STARTING}\n"));
    }
    let ready = report.values().all(Option::is_none);
    let line =
        |(name, not): (&&str, &Option<String>)| format!("{name}: {}\n", not.as_deref().unwrap_or("ready"));
    let text: String = report.iter().map(line).collect();
    if ready { Ok(text) } else { Err(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: the state is that of the process.
    #[test]
    fn a_process_is_ready_when_all_its_parts_are_and_says_which_is_not() {
        assert_eq!(told(), Err("starting\n".to_owned()));
        let [journal, bus] = parts(["journal", "bus"]);
        let second = part("bus");
        journal.ready();
        bus.ready();
        assert_eq!(told(), Err("bus: starting\njournal: ready\n".to_owned()));
        second.set(Err::<(), _>("no connection"));
        assert_eq!(told(), Err("bus: no connection\njournal: ready\n".to_owned()));
        second.set(Ok::<(), String>(()));
        assert_eq!(told(), Ok("bus: ready\njournal: ready\n".to_owned()));
        journal.not_ready("full");
        assert_eq!(report()["journal"].as_deref(), Some("full"));
        drop(journal);
        assert_eq!(told(), Ok("bus: ready\n".to_owned()), "what has ended is no condition");
        drop((bus, second));
        assert_eq!(told(), Err("starting\n".to_owned()));
    }
}
