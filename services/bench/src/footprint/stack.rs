//! Simulated brokers and every service that runs in a market's hours, as `scripts/lib/stack.sh` sets them up.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::LIMIT;
use crate::queries::sql::http;
use crate::servers::house::House;
use crate::servers::services::Service;

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Events by the service that they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Korea from KIS.
    pub kis: u64,
    /// The US from KIS.
    pub us: u64,
    /// Korea from Kiwoom.
    pub kiwoom: u64,
}

impl Sent {
    /// Of all services.
    pub const fn all(&self) -> u64 {
        self.kis + self.us + self.kiwoom
    }
}

/// The processes beside the servers.
#[derive(Debug)]
pub struct Stack {
    simulator: Service,
    /// Those that are measured, from the socket inwards.
    services: Vec<(&'static str, Service)>,
    http: reqwest::Client,
    control: String,
}

impl Stack {
    /// Starts everything on free ports; the brokers make so many events a second as soon as something is registered.
    ///
    /// # Errors
    /// When a process does not start.
    pub async fn start(house: &House, rate: u64) -> anyhow::Result<Self> {
        let ports = free_ports()?;
        let [rest, websocket, kiwoom_rest, kiwoom_websocket, gateway] =
            ports.map(|port| format!("127.0.0.1:{port}"));
        let rate = rate.to_string();
        let tape = house.sise.folder.join("tape.jsonl").display().to_string();
        let settings = [
            ("SIMULATOR__REST_ADDRESS", rest.as_str()),
            ("SIMULATOR__WEBSOCKET_ADDRESS", &websocket),
            ("SIMULATOR__KIWOOM_REST_ADDRESS", &kiwoom_rest),
            ("SIMULATOR__KIWOOM_WEBSOCKET_ADDRESS", &kiwoom_websocket),
            ("SIMULATOR__KEYS__KR__APP_KEY", "bench-kr"),
            ("SIMULATOR__KEYS__KR__APP_SECRET", "bench"),
            ("SIMULATOR__KEYS__US__APP_KEY", "bench-us"),
            ("SIMULATOR__KEYS__US__APP_SECRET", "bench"),
            ("SIMULATOR__KIWOOM_KEYS__MAIN__APP_KEY", "bench-kiwoom"),
            ("SIMULATOR__KIWOOM_KEYS__MAIN__APP_SECRET", "bench"),
            ("SIMULATOR__RATE", &rate),
            ("SIMULATOR__TAPE", &tape),
        ];
        let mut simulator = house.sise.start("simulator", &settings)?;
        let (http, control) = (http()?, format!("http://{rest}/control"));
        let answers = async || Ok(http.get(format!("{control}/status")).send().await.is_ok());
        simulator.until("the simulator answers", LIMIT, answers).await?;
        let services = services(house, [&rest, &websocket, &kiwoom_rest, &kiwoom_websocket, &gateway])?;
        Ok(Self { simulator, services, http, control })
    }

    /// Each measured process and its id, servers too.
    pub fn pids(&self, house: &House) -> Vec<(&'static str, u32)> {
        let mut pids: Vec<_> = self.services.iter().map(|(name, service)| (*name, service.pid())).collect();
        pids.extend(house.nats.pid().map(|pid| ("nats-server", pid)));
        pids.push(("clickhouse-embedded", house.clickhouse.pid()));
        pids
    }

    /// Whether it is a program of sise that must stay small.
    pub fn is_service(&self, process: &str) -> bool {
        self.services.iter().any(|(name, _)| *name == process)
    }

    /// Waits until every feed has sent something.
    ///
    /// # Errors
    /// When a process ends, or it takes too long.
    pub async fn wait_for_events(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let sent = self.sent().await?;
            if sent.kis > 0 && sent.us > 0 && sent.kiwoom > 0 {
                return Ok(());
            }
            self.check()?;
            ensure!(Instant::now() < deadline, "a feed is silent: {sent:?}");
            sleep(LOOK).await;
        }
    }

    /// What was written so far.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub async fn sent(&self) -> anyhow::Result<Sent> {
        let answer =
            self.http.get(format!("{}/status", self.control)).send().await.context("the simulator")?;
        sent(&answer.json().await.context("status of the simulator")?)
    }

    /// Stops the brokers and gives what was written in the end.
    ///
    /// # Errors
    /// When the simulator does not answer, or a socket did not take everything.
    pub async fn stop(&self) -> anyhow::Result<Sent> {
        let answer =
            self.http.post(format!("{}/stop", self.control)).send().await.context("the simulator")?;
        let status: Value = answer.json().await.context("status of the simulator")?;
        ensure!(status.get("drained") == Some(&Value::Bool(true)), "not everything was read: {status}");
        sent(&status)
    }

    /// Waits until so many rows are there; gives those that are there in the end.
    ///
    /// # Errors
    /// When a process ends or ClickHouse does not answer.
    pub async fn wait_for_rows(&mut self, house: &House, expected: Sent) -> anyhow::Result<Sent> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let rows = Sent {
                kis: rows(house, "market = 'kr' AND source = 'kis'").await?,
                us: rows(house, "market = 'us'").await?,
                kiwoom: rows(house, "market = 'kr' AND source = 'kiwoom'").await?,
            };
            if rows.all() >= expected.all() || Instant::now() > deadline {
                return Ok(rows);
            }
            self.check()?;
            sleep(LOOK).await;
        }
    }

    /// Ends everything in order, from the socket inwards.
    ///
    /// # Errors
    /// When a process does not end well.
    pub async fn end(self) -> anyhow::Result<()> {
        for (_, service) in self.services {
            service.stop().await?;
        }
        self.simulator.stop().await
    }

    fn check(&mut self) -> anyhow::Result<()> {
        self.simulator.check()?;
        self.services.iter_mut().try_for_each(|(_, service)| service.check())
    }
}

