//! Table `[simulator.day]` turns into the settings of a whole synthetic day, or into none: without a date there is none.

use std::path::PathBuf;

use process::ConfigError;
use serde::Deserialize;

/// The most symbols and trades of a day: what fits into some hundred megabytes of memory.
const MOST_SYMBOLS: usize = 9_000;
const MOST_TRADES: usize = 20_000_000;
/// Rates of loss are told in rows of so many.
const MILLION: u64 = 1_000_000;

/// Table `[simulator.day]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDay {
    date: String,
    today: String,
    before: String,
    kind: String,
    symbols: usize,
    trades: usize,
    us_symbols: usize,
    us_trades: usize,
    nxt_percent: u64,
    kis_percent: u64,
    both_percent: u64,
    loss: u64,
    connections: usize,
    cuts: usize,
    cut_minutes: u32,
    late_minutes: u32,
    rest_lacks: u64,
    adjusted: String,
    journals: PathBuf,
}

impl Default for RawDay {
    fn default() -> Self {
        Self {
            date: String::new(),
            today: String::new(),
            before: String::new(),
            kind: String::new(),
            symbols: 50,
            trades: 20_000,
            us_symbols: 0,
            us_trades: 0,
            nxt_percent: 40,
            kis_percent: 50,
            both_percent: 10,
            loss: 0,
            connections: 4,
            cuts: 0,
            cut_minutes: 10,
            late_minutes: 0,
            rest_lacks: 0,
            adjusted: "asked".to_owned(),
            journals: PathBuf::new(),
        }
    }
}

/// Which hours a date keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayKind {
    /// As on most days.
    Normal,
    /// The first trading day of a year: it opens an hour later and closes as always.
    FirstDay,
    /// The day of the university entrance exam: an hour later, the evening ends as always.
    Csat,
}

/// When prices of the tick and minute charts are adjusted for a corporate action (here: halved).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjusted {
    /// Never.
    Never,
    /// When `upd_stkpc_tp` is 1.
    Asked,
    /// Whatever is asked: a source that must not be believed.
    Always,
}

/// A whole synthetic day; every value is checked.
#[derive(Debug, Clone)]
pub struct DaySettings {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Its trade date, YYYYMMDD.
    pub date: u32,
    /// The trade date that the REST side takes for today: `date`, or a later one whose yesterday it is.
    pub today: u32,
    /// The trade date before it, of which the REST side has some rows too.
    pub before: u32,
    /// Its hours.
    pub kind: DayKind,
    /// Korean symbols.
    pub symbols: usize,
    /// Trades of all Korean symbols on krx and nxt together.
    pub trades: usize,
    /// US symbols.
    pub us_symbols: usize,
    /// Trades of all US symbols.
    pub us_trades: usize,
    /// So many of 100 Korean symbols trade on nxt as well, about.
    pub nxt_percent: u64,
    /// So many of 100 Korean symbols are carried by KIS, the others by Kiwoom, about.
    pub kis_percent: u64,
    /// So many of 100 Korean symbols are carried by both, about.
    pub both_percent: u64,
    /// So many of a million trades are lost at random, at each broker that carries them.
    pub loss: u64,
    /// Connections of each broker.
    pub connections: usize,
    /// So often a connection is cut.
    pub cuts: usize,
    /// For so long.
    pub cut_minutes: u32,
    /// One connection begins so many minutes after the open; 0 = all begin before the first session.
    pub late_minutes: u32,
    /// So many of a million rows do not exist at the REST sides.
    pub rest_lacks: u64,
    /// When chart prices are adjusted.
    pub adjusted: Adjusted,
    /// Where journals and the universe are written; none = only REST is served.
    pub journals: Option<PathBuf>,
}

/// The days whose hours differ, of 2024 to 2027 (calendar of KRX).
const FIRST_DAYS: [u32; 4] = [20_240_102, 20_250_102, 20_260_102, 20_270_104];
const CSAT_DAYS: [u32; 4] = [20_241_114, 20_251_113, 20_261_119, 20_271_118];

