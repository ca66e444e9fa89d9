//! ka10080: a day's minute bars, each with its volume and the cumulative volume at its end: the checksum of a minute.

use std::collections::HashSet;

use broker::kiwoom::page::{MinuteRow, code, minute_chart};
use market::{Quantity, Symbol, Tape, TradeDate};
use serde_json::json;

use super::walk::MOST_PAGES;
use super::{Answer, Ask, AskError, Call, FetchError, Paging, Problem, read};

/// A minute of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteBar {
    /// Its start, UTC ns.
    pub start_ns: i64,
    /// Shares traded in it, perhaps 0.
    pub quantity: Quantity,
    /// Cumulative volume of the tape at its end; none when the row had none.
    pub cumulative_volume: Option<Quantity>,
}

/// A day's minutes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minutes {
    /// The day's bars, oldest first. A minute without a trade may have none.
    pub bars: Vec<MinuteBar>,
    /// Answers received.
    pub pages: u32,
    /// Rows in them.
    pub returned: u64,
    /// Rows that cannot be read, with the reason.
    pub refused: Vec<String>,
    /// The first answer was empty already: nobody traded, the day is out of range, or the code is not known.
    pub blank: bool,
}

impl Minutes {
    /// The day's volume as the newest bar tells it.
    #[must_use]
    pub fn volume(&self) -> Option<Quantity> {
        self.bars.last().and_then(|bar| bar.cumulative_volume)
    }
}

/// ka10080: the minutes of a day that lies at most a year back.
///
/// # Errors
/// [`FetchError`]; it holds nothing of the minutes, of which a day has one page or two.
pub async fn minutes(
    ask: &impl Ask,
    symbol: Symbol,
    tape: Tape,
    trade_date: TradeDate,
) -> Result<Minutes, FetchError> {
    let mut run = Run { minutes: Minutes::default(), trade_date, last: Vec::new(), keys: HashSet::new() };
    let mut key = None;
    loop {
        let fail = |page: u32, problem: Problem| FetchError {
            call: Call::Ka10080,
            symbol,
            tape,
            trade_date,
            page,
            problem,
            begun: None,
        };
        let page = run.minutes.pages + 1;
        if page > MOST_PAGES {
            return Err(fail(page, Paging::TooMany(MOST_PAGES).into()));
        }
        let Some(code) = code(symbol, tape) else {
            let text = format!("ka10080 knows no tape {tape}");
            return Err(fail(page, AskError::Refused { word: "request".to_owned(), text }.into()));
        };
        let parameters = json!({
            "stk_cd": code, "tic_scope": "1", "upd_stkpc_tp": "0", "base_dt": trade_date.yyyymmdd().to_string(),
        });
        let call = Call::Ka10080;
        let answer = ask.ask(call.source(), call.as_str(), &parameters, key.as_deref()).await;
        let answer = answer.map_err(|error| fail(page, read::of_ask(error)))?;
        metrics::counter!("sise_history_pages_total", "call" => call.as_str()).increment(1);
        match run.take(&answer).map_err(|problem| fail(page, problem))? {
            Some(next) => key = Some(next),
            None => {
                run.minutes.bars.reverse();
                return Ok(run.minutes);
            }
        }
    }
}

struct Run {
    /// Bars newest first.
    minutes: Minutes,
    trade_date: TradeDate,
    last: Vec<MinuteRow>,
    keys: HashSet<String>,
}

impl Run {
    /// Takes a page in; the key of the next one, when another is needed.
    fn take(&mut self, answer: &Answer) -> Result<Option<String>, Problem> {
        let page = minute_chart(&answer.body).map_err(read::of_kiwoom)?;
        let first = self.minutes.pages == 0;
        self.minutes.pages += 1;
        let number = self.minutes.pages;
        self.minutes.returned += (page.rows.len() + page.refused.len()) as u64;
        self.minutes.refused.extend(page.refused.iter().map(|error| format!("page {number}: {error}")));
        if page.rows.is_empty() && page.refused.is_empty() {
            if !first && (!page.ended || read::is_no_data(&answer.body)) {
                return Err(Paging::EmptyPage.into());
            }
            self.minutes.blank = first;
            return Ok(None);
        }
        if !page.rows.is_empty() && page.rows == self.last {
            return Err(Paging::SamePage.into());
        }
        let mut older_day = false;
        for row in &page.rows {
            if row.trade_date == self.trade_date {
                self.keep(row)?;
            }
            older_day |= row.trade_date < self.trade_date;
        }
        let next = answer.next_key.clone().filter(|_| !older_day && !page.ended);
        self.last = page.rows;
        match next {
            Some(key) if !self.keys.insert(key.clone()) => Err(Paging::SameKey.into()),
            next => Ok(next),
        }
    }

    fn keep(&mut self, row: &MinuteRow) -> Result<(), Problem> {
        let MinuteRow { start_ns, quantity, cumulative_volume, .. } = *row;
        let bar = MinuteBar { start_ns, quantity, cumulative_volume };
        let bars = &mut self.minutes.bars;
        match bars.last().map(|bar| bar.start_ns) {
            Some(before) if start_ns >= before => {
                let place = bars.partition_point(|held| held.start_ns > start_ns);
                if bars.get(place) == Some(&bar) {
                    return Ok(());
                }
                return Err(Paging::NotFalling { before, after: start_ns }.into());
            }
            _ => bars.push(bar),
        }
        Ok(())
    }
}
