//! A plan → tables for a person, or one object of JSON for a program.

use std::io::{Result, Write};
use std::path::Path;

use broker::lines::Subscription as _;
use market::Source;
use serde_json::{Value, json};

use super::plan::{Feed, GroupShare, Orphan, Piece, Plan, Share};
use super::trades::{GroupTrades, Trades};

/// Tables; what is not covered comes last and in capitals, where a person looks.
pub fn text(out: &mut impl Write, file: &Path, plan: &Plan, trades: Option<&Trades>) -> Result<()> {
    writeln!(out, "{}: {} symbols", file.display(), plan.symbols)?;
    for (market, carriers) in &plan.carriers {
        let carriers = if carriers.is_empty() { "nobody".to_owned() } else { words(carriers) };
        writeln!(out, "{market} is carried by {carriers}")?;
    }
    for remark in &plan.remarks {
        writeln!(out, "{remark}")?;
    }
    if plan.feeds.iter().all(|feed| feed.keys.is_empty()) {
        writeln!(
            out,
            "no key is set: SISE__KIS__KEYS__MAIN__APP_KEY is one; --keys kis=1,kiwoom=1 plans without"
        )?;
    }
    feeds(out, &plan.feeds)?;
    groups(out, &plan.groups)?;
    if let Some(trades) = trades {
        trades_a_day(out, &trades.groups)?;
    }
    writeln!(out)?;
    if plan.is_covered() {
        return writeln!(out, "everything is covered");
    }
    uncovered(out, plan)
}

fn feeds(out: &mut impl Write, feeds: &[Feed]) -> Result<()> {
    writeln!(out, "\n{:<8}{:<8}{:<16}{:>13}{:>8}", "broker", "market", "key", "registrations", "limit")?;
    for feed in feeds {
        let mut row = |key: &str, count: usize, limit: usize| {
            writeln!(out, "{:<8}{:<8}{key:<16}{count:>13}{limit:>8}", feed.source, feed.market)
        };
        for (key, count) in &feed.keys {
            row(key, *count, feed.limit)?;
        }
        row("wanted in all", feed.needed, feed.room())?;
    }
    Ok(())
}

fn groups(out: &mut impl Write, groups: &[GroupShare]) -> Result<()> {
    writeln!(out, "\nwho carries what, in symbols by tapes")?;
    let columns = ["kis only", "kiwoom only", "both", "nobody"];
    let [kis, kiwoom, both, nobody] = columns;
    writeln!(out, "{:<8}{:<7}{:<8}{kis:>10}{kiwoom:>13}{both:>6}{nobody:>8}", "market", "group", "what")?;
    for group in groups {
        for (what, share) in [("trades", group.trades), ("books", group.books)] {
            let Share { kis, kiwoom, both, nobody } = share;
            let (market, group) = (group.market, group.group);
            writeln!(out, "{market:<8}{group:<7}{what:<8}{kis:>10}{kiwoom:>13}{both:>6}{nobody:>8}")?;
        }
    }
    Ok(())
}

/// A line a group, then a line a symbol, most first.
fn trades_a_day(out: &mut impl Write, groups: &[GroupTrades]) -> Result<()> {
    if groups.is_empty() {
        return writeln!(out, "\nthe archive has no trades of that day");
    }
    writeln!(out, "\ntrades a day, as archived")?;
    writeln!(out, "{:<8}{:<7}{:<12}{:<16}{:>10}", "market", "group", "day", "symbol", "trades")?;
    let mut row = |group: &GroupTrades, symbol: &str, trades: u64| {
        let GroupTrades { market, group, day, .. } = group;
        writeln!(out, "{market:<8}{group:<7}{day:<12}{symbol:<16}{trades:>10}")
    };
    for group in groups {
        row(group, "all", group.trades)?;
    }
    for group in groups {
        for (symbol, trades) in &group.symbols {
            row(group, symbol.as_str(), *trades)?;
        }
    }
    Ok(())
}

