//! An outcome as a picture: each node's clock error and the bound it claimed, over time, on a
//! logarithmic scale. The bound's line must stay above the error's.

use std::fmt::Write;

use crate::outcome::{NodeOutcome, Outcome, Point};
use crate::table::{duration, time};

const WIDTH: f64 = 960.0;
const PANEL: f64 = 260.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
const GAP: f64 = 56.0;
/// Errors below this (s) are drawn as this.
const LEAST: f64 = 1e-9;

/// The outcome as an SVG document.
pub fn plot(outcome: &Outcome) -> String {
    let height = TOP + outcome.nodes.len() as f64 * (PANEL + GAP);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>",
        escape(&outcome.title)
    );
    for (index, node) in outcome.nodes.iter().enumerate() {
        let panel = Panel::new(node, outcome.duration, TOP + index as f64 * (PANEL + GAP));
        panel.draw(node, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a node's lines are drawn, and on which scale.
struct Panel {
    top: f64,
    duration: f64,
    /// Decades of the vertical scale: the lowest and the highest.
    decades: (i32, i32),
}

impl Panel {
    fn new(node: &NodeOutcome, duration: f64, top: f64) -> Self {
        let values = || node.series.iter().flat_map(|point| [Some(size(point)), point.bound]);
        let decade = |value: f64| value.max(LEAST).log10();
        let of_all = values().flatten().filter(|value| value.is_finite()).map(decade);
        let (low, high) = of_all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let decades = if low <= high {
            (low.floor() as i32, (high.floor() as i32).saturating_add(1))
        } else {
            (-6, 0)
        };
        Self { top, duration, decades }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + at / self.duration * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.decades.0), f64::from(self.decades.1));
        self.top + PANEL * (high - value.max(LEAST).log10().clamp(low, high)) / (high - low)
    }

    fn draw(&self, node: &NodeOutcome, svg: &mut String) {
        self.draw_axes(svg);
        let error = node.series.iter().map(|point| Some((point.at, size(point))));
        let bound = node.series.iter().map(|point| Some((point.at, point.bound?)));
        self.draw_line(bound, "#d95f02", svg);
        self.draw_line(error, "#1b6ca8", svg);
        let y = self.top - 6.0;
        let name = escape(&node.name);
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{y}\">{name}: \
             <tspan fill=\"#1b6ca8\">clock error</tspan>, \
             <tspan fill=\"#d95f02\">claimed bound</tspan></text>"
        );
    }

    fn draw_axes(&self, svg: &mut String) {
        let right = WIDTH - RIGHT;
        let bottom = self.top + PANEL;
        for decade in self.decades.0..=self.decades.1 {
            let value = 10_f64.powi(decade);
            let (y, label) = (self.y(value), time(value));
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        for tenth in (0..=10).step_by(2) {
            let at = self.duration * f64::from(tenth) / 10.0;
            let (x, label) = (self.x(at), duration(at));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {}V{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                self.top,
                bottom + 16.0
            );
        }
    }

    /// A line that breaks where there is no point.
    fn draw_line(
        &self,
        points: impl Iterator<Item = Option<(f64, f64)>>,
        colour: &str,
        svg: &mut String,
    ) {
        let mut path = String::new();
        let mut command = 'M';
        for point in points {
            match point.filter(|(_, value)| value.is_finite()) {
                Some((at, value)) => {
                    let _ = write!(path, "{command}{:.1} {:.1}", self.x(at), self.y(value));
                    command = 'L';
                }
                None => command = 'M',
            }
        }
        let _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\"/>");
    }
}

/// The largest error in a stretch of time, without its sign.
fn size(point: &Point) -> f64 {
    point.least.abs().max(point.greatest.abs())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        Panel { top: 100.0, duration: 1000.0, decades: (-6, 0) }
    }

    #[test]
    fn scales_are_where_they_should_be() {
        let panel = panel();
        assert_eq!((panel.x(0.0), panel.x(1000.0)), (LEFT, WIDTH - RIGHT));
        assert!((panel.y(1.0) - 100.0).abs() < 1e-9);
        assert!((panel.y(1e-3) - (100.0 + PANEL / 2.0)).abs() < 1e-9);
        assert!((panel.y(0.0) - (100.0 + PANEL)).abs() < 1e-9);
    }

    #[test]
    fn lines_break_where_nothing_is_claimed() {
        let mut svg = String::new();
        let points = [Some((0.0, 1.0)), Some((500.0, 1.0)), None, Some((1000.0, 1.0))];
        panel().draw_line(points.into_iter(), "red", &mut svg);
        let path = "M80.0 100.0L510.0 100.0M940.0 100.0";
        assert!(svg.contains(path), "{svg}");
    }

    #[test]
    fn titles_cannot_break_the_document() {
        assert_eq!(escape("a < b & c"), "a &lt; b &amp; c");
    }
}
