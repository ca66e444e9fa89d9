//! `sise deadletter ls | show | redrive`: what could not be understood or stored, why, and what can be archived now.
//!
//! Two kinds lie in stream `DEADLETTER`: messages that the archiver set aside (`….event`), which `redrive` hands back to
//! the archiver (it alone inserts, and no live subject sees them again); and frames that a cell refused (`….frame`), which
//! `sise journal replay` reads again from the journal.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bus::subject::{REASON_HEADER, SEQUENCE_HEADER, STREAM_HEADER, SUBJECT_HEADER};
use bus::{ASK_LIMIT, AskError, Client, Context, StreamMessage};
use clap::Subcommand;
use process::config::Sources;

use crate::json;
use crate::tap::Raw;

/// Where dead letters are.
const STREAM: &str = "DEADLETTER";
/// Who archives one again.
const REDRIVE: &str = "archiver.redrive";
/// How long the bus may take to be there: a person waits.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The most of a payload that `show` prints, in bytes.
const SHOWN: usize = 4_096;

/// Lists dead letters, shows one, hands messages back to the archiver.
#[derive(clap::Args)]
pub struct Deadletter {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// List dead letters, the oldest first: sequence, time, bytes, where from, why.
    Ls {
        /// Only those that were messages of this stream, for example TICKER_KR_KIS.
        #[arg(long, value_name = "STREAM")]
        stream: Option<String>,
        /// Only those at a subject, wildcards allowed: `deadletter.kr.kis.>`.
        #[arg(long, value_name = "FILTER", default_value = "deadletter.>")]
        subject: String,
    },
    /// Show one with its headers and payload.
    Show {
        /// Its sequence in stream DEADLETTER.
        sequence: u64,
    },
    /// Hand messages that the archiver set aside back to it; one that is archived is deleted here.
    Redrive {
        /// The sequence in stream DEADLETTER.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        sequence: Option<u64>,
        /// Every message that the archiver set aside.
        #[arg(long)]
        all: bool,
        /// Leave archived ones in the dead letters.
        #[arg(long)]
        keep: bool,
    },
}

