//! A fetch under way: the answer of one page to the rows that it adds, and to what to ask next or that nothing is left.
//!
//! [`Walk::go`] waits, [`Walk::take`] decides, without clock and I/O. Pages come newest first and are joined in the order
//! received. Rows with a cumulative volume are joined by it: it falls strictly, and a row that is sent twice is known by
//! it. Rows without one are joined as [`super::overlap`] says.

use std::collections::HashSet;

use broker::kis::page::NextKey;
use broker::{kis, kiwoom};
use market::{Quantity, Symbol, Tape, TradeDate, time};
use serde_json::{Value, json};

use super::overlap::{overlap, same, same_page};
use super::read::{self, Page};
use super::{Answer, Ask, AskError, Call, FetchError, Fetched, Paging, Problem, Which};
use crate::row::Row;

/// Rows of ka10079 to fetch beyond the first that is older than wanted: the anchor's check at the older side needs them.
const MARGIN: usize = 30;
/// The longest run seen had 2,584 pages; what goes on beyond this goes in a circle.
pub(super) const MOST_PAGES: u32 = 10_000;

/// What is wanted, and until where.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    DayTrades { which: Which, down_to: Quantity },
    Ticks { older_than_ns: i64 },
    LastTrades,
    KisDay { down_to: Quantity },
    KisUs { which: Which, listing: String, down_to: Quantity },
}

/// Where the page begins that is asked for next.
#[derive(Debug, Clone)]
enum At {
    Newest,
    /// Behind the page that told this key.
    Key(String),
    /// At and before this instant, UTC ns.
    Time(i64),
}

/// One fetch.
#[derive(Debug)]
pub(super) struct Walk {
    call: Call,
    symbol: Symbol,
    tape: Tape,
    trade_date: TradeDate,
    wanted: Wanted,
    at: At,
    /// Keys that were followed.
    keys: HashSet<String>,
    /// The page before, for what is sent twice.
    last: Vec<Row>,
    /// The page before was kept and could not be turned: the same page again is no fault.
    again: bool,
    /// Rows of the longest page so far: a page of fewer was not cut.
    longest: usize,
    /// A second that may have more prints than a page holds was stepped over.
    stepped_over: bool,
    /// Rows of the day older than wanted (ka10079).
    older: usize,
    /// The day's rows, newest first.
    rows: Vec<Row>,
    pages: u32,
    returned: u64,
    refused: Vec<String>,
    reached_end: bool,
    blank: bool,
}

impl Walk {
    pub fn new(call: Call, symbol: Symbol, tape: Tape, trade_date: TradeDate, wanted: Wanted) -> Self {
        Self {
            call,
            symbol,
            tape,
            trade_date,
            wanted,
            at: At::Newest,
            keys: HashSet::new(),
            last: Vec::new(),
            again: false,
            longest: 0,
            stepped_over: false,
            older: 0,
            rows: Vec::new(),
            pages: 0,
            returned: 0,
            refused: Vec::new(),
            reached_end: false,
            blank: false,
        }
    }

    /// What has come so far.
    pub fn fetched(&self) -> Fetched {
        Fetched {
            rows: self.rows.iter().rev().copied().collect(),
            pages: self.pages,
            returned: self.returned,
            refused: self.refused.clone(),
            reached_end: self.reached_end,
            blank: self.blank,
        }
    }

    /// Asks page by page until nothing is left to ask.
    pub async fn go(mut self, ask: &impl Ask) -> Result<Fetched, FetchError> {
        loop {
            match self.page(ask).await {
                Ok(false) => {}
                Ok(true) => return Ok(self.fetched()),
                Err((page, problem)) => {
                    let outcome = if matches!(problem, Problem::Ask(_)) { "no_page" } else { "not_usable" };
                    metrics::counter!("sise_history_fetches_broken_total", "call" => self.call.as_str(), "outcome" => outcome)
                        .increment(1);
                    return Err(FetchError {
                        call: self.call,
                        symbol: self.symbol,
                        tape: self.tape,
                        trade_date: self.trade_date,
                        page,
                        problem,
                        begun: Some(Box::new(self)),
                    });
                }
            }
        }
    }