/// Checks the table; none without a date.
///
/// # Errors
/// With the key whose value cannot be meant.
pub(super) fn settings(raw: RawDay, seed: u64) -> Result<Option<DaySettings>, ConfigError> {
    if raw.date.is_empty() {
        return Ok(None);
    }
    let date = date("simulator.day.date", &raw.date)?;
    let given =
        |key, text: &str, otherwise| if text.is_empty() { Ok(otherwise) } else { self::date(key, text) };
    let before = given("simulator.day.before", &raw.before, weekday_before(date))?;
    let today = given("simulator.day.today", &raw.today, date)?;
    if before >= date || today < date {
        let problem = "must be given as before < date <= today";
        return Err(ConfigError::invalid("simulator.day.date", problem));
    }
    let most = [
        ("symbols", (raw.symbols + raw.us_symbols) as u64, MOST_SYMBOLS as u64),
        ("trades", (raw.trades + raw.us_trades) as u64, MOST_TRADES as u64),
        ("nxt_percent", raw.nxt_percent, 100),
        ("kis_percent", raw.kis_percent, 100),
        ("both_percent", raw.both_percent, 100),
        ("loss", raw.loss, MILLION),
        ("rest_lacks", raw.rest_lacks, MILLION),
        ("connections", raw.connections as u64, 100),
        ("cuts", raw.cuts as u64, 100),
        ("cut_minutes", raw.cut_minutes.into(), 300),
        ("late_minutes", raw.late_minutes.into(), 300),
    ];
    if let Some((key, _, most)) = most.into_iter().find(|(_, value, most)| value > most) {
        return Err(ConfigError::invalid(format!("simulator.day.{key}"), format!("is at most {most}")));
    }
    if raw.symbols == 0 || raw.connections == 0 {
        return Err(ConfigError::invalid("simulator.day.symbols", "and connections must be 1 or more"));
    }
    Ok(Some(DaySettings {
        seed,
        date,
        today,
        before,
        kind: kind(&raw.kind, date)?,
        symbols: raw.symbols,
        trades: raw.trades,
        us_symbols: raw.us_symbols,
        us_trades: raw.us_trades,
        nxt_percent: raw.nxt_percent,
        kis_percent: raw.kis_percent,
        both_percent: raw.both_percent,
        loss: raw.loss,
        connections: raw.connections,
        cuts: raw.cuts,
        cut_minutes: raw.cut_minutes,
        late_minutes: raw.late_minutes,
        rest_lacks: raw.rest_lacks,
        adjusted: adjusted(&raw.adjusted)?,
        journals: Some(raw.journals).filter(|path| !path.as_os_str().is_empty()),
    }))
}

fn kind(text: &str, date: u32) -> Result<DayKind, ConfigError> {
    match text {
        "" if FIRST_DAYS.contains(&date) => Ok(DayKind::FirstDay),
        "" if CSAT_DAYS.contains(&date) => Ok(DayKind::Csat),
        "" | "normal" => Ok(DayKind::Normal),
        "first_day" => Ok(DayKind::FirstDay),
        "csat" => Ok(DayKind::Csat),
        _ => Err(ConfigError::invalid("simulator.day.kind", "must be normal, first_day or csat")),
    }
}

fn adjusted(text: &str) -> Result<Adjusted, ConfigError> {
    match text {
        "never" => Ok(Adjusted::Never),
        "asked" => Ok(Adjusted::Asked),
        "always" => Ok(Adjusted::Always),
        _ => Err(ConfigError::invalid("simulator.day.adjusted", "must be never, asked or always")),
    }
}

/// A date of this century, YYYYMMDD.
fn date(key: &str, text: &str) -> Result<u32, ConfigError> {
    let wrong = || ConfigError::invalid(key, format!("`{text}`: write a date as 20261125"));
    let number = text.parse::<u32>().ok().filter(|_| text.len() == 8).ok_or_else(wrong)?;
    civil(number).map(|_| number).ok_or_else(wrong)
}

/// YYYYMMDD as a date of the calendar.
#[must_use]
pub fn civil(date: u32) -> Option<jiff::civil::Date> {
    let part = |number: u32| i8::try_from(number).ok();
    let year = i16::try_from(date / 10_000).ok()?;
    jiff::civil::Date::new(year, part(date / 100 % 100)?, part(date % 100)?).ok()
}

/// The Monday to Friday before a date: holidays are not known here.
fn weekday_before(date: u32) -> u32 {
    let mut day = civil(date);
    loop {
        day = day.and_then(|day| day.yesterday().ok());
        let Some(found) = day else { return date.saturating_sub(1) };
        if found.weekday().to_monday_zero_offset() < 5 {
            let parts =
                (found.year().unsigned_abs(), found.month().unsigned_abs(), found.day().unsigned_abs());
            return u32::from(parts.0) * 10_000 + u32::from(parts.1) * 100 + u32::from(parts.2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(date: &str) -> DaySettings {
        let raw = RawDay { date: date.to_owned(), ..RawDay::default() };
        settings(raw, 1).expect("settings").expect("a day")
    }

    #[test]
    fn the_date_tells_its_hours_and_the_day_before() {
        assert!(settings(RawDay::default(), 1).expect("settings").is_none());
        let monday = read("20261123");
        assert_eq!((monday.kind, monday.before, monday.today), (DayKind::Normal, 20_261_120, 20_261_123));
        assert_eq!((read("20261119").kind, read("20260102").kind), (DayKind::Csat, DayKind::FirstDay));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let error = |raw| settings(raw, 1).expect_err("refused").to_string();
        let day = |date: &str| RawDay { date: date.to_owned(), ..RawDay::default() };
        assert!(error(day("20261131")).contains("simulator.day.date"));
        let today = "20261124".to_owned();
        assert!(error(RawDay { today, ..day("20261125") }).contains("before < date <= today"));
        assert!(error(RawDay { loss: 1_000_001, ..day("20261125") }).contains("simulator.day.loss"));
    }
}
