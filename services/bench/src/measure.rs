//! One figure of a benchmark, as a line of JSON, and how figures are won: a warm-up, alternating rounds, medians.

use std::fmt;
use std::sync::OnceLock;
use std::time::Instant;

use process::shutdown::Shutdown;
use serde::Serialize;

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Measure {
    /// The benchmark, as `scripts/bench` is told: `parse`.
    pub bench: &'static str,
    /// What of it: `kis_trade`.
    pub name: String,
    /// The figure itself.
    pub value: f64,
    /// Of the figure: `ns/record`, `events/s`.
    pub unit: &'static str,
    /// The figure by that of `beside`, of the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// What the ratio is to: `bare split, 120 ns/record`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// What the ratio, or without one the value, must keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// A bar: `{"at_most":4.0}` or `{"at_least":0.9}`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

impl Measure {
    /// A figure that stands alone.
    pub fn alone(bench: &'static str, name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { bench, name: name.into(), value, unit, ratio: None, beside: None, limit: None }
    }

    /// With its ratio to another figure of the same unit.
    #[must_use]
    pub fn beside(mut self, what: &str, other: f64) -> Self {
        self.ratio = Some(self.value / other);
        self.beside = Some(format!("{what}, {other:.0} {}", self.unit));
        self
    }

    /// With what it must keep to.
    #[must_use]
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The middle one; of an even count the upper of the two.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Two figures that are won in turns, so that a slower moment hits both: their medians over `rounds`. One more round, the
/// first, warms up and is thrown away.
///
/// # Errors
/// Those of the two.
pub fn in_turns(
    rounds: usize,
    mut ours: impl FnMut() -> anyhow::Result<f64>,
    mut other: impl FnMut() -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let _warm = (ours()?, other()?);
    let (mut of_ours, mut of_other) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for _ in 0..rounds {
        of_ours.push(ours()?);
        of_other.push(other()?);
    }
    Ok((median(of_ours), median(of_other)))
}

/// Counts from now on as a service does, its figures at a free address: what counting costs is part of the work. Must run
/// inside the runtime.
///
/// # Errors
/// When the address cannot be meant.
pub fn count_as_a_service() -> anyhow::Result<()> {
    static COUNTS: OnceLock<()> = OnceLock::new();
    if COUNTS.set(()).is_ok() {
        process::metrics::start("bench", ([127, 0, 0, 1], 0).into(), Shutdown::new())?;
    }
    Ok(())
}

/// `count` a second since `since`.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
pub fn rate(count: u64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// Nanoseconds of each of `count` since `since`.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2⁵³")]
pub fn nanoseconds_each(count: u64, since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e9 / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_no_mean_and_the_warm_up_does_not_count() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]).to_string(), "2");
        let (mut ours, mut other) = (vec![3.0, 1.0, 2.0, 900.0].into_iter().rev(), 0.0);
        let next = || ours.next().ok_or_else(|| anyhow::anyhow!("too often"));
        let count = || {
            other += 10.0;
            Ok(other)
        };
        let figures = in_turns(3, next, count).map(|figures| format!("{figures:?}"));
        assert_eq!(figures.ok().as_deref(), Some("(2.0, 30.0)"));
    }

    #[test]
    fn a_line_holds_the_ratio_and_the_bar() {
        let measure = Measure::alone("parse", "kis_trade", 300.0, "ns/record");
        let line = measure.beside("bare split", 120.0).limit(Limit::AtMost(4.0)).to_string();
        assert_eq!(
            line,
            r#"{"bench":"parse","name":"kis_trade","value":300.0,"unit":"ns/record","ratio":2.5,"beside":"bare split, 120 ns/record","limit":{"at_most":4.0}}"#
        );
    }
}
