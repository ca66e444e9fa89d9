//! The gaps of a day that were told, by instrument, with their state.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use store::history::ToldGap;

use super::Place;
use super::words::span;
use crate::words::{grouped, printable};

pub(super) async fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let gaps = place.store.volume_gaps(place.market, place.trade_date(), place.symbol.as_ref()).await;
    let gaps = gaps.context("ClickHouse: see clickhouse.url, and run `sise migrate`")?;
    let open = print(&gaps, place.json, &mut io::stdout().lock())?;
    if !place.json {
        let (date, market) = (place.trade_date(), place.market);
        println!("{} gaps of {date} {market}: {} closed, {open} open", gaps.len(), gaps.len() - open);
    }
    Ok(if open == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the gaps; how many of them are open.
fn print(gaps: &[ToldGap], json: bool, output: &mut impl Write) -> io::Result<usize> {
    let mut open = 0;
    if !json && !gaps.is_empty() {
        writeln!(output, "{}", line(["SYMBOL", "TAPE", "SHARES", "AFTER", "TIME (KST)", "STATE"], ""))?;
    }
    for gap in gaps {
        open += usize::from(gap.is_open);
        let volume = gap.until.units() - gap.after.units();
        if json {
            let value = json!({
                "tape": gap.of.tape.as_str(), "symbol": gap.of.symbol.as_str(), "trade_date": gap.of.trade_date.to_string(),
                "after": gap.after.units(), "until": gap.until.units(), "is_open": gap.is_open,
                "residue": gap.residue.map(market::Quantity::units), "from_ns": gap.from_ns, "until_ns": gap.until_ns,
                "detail": gap.detail,
            });
            writeln!(output, "{value}")?;
            continue;
        }
        let state = match (gap.is_open, gap.residue) {
            (false, _) => "closed".to_owned(),
            (true, None) => "open".to_owned(),
            (true, Some(residue)) => format!("open, {} left", grouped(residue.units())),
        };
        let (symbol, tape) = (gap.of.symbol.to_string(), gap.of.tape.as_str());
        let columns = [
            &symbol,
            tape,
            &grouped(volume),
            &grouped(gap.after.units()),
            &span(Some(gap.from_ns), gap.until_ns),
            &state,
        ];
        writeln!(output, "{}", line(columns, &printable(&gap.detail)))?;
    }
    Ok(open)
}

fn line(columns: [&str; 6], detail: &str) -> String {
    let [symbol, tape, volume, after, when, state] = columns;
    format!("{symbol:<10} {tape:<4} {volume:>12} {after:>14}  {when:<22}  {state:<16}  {detail}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use market::{Quantity, Symbol, Tape, TradeDate};
    use store::history::InstrumentDay;

    use super::*;

    fn gap(is_open: bool, residue: Option<i64>) -> ToldGap {
        ToldGap {
            of: InstrumentDay {
                tape: Tape::Krx,
                symbol: Symbol::parse("005930").expect("symbol"),
                trade_date: TradeDate::parse("20261124").expect("date"),
            },
            after: Quantity::from_units(1_000),
            until: Quantity::from_units(2_250),
            is_open,
            residue: residue.map(Quantity::from_units),
            from_ns: 1_795_478_430_000_000_000,
            until_ns: Some(1_795_478_431_000_000_000),
            detail: "x\x1b".to_owned(),
        }
    }

    #[test]
    fn each_gap_is_a_line_with_its_state() {
        let mut output = Vec::new();
        let open = print(&[gap(false, Some(0)), gap(true, Some(7))], false, &mut output).expect("printed");
        let text = String::from_utf8(output).expect("text");
        assert_eq!(open, 1);
        assert!(
            text.contains("005930     krx         1,250          1,000  09:00:30 to 09:00:31    closed"),
            "{text}"
        );
        assert!(text.contains("open, 7 left      x\u{fffd}\n"), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let mut output = Vec::new();
        print(&[gap(true, None)], true, &mut output).expect("printed");
        let value: serde_json::Value = serde_json::from_slice(&output).expect("json");
        assert_eq!(
            (&value["until"], &value["is_open"], &value["residue"]),
            (&json!(2_250), &json!(true), &json!(null))
        );
    }
}
