//! A day's figures → charts as SVG, each in two widths: one for a desk, one for a phone. The one room where
//! numbers become floats, since they become pixels.

#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "pixels: nothing of it goes back to data"
)]

mod canvas;
mod lanes;

use market::time::{KST, SECOND};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) use self::canvas::Chart;
use self::canvas::{
    HEIGHT, HOUR, axes, day, draw, hours, logarithm, of_logarithm, short, text_style, whole_hours,
};
use super::figures::{Figures, missing};
use super::paint::{self, Hue};
use super::words::kind;
use crate::words::grouped;

/// Instruments in a chart: more cannot be read.
const MOST_BARS: usize = 30;

/// All charts of a day that have something to show.
///
/// # Errors
/// When a chart cannot be drawn.
pub(super) fn charts(figures: &Figures) -> anyhow::Result<Vec<Chart>> {
    let mut all = Vec::new();
    all.extend(coverage(figures)?);
    all.extend(lanes::gaps(figures)?);
    all.extend(recovered(figures)?);
    all.extend(delay(figures, "trades")?);
    all.extend(delay(figures, "order_books")?);
    all.extend(completeness(figures)?);
    Ok(all)
}

/// The source and kind of each line of events.
fn series(figures: &Figures) -> Vec<(&str, &str)> {
    let mut found: Vec<_> =
        figures.report.minutes.iter().map(|one| (one.source.as_str(), one.kind.as_str())).collect();
    found.sort_by_key(|(source, kind)| (*source, std::cmp::Reverse(*kind)));
    found.dedup();
    found
}

fn coverage(figures: &Figures) -> anyhow::Result<Option<Chart>> {
    let minutes = &figures.report.minutes;
    if minutes.is_empty() {
        return Ok(None);
    }
    let day = day(figures);
    let (first, last) = ((day.start * 60.0) as i64, (day.end * 60.0) as i64);
    let most = minutes.iter().map(|one| one.events).max().unwrap_or(0) as f64;
    let mut lines = Vec::new();
    for (source, kind) in series(figures) {
        // A minute without events is a minute with none: the line goes down to it.
        let mut counts = vec![0.0; usize::try_from(last - first)?.max(1)];
        for one in minutes.iter().filter(|one| one.source == source && one.kind == kind) {
            let place = usize::try_from(one.minute + KST / (60 * SECOND) - first).ok();
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count = one.events as f64;
            }
        }
        lines.push((paint::of(source, kind), counts));
    }
    let (wide, narrow) = draw(HEIGHT, |area| {
        let mut chart = axes(area, day.clone(), logarithm(most), of_logarithm)?;
        for (hue, counts) in &lines {
            let points =
                (first..).zip(counts).map(|(minute, count)| (minute as f64 / 60.0, logarithm(*count)));
            chart.draw_series(LineSeries::new(points, hue.paint().stroke_width(2)))?;
        }
        Ok(())
    })?;
    let legend = series(figures).into_iter();
    let legend = legend.map(|(source, word)| (paint::of(source, word), format!("{source} {}", kind(word))));
    Ok(Some(Chart {
        title: "Coverage by minute".to_owned(),
        note: "Live events a minute, by when they were received, on a logarithmic scale. A line at zero in trading hours is a feed that \
               brought nothing."
            .to_owned(),
        legend: legend.collect(),
        wide,
        narrow,
    }))
}

fn recovered(figures: &Figures) -> anyhow::Result<Option<Chart>> {
    let hourly = &figures.report.recovered;
    if hourly.is_empty() {
        return Ok(None);
    }
    let day = whole_hours(figures);
    let most = hourly.iter().map(|hour| hour.volume).max().unwrap_or(0) as f64;
    let (wide, narrow) = draw(HEIGHT, |area| {
        let mut chart = axes(area, day.clone(), most, short)?;
        chart.draw_series(hourly.iter().map(|one| {
            let from = hours(one.hour * HOUR);
            let corners = [(from + 0.1, 0.0), (from + 0.9, one.volume as f64)];
            Rectangle::new(corners, Hue::Recovered.paint().filled())
        }))?;
        Ok(())
    })?;
    Ok(Some(Chart {
        title: "Recovered volume by hour".to_owned(),
        note: "Shares that were fetched from a broker afterwards, by the hour in which they were traded."
            .to_owned(),
        legend: vec![(Hue::Recovered, "recovered shares".to_owned())],
        wide,
        narrow,
    }))
}

