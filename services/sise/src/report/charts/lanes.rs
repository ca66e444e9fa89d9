//! The chart of gaps: a lane for each reason and broker, a bar for each gap.

use std::ops::Range;

use plotters::prelude::*;
use store::report::DayGap;

use super::canvas::{Chart, day, draw, grid, hours, text_style};
use crate::report::figures::Figures;
use crate::report::paint::Hue;

/// Lanes in the chart: more cannot be read.
const MOST_LANES: usize = 12;
/// A gap is at least so wide, pixels: shorter ones are to be seen, too.
const LEAST_WIDTH: f64 = 3.0;

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

pub(super) fn gaps(figures: &Figures) -> anyhow::Result<Option<Chart>> {
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
        let mut mesh = chart.configure_mesh();
        grid(&mut mesh, area);
        mesh.disable_y_mesh().draw()?;
        drop(mesh);
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

#[cfg(test)]
mod tests {
    use super::*;

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