    /// One page; true when it was the last that is needed.
    async fn page(&mut self, ask: &impl Ask) -> Result<bool, (u32, Problem)> {
        let page = self.pages + 1;
        if self.pages >= MOST_PAGES {
            return Err((page, Paging::TooMany(self.pages).into()));
        }
        let parameters = self.parameters().map_err(|problem| (page, problem))?;
        let key = if let (At::Key(key), market::Source::Kiwoom) = (&self.at, self.call.source()) {
            Some(key.as_str())
        } else {
            None
        };
        let answer = ask.ask(self.call.source(), self.call.as_str(), &parameters, key).await;
        let answer = answer.map_err(|error| (page, read::of_ask(error)))?;
        metrics::counter!("sise_history_pages_total", "call" => self.call.as_str()).increment(1);
        self.take(&answer).map_err(|problem| (page, problem))
    }

    fn parameters(&self) -> Result<Value, Problem> {
        let no_tape = || AskError::Refused {
            word: "request".to_owned(),
            text: format!("{} knows no tape {}", self.call.as_str(), self.tape),
        };
        let code = || kiwoom::page::code(self.symbol, self.tape).ok_or_else(no_tape);
        Ok(match &self.wanted {
            Wanted::DayTrades { which, .. } => {
                let day = if which.is_today() { "1" } else { "2" };
                json!({"stk_cd": code()?, "tdy_pred": day, "tic_min": "0", "tm": ""})
            }
            // Adjusted prices would not be those of the live trades.
            Wanted::Ticks { .. } => json!({"stk_cd": code()?, "tic_scope": "1", "upd_stkpc_tp": "0"}),
            Wanted::LastTrades => json!({"stk_cd": code()?}),
            Wanted::KisDay { .. } => {
                let market = match self.tape {
                    Tape::Krx => "J",
                    Tape::Nxt => "NX",
                    Tape::All => "UN",
                    Tape::Us | Tape::Day => return Err(no_tape().into()),
                };
                let hour = if let At::Time(at) = self.at { clock_text(at) } else { "235959".to_owned() };
                json!({"FID_COND_MRKT_DIV_CODE": market, "FID_INPUT_ISCD": self.symbol.as_str(), "FID_INPUT_HOUR_1": hour})
            }
            Wanted::KisUs { which, listing, .. } => {
                let exchange = match (self.tape, listing.as_str()) {
                    (Tape::Us, listing) => listing,
                    (Tape::Day, "NAS") => "BAQ",
                    (Tape::Day, "NYS") => "BAY",
                    (Tape::Day, _) => "BAA",
                    _ => return Err(no_tape().into()),
                };
                let key = match &self.at {
                    At::Newest => String::new(),
                    At::Key(key) => key.clone(),
                    At::Time(at) => clock_text(*at),
                };
                let day = if which.is_today() { "1" } else { "0" };
                json!({"AUTH": "", "EXCD": exchange, "SYMB": self.symbol.as_str(), "TDAY": day, "KEYB": key})
            }
        })
    }

    fn read(&self, body: &str) -> Result<Page, Problem> {
        match self.wanted {
            Wanted::DayTrades { .. } => read::trades(body, self.tape, self.trade_date, false),
            Wanted::LastTrades => read::trades(body, self.tape, self.trade_date, true),
            Wanted::Ticks { .. } => read::ticks(body),
            Wanted::KisDay { .. } | Wanted::KisUs { .. } => {
                read::of_kis_trades(body, self.tape, self.trade_date)
            }
        }
    }

