//! The paper that charts are drawn on: two widths, the hours of the day across, labels for people.

use std::ops::Range;

use anyhow::anyhow;
use market::calendar::Calendar;
use market::time::{DAY, KST, SECOND};
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::Pos;

use crate::report::figures::Figures;
use crate::report::paint::Hue;

/// A chart with what a person must know to read it.
#[derive(Debug)]
pub(in crate::report) struct Chart {
    pub title: String,
    pub note: String,
    pub legend: Vec<(Hue, String)>,
    pub wide: String,
    pub narrow: String,
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Axes<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(super) type Mesh<'a, 'm, 'b> = MeshStyle<'a, 'm, RangedCoordf64, RangedCoordf64, SVGBackend<'b>>;

pub(super) const HOUR: i64 = 3_600 * SECOND;
/// Widths in pixels.
const WIDE: u32 = 960;
const NARROW: u32 = 400;
/// Height of a chart with axes, pixels.
pub(super) const HEIGHT: u32 = 250;

/// A picture in both widths, as SVG.
pub(super) fn draw(height: u32, paint: impl Fn(&Area<'_>) -> Drawn) -> anyhow::Result<(String, String)> {
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
pub(super) fn logarithm(number: f64) -> f64 {
    (1.0 + number).log10()
}

/// The label of a whole power of ten.
pub(super) fn of_logarithm(power: f64) -> String {
    match power {
        0.0 => "0".to_owned(),
        whole if (whole - whole.round()).abs() < 1e-9 => short(10_f64.powf(whole).round()),
        _ => String::new(),
    }
}

pub(super) fn text_style(hue: Hue) -> TextStyle<'static> {
    let font = ("sans-serif", 15).into_font();
    TextStyle { font, color: hue.paint().to_backend_color(), pos: Pos::default() }
}

/// Hours since 1970, by the clock of Seoul.
pub(super) fn hours(utc_ns: i64) -> f64 {
    (utc_ns + KST) as f64 / HOUR as f64
}

/// The hours of the day: those of the calendar, and without it those of what there is.
pub(super) fn day(figures: &Figures) -> Range<f64> {
    if let Ok(Some(day)) = Calendar::built_in().day(figures.market, figures.date) {
        return hours(day.start_ns())..hours(day.end_ns());
    }
    let minutes = &figures.report.minutes;
    let first = minutes.first().map_or(0, |one| one.minute * 60 * SECOND);
    let last = minutes.last().map_or(0, |one| (one.minute + 1) * 60 * SECOND);
    hours(first)..hours(last.clamp(first + HOUR, first + DAY))
}

/// The hours of the day, begun ones whole.
pub(super) fn whole_hours(figures: &Figures) -> Range<f64> {
    let day = day(figures);
    day.start.floor()..day.end.ceil()
}

/// `09:30`
fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round() as i64;
    format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
}

/// `1.5k`, for the axis.
pub(super) fn short(number: f64) -> String {
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

/// Lines and labels that all charts have alike: the clock across, as often as there is room.
pub(super) fn grid(mesh: &mut Mesh<'_, '_, '_>, area: &Area<'_>) {
    let is_wide = area.dim_in_pixel().0 >= WIDE;
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(Hue::Grid.paint())
        .axis_style(Hue::Grid.paint())
        .x_labels(if is_wide { 14 } else { 5 })
        .x_label_formatter(&|hours| clock(*hours))
        .label_style(text_style(Hue::Muted));
}

/// Hours across, and up to `most` upwards with labels of its own.
pub(super) fn axes<'a, 'b>(
    area: &'a Area<'b>,
    x: Range<f64>,
    most: f64,
    label: fn(f64) -> String,
) -> Result<Axes<'a, 'b>, DrawingAreaErrorKind<std::io::Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(14)
        .x_label_area_size(26)
        .y_label_area_size(46)
        .build_cartesian_2d(x, 0.0..most.max(1.0) * 1.05)?;
    let label = |number: &f64| label(*number);
    let mut mesh = chart.configure_mesh();
    grid(&mut mesh, area);
    mesh.disable_x_mesh().y_labels(5).y_label_formatter(&label).draw()?;
    drop(mesh);
    Ok(chart)
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
}
