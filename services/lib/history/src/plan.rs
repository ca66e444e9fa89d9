//! What is missing of an instrument's day becomes the cheapest request that reaches it.
//!
//! Pages are what a request costs: every one takes a token of the broker's bucket. `ka10084` gives 100 trades a page from
//! the newest of the day, with cumulative volume and side, and by its first row the day's total; `ka10079` gives 900 a
//! page from the newest of all, without. Estimates rest on the prints that are known and on the missing volume.

use market::chain::{Missing, Print};
use market::{Market, Method, Quantity, Tape};

/// Trades of a page of `ka10084`.
pub const ROWS_KA10084: u64 = 100;
/// Trades of a page of `ka10079`, and minutes of one of `ka10080`.
pub const ROWS_KA10079: u64 = 900;
/// Trades of a page of `FHPST01060000`.
pub const ROWS_FHPST01060000: u64 = 30;
/// Trades of a page of `HHDFS76200300`; not documented, and only one request reaches US trades anyway.
pub const ROWS_HHDFS76200300: u64 = 30;
/// Rows that `ka10079` is read beyond the start, for the check there.
const MARGIN_ROWS: u64 = 30;
/// Shares of a trade where none is known; it decides about nothing but the first choice of a request.
const ASSUMED_QUANTITY: i64 = 50;

/// Which requests reach the trade date of the day, and whose broker can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "one answer for each request")]
pub struct Reach {
    /// Today and yesterday, by trading days.
    pub ka10084: bool,
    /// The last 20 trading days.
    pub ka10079: bool,
    /// Today.
    pub ka10003: bool,
    /// Any day of the last year.
    pub ka10080: bool,
    /// Today in Korea.
    pub fhpst01060000: bool,
    /// Today in the US.
    pub hhdfs76200300: bool,
}

/// What is known of an instrument's day.
#[derive(Debug, Clone, Copy)]
pub struct DayState<'a> {
    /// The tape.
    pub tape: Tape,
    /// What is missing, as found.
    pub missing: &'a [Missing],
    /// The prints that are known, in any order.
    pub prints: &'a [Print],
    /// The counter started again within the day: nothing can be filled.
    pub is_one_counter: bool,
    /// The broker's final total of the day, if it is known.
    pub known_volume: Option<Quantity>,
    /// Start of the trade date's first phase, UTC ns: so far back goes a missing head.
    pub start_ns: i64,
    /// Trades of this instrument on later days, which `ka10079` must read through; known or estimated.
    pub newer_rows: u64,
    /// What reaches.
    pub reach: Reach,
}

/// A request for pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `ka10084`, until a row at or below this cumulative volume.
    DayTrades {
        /// The cumulative volume.
        down_to: Quantity,
    },
    /// `ka10079`, until a row older than this second.
    Ticks {
        /// UTC ns.
        older_than_ns: i64,
    },
    /// `ka10003`, one page: an anchor at the newest end, and the total.
    LastTrades,
    /// `ka10080`, the minutes of the day: anchors, checks, and the total.
    Minutes,
    /// `FHPST01060000`, until a row at or below this cumulative volume.
    KisDayTrades {
        /// The cumulative volume.
        down_to: Quantity,
    },
    /// `HHDFS76200300`, until a row at or below this cumulative volume.
    KisUsTrades {
        /// The cumulative volume.
        down_to: Quantity,
    },
}

impl Request {
    /// Its name in the ledger; `ka10080` gives no trades and has none.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::DayTrades { .. } => Method::Ka10084,
            Self::Ticks { .. } => Method::Ka10079,
            Self::LastTrades => Method::Ka10003,
            Self::Minutes => Method::None,
            Self::KisDayTrades { .. } => Method::Fhpst01060000,
            Self::KisUsTrades { .. } => Method::Hhdfs76200300,
        }
    }
}

/// Requests that together fill what is missing, and their estimated cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// In the order in which they are asked; the first brings the trades.
    pub requests: Vec<Request>,
    /// Estimated pages of all of them, at least one each.
    pub pages: u64,
}

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the day is complete, and its total is known.
    Nothing,
    /// Nothing seems to be missing, but the total is not known: the one request that tells it, and fills a missing tail
    /// if it is a list of trades.
    Total(Route),
    /// The cheapest route first, then the others that reach, should it fail.
    Fill {
        /// At least one.
        routes: Vec<Route>,
    },
    /// Something is missing and nobody can be asked: it stays open.
    NoSource,
    /// The counter started again within the day: cumulative volumes name nothing.
    CounterRestarted,
}

impl Plan {
    /// Estimated pages of the first route.
    #[must_use]
    pub fn pages(&self) -> u64 {
        match self {
            Self::Total(route) => route.pages,
            Self::Fill { routes } => routes.first().map_or(0, |route| route.pages),
            Self::Nothing | Self::NoSource | Self::CounterRestarted => 0,
        }
    }
}

