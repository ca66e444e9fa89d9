//! A day's figures → charts as SVG, each in two widths: one for a desk, one for a phone. The one place where numbers become
//! floats, since they become pixels.

#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "pixels: nothing of it goes back to data"
)]

use std::ops::Range;

use anyhow::anyhow;
use market::calendar::Calendar;
use market::time::{DAY, KST, SECOND};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use store::report::DayGap;

use super::figures::{Figures, missing};
use super::paint::{self, Hue};
use super::words::kind;
use crate::words::grouped;

/// A chart with what a person must know to read it.
#[derive(Debug)]
pub(super) struct Chart {
    pub title: String,
    pub note: String,
    pub legend: Vec<(Hue, String)>,
    pub wide: String,
    pub narrow: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

const HOUR: i64 = 3_600 * SECOND;
/// Widths in pixels.
const WIDE: u32 = 960;
const NARROW: u32 = 400;
/// Height of a chart with axes, pixels.
const HEIGHT: u32 = 250;
/// Instruments and lanes in a chart: more cannot be read.
const MOST_BARS: usize = 30;
const MOST_LANES: usize = 12;
/// A gap is at least so wide, pixels: shorter ones are to be seen, too.
const LEAST_WIDTH: f64 = 3.0;

/// All charts of a day that have something to show.
///
/// # Errors
/// When a chart cannot be drawn.
pub(super) fn charts(figures: &Figures) -> anyhow::Result<Vec<Chart>> {
    let mut all = Vec::new();
    all.extend(coverage(figures)?);
    all.extend(gaps(figures)?);
    all.extend(recovered(figures)?);
    all.extend(delay(figures, "trades")?);
    all.extend(delay(figures, "order_books")?);
    all.extend(completeness(figures)?);
    Ok(all)
}

fn draw(height: u32, paint: impl Fn(&Area<'_>) -> Drawn) -> anyhow::Result<(String, String)> {
    let one = |width| {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        paint(&area).and_then(|()| area.present()).map_err(|error| anyhow!("chart: {error}"))?;
        drop(area);
        anyhow::Ok(svg)
    };
    Ok((one(WIDE)?, one(NARROW)?))
}

/// The rush at the open and the quiet noon on one scale, with nothing at zero: a feed that is away is seen in either.
fn logarithm(number: f64) -> f64 {
    (1.0 + number).log10()
}

/// The label of a whole power of ten.
fn of_logarithm(power: f64) -> String {
    match power {
        0.0 => "0".to_owned(),
        whole if (whole - whole.round()).abs() < 1e-9 => short(10_f64.powf(whole).round()),
        _ => String::new(),
    }
}

fn text_style(hue: Hue) -> TextStyle<'static> {
    let font = ("sans-serif", 15).into_font();
    TextStyle { font, color: hue.paint().to_backend_color(), pos: Pos::default() }
}

/// Hours since 1970, by the clock of Seoul.
fn hours(utc_ns: i64) -> f64 {
    (utc_ns + KST) as f64 / HOUR as f64
}

/// The hours of the day: those of the calendar, and without it those of what there is.
fn day(figures: &Figures) -> Range<f64> {
    if let Ok(Some(day)) = Calendar::built_in().day(figures.market, figures.date) {
        return hours(day.start_ns())..hours(day.end_ns());
    }
    let minutes = &figures.report.minutes;
    let first = minutes.first().map_or(0, |one| one.minute * 60 * SECOND);
    let last = minutes.last().map_or(0, |one| (one.minute + 1) * 60 * SECOND);
    hours(first)..hours(last.clamp(first + HOUR, first + DAY))
}

/// `09:30`
fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round() as i64;
    format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

/// `1.5k`, for the axis.
fn short(number: f64) -> String {
    let scaled = |divisor: f64, unit: &str| {
        let text = format!("{:.1}", number / divisor);
        format!("{}{unit}", text.trim_end_matches(".0"))
    };
    match number {
        n if n >= 1e9 => scaled(1e9, "G"),
        n if n >= 1e6 => scaled(1e6, "M"),
        n if n >= 1e3 => scaled(1e3, "k"),
        _ => scaled(1.0, ""),
    }
}

fn axes<'a, 'b>(
    area: &'a Area<'b>,
    x: Range<f64>,
    most: f64,
    label: fn(f64) -> String,
) -> Result<Axes<'a, 'b>, DrawingAreaErrorKind<std::io::Error>> {
    let wide = area.dim_in_pixel().0 >= WIDE;
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(14)
        .x_label_area_size(26)
        .y_label_area_size(46)
        .build_cartesian_2d(x, 0.0..most.max(1.0) * 1.05)?;
    let style = text_style(Hue::Muted);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Hue::Grid.paint())
        .axis_style(Hue::Grid.paint())
        .x_labels(if wide { 14 } else { 5 })
        .y_labels(5)
        .x_label_formatter(&|hours| clock(*hours))
        .y_label_formatter(&|number| label(*number))
        .label_style(style)
        .draw()?;
    Ok(chart)
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

/// Gaps of one reason and broker, drawn on one line.
struct Lane {
    name: String,
    bars: Vec<(f64, f64, bool)>,
}

fn lanes(gaps: &[DayGap], day: &Range<f64>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for gap in gaps {
        let mut name = format!("{} ({})", gap.reason.replace('_', " "), gap.source);
        let known = lanes.iter().any(|lane| lane.name == name);
        if !known && lanes.len() + 1 >= MOST_LANES {
            "others".clone_into(&mut name);
        }
        let until = gap.until_ns.map_or(day.end, hours);
        let bar = (hours(gap.from_ns).max(day.start), until.min(day.end), gap.is_open);
        if bar.0 > day.end || bar.1 < day.start {
            continue;
        }
        match lanes.iter_mut().find(|lane| lane.name == name) {
            Some(lane) => lane.bars.push(bar),
            None => lanes.push(Lane { name, bars: vec![bar] }),
        }
    }
    lanes
}

/// Bars that touch once they are as wide as the eye needs become one; open ones lie over closed ones.
fn merged(bars: &[(f64, f64, bool)], least: f64) -> Vec<(f64, f64, bool)> {
    let mut merged: Vec<(f64, f64, bool)> = Vec::new();
    for is_open in [false, true] {
        let mut some: Vec<_> = bars.iter().filter(|bar| bar.2 == is_open).copied().collect();
        some.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut last: Option<(f64, f64, bool)> = None;
        for (from, until, _) in some {
            let until = until.max(from + least);
            match &mut last {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.extend(last.replace((from, until, is_open))),
            }
        }
        merged.extend(last);
    }
    merged
}

fn gaps(figures: &Figures) -> anyhow::Result<Option<Chart>> {
    let day = day(figures);
    let lanes = lanes(&figures.report.gaps, &day);
    if lanes.is_empty() {
        return Ok(None);
    }
    let rows = lanes.len();
    let height = 44 + 40 * u32::try_from(rows)?;
    let (wide, narrow) = draw(height, |area| {
        let (width, _) = area.dim_in_pixel();
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_left(24)
            .margin_right(24)
            .x_label_area_size(26)
            .build_cartesian_2d(day.clone(), 0.0..rows as f64)?;
        let style = text_style(Hue::Muted);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Hue::Grid.paint())
            .axis_style(Hue::Grid.paint())
            .x_labels(if width >= WIDE { 14 } else { 5 })
            .x_label_formatter(&|hours| clock(*hours))
            .label_style(style)
            .draw()?;
        let least = (day.end - day.start) * LEAST_WIDTH / f64::from(width);
        for (row, lane) in lanes.iter().enumerate() {
            let floor = (rows - row - 1) as f64;
            let name = text_style(Hue::Ink);
            let text = Text::new(lane.name.clone(), (day.start, floor + 0.92), name);
            chart.draw_series([text])?;
            chart.draw_series(merged(&lane.bars, least).into_iter().map(|(from, until, is_open)| {
                let hue = if is_open { Hue::Bad } else { Hue::KisTrades };
                Rectangle::new([(from, floor + 0.08), (until, floor + 0.46)], hue.paint().filled())
            }))?;
        }
        Ok(())
    })?;
    Ok(Some(Chart {
        title: "Gaps on the day's line".to_owned(),
        note: "When something was or may be missing, by reason and broker. Short ones are drawn wider than they are."
            .to_owned(),
        legend: vec![(Hue::Bad, "open".to_owned()), (Hue::KisTrades, "closed".to_owned())],
        wide,
        narrow,
    }))
}

fn recovered(figures: &Figures) -> anyhow::Result<Option<Chart>> {
    let hourly = &figures.report.recovered;
    if hourly.is_empty() {
        return Ok(None);
    }
    let day = day(figures);
    let day = day.start.floor()..day.end.ceil();
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
    let day = day(figures);
    let day = day.start.floor()..day.end.ceil();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        assert_eq!([0.0, 950.0, 1_500.0, 2e6].map(short), ["0", "950", "1.5k", "2M"]);
        assert_eq!([0.0, 1.0, 1.5, 3.0].map(of_logarithm), ["0", "10", "", "1k"]);
        assert_eq!([9.0, 33.5].map(clock), ["09:00", "09:30"]);
    }

    #[test]
    fn bars_that_touch_are_one_and_open_ones_are_apart() {
        let bars = [(5.0, 5.1, true), (1.0, 1.0, false), (1.05, 1.06, false), (3.0, 4.0, false)];
        let expected = [(1.0, 1.15, false), (3.0, 4.0, false), (5.0, 5.1, true)];
        let found = merged(&bars, 0.1);
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found.0 - expected.0).abs() < 1e-9 && (found.1 - expected.1).abs() < 1e-9);
            assert_eq!(found.2, expected.2);
        }
    }
}
