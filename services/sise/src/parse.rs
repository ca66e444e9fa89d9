//! `sise parse`: a broker's raw messages to what each holds. What a person runs first when a broker has changed its
//! wire.

mod kis;
mod kiwoom;
mod messages;

use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use broker::feed::{FrameParser, Item, Refusal};
use broker::page::Rows;
use market::{Body, Event, Market, Origin, Source, Stamp, TradeDate};
use process::clock::now_ns;
use serde_json::{Value, json};

use crate::json;

/// Reads raw messages: WebSocket frames one a line, and whole REST pages.
#[derive(clap::Args)]
pub struct Parse {
    /// The broker: kis or kiwoom.
    #[arg(value_parser = ["kis", "kiwoom"])]
    broker: String,
    /// Where the messages are. Default: standard input.
    file: Option<PathBuf>,
    /// When the messages were received, UTC ns: gives the date that frames lack. Default: now.
    #[arg(long, value_name = "NS")]
    received_ns: Option<i64>,
    /// The trading day, YYYYMMDD, of REST pages that lack it (ka10003, ka10084, FHPST01060000,
    /// HHDFS76200300). Default: the day of receipt.
    #[arg(long, value_name = "DATE", value_parser = TradeDate::parse)]
    date: Option<TradeDate>,
}

/// One broker's messages, fed line by line.
trait Reader {
    /// What the line, number `line` from 1, completes: perhaps nothing yet.
    fn line(&mut self, text: &str, line: usize) -> Vec<Value>;
    /// What was not complete when the input ended.
    fn end(&mut self) -> Vec<Value>;
}

/// Runs the command. Exit code 1 when a frame, record, page or row was refused.
///
/// # Errors
/// When input or output fails.
pub fn run(command: &Parse) -> anyhow::Result<ExitCode> {
    let received_ns = command.received_ns.unwrap_or_else(now_ns);
    let date = command.date.unwrap_or_else(|| market::time::kst_date(received_ns));
    let mut reader: Box<dyn Reader> = if command.broker == "kis" {
        Box::new(kis::Kis::new(received_ns, date))
    } else {
        Box::new(kiwoom::Kiwoom::new(received_ns, date))
    };
    match &command.file {
        None => print(&mut *reader, io::stdin().lock()).context("standard input or output"),
        Some(path) => File::open(path)
            .and_then(|file| print(&mut *reader, io::BufReader::new(file)))
            .with_context(|| path.display().to_string()),
    }
}

fn print(reader: &mut dyn Reader, input: impl BufRead) -> io::Result<ExitCode> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut any_refused = false;
    let mut show = |values: Vec<Value>| -> io::Result<()> {
        for value in values {
            any_refused |= value.get("refused").is_some();
            serde_json::to_writer(&mut output, &value)?;
            output.write_all(b"\n")?;
        }
        Ok(())
    };
    for (number, line) in input.split(b'\n').enumerate() {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        show(reader.line(text.trim_end_matches('\r'), number + 1))?;
    }
    show(reader.end())?;
    output.flush()?;
    Ok(if any_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a data frame holds.
fn frame(
    parser: &mut impl FrameParser,
    source: Source,
    text: &str,
    line: usize,
    received_ns: i64,
) -> Vec<Value> {
    let mut items = Vec::new();
    let summary = match parser.parse(text, received_ns, &mut items) {
        Ok(summary) => summary,
        Err(refusal) => return vec![refused(&refusal, line, None)],
    };
    let event = |body: Body, market: Market, index: usize| {
        let stamp = Stamp {
            market,
            source,
            received_ns,
            connection_id: 0,
            frame_sequence: line as u64,
            record_index: u32::try_from(index).unwrap_or(u32::MAX),
            origin: Origin::Live,
        };
        json::event(&Event { stamp, body })
    };
    let numbered = items.into_iter().enumerate();
    numbered
        .map(|(index, item)| match item {
            Item::Trade(trade, _) => event(Body::Trade(trade), trade.at.tape.market(), index),
            Item::OrderBook(book) => event(Body::OrderBook(book), book.at.tape.market(), index),
            Item::Apart(kind) => json!({"line": line, "record": index, "kind": kind, "what": summary.what}),
            Item::Refused(refusal) => refused(&refusal, line, Some(index)),
        })
        .collect()
}

/// What a REST page of `call` holds.
fn rows<T>(
    line: usize,
    call: &'static str,
    page: Result<Rows<T>, impl ToString>,
    show: impl Fn(&T) -> Value,
) -> Vec<Value> {
    let page = match page {
        Ok(page) => page,
        Err(problem) => return vec![json!({"line": line, "refused": "page", "detail": problem.to_string()})],
    };
    let placed = |(record, row): (usize, &T)| {
        let mut value = json!({"line": line, "record": record, "kind": call});
        if let (Value::Object(map), Value::Object(fields)) = (&mut value, show(row)) {
            map.extend(fields);
        }
        value
    };
    let mut values: Vec<_> = page.rows.iter().enumerate().map(placed).collect();
    values.extend(page.refused.iter().map(|error| {
        json!({"line": line, "record": error.index, "refused": "row", "detail": format!("{call}: {error}")})
    }));
    if page.ended {
        values.push(json!({"line": line, "kind": call, "ended": true}));
    }
    values
}

fn refused(refusal: &Refusal, line: usize, record: Option<usize>) -> Value {
    json!({"line": line, "record": record, "refused": refusal.reason, "detail": refusal.detail})
}
