//! The state of the groups and brokers as a table for people, or as one object of JSON.

use std::io::{self, Write};

use market::ownership::Rules;
use market::{Group, Health, Ownership, Source};
use serde_json::{Value, json};

use crate::json::clock;
use crate::look::board::State;
use crate::words::duration;

/// Two tables: groups, then brokers.
///
/// # Errors
/// Those of the output.
pub fn text(output: &mut impl Write, state: &State) -> io::Result<()> {
    let line = ["group", "owner", "home", "by", "held", "since", "why"].map(str::to_owned);
    let mut groups = vec![line];
    for (group, entry) in &state.groups {
        let entry = entry.as_ref().map(|entry| &entry.value);
        groups.push(group_line(state, *group, entry));
    }
    table(output, &groups)?;
    writeln!(output)?;
    let line =
        ["broker", "verdict", "since", "connections", "registered", "free", "last frame", "carries", "why"];
    let mut feeds = vec![line.map(str::to_owned)];
    for (source, health) in &state.feeds {
        feeds.push(feed_line(state, *source, health.as_ref()));
    }
    table(output, &feeds)
}

fn group_line(state: &State, group: Group, entry: Option<&Ownership>) -> [String; 7] {
    let all: Vec<Source> = state.feeds.iter().map(|(source, _)| *source).collect();
    let home = entry.and_then(|entry| entry.hold).unwrap_or(group.home());
    // Where only one broker sends anything there is nothing to choose.
    let home = if all.contains(&home) { Some(home) } else { all.first().copied() };
    let owner = if all.len() > 1 { Some(state.owner(group)) } else { home };
    let word = |source: Option<Source>| source.map_or_else(|| "-".to_owned(), |source| source.to_string());
    let held = entry.is_some_and(|entry| entry.hold.is_some());
    [
        group.to_string(),
        word(owner),
        word(home),
        entry.map_or_else(|| "default".to_owned(), |entry| entry.by.to_string()),
        if held { "yes" } else { "no" }.to_owned(),
        entry.map_or_else(|| "-".to_owned(), |entry| clock(entry.since_ns)),
        entry.map_or_else(String::new, why),
    ]
}

/// Why the owner is the owner, and what somebody else carries.
fn why(entry: &Ownership) -> String {
    let lent = entry.loan.as_ref().filter(|loan| !loan.symbols.is_empty());
    let lent = lent.map(|loan| format!("{} symbols at {}: {}", loan.symbols.len(), loan.to, loan.why));
    let parts = [Some(entry.why.clone()).filter(|why| !why.is_empty()), lent];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn feed_line(state: &State, source: Source, health: Option<&Health>) -> [String; 9] {
    let dash = || "-".to_owned();
    let Some(health) = health else {
        let why = "its service does not run".to_owned();
        return [source.to_string(), "gone".to_owned(), dash(), dash(), dash(), dash(), dash(), dash(), why];
    };
    let ago = |at_ns: i64| format!("{} ago", duration(state.now_ns.saturating_sub(at_ns)));
    let carries: Vec<&str> = health.carries.iter().map(|group| group.as_str()).collect();
    let gone = state.silent_ns(health) > Rules::default().stale_ns;
    let silent = || format!("its service has said nothing for {}", duration(state.silent_ns(health)));
    [
        source.to_string(),
        if gone { "gone".to_owned() } else { health.verdict.to_string() },
        ago(health.since_ns),
        format!("{} of {}", health.connected, health.keys),
        health.registered.to_string(),
        health.free_in_all().to_string(),
        health.last_frame_ns.map_or_else(dash, ago),
        if carries.is_empty() { dash() } else { carries.join(" ") },
        if gone { silent() } else { health.why.clone() },
    ]
}

fn table<const N: usize>(output: &mut impl Write, lines: &[[String; N]]) -> io::Result<()> {
    let mut widths = [0; N];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines {
        let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(output, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// One object; an entry that was never made is null.
///
/// # Errors
/// Those of the output.
pub fn json(output: &mut impl Write, state: &State) -> io::Result<()> {
    let groups = state.groups.iter().map(|(group, entry)| {
        let value = entry.as_ref().map(|entry| &entry.value);
        json!({
            "group": group.as_str(),
            "owner": state.owner(*group).as_str(),
            "home": value.and_then(|entry| entry.hold).unwrap_or(group.home()).as_str(),
            "entry": value,
            "revision": state.revision(*group),
        })
    });
    let feeds = state.feeds.iter().map(|(source, health)| {
        let silent_ms = health.as_ref().map(|health| state.silent_ns(health) / 1_000_000);
        json!({
            "source": source.as_str(),
            "trouble": state.trouble(*source),
            "silent_ms": silent_ms,
            "health": health,
        })
    });
    let all = json!({
        "market": state.market.as_str(),
        "groups": groups.collect::<Vec<Value>>(),
        "feeds": feeds.collect::<Vec<Value>>(),
    });
    writeln!(output, "{all}")
}
