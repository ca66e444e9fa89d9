//! The Korean feed of KIS: names the feed and hands it to a cell.

mod config;

use broker::kis::feed::KisFeed;
use config::{Raw, Settings};
use market::calendar::Calendar;
use process::Shutdown;

fn main() -> std::process::ExitCode {
    process::run::<Raw, Settings, _, _>(config::SERVICE, run)
}

async fn run(settings: Settings, shutdown: Shutdown) -> anyhow::Result<()> {
    let feed = KisFeed::new(settings.kis, &settings.universe, Calendar::built_in().clone())?;
    cell::run(feed, settings.cell, shutdown).await
}