/// Plans an instrument's day.
#[must_use]
pub fn plan(day: &DayState<'_>) -> Plan {
    if !day.is_one_counter {
        return Plan::CounterRestarted;
    }
    if day.missing.is_empty() {
        return match (day.known_volume, total(day)) {
            (None, Some(route)) => Plan::Total(route),
            // Nobody can tell the total: what is there is all that can be known.
            (None, None) | (Some(_), _) => Plan::Nothing,
        };
    }
    let mut routes = if day.tape.market() == Market::Us { us(day) } else { korea(day) };
    if routes.is_empty() {
        return Plan::NoSource;
    }
    routes.sort_by_key(|route| route.pages);
    Plan::Fill { routes }
}

/// The cheapest request that tells the day's total.
fn total(day: &DayState<'_>) -> Option<Route> {
    let highest = day.prints.iter().map(|print| print.cumulative_volume).max();
    let reach = &day.reach;
    let request = match highest {
        // Its first row tells the total; if that is more than what is known, its next rows are what is missing.
        Some(down_to) if reach.ka10084 => Request::DayTrades { down_to },
        Some(down_to) if reach.hhdfs76200300 => Request::KisUsTrades { down_to },
        _ if reach.ka10003 => Request::LastTrades,
        _ if reach.ka10080 => Request::Minutes,
        Some(down_to) if reach.fhpst01060000 => Request::KisDayTrades { down_to },
        // Nothing is known of the day: the first page tells whether there is anything.
        None if reach.ka10084 => Request::DayTrades { down_to: Quantity::ZERO },
        None if reach.hhdfs76200300 => Request::KisUsTrades { down_to: Quantity::ZERO },
        None if reach.fhpst01060000 => Request::KisDayTrades { down_to: Quantity::ZERO },
        _ => return None,
    };
    Some(Route { requests: vec![request], pages: 1 })
}

fn korea(day: &DayState<'_>) -> Vec<Route> {
    let down_to = lowest(day);
    let rows = rows_above(day, down_to);
    let mut routes = Vec::new();
    if day.reach.ka10084 {
        let pages = pages(rows, ROWS_KA10084);
        routes.push(Route { requests: vec![Request::DayTrades { down_to }], pages });
    }
    if day.reach.ka10079 {
        routes.extend(ticks(day, rows));
    }
    if day.reach.fhpst01060000 {
        let pages = pages(rows, ROWS_FHPST01060000);
        routes.push(Route { requests: vec![Request::KisDayTrades { down_to }], pages });
    }
    routes
}

fn us(day: &DayState<'_>) -> Vec<Route> {
    if !day.reach.hhdfs76200300 {
        return Vec::new();
    }
    let down_to = lowest(day);
    let pages = pages(rows_above(day, down_to), ROWS_HHDFS76200300);
    vec![Route { requests: vec![Request::KisUsTrades { down_to }], pages }]
}

/// `ka10079` and the page that anchors it: none, if neither an anchor nor known prints exist.
fn ticks(day: &DayState<'_>, rows: u64) -> Option<Route> {
    let older_than_ns = day
        .missing
        .iter()
        .map(|missing| missing.from_ns.unwrap_or(day.start_ns))
        .min()
        .unwrap_or(day.start_ns);
    let at_an_end = day.missing.iter().any(|missing| missing.from_ns.is_none() || missing.until_ns.is_none());
    let mut requests = vec![Request::Ticks { older_than_ns }];
    if day.known_volume.is_none() || at_an_end || day.prints.is_empty() {
        // The head needs minutes: what the counter held before the first trade is no trade.
        let head = day.missing.iter().any(|missing| missing.from_ns.is_none());
        let anchor = match (day.reach.ka10003, day.reach.ka10080) {
            (_, true) if head || !day.reach.ka10003 => Some(Request::Minutes),
            (true, _) => Some(Request::LastTrades),
            _ => None,
        };
        match anchor {
            Some(request) => requests.push(request),
            None if day.prints.is_empty() => return None,
            None => {}
        }
    }
    let more = requests.len() as u64 - 1;
    Some(Route { requests, pages: pages(rows + day.newer_rows + MARGIN_ROWS, ROWS_KA10079) + more })
}

/// Where the oldest missing volume begins.
fn lowest(day: &DayState<'_>) -> Quantity {
    day.missing.iter().map(|missing| missing.after).min().unwrap_or_default()
}

/// Estimated trades of the day above a cumulative volume: the known ones, and the missing volume in trades of the size
/// that the known ones have.
fn rows_above(day: &DayState<'_>, volume: Quantity) -> u64 {
    let known = day.prints.iter().filter(|print| print.cumulative_volume > volume).count() as u64;
    let shares: i64 = day.prints.iter().map(|print| print.quantity.units()).sum();
    let average = i64::try_from(day.prints.len()).ok().and_then(|prints| shares.checked_div(prints));
    let average = average.unwrap_or(ASSUMED_QUANTITY).max(1);
    let missing: i64 = day.missing.iter().map(|missing| missing.volume().units()).sum();
    known + u64::try_from(missing).unwrap_or(0).div_ceil(average.unsigned_abs())
}

/// A page that is not full comes all the same, to tell the end.
fn pages(rows: u64, rows_a_page: u64) -> u64 {
    rows.div_ceil(rows_a_page).max(1)
}

#[cfg(test)]
mod tests;
