//! RMS and largest error of every scenario, one below the other, on one logarithmic axis.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use timeball_sim::matrix::{Figures, Runs, median};

use super::Matrix;
use crate::display::units;

const WIDTH: u32 = 1000;
const ROW: u32 = 16;
const MARGINS: u32 = 90;
const NAMES: u32 = 230;
const RMS: RGBColor = RGBColor(31, 94, 168);
const EARLIER: RGBColor = RGBColor(150, 150, 150);
const BOUND: RGBColor = RGBColor(200, 60, 40);

/// The picture as SVG.
pub(super) fn svg(
    matrix: &Matrix,
    baseline: Option<&Matrix>,
) -> Result<String, Box<dyn std::error::Error>> {
    let rows = u32::try_from(matrix.len())?;
    let mut svg = String::new();
    let canvas =
        SVGBackend::with_string(&mut svg, (WIDTH, MARGINS + ROW * rows)).into_drawing_area();
    canvas.fill(&WHITE)?;
    draw(&canvas, matrix, baseline)?;
    canvas.present()?;
    drop(canvas);
    Ok(svg)
}

fn draw<'a, DB: DrawingBackend + 'a>(
    canvas: &DrawingArea<DB, plotters::coord::Shift>,
    matrix: &Matrix,
    baseline: Option<&Matrix>,
) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
    let (least, most) = reach(matrix);
    // The first scenario stands at the top.
    let places =
        matrix.iter().rev().enumerate().map(|(row, (name, runs))| (row as f64, name, runs));
    let places: Vec<(f64, &String, &Runs)> = places.collect();
    let mut chart = ChartBuilder::on(canvas)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(NAMES)
        .build_cartesian_2d((least..most).log_scale(), -1.0..places.len() as f64)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(WHITE)
        .x_label_formatter(&|error| units::seconds(*error))
        .x_desc("error of the clock, and the bound that it claimed; medians over the seeds")
        .draw()?;
    let font = ("sans-serif", 13).into_font().color(&BLACK);
    let font = font.pos(Pos::new(HPos::Right, VPos::Center));
    for (row, name, _) in &places {
        let (x, y) = chart.backend_coord(&(least, *row));
        canvas.draw(&Text::new(name.as_str(), (x - 8, y), font.clone()))?;
    }
    let middle = |figure: fn(&Figures) -> f64| {
        let points = places
            .iter()
            .filter_map(move |(row, _, runs)| Some((median(runs.values().map(figure))?, *row)));
        points.collect::<Vec<_>>()
    };
    let (rms, max, bound) = (middle(|run| run.rms), middle(|run| run.max), middle(|run| run.bound));
    let spans = rms.iter().zip(&max).map(|(from, to)| PathElement::new([*from, *to], RMS.mix(0.6)));
    chart.draw_series(spans)?;
    chart
        .draw_series(rms.iter().map(|point| Circle::new(*point, 4, RMS.filled())))?
        .label("rms error; the line ends at the largest")
        .legend(|(x, y)| Circle::new((x + 8, y), 4, RMS.filled()));
    chart
        .draw_series(bound.iter().map(|point| Cross::new(*point, 3, BOUND)))?
        .label("claimed bound")
        .legend(|(x, y)| Cross::new((x + 8, y), 3, BOUND));
    if let Some(baseline) = baseline {
        let earlier = places.iter().filter_map(|(row, name, _)| {
            Some((median(baseline.get(*name)?.values().map(|run| run.rms))?, *row))
        });
        chart
            .draw_series(earlier.map(|point| Circle::new(point, 4, EARLIER)))?
            .label("rms error of the baseline")
            .legend(|(x, y)| Circle::new((x + 8, y), 4, EARLIER));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
}

/// The range of the axis: whole powers of ten around all that is shown.
fn reach(matrix: &Matrix) -> (f64, f64) {
    let all = || matrix.values().flat_map(|runs| runs.values());
    let shown = all().flat_map(|run| [run.rms, run.max, run.bound]);
    let shown = shown.filter(|value| value.is_finite() && *value > 0.0);
    let (least, most) = shown
        .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    if least > most {
        return (1e-6, 1.0);
    }
    (10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil()))
}
