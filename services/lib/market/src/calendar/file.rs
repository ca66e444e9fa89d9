//! A calendar file (`data/kr.cal`, whose head explains the form) to rules: phases with effective dates, exceptions,
//! coverage. Every refusal names the line.

use std::collections::BTreeMap;

use super::day::Exception;
use super::error::{CalendarError, LineError};
use super::zone::is_weekend;
use crate::instrument::Market;
use crate::session::{MarketState, Session, Venue};
use crate::time::{DAY, SECOND};
use crate::trade_date::TradeDate;

/// Days a file may cover: a century. A mistyped year shall not fill the memory.
const MAX_DAYS: i32 = 36_525;

/// The kind of a day that no line makes special.
pub(super) const NORMAL: &str = "normal";

/// A calendar file: its text, and the name to be used in errors.
#[derive(Debug, Clone, Copy)]
pub struct CalendarFile<'a> {
    /// Name or path, as a person would look for it.
    pub name: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// When a phase holds, before dates make it instants.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) line: usize,
    pub(super) venue: Venue,
    pub(super) kinds: Vec<String>,
    pub(super) session: Session,
    /// Nanoseconds after the midnight that begins the session date; negative = the evening before.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) from: Option<TradeDate>,
    pub(super) through: Option<TradeDate>,
}

impl Rule {
    pub(super) fn holds(&self, date: TradeDate, kind: &str) -> bool {
        self.kinds.iter().any(|own| own == kind)
            && self.from.is_none_or(|from| from <= date)
            && self.through.is_none_or(|through| date <= through)
    }
}

/// The rules of one market.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) covered_from: TradeDate,
    pub(super) covered_through: TradeDate,
    pub(super) opens: Vec<(Venue, TradeDate)>,
    pub(super) phases: Vec<Rule>,
    pub(super) exceptions: BTreeMap<TradeDate, Exception>,
}

/// What has been read so far.
struct Reader {
    market: Market,
    market_line: Option<usize>,
    covered: Option<(usize, TradeDate, TradeDate)>,
    opens: Vec<(usize, Venue, TradeDate)>,
    phases: Vec<Rule>,
    exceptions: BTreeMap<TradeDate, Exception>,
}

/// Reads and checks a file for `market`.
pub(super) fn read(file: CalendarFile<'_>, market: Market) -> Result<Rules, CalendarError> {
    let at = |line, reason| CalendarError::Line { file: file.name.to_owned(), line, reason };
    let missing = |word| CalendarError::Missing { file: file.name.to_owned(), word };
    let mut reader = Reader {
        market,
        market_line: None,
        covered: None,
        opens: Vec::new(),
        phases: Vec::new(),
        exceptions: BTreeMap::new(),
    };
    for (line, text) in (1..).zip(file.text.lines()) {
        reader.line(line, text).map_err(|reason| at(line, reason))?;
    }
    reader.market_line.ok_or_else(|| missing("market"))?;
    let (_, covered_from, covered_through) = reader.covered.ok_or_else(|| missing("covered"))?;
    reader.whole().map_err(|(line, reason)| at(line, reason))?;
    Ok(Rules {
        covered_from,
        covered_through,
        opens: reader.opens.iter().map(|&(_, venue, date)| (venue, date)).collect(),
        phases: reader.phases,
        exceptions: reader.exceptions,
    })
}

impl Reader {
    /// What only the whole file can tell.
    fn whole(&self) -> Result<(), (usize, LineError)> {
        for (&date, exception) in &self.exceptions {
            if self.covered.is_some_and(|(_, from, through)| date < from || through < date) {
                return Err((exception.line, LineError::NotCovered { date }));
            }
            let known = |kind: &String| self.phases.iter().any(|rule| rule.kinds.contains(kind));
            if let Some(kind) = exception.kind.as_ref().filter(|kind| !known(kind)) {
                return Err((exception.line, LineError::UnknownKind { kind: kind.clone() }));
            }
        }
        for rule in &self.phases {
            let used = |kind: &String| {
                kind == NORMAL || self.exceptions.values().any(|day| day.kind.as_ref() == Some(kind))
            };
            if let Some(kind) = rule.kinds.iter().find(|kind| !used(kind)) {
                return Err((rule.line, LineError::UnusedKind { kind: kind.clone() }));
            }
        }
        Ok(())
    }

