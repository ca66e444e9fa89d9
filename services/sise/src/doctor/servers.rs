//! NATS and ClickHouse as they must be: reached, with their users, streams and tables; and what the gap finder has done.

use std::path::PathBuf;
use std::time::Duration;

use bus::topology::{self, ChangeKind, Topology};
use bus::{Client, NatsSettings};
use market::Market;
use process::clock::now_ns;
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

use super::check::{self, Check};
use super::reach::clock;
use crate::look::gap_finder;

/// How long a server may take.
const LIMIT: Duration = Duration::from_secs(3);
/// Who has a password at the bus, beside `sise`.
const USERS: [&str; 6] = ["kis-service", "us-service", "kiwoom-service", "archiver", "gap-finder", "gateway"];
/// A stream that every installation has: its state tells the server's time.
const STREAM: &str = "STATUS";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
}

/// Checks both servers.
pub(super) async fn checks(config: &[PathBuf], now_ns: i64) -> Vec<Check> {
    let raw: Raw = match Sources::new("sise", config).load() {
        Ok(raw) => raw,
        Err(error) => return vec![Check::fail("settings", error.to_string(), "mend this setting")],
    };
    let mut checks = nats(&raw.nats).await;
    checks.extend(clickhouse(&raw.clickhouse, now_ns).await);
    checks
}

async fn nats(settings: &NatsSettings) -> Vec<Check> {
    let advice = "start nats-server; look at nats.url and nats.passwords.sise";
    let client = match bus::connect(settings, "sise").await {
        Ok(client) => client,
        Err(error) => return vec![Check::fail("nats", error.to_string(), advice)],
    };
    if !bus::connected(&client, LIMIT).await {
        let detail = format!("{} does not answer, or refuses user sise", settings.url);
        return vec![Check::fail("nats", detail, advice)];
    }
    let mut checks = vec![Check::ok("nats", format!("{} answers user sise", settings.url))];
    checks.extend(server_clock(&client).await);
    checks.push(streams(settings, &client).await);
    let users = USERS.map(|user| admitted(settings, user));
    let refused: Vec<&str> = futures_util::future::join_all(users).await.into_iter().flatten().collect();
    checks.push(if refused.is_empty() {
        Check::ok("nats users", format!("{} are admitted", USERS.join(", ")))
    } else {
        let advice = "the same password in nats.passwords of the services and of the server";
        Check::warn("nats users", format!("not admitted: {}", refused.join(", ")), advice)
    });
    checks
}

/// The user, when the server does not let it in.
async fn admitted<'a>(settings: &NatsSettings, user: &'a str) -> Option<&'a str> {
    match bus::connect(settings, user).await {
        Ok(client) if bus::connected(&client, LIMIT).await => None,
        _ => Some(user),
    }
}

async fn server_clock(client: &Client) -> Option<Check> {
    let sent_ns = now_ns();
    let subject = format!("$JS.API.STREAM.INFO.{STREAM}");
    let answer = bus::ask_at(client, subject, "{}".into(), LIMIT).await.ok()?;
    let received_ns = now_ns();
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    let told: jiff::Timestamp = answer.get("ts")?.as_str()?.parse().ok()?;
    let told_ns = i64::try_from(told.as_nanosecond()).ok()?;
    Some(clock("nats", told_ns, sent_ns, received_ns, 0))
}

async fn streams(settings: &NatsSettings, client: &Client) -> Check {
    let wanted = match Topology::load(settings) {
        Ok(wanted) => wanted,
        Err(error) => return Check::fail("nats streams", error.to_string(), "mend section [nats]"),
    };
    match topology::diff(&bus::jetstream(client.clone()), &wanted).await {
        Err(error) => Check::fail("nats streams", error.to_string(), "user sise must be allowed to see them"),
        Ok(changes) => {
            let other = changes.iter().filter(|change| change.kind != ChangeKind::Unchanged);
            let other: Vec<String> = other.map(ToString::to_string).collect();
            if other.is_empty() {
                let (streams, buckets) = (wanted.streams.len(), wanted.buckets.len());
                Check::ok("nats streams", format!("{streams} streams and {buckets} buckets as defined"))
            } else {
                Check::fail("nats streams", other.join("; "), "`sise streams apply`")
            }
        }
    }
}

async fn clickhouse(settings: &ClickhouseSettings, now_ns: i64) -> Vec<Check> {
    let advice = "start ClickHouse or clickhouse-embedded; look at [clickhouse]";
    let store = match Store::new(settings) {
        Ok(store) => store,
        Err(error) => return vec![Check::fail("clickhouse", error.to_string(), advice)],
    };
    let pending = match store.migrations_pending().await {
        Ok(pending) => pending,
        Err(error) => return vec![Check::fail("clickhouse", error.to_string(), advice)],
    };
    let mut checks = vec![Check::ok("clickhouse", format!("{} answers", settings.url))];
    if pending.is_empty() {
        checks.push(Check::ok("clickhouse tables", format!("database {} is up to date", store.database())));
    } else {
        let names: Vec<_> = pending.iter().map(|one| format!("{:03}_{}", one.number, one.name)).collect();
        let detail = format!("{} files are not applied: {}", names.len(), names.join(", "));
        checks.push(Check::fail("clickhouse tables", detail, "`sise migrate`"));
        return checks;
    }
    match store.disks().await {
        Ok(disks) => {
            checks.extend(
                disks.iter().map(|disk| {
                    check::disk(&format!("clickhouse disk {}", disk.name), disk.free, disk.total)
                }),
            );
        }
        Err(error) => checks.push(Check::warn("clickhouse disk", error.to_string(), "look at it by hand")),
    }
    for &market in Market::ALL {
        checks.push(gap_finder(&store, market, now_ns).await);
    }
    checks
}

/// Whether the gap finder has done the last day.
async fn gap_finder(store: &Store, market: Market, now_ns: i64) -> Check {
    let what = format!("gap-finder {market}");
    match gap_finder::work(store, market, now_ns).await {
        Err(problem) => {
            Check::warn(what, problem, "look at ClickHouse; a calendar that has ended: update sise")
        }
        Ok(work) if work.is_missing() => Check::warn(what, work.to_string(), gap_finder::ADVICE),
        Ok(work) => Check::ok(what, work.to_string()),
    }
}