fn delay(figures: &Figures, word: &str) -> anyhow::Result<Option<Chart>> {
    let rows: Vec<_> = figures.report.delays_by_hour.iter().filter(|one| one.kind == word).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut sources: Vec<_> = rows.iter().map(|one| one.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let most = rows.iter().map(|one| one.p99_ns).max().unwrap_or(0) as f64 / 1e6;
    let day = whole_hours(figures);
    let (wide, narrow) = draw(HEIGHT, |area| {
        let mut chart = axes(area, day.clone(), most, short)?;
        for source in &sources {
            for (hue, at) in [(paint::of(source, "order_books"), 99), (paint::of(source, "trades"), 50)] {
                let points: Vec<_> = rows
                    .iter()
                    .filter(|one| one.source == *source)
                    .map(|one| {
                        let ns = if at == 99 { one.p99_ns } else { one.median_ns };
                        (hours(one.hour * HOUR) + 0.5, ns.max(0) as f64 / 1e6)
                    })
                    .collect();
                chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, hue.paint().filled())))?;
                chart.draw_series(LineSeries::new(points, hue.paint().stroke_width(2)))?;
            }
        }
        Ok(())
    })?;
    let legend = sources.iter().flat_map(|source| {
        [
            (paint::of(source, "trades"), format!("{source} p50")),
            (paint::of(source, "order_books"), format!("{source} p99")),
        ]
    });
    Ok(Some(Chart {
        title: format!("Delay by hour, {}", kind(word)),
        note: "Milliseconds from the exchange's time to our socket. Brokers tell whole seconds: up to 1,000 ms are \
               rounding."
            .to_owned(),
        legend: legend.collect(),
        wide,
        narrow,
    }))
}

fn completeness(figures: &Figures) -> anyhow::Result<Option<Chart>> {
    let all = figures.worst_first();
    let shown: Vec<_> =
        all.iter().filter(|one| one.volume.is_some_and(|told| told > 0)).take(MOST_BARS).collect();
    if shown.is_empty() {
        return Ok(None);
    }
    let height = 8 + 24 * u32::try_from(shown.len())?;
    let (wide, narrow) = draw(height, |area| {
        let (left, right) = (104, i32::try_from(area.dim_in_pixel().0).unwrap_or(0) - 14);
        let anchor = Pos::new(HPos::Right, VPos::Center);
        let style = text_style(Hue::Ink).pos(anchor);
        for (row, one) in (0..).zip(&shown) {
            let top = 6 + 24 * row;
            area.draw(&Text::new(
                format!("{} {}", one.symbol, one.tape),
                (left - 8, top + 9),
                style.clone(),
            ))?;
            let lacks = missing(one).max(0);
            let live = one.stored_volume - one.recovered_volume;
            let whole = (one.stored_volume + one.off_hours_volume + lacks).max(1);
            let parts = [
                (live, Hue::Good),
                (one.recovered_volume, Hue::Recovered),
                (one.off_hours_volume, Hue::OffHours),
                (lacks, Hue::Bad),
            ];
            let mut sum = 0;
            for (part, hue) in parts.into_iter().filter(|(part, _)| *part > 0) {
                let x = |shares: i64| {
                    left + (f64::from(right - left) * shares as f64 / whole as f64).round() as i32
                };
                // What is missing is seen, however little it is.
                let from = if hue == Hue::Bad { x(sum).min(right - 2) } else { x(sum) };
                sum += part;
                area.draw(&Rectangle::new([(from, top), (x(sum), top + 16)], hue.paint().filled()))?;
            }
        }
        Ok(())
    })?;
    let more = all.len() - shown.len();
    let more = match i64::try_from(more)? {
        0 => String::new(),
        more => format!(" {} more are in the table, or have no total.", grouped(more)),
    };
    Ok(Some(Chart {
        title: "Completeness by symbol".to_owned(),
        note: format!("The shares of the day, instruments that lack the most first.{more}"),
        legend: vec![
            (Hue::Good, "live".to_owned()),
            (Hue::Recovered, "recovered".to_owned()),
            (Hue::OffHours, "off hours".to_owned()),
            (Hue::Bad, "missing".to_owned()),
        ],
        wide,
        narrow,
    }))
}
