//! `sise decode`: one payload (or with `--stream` a length-delimited sequence) to JSON. Made for
//! `nats sub SUBJECT --translate 'sise decode'`, which starts it once a message.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use bus::delimited::decode_delimited;
use market::Event;

use crate::json;

/// Reads one event from standard input and prints one line of JSON.
#[derive(clap::Args)]
pub struct Decode {
    /// Read a length-delimited sequence of events.
    #[arg(long)]
    stream: bool,
    /// Print with indentation.
    #[arg(long)]
    pretty: bool,
}

/// Runs the command. Garbage is exit code 1 and a reason.
///
/// # Errors
/// When the input is no event, or the output cannot be written.
pub fn run(command: &Decode) -> anyhow::Result<ExitCode> {
    let mut input = io::BufReader::new(io::stdin().lock());
    let mut output = io::BufWriter::new(io::stdout().lock());
    if command.stream {
        while let Some(event) = decode_delimited(&mut input)? {
            print(&mut output, &event, command.pretty)?;
        }
    } else {
        let mut payload = Vec::new();
        input.read_to_end(&mut payload).context("standard input")?;
        let event = bus::decode(&payload).context("not an event")?;
        print(&mut output, &event, command.pretty)?;
    }
    output.flush().context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Prints one event.
///
/// # Errors
/// When the output cannot be written.
pub fn print(output: &mut impl io::Write, event: &Event, pretty: bool) -> anyhow::Result<()> {
    let value = json::event(event);
    if pretty {
        serde_json::to_writer_pretty(&mut *output, &value)
    } else {
        serde_json::to_writer(&mut *output, &value)
    }
    .context("standard output")?;
    output.write_all(b"\n").context("standard output")
}
