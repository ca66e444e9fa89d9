//! A day's figures → a table for the terminal.

use std::io::{self, Write};

use store::report::DayGap;

use super::figures::{DeadLetters, Figures, State, missing, whose};
use super::words::{count, kind, millis, percent, span};
use crate::words::{grouped, printable};

/// Lines of each list: about a screen together.
const LINES: usize = 12;

/// Prints the day.
///
/// # Errors
/// When the output cannot be written.
pub(super) fn print(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    let Figures { market, date, .. } = figures;
    if let Some(why) = figures.empty() {
        return writeln!(output, "{date} {market}: {why}");
    }
    writeln!(output, "{date} {market}, times of Seoul")?;
    head(figures, output)?;
    events(figures, output)?;
    delays(figures, output)?;
    refused(figures, output)?;
    gaps(figures, output)?;
    worst(figures, output)
}

fn head(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    let [proven, open, no_total] = figures.states;
    let instruments = figures.report.instruments.len();
    writeln!(
        output,
        "  completeness  {instruments} instruments: {proven} proven, {open} open, {no_total} no total"
    )?;
    let shares = figures.shares;
    writeln!(
        output,
        "  shares        told {}, stored {}, off hours {}, missing {}",
        grouped(shares.told),
        grouped(shares.stored),
        grouped(shares.off_hours),
        grouped(shares.missing)
    )?;
    let trades = count(figures.recovered_trades);
    let part = percent(shares.recovered, shares.stored);
    writeln!(
        output,
        "  recovered     {trades} trades, {} shares, {part} of stored",
        grouped(shares.recovered)
    )?;
    for one in &figures.report.recoveries {
        let (closed, attempts) = (count(one.closed), count(one.attempts));
        let (asked, returned, added) = (count(one.asked), count(one.returned), count(one.added));
        writeln!(
            output,
            "                {} {}: {closed} of {attempts} closed, {asked} pages, {returned} rows, {added} added",
            one.source, one.method
        )?;
    }
    Ok(())
}

fn events(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    writeln!(
        output,
        "\n  {:<8} {:<12} {:<10} {:>13} {:>12}",
        "SOURCE", "KIND", "ORIGIN", "EVENTS", "INSTRUMENTS"
    )?;
    for one in &figures.report.events {
        let (events, instruments) = (count(one.events), count(one.instruments));
        writeln!(
            output,
            "  {:<8} {:<12} {:<10} {events:>13} {instruments:>12}",
            one.source,
            kind(&one.kind),
            one.origin
        )?;
    }
    Ok(())
}

fn delays(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    writeln!(
        output,
        "\n  {:<8} {:<12} {:>10} {:>10} {:>10} {:>10}",
        "DELAY", "KIND", "P50", "P90", "P99", "MOST"
    )?;
    for one in &figures.report.delays {
        let [p50, p90, p99, most] = [one.median_ns, one.p90_ns, one.p99_ns, one.most_ns].map(millis);
        writeln!(
            output,
            "  {:<8} {:<12} {p50:>10} {p90:>10} {p99:>10} {most:>10}",
            one.source,
            kind(&one.kind)
        )?;
    }
    writeln!(output, "  (brokers tell whole seconds: up to 1,000 ms of a delay are rounding)")
}

fn refused(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    let times: u64 = figures.report.refusals.iter().map(|one| one.times).sum();
    writeln!(output, "\n  refused       {} registrations", count(times))?;
    for one in figures.report.refusals.iter().take(LINES) {
        let (text, example) = (printable(&one.text), printable(&one.example));
        writeln!(output, "    {} times {} {} {text}: {example}", count(one.times), one.source, one.code)?;
    }
    match &figures.letters {
        DeadLetters::Counted(letters) => writeln!(output, "  dead letters  {}", count(*letters)),
        DeadLetters::AtLeast(letters) => writeln!(output, "  dead letters  {} or more", count(*letters)),
        DeadLetters::Unknown(why) => writeln!(output, "  dead letters  not known: {}", printable(why)),
    }
}

fn gaps(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    let gaps = &figures.report.gaps;
    let open = figures.open_gaps;
    writeln!(output, "\n  gaps          {}: {open} open, {} closed", gaps.len(), gaps.len() - open)?;
    for gap in gaps.iter().take(LINES) {
        let when = span(gap.from_ns, gap.until_ns);
        let line = format!(
            "    {:<15} {:<18} {when:<20} {:<30} {}",
            gap.reason,
            printable(&whose(gap)),
            state(gap),
            printable(&gap.detail)
        );
        writeln!(output, "{}", line.trim_end())?;
    }
    if gaps.len() > LINES {
        writeln!(output, "    and {} more: sise gaps list", gaps.len() - LINES)?;
    }
    Ok(())
}

/// `open, 5 of 12 shares missing`, `closed`.
pub(super) fn state(gap: &DayGap) -> String {
    match (gap.is_open, gap.missing_volume) {
        (true, None) => "open".to_owned(),
        (false, None) => "closed".to_owned(),
        (true, Some(volume)) => {
            let left = grouped(gap.open_volume.unwrap_or(volume));
            format!("open, {left} of {} shares", grouped(volume))
        }
        (false, Some(volume)) => format!("closed, {} shares", grouped(volume)),
    }
}

fn worst(figures: &Figures, output: &mut impl Write) -> io::Result<()> {
    let all = figures.worst_first();
    let unproven: Vec<_> = all.into_iter().filter(|one| !one.proven).collect();
    if unproven.is_empty() {
        return writeln!(output, "\n  every instrument is proven");
    }
    writeln!(
        output,
        "\n  {:<10} {:<4} {:>14} {:>14} {:>12} {:>12} {:<10} WHY",
        "WORST", "TAPE", "TOLD", "STORED", "RECOVERED", "MISSING", "STATE"
    )?;
    for one in unproven.iter().take(LINES) {
        let told = one.volume.map_or_else(|| "–".to_owned(), grouped);
        let (stored, recovered) = (grouped(one.stored_volume), grouped(one.recovered_volume));
        let state = State::of(one).as_str();
        writeln!(
            output,
            "  {:<10} {:<4} {told:>14} {stored:>14} {recovered:>12} {:>12} {state:<10} {}",
            one.symbol,
            one.tape,
            grouped(missing(one)),
            one.how
        )?;
    }
    if unproven.len() > LINES {
        writeln!(output, "  and {} more", unproven.len() - LINES)?;
    }
    Ok(())
}
