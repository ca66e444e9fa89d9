//! `sise`: the command line. One file a subcommand; small ones start no runtime, so that `sise decode` is quick.

mod archive;
mod ask;
mod deadletter;
mod decode;
mod doctor;
mod failover;
mod gaps;
mod journal;
mod json;
mod look;
mod migrate;
mod parse;
mod replay;
mod report;
mod status;
mod streams;
mod symbols;
mod tap;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Records the Korean and US stock markets through KIS and Kiwoom; this command looks and helps.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Settings file in place of config/sise.toml; may be given again, the last wins.
    #[arg(long, value_name = "FILE", global = true)]
    config: Vec<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read one event from standard input and print it as one line of JSON.
    Decode(decode::Decode),
    /// Read a broker's raw frames, one a line, and print what each holds or why it is refused.
    Parse(parse::Parse),
    /// List, print and check a service's journal; publish again what an archive lacks.
    Journal(journal::Journal),
    /// Compare the streams of the server with nats/streams.json, and make them match.
    Streams(streams::Streams),
    /// Validate the symbols file; show what each key carries and what has no room.
    Symbols(symbols::Symbols),
    /// Create or update the tables of ClickHouse.
    Migrate(migrate::Migrate),
    /// Ask a broker's cell for a page of its REST interface and print it.
    Ask(ask::Ask),
    /// Show which broker carries which group and how the brokers are; give a group to another broker.
    Failover(failover::Failover),
    /// List what was never archived; have it archived as long as JetStream has it.
    Archive(archive::Archive),
    /// Find, list, explain and refill what a day's record lacks.
    Gaps(gaps::Gaps),
    /// Tell how complete a day is, as a table and as a page with charts.
    Report(report::Report),
    /// Show how the running system is: services, connections, streams, archive, gaps, owners, disk.
    Status(status::Status),
    /// Check that everything is there that a day needs; measure on a recorded day what the brokers' documents leave open.
    Doctor(doctor::Doctor),
    /// List what could not be understood or stored, show one, hand messages back to the archiver.
    Deadletter(deadletter::Deadletter),
    /// Play an archived day through the gateway's interface: WebSocket, HTTP and page.
    Replay(replay::Replay),
    /// Follow a subject, or what filters describe, and print each event as one line.
    Tap(tap::Tap),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::tls::install();
    let result = match arguments.command {
        Command::Decode(command) => decode::run(&command),
        Command::Parse(command) => parse::run(&command),
        Command::Journal(command) => journal::run(&command, &arguments.config),
        Command::Streams(command) => wait(streams::run(&command, &arguments.config)),
        Command::Symbols(command) => symbols::run(&command, &arguments.config),
        Command::Migrate(command) => wait(migrate::run(&command, &arguments.config)),
        Command::Ask(command) => wait(ask::run(&command, &arguments.config)),
        Command::Failover(command) => wait(failover::run(&command, &arguments.config)),
        Command::Archive(command) => wait(archive::run(&command, &arguments.config)),
        Command::Gaps(command) => wait(gaps::run(&command, &arguments.config)),
        Command::Report(command) => wait(report::run(&command, &arguments.config)),
        Command::Status(command) => wait(status::run(&command, &arguments.config)),
        Command::Doctor(command) => wait(doctor::run(&command, &arguments.config)),
        Command::Deadletter(command) => wait(deadletter::run(&command, &arguments.config)),
        Command::Replay(command) => replay::run(&command, &arguments.config),
        Command::Tap(command) => wait(tap::run(&command, &arguments.config)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sise: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn wait(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
