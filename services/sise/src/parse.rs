//! `sise parse kis`: raw frames, one a line, to what each holds. What a person runs first when a broker has changed
//! its wire.

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use broker::feed::{FrameParser as _, Item, Refusal};
use broker::kis::control::{self, Control};
use broker::kis::parse::KisParser;
use market::calendar::Calendar;
use market::{Body, Event, Origin, Source, Stamp};
use process::clock::now_ns;
use serde_json::{Value, json};

use crate::json;

/// Reads raw frames from standard input.
#[derive(clap::Args)]
pub struct Parse {
    /// The broker: kis.
    #[arg(value_parser = ["kis"])]
    broker: String,
    /// When the frames were received, UTC ns: gives books the date that they lack. Default: now.
    #[arg(long, value_name = "NS")]
    received_ns: Option<i64>,
}

/// Runs the command. Exit code 1 when a frame or record was refused.
///
/// # Errors
/// When input or output fails.
pub fn run(command: &Parse) -> anyhow::Result<ExitCode> {
    let received_ns = command.received_ns.unwrap_or_else(now_ns);
    let mut parser = KisParser::new(Calendar::built_in().clone());
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut any_refused = false;
    for (number, line) in io::stdin().lock().split(b'\n').enumerate() {
        let line = line.context("standard input")?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        if text.is_empty() {
            continue;
        }
        for value in read(&mut parser, text, number + 1, received_ns) {
            any_refused |= value.get("refused").is_some();
            serde_json::to_writer(&mut output, &value).context("standard output")?;
            output.write_all(b"\n").context("standard output")?;
        }
    }
    output.flush().context("standard output")?;
    Ok(if any_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn read(parser: &mut KisParser, text: &str, line: usize, received_ns: i64) -> Vec<Value> {
    if text.starts_with('{') {
        return vec![control(text, line)];
    }
    let mut items = Vec::new();
    let summary = match parser.parse(text, received_ns, &mut items) {
        Ok(summary) => summary,
        Err(refusal) => return vec![refused(&refusal, line, None)],
    };
    let numbered = items.into_iter().enumerate();
    numbered
        .map(|(index, item)| match item {
            Item::Trade(trade, _) => {
                event(Body::Trade(trade), trade.at.tape.market(), line, index, received_ns)
            }
            Item::OrderBook(book) => {
                event(Body::OrderBook(book), book.at.tape.market(), line, index, received_ns)
            }
            Item::Apart(kind) => json!({"line": line, "record": index, "kind": kind, "what": summary.what}),
            Item::Refused(refusal) => refused(&refusal, line, Some(index)),
        })
        .collect()
}

fn event(body: Body, market: market::Market, line: usize, index: usize, received_ns: i64) -> Value {
    let stamp = Stamp {
        market,
        source: Source::Kis,
        received_ns,
        connection_id: 0,
        frame_sequence: line as u64,
        record_index: u32::try_from(index).unwrap_or(u32::MAX),
        origin: Origin::Live,
    };
    json::event(&Event { stamp, body })
}

fn control(text: &str, line: usize) -> Value {
    match control::read(text) {
        Some(Control::PingPong) => json!({"line": line, "kind": "control", "what": "pingpong"}),
        Some(Control::Answer(answer)) => json!({
            "line": line, "kind": "control", "what": "answer", "verdict": format!("{:?}", answer.verdict()),
            "tr_id": answer.tr_id, "tr_key": answer.tr_key, "code": answer.code, "text": answer.text,
        }),
        Some(Control::Unknown) => json!({"line": line, "kind": "control", "what": "unknown"}),
        None => json!({"line": line, "refused": "control", "detail": "begins with { and is no JSON object"}),
    }
}

fn refused(refusal: &Refusal, line: usize, record: Option<usize>) -> Value {
    json!({"line": line, "record": record, "refused": refusal.reason, "detail": refusal.detail})
}
