//! The settings as each service understands them: would it start, with which keys; does everything fit; how long does the
//! calendar reach.

use std::path::PathBuf;

use cell::{RawBroker, RawCell, Service, ServiceSettings};
use market::calendar::{Calendar, trade_date};
use market::{Market, Source};
use process::ConfigError;
use process::config::Sources;
use serde::Deserialize;

use super::check::{Check, Level};
use crate::look::SERVICES;

/// Names of what has no place that are printed.
const NAMED: usize = 10;
/// The calendar is to be renewed when it reaches less far, days.
const CALENDAR_DAYS: i32 = 60;

#[derive(Default, Deserialize)]
#[serde(default)]
struct KisCell {
    kis: RawBroker,
    #[serde(flatten)]
    cell: RawCell,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KiwoomCell {
    kiwoom: RawBroker,
    #[serde(flatten)]
    cell: RawCell,
}

/// The services that would start.
pub(super) struct Services {
    pub all: Vec<(Service, ServiceSettings)>,
}

impl Services {
    /// Reads the settings of each service, with what is wrong.
    pub(super) fn read(config: &[PathBuf], checks: &mut Vec<Check>) -> Self {
        let mut all = Vec::new();
        let mut keyless = Vec::new();
        for service in SERVICES {
            match read(service, config) {
                Ok(settings) => {
                    let names: Vec<_> = settings.broker.keys.iter().map(|key| key.name.as_str()).collect();
                    let detail = format!("{} keys: {}", names.len(), names.join(", "));
                    checks.push(Check::ok(format!("settings of {}", service.name), detail));
                    all.push((service, settings));
                }
                // A broker without a key is a choice, unless no broker has one.
                Err(error @ ConfigError::Missing(_)) => keyless.push((service, error.to_string())),
                Err(error) => {
                    let what = format!("settings of {}", service.name);
                    checks.push(Check::fail(
                        what,
                        error.to_string(),
                        "the service does not start: mend this setting",
                    ));
                }
            }
        }
        let nobody = all.is_empty();
        for (service, problem) in keyless {
            let what = format!("settings of {}", service.name);
            let advice = "the service does not start; one broker alone is enough";
            let check = Check::warn(what, problem, advice);
            checks.push(if nobody { Check { level: Level::Fail, ..check } } else { check });
        }
        Self { all }
    }
}

fn read(service: Service, config: &[PathBuf]) -> Result<ServiceSettings, ConfigError> {
    let sources = Sources::new(service.name, config);
    match service.source {
        Source::Kis => {
            let raw: KisCell = sources.load()?;
            service.settings(raw.kis, raw.cell, broker::kis::feed::defaults())
        }
        Source::Kiwoom => {
            let raw: KiwoomCell = sources.load()?;
            service.settings(raw.kiwoom, raw.cell, broker::kiwoom::feed::defaults())
        }
    }
}

/// The registration limits against the universe.
pub(super) fn room(config: &[PathBuf]) -> Vec<Check> {
    let (full, uncovered) = match crate::symbols::room(config) {
        Ok(room) => room,
        Err(error) => return vec![Check::fail("symbols", format!("{error:#}"), "mend the symbols file")],
    };
    if uncovered.is_empty() {
        let detail =
            if full.is_empty() { "nothing is wanted of anybody".to_owned() } else { full.join("; ") };
        return vec![Check::ok("registrations", detail)];
    }
    let names = uncovered.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let detail = format!("{} have no place: {names}; {}", uncovered.len(), full.join("; "));
    vec![Check::warn("registrations", detail, "add a key, or take symbols away: `sise symbols check`")]
}

/// How far the calendar reaches.
pub(super) fn calendar(now_ns: i64) -> Vec<Check> {
    let check = |market: &Market| {
        let through = Calendar::built_in().covered_through(*market);
        let left = through.days_since_epoch() - trade_date(*market, now_ns).days_since_epoch();
        let (what, detail) = (format!("calendar {market}"), format!("through {through}, {left} days"));
        let advice = "update sise: outside the calendar no service knows when the market is open";
        match left {
            i32::MIN..=0 => Check::fail(what, detail, advice),
            1..=CALENDAR_DAYS => Check::warn(what, detail, advice),
            _ => Check::ok(what, detail),
        }
    };
    Market::ALL.iter().map(check).collect()
}
