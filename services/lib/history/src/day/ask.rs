//! A planned request → what a broker's cell answers: rows, minutes, the day's total, or why not.

use market::calendar::Calendar;
use market::{Method, Quantity, Source};
use process::clock::now_ns;
use store::history::InstrumentDay;

use super::Work;
use crate::fetch::{
    self, Ask, AskError, Call, FetchError, Fetched, Minutes, Problem, Which, day_trades, kis_day_trades,
    kis_us_trades, last_trades, minutes, reach, ticks,
};
use crate::plan::{Reach, Request};
use crate::row::{Minute, Row};

/// How often a page that cannot be used is asked for again: a broker's hiccup passes, a fault of ours does not.
const RESUMED: u32 = 2;

/// What came of the requests of one route, together.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// Trades, oldest first.
    pub(super) rows: Vec<Row>,
    /// The last trades, with cumulative volume.
    pub(super) last: Vec<Row>,
    /// Minutes of the day.
    pub(super) minutes: Vec<Minute>,
    /// Bars as fetched.
    pub(super) bars: Vec<fetch::MinuteBar>,
    /// The rows go back to the first trade of the day.
    pub(super) reached_start: bool,
    /// The rows go up to the last trade there is, and each was read.
    pub(super) is_whole: bool,
    /// The day's total.
    pub(super) total: Option<(Quantity, Method, Source)>,
    /// The broker has nothing: nobody traded, or it does not know the symbol.
    pub(super) is_blank: bool,
    /// Pages.
    pub(super) pages: u32,
    /// Rows in them.
    pub(super) returned: u64,
    /// What failed and may succeed later.
    pub(super) trouble: Option<String>,
    /// Nobody answers for the broker.
    pub(super) is_absent: bool,
    /// The broker does not know the symbol, in its words.
    pub(super) unknown: Option<String>,
    /// What a person should know.
    pub(super) remarks: Vec<String>,
}

/// Whose request it is.
pub(super) const fn source(request: &Request) -> Source {
    match request {
        Request::DayTrades { .. } | Request::Ticks { .. } | Request::LastTrades | Request::Minutes => {
            Source::Kiwoom
        }
        Request::KisDayTrades { .. } | Request::KisUsTrades { .. } => Source::Kis,
    }
}

/// Whose method it is.
pub(super) const fn of_method(method: Method) -> Option<Source> {
    match method {
        Method::None => None,
        Method::Ka10084 | Method::Ka10079 | Method::Ka10003 => Some(Source::Kiwoom),
        Method::Fhpst01060000 | Method::Hhdfs76200300 => Some(Source::Kis),
    }
}

/// The part of what reaches that belongs to one broker.
pub(super) const fn only(reach: Reach, source: Source) -> Reach {
    let none = Reach {
        ka10084: false,
        ka10079: false,
        ka10003: false,
        ka10080: false,
        fhpst01060000: false,
        hhdfs76200300: false,
    };
    match source {
        Source::Kiwoom => Reach { fhpst01060000: false, hhdfs76200300: false, ..reach },
        Source::Kis => {
            Reach { fhpst01060000: reach.fhpst01060000, hhdfs76200300: reach.hhdfs76200300, ..none }
        }
    }
}

