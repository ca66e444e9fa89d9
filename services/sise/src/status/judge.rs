//! A picture → what needs a person, and the verdict. Pure.

use super::picture::{LinkState, Need, Picture, State, Verdict};
use crate::look::disk::{self, Enough};
use crate::look::gap_finder;
use crate::words::{duration, grouped};

/// An archive that is so much older than the last frame is behind, ms: a batch takes a second, a busy machine ten.
const BEHIND_MS: i64 = 60_000;
/// Names of what has no place that are told.
const NAMED: usize = 5;
/// Reasons of a gap after which only a person can help.
const GRAVE: [&str; 3] = ["journal_full", "journal_damaged", "server_lost"];

/// Fills in needs and verdict.
pub fn judge(picture: &mut Picture) {
    let mut needs = Needs(Vec::new());
    servers(picture, &mut needs);
    disks(picture, &mut needs);
    services(picture, &mut needs);
    links(picture, &mut needs);
    streams(picture, &mut needs);
    archive(picture, &mut needs);
    gaps(picture, &mut needs);
    ownership(picture, &mut needs);
    registrations(picture, &mut needs);
    let blind = picture.servers.iter().any(|server| server.name == "nats" && !server.answers);
    picture.verdict = match needs.0.is_empty() {
        _ if blind => Verdict::Blind,
        true => Verdict::Ok,
        false => Verdict::Attention,
    };
    picture.needs = needs.0;
}

struct Needs(Vec<Need>);

impl Needs {
    fn add(&mut self, part: &'static str, what: String, advice: impl Into<String>) {
        self.0.push(Need { part, what, advice: advice.into() });
    }
}

fn servers(picture: &Picture, needs: &mut Needs) {
    for server in picture.servers.iter().filter(|server| !server.answers) {
        let why = server.why.as_deref().unwrap_or("it does not answer");
        needs.add(
            "servers",
            format!("{} at {}: {why}", server.name, server.url),
            "start it; `sise doctor` says more",
        );
    }
}

fn disks(picture: &Picture, needs: &mut Needs) {
    for row in &picture.disk.rows {
        let Some((free, total)) = row.free.zip(row.total) else { continue };
        if disk::enough(free, total) != Enough::Plenty {
            needs.add(
                "disk",
                format!("{}: {} of {} free", row.name, bytes(free), bytes(total)),
                disk::ADVICE,
            );
        }
    }
}

fn services(picture: &Picture, needs: &mut Needs) {
    let rows = &picture.services.rows;
    for row in rows {
        let name =
            row.market.map_or_else(|| row.name.to_owned(), |market| format!("{} ({market})", row.name));
        let advice = match row.state {
            State::Dead => "is the broker's own service down? `sise failover` shows who carries its groups",
            State::Silent => "start it; its log says why it ended",
            // A broker without a key is a choice.
            State::Absent if row.has_key != Some(false) => "start it",
            State::Unknown if row.name == "gap-finder" && picture.servers.iter().all(|one| one.answers) => {
                gap_finder::ADVICE
            }
            _ => continue,
        };
        needs.add("services", format!("{name} is {}: {}", row.state.as_str(), row.why), advice);
    }
    let brokers = || rows.iter().filter(|row| row.has_key.is_some());
    if brokers().count() > 0 && brokers().all(|row| row.state == State::Absent && row.has_key == Some(false))
    {
        let what = "no broker's service runs, and no key is set here".to_owned();
        needs.add("services", what, "set a key and start its service: `sise doctor`");
    }
}

fn links(picture: &Picture, needs: &mut Needs) {
    for row in &picture.links.rows {
        let service = picture.services.rows.iter().find(|service| {
            service.market == Some(row.market) && service.name == super::service_of(row.market, row.source)
        });
        // Whether its service lives is told above; a closed market needs no connection.
        let matters = service.is_some_and(|service| {
            service.data_expected == Some(true)
                && matches!(service.state, State::Ok | State::Quiet | State::Dead)
        });
        if matters && matches!(row.state, LinkState::Down | LinkState::Dead) {
            let (name, state) =
                (format!("{} {} {}", row.source, row.market, row.connection), row.state.as_str());
            needs.add(
                "links",
                format!("{name} is {state}: {}", row.why),
                "it is tried again for ever; the service's log says what the broker answers",
            );
        }
    }
}

fn streams(picture: &Picture, needs: &mut Needs) {
    for row in &picture.streams.rows {
        if let Some(why) = &row.why {
            needs.add("streams", format!("{}: {why}", row.name), "`sise streams apply`");
        }
        for consumer in &row.consumers {
            if let Some(why) = &consumer.why {
                needs.add(
                    "streams",
                    format!("{} of {}: {why}", consumer.name, row.name),
                    "`sise streams apply`",
                );
            }
        }
        let letters = row.messages.filter(|_| row.name == "DEADLETTER").unwrap_or(0);
        if letters > 0 {
            let letters = grouped(i64::try_from(letters).unwrap_or(i64::MAX));
            needs.add("streams", format!("{letters} dead letters"), "`sise deadletter ls`");
        }
    }
}

fn archive(picture: &Picture, needs: &mut Needs) {
    for row in &picture.archive.rows {
        let Some(behind) = row.behind_ms.filter(|behind| *behind > BEHIND_MS) else { continue };
        let what = format!("{} {}: the archive is {} behind", row.source, row.market, ms(behind));
        needs.add("archive", what, "is archiver running, and ClickHouse keeping up? its log says");
    }
}

fn gaps(picture: &Picture, needs: &mut Needs) {
    for row in picture.gaps.rows.iter().filter(|row| GRAVE.contains(&row.reason.as_str())) {
        let what =
            format!("{} {}: {} open gaps of reason {}", row.market, row.trade_date, row.open, row.reason);
        needs.add("gaps", what, "`sise report` shows them; the services' logs say what happened");
    }
}

fn ownership(picture: &Picture, needs: &mut Needs) {
    let expected = |market: &str| {
        let of = |row: &&super::picture::Service| row.market == Some(market);
        picture.services.rows.iter().filter(of).any(|row| row.data_expected == Some(true))
    };
    for row in picture.ownership.rows.iter().filter(|row| !row.is_carried && expected(row.market)) {
        let what = format!("group {} of {} is not carried by its owner {}", row.group, row.market, row.owner);
        needs.add("ownership", what, "`sise failover` says why; `sise symbols check` what has no room");
    }
}

fn registrations(picture: &Picture, needs: &mut Needs) {
    for row in &picture.registrations.rows {
        let Some(uncovered) = row.uncovered.as_ref().filter(|names| !names.is_empty()) else { continue };
        let names: Vec<&str> = uncovered.iter().take(NAMED).map(String::as_str).collect();
        let more = if uncovered.len() > NAMED { ", …" } else { "" };
        let count = uncovered.len();
        let what =
            format!("{} {}: {count} have no place: {}{more}", row.source, row.market, names.join(", "));
        needs.add("registrations", what, "add a key, or take symbols away: `sise symbols check`");
    }
}

/// Milliseconds for people.
pub fn ms(ms: i64) -> String {
    duration(ms.saturating_mul(1_000_000))
}

/// Bytes for people, in the unit that leaves three digits or four.
pub fn bytes(bytes: u64) -> String {
    let (shift, unit) = match bytes {
        0..10_240 => (0, "B"),
        10_240..10_485_760 => (10, "KiB"),
        10_485_760..10_737_418_240 => (20, "MiB"),
        _ => (30, "GiB"),
    };
    format!("{} {unit}", bytes >> shift)
}
