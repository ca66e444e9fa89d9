//! Findings → a page of Markdown that a person reads, and can send on.

use std::fmt::Write as _;

use super::findings::{self, Finding};
use super::{Archived, Measured};
use crate::json::clock;

/// Lines of a table of codes.
const MOST_CODES: usize = 200;

/// The page.
pub(super) fn page(day: &Measured) -> String {
    let mut text = format!("# What {} says to the open questions\n\n", day.date);
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "Made by sise {} from journals and archive. It names no key, token, account or address.\n",
        env!("CARGO_PKG_VERSION")
    );
    for (name, seen) in &day.journals {
        let refused: u64 = seen.refused.values().sum();
        let _infallible = writeln!(
            text,
            "- {name}: {} frames of {} connections, {refused} cannot be split, {} damaged places",
            seen.frames, seen.connections, seen.damaged
        );
        for (reason, count) in &seen.refused {
            let _infallible = writeln!(text, "  - {}: {count}", cell(reason));
        }
    }
    for (name, archived) in [("kr", &day.kr), ("us", &day.us)] {
        let events: u64 = archived.report.events.iter().map(|one| one.events).sum();
        let _infallible = writeln!(text, "- archive {name}: {events} events");
    }
    for problem in &day.problems {
        let _infallible = writeln!(text, "- {}", cell(problem));
    }
    table(&mut text, "Kiwoom", &findings::kiwoom(day));
    table(&mut text, "KIS", &findings::kis(day));
    codes(&mut text, "Codes of Korean trades by phase", &day.kr);
    codes(&mut text, "Codes of US trades (MTYP) by phase", &day.us);
    text
}

fn table(text: &mut String, title: &str, findings: &[Finding]) {
    let _infallible =
        write!(text, "\n## {title}\n\n| question | measure | figure | what it means |\n|---|---|---|---|\n");
    for Finding { question, measure, figure, means } in findings {
        let _infallible = writeln!(text, "| {question} | {measure} | {} | {means} |", cell(figure));
    }
}

fn codes(text: &mut String, title: &str, archived: &Archived) {
    if archived.codes.is_empty() {
        return;
    }
    let _infallible = write!(
        text,
        "\n## {title}\n\nKIS Korea: NEW_MKOP_CLS_CODE, HOUR_CLS_CODE, MRKT_TRTM_CLS_CODE, MARKET_CLS_CODE. KIS US: MTYP. Kiwoom: FID 290, 9081. Times of Seoul.\n\n\
         | source | tape | phase | codes | prints | first | last |\n|---|---|---|---|---|---|---|\n"
    );
    let time = |utc_ns: i64| clock(utc_ns).split(' ').nth(1).unwrap_or_default().to_owned();
    for one in archived.codes.iter().take(MOST_CODES) {
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            one.source,
            one.tape,
            one.session,
            cell(&one.codes.replace('|', " ")),
            one.prints,
            time(one.first_ns),
            time(one.last_ns)
        );
    }
    let more = archived.codes.len().saturating_sub(MOST_CODES);
    if more > 0 {
        let _infallible = writeln!(text, "\n{more} more are not shown.");
    }
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '|' => '/',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}