impl<A: Ask> Work<'_, A> {
    /// What reaches the day now, of brokers that are there.
    pub(super) fn reach(&self, of: &InstrumentDay) -> Reach {
        let now = now_ns();
        let reaches = |call: Call| {
            call.market() == of.market()
                && !self.absent.has(call.source())
                // Outside the calendar nothing is known to reach.
                && reach(Calendar::built_in(), call, of.trade_date, now).unwrap_or(false)
        };
        Reach {
            ka10084: reaches(Call::Ka10084),
            ka10079: reaches(Call::Ka10079),
            ka10003: reaches(Call::Ka10003),
            ka10080: reaches(Call::Ka10080),
            fhpst01060000: reaches(Call::Fhpst01060000),
            hhdfs76200300: reaches(Call::Hhdfs76200300),
        }
    }

    /// Asks one request after another; what came before a failure is kept.
    pub(super) async fn route(&self, of: &InstrumentDay, requests: &[Request]) -> Got {
        let mut got = Got::default();
        for request in requests {
            self.request(of, request, &mut got).await;
            if got.trouble.is_some() || got.unknown.is_some() || got.is_absent {
                break;
            }
        }
        got
    }

    async fn request(&self, of: &InstrumentDay, request: &Request, got: &mut Got) {
        let (symbol, tape, date) = (of.symbol, of.tape, of.trade_date);
        let which = Which::of(Calendar::built_in(), of.market(), date, now_ns()).ok().flatten();
        let fetched = match (*request, which) {
            (Request::DayTrades { down_to }, Some(which)) => {
                day_trades(self.ask, symbol, tape, which, down_to).await
            }
            (Request::Ticks { older_than_ns }, _) => ticks(self.ask, symbol, tape, date, older_than_ns).await,
            (Request::LastTrades, _) => last_trades(self.ask, symbol, tape, date).await,
            (Request::KisDayTrades { down_to }, _) => {
                kis_day_trades(self.ask, symbol, tape, date, down_to).await
            }
            (Request::KisUsTrades { down_to }, Some(which)) => match self.listings.get(&symbol) {
                Some(listing) => kis_us_trades(self.ask, symbol, tape, listing, which, down_to).await,
                None => {
                    let text = format!("listing market of {symbol} is not known: add it to the symbols file");
                    got.trouble = Some(text);
                    return;
                }
            },
            (Request::Minutes, _) => return self.minutes(of, got).await,
            (Request::DayTrades { .. } | Request::KisUsTrades { .. }, None) => {
                got.trouble = Some("the broker may be turning to the next day: ask again later".to_owned());
                return;
            }
        };
        let fetched = self.resumed(fetched, got).await;
        got.take(request, fetched);
    }

    /// Goes on where a page could not be used; the cell has been patient already with those that did not come.
    async fn resumed(&self, mut fetched: Result<Fetched, FetchError>, got: &mut Got) -> Fetched {
        for _ in 0..RESUMED {
            match fetched {
                Err(error) if !matches!(error.problem, Problem::Ask(_)) => {
                    got.remarks.push(error.to_string());
                    fetched = error.resume(self.ask).await;
                }
                other => {
                    fetched = other;
                    break;
                }
            }
        }
        fetched.unwrap_or_else(|error| {
            let partial = error.partial();
            self.failed(&error, got);
            partial
        })
    }

    fn failed(&self, error: &FetchError, got: &mut Got) {
        match &error.problem {
            Problem::Ask(ask) if ask.is_unknown_symbol() => got.unknown = Some(error.to_string()),
            Problem::Ask(AskError::CellAbsent { source_word }) => {
                self.absent.add(*source_word);
                got.is_absent = true;
            }
            _ => got.trouble = Some(error.to_string()),
        }
    }

    async fn minutes(&self, of: &InstrumentDay, got: &mut Got) {
        match minutes(self.ask, of.symbol, of.tape, of.trade_date).await {
            Ok(minutes) => got.take_minutes(minutes),
            Err(error) => self.failed(&error, got),
        }
    }
}

impl Got {
    fn take(&mut self, request: &Request, fetched: Fetched) {
        self.pages += fetched.pages;
        self.returned += fetched.returned;
        let is_complete = fetched.is_complete();
        self.remarks.extend(fetched.refused.iter().take(3).cloned());
        self.is_blank |= fetched.blank;
        let newest = fetched.rows.last().and_then(|row| row.cumulative_volume);
        if let (Some(volume), true) = (newest, is_complete) {
            self.total = Some((volume, request.method(), source(request)));
        }
        if matches!(request, Request::LastTrades) {
            self.last = fetched.rows;
        } else {
            self.reached_start = fetched.reached_end;
            self.is_whole = is_complete;
            self.rows = fetched.rows;
        }
    }

    fn take_minutes(&mut self, minutes: Minutes) {
        self.pages += minutes.pages;
        self.returned += minutes.returned;
        self.is_blank |= minutes.blank;
        self.remarks.extend(minutes.refused.iter().take(3).cloned());
        if let (Some(volume), true) = (minutes.volume(), minutes.refused.is_empty()) {
            self.total = Some((volume, Request::Minutes.method(), Source::Kiwoom));
        }
        let minute = |bar: &fetch::MinuteBar| Minute {
            start_ns: bar.start_ns,
            quantity: bar.quantity,
            cumulative_volume: bar.cumulative_volume,
        };
        self.minutes = minutes.bars.iter().map(minute).collect();
        self.bars = minutes.bars;
    }
}