fn services(
    house: &House,
    [rest, websocket, kiwoom_rest, kiwoom_websocket, gateway]: [&String; 5],
) -> anyhow::Result<Vec<(&'static str, Service)>> {
    let folder = house.sise.folder.display().to_string();
    let journal = house.sise.folder.join("journal").display().to_string();
    let (rest, websocket) = (format!("http://{rest}"), format!("ws://{websocket}/tryitout"));
    let (kiwoom_rest, kiwoom_websocket) =
        (format!("http://{kiwoom_rest}"), format!("ws://{kiwoom_websocket}/api/dostk/websocket"));
    let common = [("JOURNAL__FOLDER", journal.as_str())];
    let kis = [
        ("KIS__REST_URL", rest.as_str()),
        ("KIS__WS_URL", &websocket),
        ("KIS__TOKEN_FOLDER", &folder),
        ("KIS__DATA_EXPECTED", "always"),
        ("KIS__KEYS__KR__APP_KEY", "bench-kr"),
        ("KIS__KEYS__KR__APP_SECRET", "bench"),
        ("KIS__KEYS__KR__MARKET", "kr"),
        ("KIS__KEYS__US__APP_KEY", "bench-us"),
        ("KIS__KEYS__US__APP_SECRET", "bench"),
        ("KIS__KEYS__US__MARKET", "us"),
    ];
    let kiwoom = [
        ("KIWOOM__REST_URL", kiwoom_rest.as_str()),
        ("KIWOOM__WS_URL", &kiwoom_websocket),
        ("KIWOOM__TOKEN_FOLDER", &folder),
        ("KIWOOM__DATA_EXPECTED", "always"),
        ("KIWOOM__KEYS__MAIN__APP_KEY", "bench-kiwoom"),
        ("KIWOOM__KEYS__MAIN__APP_SECRET", "bench"),
    ];
    let (kis, kiwoom) = ([&common[..], &kis[..]].concat(), [&common[..], &kiwoom[..]].concat());
    let gateway = [("GATEWAY__LISTEN", gateway.as_str())];
    let all: [(&'static str, &[(&str, &str)]); 5] = [
        ("kis-service", &kis),
        ("us-service", &kis),
        ("kiwoom-service", &kiwoom),
        ("gateway", &gateway),
        ("archiver", &[]),
    ];
    all.into_iter().map(|(name, settings)| Ok((name, house.sise.start(name, settings)?))).collect()
}

async fn rows(house: &House, which: &str) -> anyhow::Result<u64> {
    let sql = format!(
        "SELECT (SELECT count() FROM trades WHERE {which}) + (SELECT count() FROM order_books WHERE {which})"
    );
    house.clickhouse.number(&sql).await
}

/// Events by service out of the simulator's counts by the broker's names of what was written.
fn sent(status: &Value) -> anyhow::Result<Sent> {
    let counts = status.get("by_tr").and_then(Value::as_object).context("by_tr of the simulator")?;
    let mut sent = Sent::default();
    for (name, count) in counts {
        let count = count.as_u64().with_context(|| format!("{name}: {count}"))?;
        match name.as_bytes() {
            [b'H', b'0', ..] => sent.kis += count,
            [b'H', b'D' | b'7', ..] => sent.us += count,
            _ => sent.kiwoom += count,
        }
    }
    Ok(sent)
}

/// Ports that nobody listens on at this moment.
pub fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    // All are held until all are known, so that no two are the same.
    let held: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()
        .context("a free port")?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr().context("a free port")?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sent_is_told_apart_by_its_name() -> anyhow::Result<()> {
        let status = json!({"by_tr": {"H0STCNT0": 1, "H0NXASP0": 2, "HDFSCNT0": 4, "HDFSASP0": 8, "0B": 16, "0D": 32}});
        assert_eq!(sent(&status)?, Sent { kis: 3, us: 12, kiwoom: 48 });
        assert_eq!(sent(&json!({"by_tr": {}}))?.all(), 0);
        assert!(sent(&json!({})).is_err());
        Ok(())
    }
}
