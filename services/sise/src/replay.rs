//! `sise replay`: a past day through the gateway's interface. It understands what is wanted and becomes a gateway that plays:
//! a process of its own with an address of its own, which opens no connection to the bus. So nothing played can get among
//! what is live, and a page or a program made for the gateway needs another address and nothing else.

mod when;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use market::{Market, TradeDate};

use crate::symbols;
use when::Clock;

/// Plays an archived day.
#[derive(clap::Args)]
pub struct Replay {
    /// The trading day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", value_parser = crate::report::date)]
    date: TradeDate,
    /// The market, kr or us.
    #[arg(long, default_value = "kr", value_parser = market)]
    market: Market,
    /// Only these symbols, by code or by the name in the symbols file; several with commas or again.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbol: Vec<String>,
    /// How many seconds of the day go by in one; 0 = as fast as clients read, and waits for them.
    #[arg(long, value_name = "TIMES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=200))]
    speed: u32,
    /// Begin at this time of Seoul, HH:MM or HH:MM:SS; of a US day a time before noon is of the morning after.
    #[arg(long, value_name = "TIME")]
    from: Option<Clock>,
    /// End before this time of Seoul.
    #[arg(long, value_name = "TIME")]
    to: Option<Clock>,
    /// Where it listens. The live gateway has 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: String,
    /// The gateway program; otherwise the one beside this program, or on the PATH.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
}

fn market(text: &str) -> Result<Market, String> {
    Market::from_word(text).ok_or_else(|| "markets are kr and us".to_owned())
}

/// Becomes the gateway; returns only when that cannot be.
///
/// # Errors
/// What is wanted cannot be meant, or there is no gateway program.
pub fn run(command: &Replay, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let universe = symbols::configured(config).unwrap_or_default();
    let mut names = Vec::new();
    for text in &command.symbol {
        names.extend(symbols::named(text, &universe)?.iter().map(ToString::to_string));
    }
    let at = |clock: Option<Clock>| clock.map(|clock| clock.on(command.market, command.date));
    let (from_ns, until_ns) = (at(command.from), at(command.to));
    if from_ns.zip(until_ns).is_some_and(|(from, until)| from >= until) {
        bail!("--to does not lie behind --from");
    }
    let program = command.gateway.clone().unwrap_or_else(beside);
    let mut gateway = Command::new(&program);
    for file in config {
        gateway.arg("--config").arg(file);
    }
    let mut set = |name: &str, value: String| {
        gateway.env(format!("SISE__{name}"), value);
    };
    set("GATEWAY__REPLAY__DATE", command.date.to_string());
    set("GATEWAY__REPLAY__MARKET", command.market.to_string());
    set("GATEWAY__REPLAY__SYMBOLS", names.join(","));
    set("GATEWAY__REPLAY__SPEED", command.speed.to_string());
    // An empty variable counts as not set.
    let text = |ns: Option<i64>| ns.map_or_else(String::new, |ns| ns.to_string());
    set("GATEWAY__REPLAY__FROM_NS", text(from_ns));
    set("GATEWAY__REPLAY__UNTIL_NS", text(until_ns));
    set("GATEWAY__LISTEN", command.listen.clone());
    // The live gateway may have the address of the settings.
    set("METRICS__GATEWAY", "off".to_owned());
    // From here on this process is the gateway: signals and exit code are its own.
    let error = gateway.exec();
    Err(error).with_context(|| format!("{} cannot be started: see --gateway", program.display()))
}

/// The gateway beside this program, or the one that the system finds.
fn beside() -> PathBuf {
    let folder = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
    let beside = folder.map(|folder| folder.join("gateway")).filter(|program| program.is_file());
    beside.unwrap_or_else(|| PathBuf::from("gateway"))
}
