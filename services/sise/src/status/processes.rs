//! Our processes: those of brokers by what they say in the bucket, the others by whether they answer, the gap finder by what
//! it has done.

use market::ownership::Rules;
use market::{Health, Market, Verdict};

use super::picture::{Part, Service, State};
use super::wanted::Wanted;
use crate::look::SERVICES;
use crate::look::board::State as Board;
use crate::look::gap_finder::Work;
use crate::words::duration;

fn blank(name: &'static str, state: State, why: String) -> Service {
    Service {
        name,
        market: None,
        state,
        why,
        since_ns: None,
        heard_ms: None,
        started_ns: None,
        versions: Vec::new(),
        data_expected: None,
        has_key: None,
    }
}

/// The services of the brokers and the archiver; all that the bus knows of.
pub fn rows(
    boards: Result<&[Board], String>,
    present: Result<&[bus::Present], &String>,
    wanted: &Wanted,
    now_ns: i64,
) -> Part<Service> {
    let versions = |name: &str| -> Vec<String> {
        let present = present.unwrap_or_default().iter().filter(|one| one.name == name);
        present.map(|one| one.version.clone()).collect()
    };
    let mut rows = Vec::new();
    for service in &SERVICES {
        let row = match &boards {
            Err(why) => blank(service.name, State::Unknown, why.clone()),
            Ok(boards) => {
                let board = boards.iter().find(|board| board.market == service.market);
                of_broker(service.name, board.and_then(|board| board.health(service.source)), now_ns)
            }
        };
        rows.push(Service {
            market: Some(service.market.as_str()),
            versions: versions(service.name),
            has_key: Some(wanted.has_key(service).unwrap_or(false)),
            ..row
        });
    }
    let found = versions("archiver");
    let archiver = match (present, found.len()) {
        (Err(why), _) => blank("archiver", State::Unknown, why.clone()),
        (Ok(_), 0) => blank("archiver", State::Absent, "nobody of this name answers on the bus".to_owned()),
        (Ok(_), count) => blank("archiver", State::Ok, format!("{count} answer")),
    };
    rows.push(Service { versions: found, ..archiver });
    Part { why: boards.err(), ..Part::whole(rows) }
}

fn of_broker(name: &'static str, health: Option<&Health>, now_ns: i64) -> Service {
    let Some(health) = health else {
        return blank(name, State::Absent, "it says nothing of its feed".to_owned());
    };
    let silent_ns = now_ns.saturating_sub(health.beat_ns);
    let gone = silent_ns > Rules::default().stale_ns;
    let (state, why) = match health.verdict {
        _ if gone => (State::Silent, format!("it has said nothing for {}", duration(silent_ns))),
        Verdict::Alive => (State::Ok, health.why.clone()),
        Verdict::Quiet => (State::Quiet, health.why.clone()),
        Verdict::Dead => (State::Dead, health.why.clone()),
    };
    Service {
        since_ns: Some(if gone { health.beat_ns } else { health.since_ns }),
        heard_ms: Some(silent_ns.max(0) / 1_000_000),
        started_ns: Some(health.instance),
        data_expected: Some(health.data_expected && !gone),
        ..blank(name, state, why)
    }
}

/// The gap finder, once a market.
pub fn gap_finder(work: &[(Market, Result<Work, String>)]) -> Vec<Service> {
    let row = |(market, work): &(Market, Result<Work, String>)| {
        let (state, why) = match work {
            Err(why) => (State::Unknown, why.clone()),
            Ok(work) if work.is_missing() => (State::Unknown, work.to_string()),
            Ok(work) => (State::Ok, work.to_string()),
        };
        Service { market: Some(market.as_str()), ..blank("gap-finder", state, why) }
    };
    work.iter().map(row).collect()
}

/// The gateway: whether it is ready, at the address where it listens.
pub async fn gateway(http: &reqwest::Client, listen: &str) -> Service {
    // Who listens on every address is reached on this machine.
    let address = listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
    let answer = async {
        let answer = http.get(format!("http://{address}/readyz")).send().await?;
        let ready = answer.status().is_success();
        Ok::<_, reqwest::Error>((ready, answer.text().await?))
    };
    match answer.await {
        Ok((true, _)) => blank("gateway", State::Ok, format!("ready at {address}")),
        Ok((false, text)) => {
            blank("gateway", State::Unknown, format!("not ready at {address}: {}", text.trim()))
        }
        Err(error) => {
            let why = if error.is_timeout() { "no answer in time" } else { "nobody listens there" };
            blank("gateway", State::Absent, format!("{address}: {why} (gateway.listen)"))
        }
    }
}
