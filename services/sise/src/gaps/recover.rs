//! A run by hand: with bars, and at the end what came of it.

use std::io::{self, Write};
use std::process::ExitCode;

use history::day::Outcome;
use history::fetch::bus::{BusAsk, Patience};
use history::run::{Report, Road, Wanted};
use market::universe::Universe;
use serde_json::json;
use store::history::InstrumentDay;

use super::bars::Bars;
use super::{Place, Raw};
use crate::words::{grouped, printable};

/// Instruments that are named when something stays open or failed; the rest is counted.
const NAMED: usize = 20;

pub(super) async fn run(
    place: &Place,
    universe: &Universe,
    raw: &Raw,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let (settings, _) = raw.gap_finder.understood()?;
    let road = Road::open(&raw.nats, "sise", place.store.clone(), settings).await?;
    let ask = BusAsk::new(road.client.clone(), Patience::default());
    let wanted = Wanted {
        market: place.market,
        trade_date: place.trade_date(),
        universe,
        symbol: place.symbol,
        dry_run,
    };
    let bars = Bars::new();
    let report = road.run(&ask, &wanted, &bars).await;
    bars.finish();
    let report = report?;
    let mut output = io::stdout().lock();
    if place.json {
        json_lines(&report, &mut output)?;
    } else {
        print(&report, dry_run, &mut output)?;
    }
    let good = report.sum.open == 0 && report.failed() == 0 && report.gone() == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report, dry_run: bool, output: &mut impl Write) -> io::Result<()> {
    for compared in report.streams.iter().filter(|compared| compared.lacking > 0) {
        let (stream, lacking, archived) = (&compared.stream, compared.lacking, compared.archived);
        writeln!(output, "{stream}: the archive lacked {lacking} messages, {archived} are archived now")?;
        for (first, last) in &compared.gone {
            writeln!(
                output,
                "{stream}: {first} to {last} are lost: neither the stream nor a table has them"
            )?;
        }
    }
    if dry_run {
        let planned = report.outcomes.iter().filter(|(_, outcome)| !outcome.planned.is_empty());
        for (of, outcome) in planned {
            writeln!(output, "{:<10} {:<4}  {}", of.symbol.to_string(), of.tape, outcome.planned.join("; "))?;
        }
    }
    named(
        report,
        |outcome| outcome.open > 0,
        output,
        |outcome| {
            format!(
                "{} shares stay missing in {} gaps: `sise gaps explain` tells more",
                grouped(outcome.open_volume),
                outcome.open
            )
        },
    )?;
    named(
        report,
        |outcome| !outcome.troubles.is_empty(),
        output,
        |outcome| printable(&outcome.troubles.join("; ")),
    )?;
    if report.failed() > 0 {
        writeln!(output, "what failed is asked again when this is run again; nothing that came is lost")?;
    }
    let sum = &report.sum;
    writeln!(
        output,
        "instruments={} missing={} missing_shares={} pages={} rows={} added={} added_shares={} open={} open_shares={} proven={}",
        report.outcomes.len(),
        sum.missing,
        sum.missing_volume,
        sum.pages,
        sum.returned,
        sum.added,
        sum.added_volume,
        sum.open,
        sum.open_volume,
        report.proven
    )
}

/// The instruments of a kind, the first of them by name.
fn named(
    report: &Report,
    is: impl Fn(&Outcome) -> bool,
    output: &mut impl Write,
    text: impl Fn(&Outcome) -> String,
) -> io::Result<()> {
    let all: Vec<&(InstrumentDay, Outcome)> =
        report.outcomes.iter().filter(|(_, outcome)| is(outcome)).collect();
    for (of, outcome) in all.iter().take(NAMED) {
        writeln!(output, "{:<10} {:<4}  {}", of.symbol.to_string(), of.tape, text(outcome))?;
    }
    if all.len() > NAMED {
        writeln!(output, "… and {} more", all.len() - NAMED)?;
    }
    Ok(())
}

fn json_lines(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let object = |outcome: &Outcome| {
        json!({
            "missing": outcome.missing, "missing_shares": outcome.missing_volume, "pages": outcome.pages,
            "rows": outcome.returned, "added": outcome.added, "added_shares": outcome.added_volume,
            "open": outcome.open, "open_shares": outcome.open_volume, "off_hours_shares": outcome.off_hours,
            "published": outcome.published, "proven": outcome.proven, "troubles": outcome.troubles, "planned": outcome.planned,
        })
    };
    for (of, outcome) in &report.outcomes {
        let mut value = object(outcome);
        value["tape"] = json!(of.tape.as_str());
        value["symbol"] = json!(of.symbol.as_str());
        writeln!(output, "{value}")?;
    }
    let mut sum = object(&report.sum);
    sum["instruments"] = json!(report.outcomes.len());
    sum["proven"] = json!(report.proven);
    sum["gone"] = json!(report.gone());
    let streams = report.streams.iter().map(|compared| {
        json!({ "stream": compared.stream, "lacking": compared.lacking, "archived": compared.archived, "gone": compared.gone })
    });
    sum["streams"] = streams.collect();
    writeln!(output, "{sum}")
}

#[cfg(test)]
mod tests {
    use market::{Market, Symbol, Tape, TradeDate};

    use super::*;

    #[test]
    fn what_stays_open_and_what_failed_is_named() {
        let trade_date = TradeDate::parse("20261124").expect("date");
        let mut report = Report::new(Market::Kr, trade_date);
        let of =
            InstrumentDay { tape: Tape::Krx, symbol: Symbol::parse("005930").expect("symbol"), trade_date };
        let outcome = Outcome {
            open: 2,
            open_volume: 1_500,
            troubles: vec!["no cell answers for kiwoom".to_owned()],
            ..Outcome::default()
        };
        report.sum = outcome.clone();
        report.outcomes = vec![(of, outcome)];
        let mut output = Vec::new();
        print(&report, false, &mut output).expect("printed");
        let text = String::from_utf8(output).expect("text");
        assert!(text.contains("005930     krx   1,500 shares stay missing in 2 gaps"), "{text}");
        assert!(text.contains("005930     krx   no cell answers for kiwoom\n"), "{text}");
        assert!(text.ends_with("open=2 open_shares=1500 proven=0\n"), "{text}");
    }
}