    /// Takes an answer in; true when nothing is left to ask.
    pub fn take(&mut self, answer: &Answer) -> Result<bool, Problem> {
        let mut page = self.read(&answer.body)?;
        let first = self.pages == 0;
        self.pages += 1;
        self.returned += (page.rows.len() + page.refused.len()) as u64;
        let refused = page.refused.len();
        if refused > 0 {
            metrics::counter!("sise_history_rows_refused_total", "call" => self.call.as_str())
                .increment(refused as u64);
            let number = self.pages;
            self.refused.extend(page.refused.drain(..).map(|text| format!("page {number}: {text}")));
        }
        if page.rows.is_empty() {
            return self.without_rows(&page, refused > 0, first, answer);
        }
        let kept = std::mem::take(&mut self.again);
        let added = match (same_page(&page.rows, &self.last), kept) {
            (true, true) => page.rows.len(),
            (true, false) => return Err(Paging::SamePage.into()),
            (false, _) => self.join(&page.rows, answer.received_ns)?,
        };
        self.longest = self.longest.max(page.rows.len());
        let done = self.is_enough() || self.is_last(&page) || {
            let turned = self.turn(&page, added, answer);
            self.again = turned.is_err();
            self.last = page.rows;
            turned?
        };
        Ok(done)
    }

    /// A page without a row that can be used: the end, or none.
    fn without_rows(
        &mut self,
        page: &Page,
        any_refused: bool,
        first: bool,
        answer: &Answer,
    ) -> Result<bool, Problem> {
        let kiwoom = self.call.source() == market::Source::Kiwoom;
        if any_refused && !page.ended {
            return match &answer.next_key {
                Some(key) if kiwoom => self.follow(key).map(|()| false),
                None if kiwoom => {
                    self.reached_end = true;
                    Ok(true)
                }
                _ => Err(Problem::Unreadable("no row of the page can be read".to_owned())),
            };
        }
        if !first && kiwoom && !page.ended {
            return Err(Paging::EmptyPage.into());
        }
        if !first && kiwoom && read::is_no_data(&answer.body) {
            let text = "20: no data, or refused, where more rows were announced".to_owned();
            return Err(AskError::Refused { word: "refused".to_owned(), text }.into());
        }
        self.tell_stepped_over_first();
        self.blank = first && !any_refused;
        self.reached_end = true;
        Ok(true)
    }

    /// Keeps the rows that are new and of the day, and tells how many of the page were new.
    fn join(&mut self, page: &[Row], received_ns: i64) -> Result<usize, Problem> {
        if let Wanted::Ticks { older_than_ns } = self.wanted {
            return self.join_bare(page, older_than_ns, received_ns);
        }
        let mut added = 0;
        for row in page {
            let lowest = self.rows.last().and_then(|row| row.cumulative_volume);
            let volume = row.cumulative_volume;
            if lowest.is_some() && volume >= lowest {
                let place = self.rows.partition_point(|held| held.cumulative_volume > volume);
                if self.rows.get(place).is_some_and(|held| same(held, row)) {
                    continue;
                }
                let units = |volume: Option<Quantity>| volume.map_or(0, Quantity::units);
                return Err(Paging::NotFalling { before: units(lowest), after: units(volume) }.into());
            }
            self.tell_stepped_over(row);
            self.rows.push(Row { received_ns, ..*row });
            added += 1;
        }
        if added == 0 && self.call.source() == market::Source::Kiwoom {
            return Err(Paging::NothingNew.into());
        }
        Ok(added)
    }

    fn join_bare(&mut self, page: &[Row], older_than_ns: i64, received_ns: i64) -> Result<usize, Problem> {
        let twice = overlap(&self.last, page);
        let new = &page[twice..];
        if new.is_empty() {
            return Err(Paging::NothingNew.into());
        }
        // The whole second is wanted: a page that touches it does not end it.
        let second = older_than_ns - older_than_ns.rem_euclid(time::SECOND);
        for row in new {
            let date = time::kst_date(row.exchange_ns);
            if date < self.trade_date {
                self.reached_end = true;
            } else if date == self.trade_date {
                self.rows.push(Row { received_ns, ..*row });
                self.older += usize::from(row.exchange_ns < second);
            }
        }
        Ok(new.len())
    }

    /// Behind a second that was stepped over the rows must chain; where they do not, something was not sent.
    fn tell_stepped_over(&mut self, row: &Row) {
        if !std::mem::take(&mut self.stepped_over) {
            return;
        }
        let Some(newer) = self.rows.last() else { return };
        let until = below(newer);
        if until > row.cumulative_volume {
            let (after, until) = (row.cumulative_volume.unwrap_or_default(), until.unwrap_or_default());
            let second = clock_text(newer.exchange_ns);
            self.refused.push(format!(
                "cumulative volume {after} to {until}: not sent, the prints of {second} are more than a page holds"
            ));
        }
    }

