//! The Korean feed of KIS: names the feed and hands it to a cell.

use broker::kis::feed::{KisFeed, defaults};
use cell::{RawBroker, RawCell, Service, ServiceSettings};
use market::calendar::Calendar;
use market::{Market, Source};
use process::{ConfigError, Shutdown};
use serde::Deserialize;

const SERVICE: Service = Service { name: "kis-service", source: Source::Kis, market: Market::Kr };

/// The sections as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Raw {
    kis: RawBroker,
    #[serde(flatten)]
    cell: RawCell,
}

/// The settings as understood.
#[derive(Debug)]
struct Settings(ServiceSettings);

impl TryFrom<Raw> for Settings {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        SERVICE.settings(raw.kis, raw.cell, defaults()).map(Self)
    }
}

fn main() -> std::process::ExitCode {
    process::run::<Raw, Settings, _, _>(SERVICE.name, run)
}

async fn run(Settings(settings): Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let feed = KisFeed::new(SERVICE.market, settings.broker, Calendar::built_in().clone())?;
    cell::run(feed, settings.cell, shutdown).await
}
