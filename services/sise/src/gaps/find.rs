//! What no print covers now, by instrument: the archive read, nobody asked.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use history::day::{Seen, look};
use history::run::instruments;
use market::chain::Missing;
use market::universe::Universe;
use serde_json::json;

use super::Place;
use super::words::{outage, span, touches};
use crate::words::grouped;
use history::ledger::Ledger;

/// What was seen of all instruments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    instruments: usize,
    proven: usize,
    without_total: usize,
    gaps: usize,
    shares: i64,
}

pub(super) async fn run(place: &Place, universe: &Universe) -> anyhow::Result<ExitCode> {
    let (date, market) = (place.trade_date(), place.market);
    let ledger = place.ledger().await?;
    let of = instruments(&place.store, universe, market, date, place.symbol.as_ref()).await;
    let of = of.context("ClickHouse: see clickhouse.url")?;
    let mut output = io::stdout().lock();
    let mut sum = Sum::default();
    for of in of {
        let seen = look(&place.store, &ledger, of).await.context("ClickHouse")?;
        sum.add(&seen);
        for missing in &seen.line.missing {
            if sum.gaps == 1 && !place.json {
                writeln!(output, "{}", line(["SYMBOL", "TAPE", "SHARES", "AFTER", "TIME (KST)"], ""))?;
            }
            print(place, &ledger, &seen, missing, &mut output)?;
        }
    }
    if place.json {
        let value = json!({
            "instruments": sum.instruments, "proven": sum.proven, "without_total": sum.without_total,
            "gaps": sum.gaps, "shares": sum.shares,
        });
        writeln!(output, "{value}")?;
    } else {
        writeln!(output, "{}", sum.line(&date.to_string(), market.as_str()))?;
    }
    Ok(if sum.gaps == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Sum {
    fn add(&mut self, seen: &Seen) {
        self.instruments += 1;
        self.proven += usize::from(seen.is_proven());
        self.without_total += usize::from(seen.told.final_total().is_none());
        self.gaps += seen.line.missing.len();
        self.shares = self.shares.saturating_add(seen.line.missing_volume().units());
    }

    fn line(&self, date: &str, market: &str) -> String {
        let mut line = format!(
            "{date} {market}: {} shares missing in {} gaps; {} of {} instruments proven to be complete",
            grouped(self.shares),
            self.gaps,
            self.proven,
            self.instruments
        );
        if self.without_total > 0 {
            let unknown = format!(
                "; of {} the broker's day total is not known: `sise gaps recover` asks for it",
                self.without_total
            );
            line.push_str(&unknown);
        }
        line
    }
}

fn print(
    place: &Place,
    ledger: &Ledger,
    seen: &Seen,
    missing: &Missing,
    output: &mut impl Write,
) -> io::Result<()> {
    let outages: Vec<String> =
        ledger.outages_of(&seen.of).filter(|known| touches(known, missing, place.day)).map(outage).collect();
    if place.json {
        let value = json!({
            "tape": seen.of.tape.as_str(), "symbol": seen.of.symbol.as_str(), "trade_date": seen.of.trade_date.to_string(),
            "after": missing.after.units(), "until": missing.until.units(), "shares": missing.volume().units(),
            "from_ns": missing.from_ns, "until_ns": missing.until_ns, "outages": outages,
        });
        return writeln!(output, "{value}");
    }
    let (symbol, tape) = (seen.of.symbol.to_string(), seen.of.tape.as_str());
    let (volume, after) = (grouped(missing.volume().units()), grouped(missing.after.units()));
    let when = span(missing.from_ns, missing.until_ns);
    writeln!(output, "{}", line([&symbol, tape, &volume, &after, &when], &outages.join("; ")))
}

fn line(columns: [&str; 5], why: &str) -> String {
    let [symbol, tape, volume, after, when] = columns;
    format!("{symbol:<10} {tape:<4} {volume:>12} {after:>14}  {when:<22}  {why}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_says_what_is_not_known() {
        let sum = Sum { instruments: 3, proven: 1, without_total: 2, gaps: 4, shares: 5_000 };
        assert_eq!(
            sum.line("2026-11-24", "kr"),
            "2026-11-24 kr: 5,000 shares missing in 4 gaps; 1 of 3 instruments proven to be complete; \
             of 2 the broker's day total is not known: `sise gaps recover` asks for it"
        );
    }
}
