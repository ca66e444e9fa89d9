//! A day's figures → the tables of the page: everything that its charts show, as text.

use std::fmt::Write as _;

use super::figures::{DeadLetters, Figures, State, missing, whose};
use super::text::state;
use super::words::{count, escape, kind, millis, span};
use crate::words::grouped;

/// Rows of the long tables: a page that a phone opens at once.
const MOST: usize = 300;

/// All tables that have rows.
pub(super) fn tables(figures: &Figures) -> String {
    let mut html = events(figures);
    html.push_str(&delays(figures));
    html.push_str(&gaps(figures));
    html.push_str(&recoveries(figures));
    html.push_str(&refused(figures));
    html.push_str(&instruments(figures));
    html
}

/// A heading of a column, and whether it holds numbers.
type Column = (&'static str, bool);

fn table(title: &str, columns: &[Column], rows: &[Vec<String>], more: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut html = String::new();
    // Writing to a String cannot fail.
    let _infallible = write!(
        html,
        "<h3>{title}</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\"><table><thead><tr>"
    );
    let class = |numeric: bool| if numeric { " class=\"n\"" } else { "" };
    for (name, numeric) in columns {
        let _infallible = write!(html, "<th scope=\"col\"{}>{name}</th>", class(*numeric));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (cell, (_, numeric)) in row.iter().zip(columns) {
            let _infallible = write!(html, "<td{}>{}</td>", class(*numeric), escape(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    if more > 0 {
        let _infallible = writeln!(
            html,
            "<p class=\"note\">{} more are not shown.</p>",
            grouped(more.try_into().unwrap_or(i64::MAX))
        );
    }
    html
}

fn events(figures: &Figures) -> String {
    let rows: Vec<_> = figures
        .report
        .events
        .iter()
        .map(|one| {
            vec![
                one.source.clone(),
                kind(&one.kind),
                one.origin.clone(),
                count(one.events),
                count(one.instruments),
            ]
        })
        .collect();
    let columns =
        [("Source", false), ("Kind", false), ("Origin", false), ("Events", true), ("Instruments", true)];
    table("Events by source", &columns, &rows, 0)
}

fn delays(figures: &Figures) -> String {
    let rows: Vec<_> = figures
        .report
        .delays
        .iter()
        .map(|one| {
            let mut row = vec![one.source.clone(), kind(&one.kind)];
            row.extend([one.least_ns, one.median_ns, one.p90_ns, one.p99_ns, one.most_ns].map(millis));
            row
        })
        .collect();
    let columns = [
        ("Source", false),
        ("Kind", false),
        ("Least", true),
        ("p50", true),
        ("p90", true),
        ("p99", true),
        ("Most", true),
    ];
    table("Delay by source", &columns, &rows, 0)
}

fn gaps(figures: &Figures) -> String {
    let all = &figures.report.gaps;
    let rows: Vec<_> = all
        .iter()
        .take(MOST)
        .map(|gap| {
            vec![
                gap.reason.clone(),
                whose(gap),
                span(gap.from_ns, gap.until_ns),
                gap.missing_volume.map_or_else(String::new, grouped),
                state(gap),
                gap.detail.clone(),
            ]
        })
        .collect();
    let columns = [
        ("Reason", false),
        ("Whose", false),
        ("When", false),
        ("Shares", true),
        ("State", false),
        ("Detail", false),
    ];
    table("Gaps", &columns, &rows, all.len().saturating_sub(MOST))
}

fn recoveries(figures: &Figures) -> String {
    let rows: Vec<_> = figures
        .report
        .recoveries
        .iter()
        .map(|one| {
            let mut row = vec![one.source.clone(), one.method.clone()];
            row.extend([one.attempts, one.closed, one.asked, one.returned, one.added].map(count));
            row.push(grouped(one.added_volume));
            row
        })
        .collect();
    let columns = [
        ("Source", false),
        ("Method", false),
        ("Attempts", true),
        ("Closed", true),
        ("Pages", true),
        ("Rows", true),
        ("Trades added", true),
        ("Shares added", true),
    ];
    table("Recoveries", &columns, &rows, 0)
}

fn refused(figures: &Figures) -> String {
    let rows: Vec<_> = figures
        .report
        .refusals
        .iter()
        .take(MOST)
        .map(|one| {
            vec![
                one.source.clone(),
                one.code.clone(),
                one.text.clone(),
                count(one.times),
                one.example.clone(),
            ]
        })
        .collect();
    let columns =
        [("Source", false), ("Code", false), ("Text", false), ("Times", true), ("One of them", false)];
    table("Refused registrations", &columns, &rows, figures.report.refusals.len().saturating_sub(MOST))
}

fn instruments(figures: &Figures) -> String {
    let all = figures.worst_first();
    let rows: Vec<_> = all
        .iter()
        .take(MOST)
        .map(|one| {
            vec![
                one.symbol.clone(),
                one.tape.clone(),
                State::of(one).as_str().to_owned(),
                one.volume.map_or_else(|| "–".to_owned(), grouped),
                grouped(one.stored_volume),
                grouped(one.recovered_volume),
                grouped(one.off_hours_volume),
                grouped(missing(one)),
                count(one.prints),
                one.how.replace('_', " "),
            ]
        })
        .collect();
    let columns = [
        ("Symbol", false),
        ("Tape", false),
        ("State", false),
        ("Told", true),
        ("Stored", true),
        ("Recovered", true),
        ("Off hours", true),
        ("Missing", true),
        ("Prints", true),
        ("How", false),
    ];
    table("Instruments, worst first", &columns, &rows, all.len().saturating_sub(MOST))
}

/// Dead letters in a few words.
pub(super) fn letters(letters: &DeadLetters) -> String {
    match letters {
        DeadLetters::Counted(number) => count(*number),
        DeadLetters::AtLeast(number) => format!("{} or more", count(*number)),
        DeadLetters::Unknown(_) => "not known".to_owned(),
    }
}
