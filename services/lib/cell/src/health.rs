//! Signs of life of a feed's connections → its health, and which of them are dead. No I/O and no clock.

pub mod rates;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker::pulse::Signs;
use market::health::{DeadLink, MOST_DEAD_SYMBOLS};
use market::{Group, Health, Symbol, Verdict};
use process::ready::Part;
use tracing::{error, info, warn};

/// What is seen of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The name of its key.
    pub key: String,
    /// Registrations that it may hold.
    pub limit: u32,
    /// Registrations wanted of it.
    pub wanted: u32,
    /// Their symbols, each once.
    pub symbols: Vec<Symbol>,
    /// Its signs of life.
    pub signs: Signs,
}

/// Judges one feed, again and again.
#[derive(Debug)]
pub struct Vitals {
    liveness_ns: i64,
    silence_ns: i64,
    started_ns: i64,
    /// Since when something has to be heard, without a break.
    expected_since_ns: Option<i64>,
    /// The same of each connection, by the name of its key.
    links_expected_ns: BTreeMap<String, i64>,
    /// The keys of the connections that were dead at the last look.
    dead: BTreeSet<String>,
    verdict: Verdict,
    since_ns: i64,
    /// Ready while the connections stand, or need not.
    ready: Part,
}

impl Vitals {
    /// A feed whose process started at `started_ns`. Nothing heard for `liveness` = dead, no data for `silence` = quiet.
    #[must_use]
    pub fn new(liveness: Duration, silence: Duration, started_ns: i64, ready: Part) -> Self {
        let ns = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        Self {
            liveness_ns: ns(liveness),
            silence_ns: ns(silence),
            started_ns,
            expected_since_ns: None,
            links_expected_ns: BTreeMap::new(),
            dead: BTreeSet::new(),
            verdict: Verdict::Quiet,
            since_ns: started_ns,
            ready,
        }
    }

    /// The health now; `asked` are the groups that the connections were asked to carry wholly.
    pub fn judge(
        &mut self,
        readings: &[Reading],
        asked: &[Group],
        data_expected: bool,
        now_ns: i64,
    ) -> Health {
        let latest = |of: fn(&Signs) -> i64| readings.iter().map(|one| of(&one.signs)).max().unwrap_or(0);
        let (message_ns, frame_ns) = (latest(|signs| signs.message_ns), latest(|signs| signs.frame_ns));
        let (verdict, mut why) = self.verdict(readings, (message_ns, frame_ns), data_expected, now_ns);
        let dead_links = self.dead_links(readings, data_expected, now_ns);
        self.tell_links(&dead_links);
        if verdict != Verdict::Dead && !dead_links.is_empty() {
            let keys: Vec<&str> = dead_links.iter().map(|link| link.key.as_str()).collect();
            why = format!("{why}; dead connections: {}", keys.join(", "));
        }
        if verdict != self.verdict {
            tell(verdict, &why);
            (self.verdict, self.since_ns) = (verdict, now_ns);
        }
        let count = |is: fn(&Reading) -> bool| {
            u32::try_from(readings.iter().filter(|one| is(one)).count()).unwrap_or(u32::MAX)
        };
        let settled = readings.iter().all(|one| one.wanted == 0 || one.signs.settled);
        self.ready.set(match verdict {
            _ if !data_expected => Ok(()),
            Verdict::Dead => Err("dead"),
            Verdict::Alive | Verdict::Quiet if settled => Ok(()),
            Verdict::Alive | Verdict::Quiet => Err("not_settled"),
        });
        show(readings, verdict, data_expected);
        let carries = settled && dead_links.is_empty() && verdict == Verdict::Alive;
        Health {
            verdict,
            since_ns: self.since_ns,
            why,
            data_expected,
            keys: count(|_| true),
            connected: count(|one| one.signs.up),
            settled: count(|one| one.signs.settled),
            registered: readings.iter().map(|one| one.signs.registered).fold(0, u32::saturating_add),
            last_message_ns: Some(message_ns).filter(|at| *at > 0),
            last_frame_ns: Some(frame_ns).filter(|at| *at > 0),
            free: readings.iter().map(free).collect::<BTreeMap<_, _>>(),
            carries: if carries { asked.to_vec() } else { Vec::new() },
            dead_links,
            instance: self.started_ns,
            beat_ns: now_ns,
        }
    }

