//! One answer of a call to rows in the words of the market, in the broker's order.

use std::time::Duration;

use broker::kis::page as kis;
use broker::kiwoom::answer::Verdict;
use broker::kiwoom::{control, page as kiwoom};
use broker::page::Rows;
use market::{AggressorSide, Tape, TradeDate};

use super::{AskError, Paging, Problem};
use crate::row::Row;

/// A page, newest row first. `received_ns` of the rows is 0 until they are kept.
#[derive(Debug)]
pub(super) struct Page {
    pub rows: Vec<Row>,
    pub refused: Vec<String>,
    pub ended: bool,
}

impl Page {
    fn of<T>(page: Rows<T>, mut row: impl FnMut(&T) -> Row) -> Self {
        Self {
            rows: page.rows.iter().map(&mut row).collect(),
            refused: page.refused.iter().map(ToString::to_string).collect(),
            ended: page.ended,
        }
    }
}

/// A body of ka10084, or of ka10003 when `last`. A row that names another tape is no row of this one.
pub(super) fn trades(body: &str, tape: Tape, date: TradeDate, last: bool) -> Result<Page, Problem> {
    let read = if last { kiwoom::last_trades } else { kiwoom::trades_of_day };
    let mut page = read(body, date).map_err(of_kiwoom)?;
    let mut strangers = Vec::new();
    page.rows.retain(|row| {
        let own = row.tape.is_none_or(|told| told == tape);
        if !own {
            strangers.push(format!(
                "the print at cumulative volume {} is of another tape than {tape}",
                row.cumulative_volume
            ));
        }
        own
    });
    let mut page = Page::of(page, |row| Row {
        exchange_ns: row.exchange_ns,
        price: row.price,
        quantity: row.quantity,
        aggressor_side: row.aggressor_side,
        cumulative_volume: Some(row.cumulative_volume),
        best_ask: row.best_ask,
        best_bid: row.best_bid,
        cumulative_value: row.cumulative_value.map(|value| (value, row.cumulative_value_step)),
        received_ns: 0,
    });
    page.refused.append(&mut strangers);
    Ok(page)
}

/// A body of ka10079.
pub(super) fn ticks(body: &str) -> Result<Page, Problem> {
    let page = kiwoom::tick_chart(body).map_err(of_kiwoom)?;
    Ok(Page::of(page, |row| Row {
        exchange_ns: row.exchange_ns,
        price: row.price,
        quantity: row.quantity,
        aggressor_side: AggressorSide::Unspecified,
        cumulative_volume: None,
        best_ask: None,
        best_bid: None,
        cumulative_value: None,
        received_ns: 0,
    }))
}

/// A body of FHPST01060000, or of HHDFS76200300 on a US tape.
pub(super) fn of_kis_trades(body: &str, tape: Tape, date: TradeDate) -> Result<Page, Problem> {
    let page = match tape {
        Tape::Us | Tape::Day => kis::us_trades(body, tape, date),
        Tape::Krx | Tape::Nxt | Tape::All => kis::trades_of_day(body, date),
    };
    Ok(Page::of(page.map_err(of_kis)?, |row| Row {
        exchange_ns: row.exchange_ns,
        price: row.price,
        quantity: row.quantity,
        aggressor_side: AggressorSide::Unspecified,
        cumulative_volume: Some(row.cumulative_volume),
        best_ask: row.best_ask,
        best_bid: row.best_bid,
        cumulative_value: None,
        received_ns: 0,
    }))
}

/// Kiwoom's "no data or refused" (code 20), which among pages that were announced is no end.
pub(super) fn is_no_data(body: &str) -> bool {
    control::read_answer(body).is_some_and(|answer| answer.verdict() == Verdict::NoData)
}

/// What a body of Kiwoom says is wrong. 1634 and 1700 have the same generic code and the same beginning of the text; only
/// the second may be asked again.
pub(super) fn of_kiwoom(error: kiwoom::BodyError) -> Problem {
    let text = error.to_string();
    match error {
        kiwoom::BodyError::Refused { verdict, .. } => match verdict {
            Verdict::RateLimited(_) | Verdict::ServerTrouble | Verdict::TokenDead | Verdict::TokenTrouble => {
                come_again(text)
            }
            _ => refused(text),
        },
        kiwoom::BodyError::Html(_) | kiwoom::BodyError::Json(_) | kiwoom::BodyError::NoList(_) => {
            Problem::Unreadable(text)
        }
    }
}

fn of_kis(error: kis::BodyError) -> Problem {
    let text = error.to_string();
    match error {
        kis::BodyError::Refused { code, .. } => match code.as_str() {
            "EGW00201" | "EGW00121" | "EGW00123" => come_again(text),
            _ => refused(text),
        },
        kis::BodyError::Html(_) | kis::BodyError::Json(_) | kis::BodyError::NoList => {
            Problem::Unreadable(text)
        }
    }
}

/// Why there is no page. The cell itself refuses a page of a chart that names itself as the next (`NEXT-KEY`).
pub(super) fn of_ask(error: AskError) -> Problem {
    match &error {
        AskError::Refused { text, .. } if text.starts_with("NEXT-KEY") => Paging::SameKey.into(),
        _ => error.into(),
    }
}

fn refused(text: String) -> Problem {
    AskError::Refused { word: "refused".to_owned(), text }.into()
}

/// The cell waits and asks again before it lets such an answer through.
fn come_again(text: String) -> Problem {
    AskError::Busy { waited: Duration::ZERO, text }.into()
}