    fn line(&mut self, line: usize, text: &str) -> Result<(), LineError> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let (facts, note) = text.split_once(';').unwrap_or((text, ""));
        let words: Vec<&str> = facts.split_whitespace().collect();
        match words[..] {
            ["market", ..] => self.market(line, &words),
            ["covered", ..] => self.covered(line, &words, note),
            ["opens", ..] => self.opens(line, &words, note),
            ["phase", ..] => {
                let rule = self.phase(line, &words, note)?;
                self.phases.push(rule);
                Ok(())
            }
            // Read like one in force, so that a slip shows today and not on the day it is switched on.
            ["planned", ..] => self.phase(line, &words[1..], note).map(|_| ()),
            ["special" | "closed", ..] => self.exception(line, &words, note),
            _ => {
                let word = words.first().copied().unwrap_or_default().to_owned();
                Err(LineError::UnknownWord { word })
            }
        }
    }

    fn market(&mut self, line: usize, words: &[&str]) -> Result<(), LineError> {
        let [_, text] = words[..] else { return Err(LineError::Shape { expected: "market kr|us" }) };
        if Market::from_word(text) != Some(self.market) {
            return Err(LineError::Market { expected: self.market, text: text.to_owned() });
        }
        match self.market_line.replace(line) {
            Some(first_line) => Err(LineError::Twice { first_line }),
            None => Ok(()),
        }
    }

    fn covered(&mut self, line: usize, words: &[&str], note: &str) -> Result<(), LineError> {
        let [_, from_text, through_text] = words[..] else {
            return Err(LineError::Shape { expected: "covered FROM THROUGH ; source" });
        };
        source(note)?;
        let (from, through) = (date(from_text)?, date(through_text)?);
        if through < from {
            return Err(LineError::Inverted { start: from_text.to_owned(), end: through_text.to_owned() });
        }
        let days = through.days_since_epoch() - from.days_since_epoch() + 1;
        if days > MAX_DAYS {
            return Err(LineError::TooLong { days, limit: MAX_DAYS });
        }
        match self.covered.replace((line, from, through)) {
            Some((first_line, ..)) => Err(LineError::Twice { first_line }),
            None => Ok(()),
        }
    }

    fn opens(&mut self, line: usize, words: &[&str], note: &str) -> Result<(), LineError> {
        let [_, venue, first] = words[..] else {
            return Err(LineError::Shape { expected: "opens VENUE DATE ; source" });
        };
        source(note)?;
        let (venue, first) = (self.venue(venue)?, date(first)?);
        if let Some(&(first_line, ..)) = self.opens.iter().find(|(_, other, _)| *other == venue) {
            return Err(LineError::Twice { first_line });
        }
        self.opens.push((line, venue, first));
        Ok(())
    }

    fn phase(&self, line: usize, words: &[&str], note: &str) -> Result<Rule, LineError> {
        let ["phase", venue, kinds, session, start_text, end_text, from_text, through_text] = words[..]
        else {
            let expected = "phase VENUE KINDS PHASE START END FROM THROUGH ; source";
            return Err(LineError::Shape { expected });
        };
        source(note)?;
        let (start, end) = (bound(start_text)?, bound(end_text)?);
        if end <= start {
            return Err(LineError::Inverted { start: start_text.to_owned(), end: end_text.to_owned() });
        }
        let (from, through) = (limit(from_text)?, limit(through_text)?);
        if from.zip(through).is_some_and(|(from, through)| through < from) {
            return Err(LineError::Inverted { start: from_text.to_owned(), end: through_text.to_owned() });
        }
        let kinds = kinds.split(',').map(str::to_owned).collect();
        let session = session_word(session)?;
        Ok(Rule { line, venue: self.venue(venue)?, kinds, session, start, end, from, through })
    }

    fn exception(&mut self, line: usize, words: &[&str], note: &str) -> Result<(), LineError> {
        let (day, kind) = match words[..] {
            ["closed", day] => (day, None),
            ["special", day, kind] => (day, Some(kind.to_owned())),
            ["closed", ..] => return Err(LineError::Shape { expected: "closed DATE ; name ; source" }),
            _ => return Err(LineError::Shape { expected: "special DATE KIND ; name ; source" }),
        };
        let date = date(day)?;
        let (name, source) = note.split_once(';').unwrap_or((note, ""));
        let (name, source) = (name.trim().to_owned(), source.trim().to_owned());
        if name.is_empty() || source.is_empty() {
            return Err(LineError::NoNote { expected: "; name ; source" });
        }
        if is_weekend(date) {
            return Err(LineError::Weekend { date });
        }
        match self.exceptions.insert(date, Exception { name, source, kind, line }) {
            Some(first) => Err(LineError::Twice { first_line: first.line }),
            None => Ok(()),
        }
    }

    fn venue(&self, text: &str) -> Result<Venue, LineError> {
        Venue::from_word(text)
            .filter(|venue| venue.market() == self.market)
            .ok_or_else(|| LineError::Venue { text: text.to_owned() })
    }
}

fn source(note: &str) -> Result<(), LineError> {
    if note.trim().is_empty() { Err(LineError::NoNote { expected: "; source" }) } else { Ok(()) }
}

/// A phase that a line may set: the closed ones are what is left over.
fn session_word(text: &str) -> Result<Session, LineError> {
    Session::from_word(text)
        .filter(|session| {
            session.state() != MarketState::Closed || matches!(session, Session::Pause | Session::Overnight)
        })
        .ok_or_else(|| LineError::Phase { text: text.to_owned() })
}

fn date(text: &str) -> Result<TradeDate, LineError> {
    let wrong = || LineError::Date { text: text.to_owned() };
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return Err(wrong());
    }
    TradeDate::parse(&text.replace('-', "")).map_err(|_| wrong())
}

fn limit(text: &str) -> Result<Option<TradeDate>, LineError> {
    if text == "-" { Ok(None) } else { date(text).map(Some) }
}

/// `09:00`, `09:00:30`, `24:00` or `prev/20:00` as nanoseconds after the midnight that begins the session date.
fn bound(text: &str) -> Result<i64, LineError> {
    let wrong = || LineError::Time { text: text.to_owned() };
    let (shift, clock) = text.strip_prefix("prev/").map_or((0, text), |clock| (-DAY, clock));
    let mut units = [0_i64; 3];
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return Err(wrong());
    }
    for (unit, part) in units.iter_mut().zip(&parts) {
        if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        *unit = part.parse().map_err(|_| wrong())?;
    }
    let [hour, minute, second] = units;
    let since_midnight = ((hour * 60 + minute) * 60 + second) * SECOND;
    if minute > 59 || second > 59 || since_midnight > DAY {
        return Err(wrong());
    }
    Ok(shift + since_midnight)
}
