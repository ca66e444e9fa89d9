//! What ClickHouse tells: how far the archive is, gaps of today, disks, the gap finder's work, what each connection said last.

use std::collections::BTreeMap;
use std::time::Duration;

use market::{Market, TradeDate};
use store::Store;
use store::report::{Disk, LastLink, Newest};
use store::views::GapRow;

use super::picture::{Archive, Gaps, Part};
use crate::look::board::State;
use crate::look::gap_finder::{self, Work};

/// Open gaps that are counted; more are as bad.
const MOST_GAPS: usize = 10_000;
/// Days over which a connection may have been up without a word.
const LINK_DAYS: i32 = 7;
/// The gap finder may take so long after the end of a day.
const AT_WORK: i64 = 2 * 3_600 * market::time::SECOND;

/// What was found; each by itself, or why not.
pub struct Looked {
    /// Whether the server answers.
    pub answers: Result<(), String>,
    /// The newest rows, by market.
    pub newest: Result<Vec<(Market, TradeDate, Newest)>, String>,
    /// Open gaps of today.
    pub gaps: Part<Gaps>,
    /// What each connection told last.
    pub links: Result<Vec<(Market, LastLink)>, String>,
    /// Disks of the server.
    pub disks: Result<Vec<Disk>, String>,
    /// The gap finder's work, by market.
    pub work: Vec<(Market, Result<Work, String>)>,
}

/// Looks; nothing is asked of a server that does not answer within `limit`.
pub async fn look(store: &Store, now_ns: i64, limit: Duration) -> Looked {
    if !tokio::time::timeout(limit, store.answers()).await.unwrap_or(false) {
        let away = || "clickhouse does not answer".to_owned();
        let why = "it does not answer, or refuses the user (clickhouse.url, clickhouse.user)".to_owned();
        return Looked {
            answers: Err(why),
            newest: Err(away()),
            gaps: Part::unknown(away()),
            links: Err(away()),
            disks: Err(away()),
            work: Market::ALL.iter().map(|market| (*market, Err(away()))).collect(),
        };
    }
    let mut work = Vec::with_capacity(Market::ALL.len());
    for &market in Market::ALL {
        work.push((market, gap_finder::work(store, market, now_ns - AT_WORK).await));
    }
    Looked {
        answers: Ok(()),
        newest: newest(store, now_ns).await,
        gaps: gaps(store, now_ns).await,
        links: links(store, now_ns).await,
        disks: store.disks().await.map_err(|error| error.to_string()),
        work,
    }
}

async fn newest(store: &Store, now_ns: i64) -> Result<Vec<(Market, TradeDate, Newest)>, String> {
    let mut all = Vec::new();
    for &market in Market::ALL {
        let day = market::calendar::trade_date(market, now_ns);
        let rows = store.newest(market, day).await.map_err(|error| error.to_string())?;
        all.extend(rows.into_iter().map(|row| (market, day, row)));
    }
    Ok(all)
}

async fn links(store: &Store, now_ns: i64) -> Result<Vec<(Market, LastLink)>, String> {
    let mut all = Vec::new();
    for &market in Market::ALL {
        let today = market::calendar::trade_date(market, now_ns);
        let from = TradeDate::from_days_since_epoch(today.days_since_epoch() - LINK_DAYS).unwrap_or(today);
        let rows = store.last_links(market, from).await.map_err(|error| error.to_string())?;
        all.extend(rows.into_iter().map(|row| (market, row)));
    }
    Ok(all)
}

async fn gaps(store: &Store, now_ns: i64) -> Part<Gaps> {
    let mut all = Vec::new();
    let mut why = None;
    for &market in Market::ALL {
        let day = market::calendar::trade_date(market, now_ns);
        match store.gaps_of_day(market, day, true, MOST_GAPS).await {
            Err(error) => return Part::unknown(error.to_string()),
            Ok(rows) => {
                if rows.len() == MOST_GAPS {
                    why = Some(format!("of {market} the latest {MOST_GAPS} only"));
                }
                all.extend(by_reason(market, day, &rows));
            }
        }
    }
    Part { why, ..Part::whole(all) }
}

/// Gaps of a day, one row a reason.
fn by_reason(market: Market, day: TradeDate, rows: &[GapRow]) -> Vec<Gaps> {
    let mut by: BTreeMap<&str, Gaps> = BTreeMap::new();
    for row in rows {
        let gaps = by.entry(&row.reason).or_insert_with(|| Gaps {
            market: market.as_str(),
            trade_date: day.to_string(),
            reason: row.reason.clone(),
            open: 0,
            open_volume: 0,
            latest_ns: 0,
        });
        gaps.open += 1;
        gaps.open_volume = gaps.open_volume.saturating_add(row.open_volume.unwrap_or(0));
        gaps.latest_ns = gaps.latest_ns.max(row.from_ns.parse().unwrap_or(0));
    }
    by.into_values().collect()
}

/// How far the archive is, beside what the services have read.
pub fn rows(
    newest: &Result<Vec<(Market, TradeDate, Newest)>, String>,
    boards: Result<&[State], String>,
    now_ns: i64,
) -> Part<Archive> {
    let newest = match newest {
        Err(why) => return Part::unknown(why.clone()),
        Ok(newest) => newest,
    };
    let last_frame = |market: Market, source: &str| {
        let boards = boards.as_ref().ok()?;
        let feeds = &boards.iter().find(|board| board.market == market)?.feeds;
        feeds.iter().find(|(one, _)| one.as_str() == source)?.1.as_ref()?.last_frame_ns
    };
    let row = |(market, day, row): &(Market, TradeDate, Newest)| {
        let behind =
            last_frame(*market, &row.source).map(|frame| (frame - row.received_ns).max(0) / 1_000_000);
        Archive {
            market: market.as_str(),
            source: row.source.clone(),
            trade_date: day.to_string(),
            trades: row.trades,
            order_books: row.order_books,
            newest_ns: row.received_ns,
            newest_ms: now_ns.saturating_sub(row.received_ns) / 1_000_000,
            behind_ms: behind,
        }
    };
    let why = boards.as_ref().err().map(|why| format!("how far it is behind is not known: {why}"));
    Part { why, ..Part::whole(newest.iter().map(row).collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_by_reason() {
        let gap = |reason: &str, from: &str, open_volume| GapRow {
            market: "kr".to_owned(),
            source: "kis".to_owned(),
            trade_date: "2026-11-24".to_owned(),
            connection: String::new(),
            tape: String::new(),
            symbol: String::new(),
            reason: reason.to_owned(),
            from_ns: from.to_owned(),
            until_ns: None,
            is_open: true,
            detail: String::new(),
            missing_volume: open_volume,
            open_volume,
            after_cumulative_volume: None,
            until_cumulative_volume: None,
            residue: None,
        };
        let rows = [
            gap("disconnected", "7", None),
            gap("chain_break", "9", Some(3)),
            gap("chain_break", "8", Some(4)),
        ];
        let day = TradeDate::parse("20261124").expect("date");
        let by = by_reason(Market::Kr, day, &rows);
        let told: Vec<_> =
            by.iter().map(|row| (row.reason.as_str(), row.open, row.open_volume, row.latest_ns)).collect();
        assert_eq!(told, [("chain_break", 2, 7, 9), ("disconnected", 1, 0, 7)]);
    }
}