    /// Whether a connection is settled and brings data: only then is the silence of one of its symbols that symbol's.
    #[must_use]
    pub fn hears(&self, reading: &Reading, now_ns: i64) -> bool {
        let Signs { settled, frame_ns, .. } = reading.signs;
        settled && frame_ns > 0 && now_ns.saturating_sub(frame_ns) < self.silence_ns
    }

    /// The connections of which nothing was heard for the liveness limit, while something has to be.
    fn dead_links(&mut self, readings: &[Reading], data_expected: bool, now_ns: i64) -> Vec<DeadLink> {
        let expected = |one: &&Reading| data_expected && one.wanted > 0;
        let before = std::mem::take(&mut self.links_expected_ns);
        let mut room = MOST_DEAD_SYMBOLS;
        let mut dead = Vec::new();
        for one in readings.iter().filter(expected) {
            let since_ns = before.get(&one.key).copied().unwrap_or(now_ns);
            self.links_expected_ns.insert(one.key.clone(), since_ns);
            if now_ns.saturating_sub(one.signs.message_ns.max(since_ns)) >= self.liveness_ns {
                let symbols: Vec<Symbol> = one.symbols.iter().copied().take(room).collect();
                room -= symbols.len();
                let last_frame_ns = Some(one.signs.frame_ns).filter(|at| *at > 0);
                dead.push(DeadLink { key: one.key.clone(), symbols, last_frame_ns });
            }
        }
        dead
    }

    fn tell_links(&mut self, dead_links: &[DeadLink]) {
        let now: BTreeSet<String> = dead_links.iter().map(|link| link.key.clone()).collect();
        for connection in now.difference(&self.dead) {
            let seconds = self.liveness_ns / SECOND;
            error!(connection, seconds, "connection is dead: nothing was heard of it");
        }
        for connection in self.dead.difference(&now) {
            info!(connection, "connection is dead no longer");
        }
        let dead = u32::try_from(now.len()).unwrap_or(u32::MAX);
        metrics::gauge!("sise_cell_connections", "state" => "dead").set(dead);
        self.dead = now;
    }

    fn verdict(
        &mut self,
        readings: &[Reading],
        (message_ns, frame_ns): (i64, i64),
        data_expected: bool,
        now_ns: i64,
    ) -> (Verdict, String) {
        let wanted = readings.iter().any(|one| one.wanted > 0);
        if !data_expected || !wanted {
            self.expected_since_ns = None;
            let why = if data_expected { "nothing is wanted of it" } else { "the market is closed" };
            return (Verdict::Quiet, why.to_owned());
        }
        let since_ns = *self.expected_since_ns.get_or_insert(now_ns);
        let heard_ns = message_ns.max(since_ns);
        if now_ns.saturating_sub(heard_ns) >= self.liveness_ns {
            let up = readings.iter().any(|one| one.signs.up);
            let link = if up { "connected" } else { "no connection" };
            return (Verdict::Dead, format!("{link}, and no message for {} s", self.liveness_ns / SECOND));
        }
        let fresh = frame_ns > 0 && now_ns.saturating_sub(frame_ns) < self.silence_ns;
        if fresh {
            return (Verdict::Alive, "data comes".to_owned());
        }
        // The sessions name the symbols: see the status `silent`.
        let settled = readings.iter().any(|one| one.signs.settled);
        let why = if settled { "connected and confirmed, but no data comes" } else { "not settled yet" };
        (Verdict::Quiet, why.to_owned())
    }
}

