//! What the page shows of the archive: bars, gaps, completeness. A look at it may fail without anything else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use market::calendar::Calendar;
use market::{Market, TradeDate};
use serde::Deserialize;
use serde_json::{Value, json};
use store::StoreError;
use store::views::{BarsOf, Interval};

use crate::app::{App, Failure};
use crate::request::{self, Problem};

/// Bars of one answer.
const MOST_BARS: usize = 5_000;
/// Gaps of one answer.
const MOST_GAPS: usize = 2_000;
/// Days of one answer.
const MOST_DAYS: usize = 60;

fn away(error: &StoreError) -> Failure {
    tracing::warn!(%error, "archive cannot be asked");
    metrics::counter!("sise_gateway_archive_failures_total").increment(1);
    Failure::unavailable("archive", error, "see /v1/health; the stream goes on without it")
}

/// What `/v1/bars` takes.
#[derive(Debug, Deserialize)]
pub struct BarsQuery {
    symbol: Option<String>,
    market: Option<String>,
    tape: Option<String>,
    interval: Option<String>,
    from: Option<String>,
}

/// Answers `/v1/bars`.
pub async fn bars(
    State(app): State<Arc<App>>,
    Query(query): Query<BarsQuery>,
) -> Result<Json<Value>, Failure> {
    let (mut of, word) = bars_of(&query)?;
    let now_ns = app.clock.now_ns();
    if app.replay.is_some() && of.from_day.is_none() {
        // The last day is the one that is played.
        of.from_day = Some(market::calendar::trade_date(of.tape.market(), now_ns));
    }
    // One more than is told: so it is known whether there are more.
    let mut bars = app.store.bars(of, MOST_BARS + 1).await.map_err(|error| away(&error))?;
    let cut = bars.len() > MOST_BARS;
    bars.truncate(MOST_BARS);
    if app.replay.is_some() {
        // What is still to come on that day is not told.
        bars.retain(|bar| {
            i64::from(bar.start).saturating_add(length(of.interval)) <= now_ns / market::time::SECOND
        });
    }
    Ok(Json(json!({
        "symbol": of.symbol.as_str(), "tape": of.tape.as_str(), "interval": word, "bars": bars, "cut": cut,
    })))
}

/// How long a bar is, seconds.
const fn length(interval: Interval) -> i64 {
    match interval {
        Interval::Second => 1,
        Interval::Minute => 60,
        Interval::Day => 86_400,
    }
}

fn bars_of(query: &BarsQuery) -> Result<(BarsOf, &'static str), Problem> {
    let market = request::market(query.market.as_deref())?;
    let usual = match market {
        Market::Kr => market::Tape::Krx,
        Market::Us => market::Tape::Us,
    };
    let text = query.symbol.as_deref().ok_or_else(|| Problem::new("symbol", "missing", "?symbol=005930"))?;
    let (interval, word) = match query.interval.as_deref() {
        None | Some("1m") => (Interval::Minute, "1m"),
        Some("1s") => (Interval::Second, "1s"),
        Some("1d") => (Interval::Day, "1d"),
        Some(other) => {
            return Err(Problem::new("interval", format!("unknown word {other:?}"), "1s, 1m or 1d"));
        }
    };
    let (from_day, from_seconds) = match query.from.as_deref() {
        // Of days all of them are wanted.
        None if interval == Interval::Day => (TradeDate::from_days_since_epoch(0), 0),
        None => (None, 0),
        Some(text) => from(text)?,
    };
    let tape = request::tape(query.tape.as_deref(), market)?.unwrap_or(usual);
    let symbol = request::symbol("symbol", text)?;
    Ok((BarsOf { interval, tape, symbol, from_day, from_seconds }, word))
}

/// `2026-11-25` or `2026-11-25T00:00:00Z`: the first trading day, and UTC seconds of it.
fn from(text: &str) -> Result<(Option<TradeDate>, i64), Problem> {
    let wrong = || Problem::new("from", format!("{text:?} is no time"), "2026-11-25 or 2026-11-25T00:00:00Z");
    let (day, time) = match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let day = date(day).ok_or_else(wrong)?;
    let Some(time) = time else { return Ok((Some(day), 0)) };
    let digits: String = time.split('.').next().unwrap_or_default().split(':').collect();
    let since = market::time::parse_hhmmss(&digits).map_err(|_| wrong())? / market::time::SECOND;
    let days = day.days_since_epoch();
    // The trading day of an instant may be the day before or after it in UTC.
    let first = TradeDate::from_days_since_epoch(days - 1).unwrap_or(day);
    Ok((Some(first), i64::from(days) * 86_400 + since))
}

fn date(text: &str) -> Option<TradeDate> {
    let digits: String = text.split('-').collect();
    TradeDate::parse(&digits).ok().filter(|date| date.to_string() == text)
}

/// What `/v1/gaps` takes.
#[derive(Debug, Deserialize)]
pub struct GapsQuery {
    market: Option<String>,
    date: Option<String>,
    open: Option<bool>,
}

/// Answers `/v1/gaps`.
pub async fn gaps(
    State(app): State<Arc<App>>,
    Query(query): Query<GapsQuery>,
) -> Result<Json<Value>, Failure> {
    let market = request::market(query.market.as_deref())?;
    let day = match query.date.as_deref() {
        None => market::calendar::trade_date(market, app.clock.now_ns()),
        Some(text) => date(text)
            .ok_or_else(|| Problem::new("date", format!("{text:?} is no date"), "such as 2026-11-25"))?,
    };
    let only_open = query.open == Some(true);
    let gaps = app.store.gaps_of_day(market, day, only_open, MOST_GAPS + 1).await;
    let mut gaps = gaps.map_err(|error| away(&error))?;
    let cut = gaps.len() > MOST_GAPS;
    gaps.truncate(MOST_GAPS);
    Ok(Json(json!({ "date": day.to_string(), "gaps": gaps, "cut": cut })))
}

/// What `/v1/completeness` takes.
#[derive(Debug, Deserialize)]
pub struct CompletenessQuery {
    market: Option<String>,
    days: Option<usize>,
}

/// Answers `/v1/completeness`.
pub async fn completeness(
    State(app): State<Arc<App>>,
    Query(query): Query<CompletenessQuery>,
) -> Result<Json<Value>, Failure> {
    let market = request::market(query.market.as_deref())?;
    let days = query.days.unwrap_or(5);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::new("days", format!("{days} days"), format!("1 to {MOST_DAYS}")).into());
    }
    let today = market::calendar::trade_date(market, app.clock.now_ns());
    let sessions = Calendar::built_in().days(market).rev().map(market::calendar::Day::date);
    let last = sessions.filter(|date| *date <= today).nth(days - 1);
    let from = last.unwrap_or(today);
    let found = app.store.completeness_by_day(market, from).await.map_err(|error| away(&error))?;
    Ok(Json(json!({ "days": found })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_an_instant() {
        let day = |text: &str| TradeDate::parse(text).ok();
        assert_eq!(from("2026-11-25"), Ok((day("20261125"), 0)));
        assert_eq!(from("2026-11-25T00:00:30Z"), Ok((day("20261124"), 1_795_564_830)));
        assert_eq!(from("2026-11-25T00:00:30.125Z"), Ok((day("20261124"), 1_795_564_830)));
        for text in ["", "yesterday", "2026-11-25T00:00:30", "20261125", "2026-11-25T25:00:00Z", "2026-13-01"]
        {
            assert!(from(text).is_err(), "{text}");
        }
    }
}