    /// The day began with a second that was stepped over: what stands before its prints may be volume without a print,
    /// or prints that the page had no room for.
    fn tell_stepped_over_first(&mut self) {
        let Some(oldest) = self.rows.last().filter(|_| self.stepped_over) else { return };
        if let Some(until) = below(oldest).filter(|until| !until.is_zero()) {
            let second = clock_text(oldest.exchange_ns);
            self.refused.push(format!(
                "cumulative volume 0 to {until}: the prints of {second} may be more than a page holds"
            ));
        }
    }

    /// Whether everything that is wanted is there.
    fn is_enough(&mut self) -> bool {
        let lowest = self.rows.last().and_then(below);
        match self.wanted {
            Wanted::DayTrades { down_to, .. }
            | Wanted::KisDay { down_to }
            | Wanted::KisUs { down_to, .. } => {
                self.reached_end |= lowest == Some(Quantity::ZERO);
                lowest.is_some_and(|lowest| lowest <= down_to)
            }
            Wanted::Ticks { .. } => self.reached_end || self.older > MARGIN,
            Wanted::LastTrades => {
                self.reached_end |= lowest == Some(Quantity::ZERO);
                true
            }
        }
    }

    fn is_last(&mut self, page: &Page) -> bool {
        self.reached_end |= page.ended;
        page.ended
    }

    /// Turns to the next page; true when there is none.
    fn turn(&mut self, page: &Page, added: usize, answer: &Answer) -> Result<bool, Problem> {
        let next = match self.call {
            Call::Fhpst01060000 => NextKey::Untold,
            Call::Hhdfs76200300 => kis::page::next_key(&answer.body),
            _ => answer.next_key.clone().map_or(NextKey::Last, NextKey::Key),
        };
        match next {
            NextKey::Key(key) => self.follow(&key).map(|()| false),
            NextKey::Untold => self.turn_back(&page.rows, added),
            NextKey::Last => {
                self.reached_end = true;
                Ok(true)
            }
        }
    }

    fn follow(&mut self, key: &str) -> Result<(), Problem> {
        if !self.keys.insert(key.to_owned()) {
            return Err(Paging::SameKey.into());
        }
        self.at = At::Key(key.to_owned());
        Ok(())
    }

    /// Goes on by time: a page holds the newest prints at and before the time asked for, so the oldest second received
    /// may be cut and is asked again. A page within one second would come again, so there the second before is next.
    fn turn_back(&mut self, page: &[Row], added: usize) -> Result<bool, Problem> {
        let seconds = || page.iter().map(|row| row.exchange_ns.div_euclid(time::SECOND));
        let (Some(oldest), Some(newest)) = (seconds().min(), seconds().max()) else { return Ok(true) };
        if added == 0 && page.len() < self.longest {
            // Not cut, and nothing older in it.
            self.reached_end = true;
            return Ok(true);
        }
        let steps = added == 0 || oldest == newest;
        // Only a page that was cut can hide prints of the second.
        self.stepped_over = steps && page.len() >= self.longest;
        let next = if steps { oldest - 1 } else { oldest } * time::SECOND;
        if matches!(self.at, At::Time(at) if next >= at) {
            return Err(Paging::NothingNew.into());
        }
        if self.call == Call::Fhpst01060000 && time::kst_date(next) < self.trade_date {
            self.reached_end = true;
            return Ok(true);
        }
        self.at = At::Time(next);
        Ok(false)
    }
}

/// The cumulative volume before a print.
fn below(row: &Row) -> Option<Quantity> {
    row.cumulative_volume?.checked_sub(row.quantity)
}

/// Korean time of day, `HHMMSS`.
fn clock_text(utc_ns: i64) -> String {
    let seconds = (utc_ns + time::KST).rem_euclid(time::DAY) / time::SECOND;
    format!("{:02}{:02}{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
