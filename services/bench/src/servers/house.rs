//! NATS and ClickHouse of one round, both empty, with streams and tables, and where services find them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::clickhouse::Clickhouse;
use super::nats::Nats;
use super::services::Sise;
use crate::options::Options;

/// Both servers of a round. They are killed when this is dropped; the folder goes at the end of an orderly round.
#[derive(Debug)]
pub struct House {
    folder: PathBuf,
    /// The bus.
    pub nats: Nats,
    /// The database.
    pub clickhouse: Clickhouse,
    /// The services between them.
    pub sise: Sise,
}

impl House {
    /// Both servers below `folder`, which is emptied.
    ///
    /// # Errors
    /// When one of them does not start, or refuses its streams or tables.
    pub async fn start(options: &Options, folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        // A setting of a server may be taken from where the server is.
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        let nats = Nats::start(&folder.join("nats")).await?.with_streams().await?;
        let clickhouse = Clickhouse::start(&options.binaries, &folder.join("clickhouse")).await?;
        let sise = Sise {
            binaries: options.binaries.clone(),
            folder: folder.join("sise"),
            nats_url: nats.url(),
            clickhouse_url: clickhouse.url(),
        };
        Ok(Self { folder, nats, clickhouse, sise })
    }

    /// Ends both servers and removes everything of the round.
    ///
    /// # Errors
    /// When one of them does not end well, or the folder cannot be removed.
    pub async fn end(self) -> anyhow::Result<()> {
        let Self { folder, nats, clickhouse, .. } = self;
        clickhouse.end().await?;
        nats.end().await?;
        std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))
    }
}
