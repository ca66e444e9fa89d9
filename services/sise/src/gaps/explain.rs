//! The story of a symbol's day: what came, what is missing between which prints, what was asked for it, and what came of it.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use history::day::{Seen, look};
use history::ledger::Ledger;
use history::run::instruments;
use market::chain::Missing;
use market::universe::Universe;
use market::{Origin, Source, Symbol};
use store::history::{StoredPrint, ToldGap, ToldRecovery};

use super::Place;
use super::words::{outage, span, time, touches};
use crate::json::clock;
use crate::words::{grouped, printable};

pub(super) async fn run(place: &Place, symbol: Symbol) -> anyhow::Result<ExitCode> {
    let (date, market) = (place.trade_date(), place.market);
    let ledger = place.ledger().await?;
    let nobody = Universe { entries: Vec::new() };
    let mut of =
        instruments(&place.store, &nobody, market, date, Some(&symbol)).await.context("ClickHouse")?;
    of.extend(ledger.instruments().copied().filter(|told| told.symbol == symbol));
    of.sort_unstable();
    of.dedup();
    let mut output = io::stdout().lock();
    if of.is_empty() {
        writeln!(
            output,
            "{symbol} {date}: no print in the archive, and nothing was asked: `sise gaps recover --date {date} --symbol {symbol}` asks"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    let mut open = false;
    for of in of {
        let seen = look(&place.store, &ledger, of).await.context("ClickHouse")?;
        open |= !seen.line.missing.is_empty() || seen.told.gaps.iter().any(|gap| gap.is_open);
        tell(place, &ledger, &seen, &mut output)?;
    }
    Ok(if open { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn tell(place: &Place, ledger: &Ledger, seen: &Seen, output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "{} {} {}", seen.of.symbol, seen.of.tape, seen.of.trade_date)?;
    writeln!(output, "  {}", prints(seen))?;
    writeln!(output, "  {}", total(seen))?;
    for stretch in &seen.line.off_hours {
        let (after, until) = (grouped(stretch.after.units()), grouped(stretch.until.units()));
        writeln!(
            output,
            "  ({after}, {until}]: {} shares without a print, off-hours volume: no gap",
            grouped(stretch.volume().units())
        )?;
    }
    for gap in &seen.told.gaps {
        self::gap(place, ledger, seen, gap, output)?;
    }
    for missing in seen.line.missing.iter().filter(|missing| seen.told.gap(missing).is_none()) {
        writeln!(output, "  {}, told by nobody yet", head(missing))?;
        around(place, ledger, seen, missing, output)?;
    }
    for recovery in &seen.told.recoveries {
        writeln!(output, "  asked: {}", asked(recovery))?;
    }
    let verdict = if seen.is_proven() {
        "complete, and proven to be: the prints cover the broker's total of the day"
    } else if !seen.line.missing.is_empty() {
        "not complete"
    } else {
        "no share is missing between the prints, but it is not proven: the broker's total of the day is not known"
    };
    writeln!(output, "  {verdict}")
}

fn prints(seen: &Seen) -> String {
    if seen.prints.is_empty() {
        return "no print in the archive".to_owned();
    }
    let by = |source: Source| {
        let of = || seen.prints.iter().filter(|print| print.source == source);
        let recovered = of().filter(|print| print.origin == Origin::Recovered).count();
        let count = of().count();
        (count > 0).then(|| match recovered {
            0 => format!("{} of {source}", counted(count)),
            _ => format!("{} of {source} ({} of them recovered)", counted(count), counted(recovered)),
        })
    };
    let sources: Vec<String> = Source::ALL.iter().filter_map(|source| by(*source)).collect();
    format!(
        "prints: {}; together they cover {} shares, the counter went to {}",
        sources.join(", "),
        grouped(seen.line.covered.units()),
        grouped(seen.line.volume.units())
    )
}

fn counted(count: usize) -> String {
    grouped(i64::try_from(count).unwrap_or(i64::MAX))
}

fn total(seen: &Seen) -> String {
    match &seen.told.total {
        None => "the broker was not asked for the day's total yet".to_owned(),
        Some(total) => format!(
            "total of the day: {} shares by {} of {}, asked {}{}; {} of them never had a print",
            grouped(total.volume.units()),
            total.method,
            total.source,
            clock(total.received_ns),
            if total.is_final { ", final" } else { ", while the day went on" },
            grouped(total.off_hours.units())
        ),
    }
}

fn head(missing: &Missing) -> String {
    format!(
        "gap ({}, {}]: {} shares missing, {}",
        grouped(missing.after.units()),
        grouped(missing.until.units()),
        grouped(missing.volume().units()),
        span(missing.from_ns, missing.until_ns)
    )
}

fn gap(
    place: &Place,
    ledger: &Ledger,
    seen: &Seen,
    gap: &ToldGap,
    output: &mut impl Write,
) -> io::Result<()> {
    let missing =
        Missing { after: gap.after, until: gap.until, from_ns: Some(gap.from_ns), until_ns: gap.until_ns };
    writeln!(output, "  {}", head(&missing))?;
    around(place, ledger, seen, &missing, output)?;
    let state = match (gap.is_open, gap.residue) {
        (false, _) => "closed: no share of it is missing any more".to_owned(),
        (true, Some(residue)) => format!("open: {} shares are missing still", grouped(residue.units())),
        (true, None) => "open: nobody was asked yet".to_owned(),
    };
    let detail = if gap.detail.is_empty() { String::new() } else { format!(" ({})", printable(&gap.detail)) };
    writeln!(output, "    state: {state}{detail}")
}

/// The prints beside a gap, and what was recorded at its time.
fn around(
    place: &Place,
    ledger: &Ledger,
    seen: &Seen,
    missing: &Missing,
    output: &mut impl Write,
) -> io::Result<()> {
    let before = seen.prints.iter().rev().find(|print| print.cumulative_volume == missing.after);
    let first = |print: &&StoredPrint| {
        print.cumulative_volume.units() - print.quantity.units() == missing.until.units()
    };
    match before {
        Some(before) => writeln!(output, "    last print before: {}", print(before))?,
        None => writeln!(output, "    before it: no print (the head of the day)")?,
    }
    match seen.prints.iter().find(first) {
        Some(after) => writeln!(output, "    first print after: {}", print(after))?,
        None => writeln!(output, "    after it: no print (the tail of the day)")?,
    }
    let known = ledger.outages_of(&seen.of).filter(|known| touches(known, missing, place.day));
    for known in known {
        writeln!(output, "    in an outage: {}", outage(known))?;
    }
    let added = |print: &&StoredPrint| {
        print.origin == Origin::Recovered
            && print.cumulative_volume > missing.after
            && print.cumulative_volume <= missing.until
    };
    let recovered: Vec<&StoredPrint> = seen.prints.iter().filter(added).collect();
    if !recovered.is_empty() {
        let volume: i64 = recovered.iter().map(|print| print.quantity.units()).sum();
        writeln!(output, "    recovered: {} trades of {} shares", counted(recovered.len()), grouped(volume))?;
    }
    Ok(())
}

fn print(print: &StoredPrint) -> String {
    format!(
        "{} {} x {}, counter {} ({}, {})",
        time(print.exchange_ns),
        print.price,
        grouped(print.quantity.units()),
        grouped(print.cumulative_volume.units()),
        print.source,
        print.origin
    )
}

fn asked(recovery: &ToldRecovery) -> String {
    let residue = match recovery.residue {
        0 => "nothing is left".to_owned(),
        left if left < 0 => format!("the source has {} shares too many", grouped(-left)),
        left => format!("{} shares are left", grouped(left)),
    };
    let detail =
        if recovery.detail.is_empty() { String::new() } else { format!("; {}", printable(&recovery.detail)) };
    format!(
        "{} of {}, {}: {} pages, {} rows for ({}, {}]; {} trades of {} shares added, {residue}, proof: {}{detail}",
        recovery.method,
        recovery.source,
        clock(recovery.started_ns),
        recovery.asked,
        grouped(i64::try_from(recovery.returned).unwrap_or(i64::MAX)),
        grouped(recovery.after.units()),
        grouped(recovery.until.units()),
        grouped(i64::try_from(recovery.added).unwrap_or(i64::MAX)),
        grouped(recovery.added_volume.units()),
        recovery.proof
    )
}