const SECOND: i64 = market::time::SECOND;

fn show(readings: &[Reading], verdict: Verdict, data_expected: bool) {
    let sum = |of: fn(&Reading) -> u32| readings.iter().map(of).fold(0, u32::saturating_add);
    metrics::gauge!("sise_cell_feed_dead").set(u32::from(verdict == Verdict::Dead));
    metrics::gauge!("sise_cell_data_expected").set(u32::from(data_expected));
    metrics::gauge!("sise_cell_connections", "state" => "wanted").set(sum(|one| u32::from(one.wanted > 0)));
    metrics::gauge!("sise_cell_connections", "state" => "up").set(sum(|one| u32::from(one.signs.up)));
    metrics::gauge!("sise_cell_connections", "state" => "settled")
        .set(sum(|one| u32::from(one.signs.settled)));
    metrics::gauge!("sise_cell_registrations", "state" => "wanted").set(sum(|one| one.wanted));
    metrics::gauge!("sise_cell_registrations", "state" => "confirmed").set(sum(|one| one.signs.registered));
    metrics::gauge!("sise_cell_registrations", "state" => "limit").set(sum(|one| one.limit));
}

fn free(reading: &Reading) -> (String, u32) {
    (reading.key.clone(), reading.limit.saturating_sub(reading.wanted))
}