/// Runs the command. Exit code 1 when one of the messages could not be archived.
///
/// # Errors
/// When the bus is away or refuses, the archiver does not answer, or there is no such dead letter.
pub async fn run(command: &Deadletter, config: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let raw: Raw = Sources::new("sise", config).load()?;
    let client = bus::connect(&raw.nats, "sise").await?;
    if !bus::connected(&client, CONNECT_LIMIT).await {
        let seconds = CONNECT_LIMIT.as_secs();
        anyhow::bail!(
            "no nats-server within {seconds} s, or it refuses user sise: see nats.url and nats.passwords"
        );
    }
    let context = bus::jetstream(client.clone());
    let output = &mut io::stdout().lock();
    match &command.command {
        What::Ls { stream, subject } => list(&context, stream.as_deref(), subject, output).await?,
        What::Show { sequence } => show(&letter(&context, *sequence).await?, output)?,
        What::Redrive { sequence: Some(sequence), keep, .. } => {
            let letter = letter(&context, *sequence).await?;
            if !redrive(&client, &context, &letter, *keep, output).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        What::Redrive { keep, .. } => return redrive_all(&client, &context, *keep, output).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn letter(context: &Context, sequence: u64) -> anyhow::Result<StreamMessage> {
    let letter = bus::read_message(context, STREAM, sequence).await?;
    letter.with_context(|| format!("no dead letter at sequence {sequence}: `sise deadletter ls` lists them"))
}

async fn list(
    context: &Context,
    stream: Option<&str>,
    subject: &str,
    output: &mut impl Write,
) -> anyhow::Result<()> {
    let (mut from, mut frames, mut listed) = (1, 0_u64, 0_u64);
    while let Some(letter) = bus::next_message(context, STREAM, from, subject).await? {
        from = letter.stream_sequence + 1;
        if stream.is_some_and(|stream| letter.header(STREAM_HEADER) != Some(stream)) {
            continue;
        }
        writeln!(output, "{}", line(&letter))?;
        frames += u64::from(is_frame(&letter));
        listed += 1;
    }
    writeln!(output, "{listed} dead letters, {frames} of them refused frames")?;
    if frames > 0 {
        writeln!(output, "{FRAMES}")?;
    }
    Ok(())
}

/// What to do about frames.
const FRAMES: &str =
    "refused frames are read again from the journal, after a parser was mended: `sise journal replay`";

fn is_frame(letter: &StreamMessage) -> bool {
    letter.subject().ends_with(".frame")
}

/// `7  2026-11-25 09:00:30 KST  142 B  ticker.kr.kis.005930.krx (TICKER_KR_KIS 500)  not an event payload: …`
fn line(letter: &StreamMessage) -> String {
    let origin = letter.header(SUBJECT_HEADER).unwrap_or_else(|| letter.subject());
    let stands = match (letter.header(STREAM_HEADER), letter.header(SEQUENCE_HEADER)) {
        (Some(stream), Some(sequence)) => format!(" ({stream} {sequence})"),
        _ => String::new(),
    };
    let reason = letter.header(REASON_HEADER).unwrap_or("no reason told");
    format!(
        "{}  {}  {} B  {}  {}",
        letter.stream_sequence,
        json::clock(letter.published_ns),
        letter.payload().len(),
        printable(&format!("{origin}{stands}")),
        printable(reason)
    )
}

fn show(letter: &StreamMessage, output: &mut impl Write) -> anyhow::Result<()> {
    writeln!(output, "sequence: {}", letter.stream_sequence)?;
    writeln!(output, "time: {}", json::clock(letter.published_ns))?;
    writeln!(output, "subject: {}", printable(letter.subject()))?;
    for (name, value) in letter.headers() {
        writeln!(output, "{}: {}", printable(&name), printable(&value))?;
    }
    let payload = letter.payload();
    writeln!(output, "payload: {} bytes", payload.len())?;
    if let Ok(event) = bus::decode(payload) {
        writeln!(output, "{}", json::event(&event))?;
    }
    let shown = payload.get(..SHOWN).unwrap_or(payload);
    match std::str::from_utf8(shown) {
        Ok(text) => writeln!(output, "{}", printable(text))?,
        Err(_) => hex(shown, output)?,
    }
    if shown.len() < payload.len() {
        writeln!(output, "… {} bytes more", payload.len() - shown.len())?;
    }
    if is_frame(letter) {
        writeln!(output, "{FRAMES}")?;
    }
    Ok(())
}

/// Sixteen bytes a line.
fn hex(bytes: &[u8], output: &mut impl Write) -> io::Result<()> {
    for (number, line) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String =
            line.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        writeln!(output, "{:06x}  {:<47}  {text}", 16 * number, digits.join(" "))?;
    }
    Ok(())
}

/// A text that changes nothing in a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

async fn redrive_all(
    client: &Client,
    context: &Context,
    keep: bool,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let (mut from, mut archived, mut left, mut frames) = (1, 0_u64, 0_u64, 0_u64);
    while let Some(letter) = bus::next_message(context, STREAM, from, "deadletter.>").await? {
        from = letter.stream_sequence + 1;
        if is_frame(&letter) {
            frames += 1;
        } else if redrive(client, context, &letter, keep, output).await? {
            archived += 1;
        } else {
            left += 1;
        }
    }
    writeln!(output, "{archived} archived, {left} refused again, {frames} refused frames left alone")?;
    if frames > 0 {
        writeln!(output, "{FRAMES}")?;
    }
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Hands one back; true when it is in the archive now.
async fn redrive(
    client: &Client,
    context: &Context,
    letter: &StreamMessage,
    keep: bool,
    output: &mut impl Write,
) -> anyhow::Result<bool> {
    let sequence = letter.stream_sequence;
    let request = serde_json::json!({ "sequence": sequence }).to_string();
    let answer = match bus::ask_at(client, REDRIVE.to_owned(), request.into(), ASK_LIMIT).await {
        Ok(answer) => answer,
        // About this message, not about the way.
        Err(AskError::Refused(refused)) if refused.code < 500 => {
            writeln!(output, "{sequence}  {}: {}", refused.word, printable(&refused.text))?;
            return Ok(false);
        }
        Err(AskError::NobodyAnswers { .. }) => {
            anyhow::bail!("nobody answers {REDRIVE}: is archiver running?")
        }
        Err(error) => return Err(error).with_context(|| format!("dead letter {sequence}")),
    };
    let answer: serde_json::Value = serde_json::from_slice(&answer).context("answer of the archiver")?;
    let text =
        |name: &str| answer.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let outcome = match text("outcome").as_str() {
        "known" => "was in the archive already",
        _ => "archived",
    };
    writeln!(output, "{sequence}  {outcome}: {}", printable(&text("subject")))?;
    if !keep {
        bus::delete_message(context, STREAM, sequence).await?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(letter: &StreamMessage) -> String {
        let mut output = Vec::new();
        show(letter, &mut output).expect("shown");
        String::from_utf8(output).expect("text")
    }

    #[test]
    fn a_letter_is_one_line_and_changes_no_terminal() {
        let letter = StreamMessage::new(
            "deadletter.kr.kis.frame",
            Some("f:1"),
            b"\x1b[2J",
            7,
            1_795_478_430_000_000_000,
        );
        assert_eq!(line(&letter), "7  2026-11-24 09:00:30 KST  4 B  deadletter.kr.kis.frame  no reason told");
        let text = shown(&letter);
        assert!(
            text.contains("payload: 4 bytes\n\u{fffd}[2J\n") && text.contains("sise journal replay"),
            "{text}"
        );
    }

    #[test]
    fn a_payload_that_is_no_text_is_shown_in_hexadecimal_digits() {
        let letter = StreamMessage::new("deadletter.kr.kis.event", None, b"ab\xff", 7, 0);
        let expected = format!("000000  61 62 ff{}ab.\n", " ".repeat(41));
        assert!(shown(&letter).contains(&expected), "{}", shown(&letter));
        let long = StreamMessage::new("deadletter.kr.kis.event", None, &[0xff; 5_000], 7, 0);
        assert!(shown(&long).ends_with("… 904 bytes more\n"));
    }
}
