//! The running system → a picture: bus, archive, disks and gateway are looked at side by side, and one that does not answer
//! takes no other part along.

use std::path::PathBuf;
use std::time::Duration;

use bus::{Client, NatsSettings, Topology};
use cell::settings::RawJournal;
use market::Market;
use process::clock::now_ns;
use process::config::Sources;
use serde::Deserialize;
use store::{ClickhouseSettings, Store};

use super::picture::{Part, Picture, Server, VERSION, Verdict};
use super::wanted::Wanted;
use super::{archive, buses, disks, processes};
use crate::json::clock;
use crate::look::board::{Board, State};

/// How long the servers may take to answer at all.
const LIMIT: Duration = Duration::from_secs(3);
/// How long services may take to say that they are there.
const WINDOW: Duration = Duration::from_secs(1);
/// The longest query: a person waits.
const QUERY_MS: u64 = 10_000;

/// The sections that are looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    nats: NatsSettings,
    clickhouse: ClickhouseSettings,
    journal: RawJournal,
    gateway: RawGateway,
}

/// Section `[gateway]`, of which the address is of interest here.
#[derive(Deserialize)]
#[serde(default)]
struct RawGateway {
    listen: String,
}

impl Default for RawGateway {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".to_owned() }
    }
}

/// What a picture is taken of: opened once, looked at again and again.
pub struct Camera {
    raw: Raw,
    config: Vec<PathBuf>,
    client: Client,
    store: Store,
    topology: Topology,
    http: reqwest::Client,
}

impl Camera {
    /// Reads the settings. A server that is away is no error.
    ///
    /// # Errors
    /// When the settings cannot be meant.
    pub async fn open(config: &[PathBuf]) -> anyhow::Result<Self> {
        let mut raw: Raw = Sources::new("sise", config).load()?;
        raw.clickhouse.query_timeout_ms = raw.clickhouse.query_timeout_ms.min(QUERY_MS);
        let store = Store::new(&raw.clickhouse)?;
        let topology = Topology::load(&raw.nats)?;
        let client = bus::connect(&raw.nats, "sise").await?;
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        Ok(Self { raw, config: config.to_vec(), client, store, topology, http })
    }

    /// Looks at everything.
    pub async fn take(&self) -> Picture {
        let now = now_ns();
        let (bus, archive, gateway) = tokio::join!(
            self.bus(),
            self.archive(now),
            processes::gateway(&self.http, &self.raw.gateway.listen)
        );
        let wanted = Wanted::read(&self.config);
        let boards = bus.boards.as_ref().map(Vec::as_slice).map_err(Clone::clone);
        let answers = archive.answers.as_ref().err();
        let mut services = processes::rows(boards.clone(), bus.present.as_deref(), &wanted, now);
        services.rows.extend(processes::gap_finder(&archive.work));
        services.rows.push(gateway);
        let clickhouse = Server {
            name: "clickhouse",
            url: self.raw.clickhouse.url.clone(),
            answers: answers.is_none(),
            why: answers.cloned(),
        };
        Picture {
            version: VERSION,
            now_ns: now,
            now: clock(now),
            verdict: Verdict::Ok,
            needs: Vec::new(),
            servers: vec![bus.server, clickhouse],
            services,
            links: buses::links(boards.clone(), &archive.links),
            registrations: buses::registrations(boards.clone(), &wanted),
            streams: bus.streams,
            archive: archive::rows(&archive.newest, boards.clone(), now),
            gaps: archive.gaps,
            ownership: buses::ownership(boards, &wanted),
            disk: disks::rows(&self.raw.journal, bus.storage, &archive.disks),
        }
    }

    async fn bus(&self) -> Bus {
        let url = self.raw.nats.url.clone();
        let server = |why: Option<String>| Server { name: "nats", url, answers: why.is_none(), why };
        if !bus::connected(&self.client, LIMIT).await {
            let why = "it does not answer, or refuses user sise (nats.url, nats.passwords.sise)".to_owned();
            let away = || "nats does not answer".to_owned();
            return Bus {
                server: server(Some(why)),
                boards: Err(away()),
                present: Err(away()),
                streams: Part::unknown(away()),
                storage: Err(away()),
            };
        }
        let context = bus::jetstream(self.client.clone());
        let (boards, present, streams, storage) = tokio::join!(
            boards(&context),
            bus::present(&self.client, WINDOW),
            buses::streams(&context, &self.topology),
            bus::storage(&context)
        );
        Bus {
            server: server(None),
            boards,
            present: present.map_err(|error| error.to_string()),
            streams,
            storage: storage.map_err(|error| error.to_string()),
        }
    }

    async fn archive(&self, now: i64) -> archive::Looked {
        archive::look(&self.store, now, LIMIT).await
    }
}

/// What the bus tells.
struct Bus {
    server: Server,
    boards: Result<Vec<State>, String>,
    present: Result<Vec<bus::Present>, String>,
    streams: Part<super::picture::Stream>,
    storage: Result<bus::Storage, String>,
}

async fn boards(context: &bus::Context) -> Result<Vec<State>, String> {
    let mut all = Vec::with_capacity(Market::ALL.len());
    for &market in Market::ALL {
        let board = Board::open(context, market).await.map_err(|error| error.to_string())?;
        all.push(board.look().await.map_err(|error| error.to_string())?);
    }
    Ok(all)
}