fn tell(verdict: Verdict, why: &str) {
    match verdict {
        Verdict::Alive => info!("feed is alive"),
        Verdict::Quiet => warn!(why, "feed is quiet"),
        Verdict::Dead => error!(why, "feed is dead"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Signs = Signs { up: true, settled: true, registered: 40, message_ns: 0, frame_ns: 0 };

    /// One connection with 40 of 41 registrations, seen at a second with its last message and frame at others.
    fn judged(vitals: &mut Vitals, at: i64, message: i64, frame: i64, expected: bool) -> Health {
        let signs = Signs { message_ns: message * SECOND, frame_ns: frame * SECOND, ..UP };
        let reading = Reading { key: "main".to_owned(), limit: 41, wanted: 40, symbols: Vec::new(), signs };
        vitals.judge(&[reading], &[Group::A], expected, at * SECOND)
    }

    fn vitals() -> Vitals {
        Vitals::new(Duration::from_secs(60), Duration::from_secs(90), SECOND, process::ready::part("feed"))
    }

    #[test]
    fn no_message_for_the_liveness_limit_is_death_and_no_trade_is_not() {
        let mut vitals = vitals();
        let mut verdict = |at, message, frame| judged(&mut vitals, at, message, frame, true).verdict;
        assert_eq!(verdict(1, 0, 0), Verdict::Quiet, "just started");
        assert_eq!(verdict(60, 0, 0), Verdict::Quiet);
        assert_eq!(verdict(61, 0, 0), Verdict::Dead, "never a word");
        assert_eq!(verdict(62, 62, 62), Verdict::Alive);
        assert_eq!(verdict(151, 145, 62), Verdict::Alive);
        // PING comes, frames do not.
        assert_eq!(verdict(152, 145, 62), Verdict::Quiet);
        assert_eq!(verdict(999, 990, 62), Verdict::Quiet);
        assert_eq!(verdict(1_050, 990, 989), Verdict::Dead, "frames of a minute ago do not make it alive");
    }

    #[test]
    fn a_closed_market_is_not_dead_and_the_morning_begins_anew() {
        let mut vitals = vitals();
        assert_eq!(judged(&mut vitals, 10, 10, 10, true).verdict, Verdict::Alive);
        let night = judged(&mut vitals, 9_000, 10, 10, false);
        assert_eq!((night.verdict, night.why.as_str()), (Verdict::Quiet, "the market is closed"));
        assert_eq!(judged(&mut vitals, 10_000, 10, 10, true).verdict, Verdict::Quiet);
        assert_eq!(judged(&mut vitals, 10_059, 10, 10, true).verdict, Verdict::Quiet);
        let dead = judged(&mut vitals, 10_060, 10, 10, true);
        assert_eq!((dead.verdict, dead.since_ns), (Verdict::Dead, 10_060 * SECOND));
        assert_eq!(judged(&mut vitals, 10_070, 10, 10, true).since_ns, 10_060 * SECOND);
    }

    #[test]
    fn one_connection_of_several_is_enough_to_live_and_all_must_be_settled_to_carry() {
        let mut vitals = vitals();
        let at = |signs| Reading { key: "a".to_owned(), limit: 41, wanted: 41, symbols: Vec::new(), signs };
        let down = Signs { message_ns: 5, frame_ns: 5, ..Signs::default() };
        let up = Signs { message_ns: 100 * SECOND, frame_ns: 100 * SECOND, ..UP };
        let idle = Reading { key: "idle".to_owned(), wanted: 0, ..at(Signs::default()) };
        let health = vitals.judge(&[at(down), at(up)], &[Group::A], true, 101 * SECOND);
        assert_eq!((health.verdict, health.carries.as_slice()), (Verdict::Alive, [].as_slice()));
        let health = vitals.judge(&[at(up), idle], &[Group::A], true, 101 * SECOND);
        assert_eq!(health.carries, [Group::A]);
        assert_eq!((health.keys, health.connected, health.settled, health.registered), (2, 1, 1, 40));
        assert_eq!((health.free["a"], health.free_in_all()), (0, 41));
    }
    #[test]
    fn a_dead_connection_beside_a_living_one_is_named_with_its_symbols() {
        let mut vitals = vitals();
        let symbols = |texts: &[&str]| -> Vec<Symbol> {
            texts.iter().map(|text| Symbol::parse(text).expect("symbol")).collect()
        };
        let one = |key: &str, message: i64, texts: &[&str]| Reading {
            key: key.to_owned(),
            limit: 41,
            wanted: u32::try_from(texts.len()).expect("few"),
            symbols: symbols(texts),
            signs: Signs { message_ns: message * SECOND, frame_ns: message * SECOND, ..UP },
        };
        let mut judge = |at: i64, main: i64, spare: i64, on_spare: &[&str], expected| {
            let readings = [one("main", main, &["005930"]), one("spare", spare, on_spare)];
            vitals.judge(&readings, &[Group::A], expected, at * SECOND)
        };
        let both = ["005380", "035720"];
        assert_eq!(judge(1, 1, 1, &both, true).carries, [Group::A]);
        assert_eq!(judge(60, 60, 1, &both, true).dead_links, []);
        let health = judge(61, 60, 1, &both, true);
        let spare =
            DeadLink { key: "spare".to_owned(), symbols: symbols(&both), last_frame_ns: Some(SECOND) };
        assert_eq!((health.verdict, health.dead_links.as_slice()), (Verdict::Alive, &[spare][..]));
        assert_eq!(health.why, "data comes; dead connections: spare");
        assert_eq!(health.carries, [], "it is settled, and yet its symbols do not come");
        assert_eq!(judge(62, 62, 62, &both, true).dead_links, []);
        // Nothing is wanted of it, or the market is closed; then each has its time again.
        assert_eq!(judge(900, 899, 62, &[], true).dead_links, []);
        assert_eq!(judge(901, 899, 62, &both, true).dead_links, []);
        assert_eq!(judge(961, 960, 62, &both, true).dead_links.len(), 1);
        assert_eq!(judge(962, 960, 62, &both, false).dead_links, []);
        let all = judge(2_000, 960, 62, &both, true);
        assert_eq!((all.verdict, all.dead_links.len()), (Verdict::Quiet, 0));
        let all = judge(2_060, 960, 62, &both, true);
        assert_eq!((all.verdict, all.dead_links.len()), (Verdict::Dead, 2));
        assert_eq!(all.why, "connected, and no message for 60 s");
    }
}
