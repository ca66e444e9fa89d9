//! REST calls turn into figures by call and by symbol; the losses of the day turn into the least calls that repair them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::losses::CARRIERS;
use super::{Day, Line, Which};

/// Rows of a page of ka10084 and of ka10079.
const DAY_ROWS: usize = 100;
const TICK_ROWS: usize = 900;

/// What was asked of the REST sides.
#[derive(Debug, Default)]
pub struct Counts {
    by_call: BTreeMap<String, u64>,
    by_symbol: BTreeMap<String, u64>,
    refused: u64,
    truth: Option<Truth>,
}

/// What the day knows of its own losses.
#[derive(Debug, Clone, Copy, Default)]
struct Truth {
    prints: u64,
    /// Prints that were delivered, once for each feed that did.
    delivered: u64,
    /// Prints that no feed delivered.
    lost: u64,
    /// Of these, what the REST sides do not have either.
    lost_for_good: u64,
    lines_with_loss: u64,
    least: u64,
}

impl Counts {
    /// Counts a call.
    pub fn called(&mut self, call: &str, key: &str, refused: bool) {
        if refused {
            self.refused += 1;
            return;
        }
        *self.by_call.entry(call.to_owned()).or_default() += 1;
        *self.by_symbol.entry(key.to_owned()).or_default() += 1;
    }

    /// `calls`, `refused` (beyond the rate), `by_call`, `by_symbol`; of the truth `prints`, `delivered`, `lost`, `lost_for_good`,
    /// `lines`, `lines_with_loss` and `least`: for each line (a symbol on a tape) that lost something the pages of
    /// ka10084 down to its oldest loss or those of ka10079 and one more, whichever are fewer; for each other line one
    /// call, which tells its day total.
    pub fn figures(&mut self, day: &Day) -> Value {
        let truth = *self.truth.get_or_insert_with(|| truth(day));
        json!({
            "date": day.settings.date,
            "prints": truth.prints,
            "delivered": truth.delivered,
            "lost": truth.lost,
            "lost_for_good": truth.lost_for_good,
            "lines": day.lines.len(),
            "lines_with_loss": truth.lines_with_loss,
            "least": truth.least,
            "calls": self.by_call.values().sum::<u64>(),
            "refused": self.refused,
            "by_call": self.by_call,
            "by_symbol": self.by_symbol,
        })
    }
}

fn truth(day: &Day) -> Truth {
    let mut truth = Truth::default();
    for line in &day.lines {
        let all = day.prints(line, Which::Day).len();
        truth.prints += all as u64;
        let mut oldest = None;
        for index in 0..all {
            let delivered = delivered(day, line, index);
            truth.delivered += delivered;
            if delivered > 0 {
                continue;
            }
            truth.lost += 1;
            truth.lost_for_good += u64::from(day.losses.lacks(line.symbol, line.tape, index));
            oldest.get_or_insert(index);
        }
        truth.lines_with_loss += u64::from(oldest.is_some());
        truth.least += oldest.map_or(1, |oldest| {
            let lacking = day.lacking(line).iter().filter(|lack| **lack >= oldest).count();
            let rows = (all - oldest - lacking).max(1);
            rows.div_ceil(DAY_ROWS).min(rows.div_ceil(TICK_ROWS) + 1) as u64
        });
    }
    truth
}

/// How many feeds delivered a print.
fn delivered(day: &Day, line: &Line, index: usize) -> u64 {
    let Some(place) = day.place(line, index) else { return 0 };
    let carriers = CARRIERS.into_iter().filter(|carrier| day.losses.carries(*carrier, line.symbol));
    carriers.filter(|carrier| day.losses.delivered(*carrier, place)).count() as u64
}
