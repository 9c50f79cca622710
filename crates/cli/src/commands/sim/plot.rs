//! Clock error and reported bound over time, one picture per node, one below the other.

use plotters::prelude::*;
use timeball_sim::Outcome;
use timeball_sim::outcome::{NodeOutcome, Point};

use crate::display::units;

const WIDTH: u32 = 1100;
const HEIGHT_PER_NODE: u32 = 360;
const ERROR: RGBColor = RGBColor(31, 94, 168);
const BOUND: RGBColor = RGBColor(200, 60, 40);

/// The picture as SVG.
pub(super) fn svg(run: &Outcome) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    let height = HEIGHT_PER_NODE * u32::try_from(run.nodes.len().max(1))?;
    let canvas = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let panels = canvas.split_evenly((run.nodes.len().max(1), 1));
    for (panel, node) in panels.iter().zip(&run.nodes) {
        draw(panel, run, node)?;
    }
    canvas.present()?;
    drop((panels, canvas));
    Ok(svg)
}

fn draw<'a, DB: DrawingBackend + 'a>(
    panel: &DrawingArea<DB, plotters::coord::Shift>,
    run: &Outcome,
    node: &NodeOutcome,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let reach = reach(&node.series, run.settled_after);
    let scale = TimeScale::of(run.duration);
    let at = |seconds: f64| seconds / scale.worth;
    let mut chart = ChartBuilder::on(panel)
        .caption(format!("{}: {}, seed {}", run.title, node.name, run.seed), ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..run.duration / scale.worth, -reach..reach)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .y_label_formatter(&|error| units::offset(*error))
        .x_desc(format!("true time since the start, {}", scale.name))
        .y_desc("system clock minus true time")
        .draw()?;

    let cut = |value: f64| value.clamp(-reach, reach);
    // There and back again: the range of the error in each stretch of time.
    let there = node.series.iter().map(|point| (at(point.at), cut(point.greatest)));
    let back = node.series.iter().rev().map(|point| (at(point.at), cut(point.least)));
    let outline: Vec<(f64, f64)> = there.chain(back).collect();
    chart
        .draw_series([
            Polygon::new(outline.clone(), ERROR.mix(0.5).filled()).into_dyn(),
            PathElement::new(outline, ERROR).into_dyn(),
        ])?
        .label("error")
        .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 16, y + 4)], ERROR.mix(0.5).filled()));
    for side in [1.0, -1.0] {
        for stretch in claimed(&node.series) {
            let line = stretch.iter().map(|(when, bound)| (at(*when), cut(side * bound)));
            let drawn = chart.draw_series(LineSeries::new(line, &BOUND))?;
            if side > 0.0
                && stretch.first() == claimed(&node.series).first().and_then(|s| s.first())
            {
                drawn
                    .label("reported bound")
                    .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BOUND));
            }
        }
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
}

/// The unit of the time axis.
struct TimeScale {
    /// Seconds.
    worth: f64,
    name: &'static str,
}

impl TimeScale {
    fn of(duration: f64) -> Self {
        let (worth, name) = match duration {
            ..300.0 => (1.0, "seconds"),
            ..10_800.0 => (60.0, "minutes"),
            ..345_600.0 => (3600.0, "hours"),
            _ => (86_400.0, "days"),
        };
        Self { worth, name }
    }
}

/// The stretches of time in which a bound was claimed.
fn claimed(series: &[Point]) -> Vec<Vec<(f64, f64)>> {
    let stretches = series.split(|point| point.bound.is_none());
    stretches
        .map(|stretch| {
            stretch.iter().filter_map(|point| Some((point.at, point.bound?))).collect::<Vec<_>>()
        })
        .filter(|stretch| !stretch.is_empty())
        .collect()
}

/// How far up and down the picture goes: all that happened once the clock had settled.
fn reach(series: &[Point], settled_after: f64) -> f64 {
    let settled: Vec<&Point> = series.iter().filter(|point| point.at >= settled_after).collect();
    let error = settled.iter().map(|point| point.greatest.abs().max(point.least.abs()));
    let mut bounds: Vec<f64> = settled.iter().filter_map(|point| point.bound).collect();
    bounds.sort_by(f64::total_cmp);
    // Nine bounds in ten; the rest would squeeze the picture.
    let bound = bounds.get(bounds.len() * 9 / 10).copied().unwrap_or(0.0);
    let reach = error.fold(bound, f64::max) * 1.15;
    if reach > 0.0 { reach } else { 1e-6 }
}