fn uncovered(out: &mut impl Write, plan: &Plan) -> Result<()> {
    for feed in &plan.feeds {
        for piece in &feed.uncovered {
            writeln!(out, "UNCOVERED {} {} {}", feed.source, feed.market, what(piece))?;
        }
    }
    for Orphan { symbol, market, sources } in &plan.orphans {
        writeln!(
            out,
            "UNCOVERED by all: {market} {symbol}: none of those that may carry it runs ({})",
            words(sources)
        )?;
    }
    writeln!(out)?;
    for feed in plan.feeds.iter().filter(|feed| !feed.uncovered.is_empty()) {
        let Feed { source, market, limit, needed, keys, uncovered } = feed;
        let need = needed.div_ceil((*limit).max(1));
        writeln!(
            out,
            "NOT COVERED: {} of {needed} registrations of {source} {market}: {need} key(s) of {limit} are needed, there are {}",
            uncovered.len(),
            keys.len()
        )?;
    }
    if !plan.orphans.is_empty() {
        writeln!(out, "NOT COVERED: {} symbol(s) that no broker that runs may carry", plan.orphans.len())?;
    }
    writeln!(
        out,
        "add keys, or take tapes, kinds or symbols away; the largest priority numbers stay out first"
    )
}

/// `H0STASP0 005930` says all of KIS; `005930_NX` of Kiwoom does not say what it brings.
fn what(piece: &Piece) -> String {
    let kinds: Vec<&str> = piece.kinds.iter().map(|kind| kind.as_str()).collect();
    format!("{} ({} {} {})", piece.name(), piece.symbol, piece.tape, kinds.join(", "))
}

fn words(sources: &[Source]) -> String {
    sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(", ")
}

/// One object on one line.
pub fn json(out: &mut impl Write, file: &Path, plan: &Plan, trades: Option<&Trades>) -> Result<()> {
    let carriers = plan.carriers.iter().map(|(market, by)| (market.to_string(), json!(sources(by))));
    let value = json!({
        "file": file.display().to_string(),
        "covered": plan.is_covered(),
        "symbols": plan.symbols,
        "carriers": carriers.collect::<serde_json::Map<_, _>>(),
        "remarks": plan.remarks,
        "feeds": plan.feeds.iter().map(feed).collect::<Vec<_>>(),
        "groups": plan.groups.iter().map(group).collect::<Vec<_>>(),
        "orphans": plan.orphans.iter().map(orphan).collect::<Vec<_>>(),
        "trades_a_day": trades.map(|trades| trades.groups.iter().map(group_trades).collect::<Vec<_>>()),
    });
    writeln!(out, "{value}")
}

fn feed(feed: &Feed) -> Value {
    let keys = feed.keys.iter().map(|(key, count)| json!({"key": key, "registrations": count}));
    let uncovered = feed.uncovered.iter().map(|piece| {
        json!({
            "name": piece.name(),
            "symbol": piece.symbol.as_str(),
            "tape": piece.tape.as_str(),
            "kinds": piece.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        })
    });
    json!({
        "source": feed.source.as_str(),
        "market": feed.market.as_str(),
        "limit": feed.limit,
        "needed": feed.needed,
        "keys": keys.collect::<Vec<_>>(),
        "uncovered": uncovered.collect::<Vec<_>>(),
    })
}

fn group(group: &GroupShare) -> Value {
    let share = |share: Share| json!({"kis": share.kis, "kiwoom": share.kiwoom, "both": share.both, "nobody": share.nobody});
    json!({
        "market": group.market.as_str(),
        "group": group.group.as_str(),
        "symbols": group.symbols,
        "trades": share(group.trades),
        "books": share(group.books),
    })
}

fn group_trades(group: &GroupTrades) -> Value {
    let symbols = group.symbols.iter().map(|(symbol, trades)| (symbol.to_string(), json!(trades)));
    json!({
        "market": group.market.as_str(),
        "group": group.group.as_str(),
        "day": group.day,
        "trades": group.trades,
        "symbols": symbols.collect::<serde_json::Map<_, _>>(),
    })
}

fn orphan(orphan: &Orphan) -> Value {
    json!({
        "symbol": orphan.symbol.as_str(),
        "market": orphan.market.as_str(),
        "source": sources(&orphan.sources),
    })
}

fn sources(sources: &[Source]) -> Vec<&'static str> {
    sources.iter().map(|source| source.as_str()).collect()
}
