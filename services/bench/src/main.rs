//! `bench`: how fast sise is beside the barest program that does the same, both measured in turns in one run; a line of JSON
//! for each figure. `scripts/bench` builds and runs it and draws the figures.

#![allow(clippy::float_arithmetic, reason = "rates and ratios for people; no price is touched")]

mod archive;
mod encode;
mod folder;
mod footprint;
mod growth;
mod inputs;
mod journal;
mod latency;
mod measure;
mod options;
mod parse;
mod path;
mod publish;
mod queries;
mod sender;
mod servers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::measure::Measure;
use crate::options::Options;

/// What is measured, and with how much.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Text of a broker to events, beside a bare split or scan of the same bytes.
    Parse,
    /// Events to protobuf and back.
    Encode,
    /// Frames kept, beside plain buffered writes of the same bytes.
    Journal,
    /// Events to JetStream, beside the barest loops of the client.
    Publish,
    /// JetStream to ClickHouse, beside a bare fetch and a bare insert.
    Archive,
    /// From the broker's socket to rows, all processes on this machine, beside the bare path.
    Path,
    /// From the socket to acknowledged, and to a client of the gateway.
    Latency,
    /// Processor time and memory of each process, bytes of each event where it is kept.
    Footprint,
    /// What an event costs among more symbols, and with more rows in the archive.
    Growth,
    /// The worked queries on a synthetic archive: time and bytes read.
    Queries(queries::Arguments),
    /// A broker that replays prepared frames as fast as they are read, for `path` and for whatever is set beside it.
    Sender(sender::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { what, options } = Arguments::parse();
    match run(what, &options).await {
        Ok(measures) => {
            for measure in measures {
                println!("{measure}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(what: What, options: &Options) -> anyhow::Result<Vec<Measure>> {
    match what {
        What::Parse => parse::run(options),
        What::Encode => encode::run(options),
        What::Journal => journal::run(options),
        What::Publish => publish::run(options).await,
        What::Archive => archive::run(options).await,
        What::Path => path::run(options).await,
        What::Latency => latency::run(options).await,
        What::Footprint => footprint::run(options).await,
        What::Growth => growth::run(options).await,
        What::Queries(arguments) => queries::run(options, arguments).await,
        What::Sender(arguments) => sender::run(arguments).await,
    }
}
