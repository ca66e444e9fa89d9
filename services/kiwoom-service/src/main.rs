//! The Korean feed of Kiwoom: names the feed and hands it to a cell.

use broker::kiwoom::feed::{KiwoomFeed, defaults};
use cell::{RawBroker, RawCell, Service, ServiceSettings};
use market::calendar::Calendar;
use market::{Market, Source};
use process::{ConfigError, Shutdown};
use serde::Deserialize;

const SERVICE: Service = Service { name: "kiwoom-service", source: Source::Kiwoom, market: Market::Kr };

/// The sections as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    kiwoom: RawBroker,
    #[serde(flatten)]
    cell: RawCell,
}

/// The settings as understood.
#[derive(Debug)]
struct Settings(ServiceSettings);

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        SERVICE.settings(raw.kiwoom, raw.cell, defaults()).map(Self)
    }
}

fn main() -> std::process::ExitCode {
    process::run::<Raw, Settings, _, _>(SERVICE.name, run)
}

async fn run(Settings(settings): Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let feed = KiwoomFeed::new(settings.broker, Calendar::built_in().clone())?;
    cell::run(feed, settings.cell, shutdown).await
}
