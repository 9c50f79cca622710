//! Correction of the frequency by the temperature, which a sensor's file tells.

use std::fs;
use std::io;
use std::path::Path;

use timeball_config::{Compensation, Temperature};
use timeball_core::Input;
use timeball_wire::{Instant, Span};

use crate::error::Error;
use crate::event_loop::EventLoop;

/// A larger compensation (ppm) is a broken sensor.
const MOST_PPM: f64 = 10.0;

/// The sensor and what follows from it.
#[derive(Debug)]
pub(crate) struct Thermometer {
    settings: Temperature,
    curve: Curve,
    due: Instant,
}

/// By how much (ppm) the clock has to run faster, by temperature.
#[derive(Debug, PartialEq)]
enum Curve {
    Quadratic {
        t0: f64,
        k0: f64,
        k1: f64,
        k2: f64,
    },
    /// By temperature, two at least.
    Points(Vec<(f64, f64)>),
}

impl Thermometer {
    /// The sensor that the configuration names, read from `now` on. A file of points that cannot be
    /// used is an error in the log, and there is no compensation.
    pub(crate) fn new(settings: Option<&Temperature>, now: Instant) -> Option<Self> {
        let settings = settings?.clone();
        let curve = match &settings.compensation {
            &Compensation::Quadratic { t0, k0, k1, k2 } => Curve::Quadratic { t0, k0, k1, k2 },
            Compensation::Points(path) => match points(path) {
                Ok(points) => Curve::Points(points),
                Err(error) => {
                    tracing::error!(
                        "Could not read tempcomp points from {} : {error}",
                        path.display()
                    );
                    return None;
                }
            },
        };
        Some(Self { settings, curve, due: now })
    }

    /// When it is to be read.
    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// Temperature and compensation (ppm), unless the sensor says nothing of use.
    fn read(&self) -> Option<(f64, f64)> {
        let path = self.settings.file.display();
        let text = fs::read_to_string(&self.settings.file);
        let number = text.ok().and_then(|text| number(text.split_ascii_whitespace().next()?));
        let Some(temperature) = number else {
            tracing::warn!("Could not read temperature from {path}");
            return None;
        };
        let ppm = self.curve.at(temperature);
        if ppm.abs() > MOST_PPM {
            tracing::warn!(
                "Temperature compensation of {ppm:.3} ppm exceeds sanity limit of {MOST_PPM:.1}"
            );
            return None;
        }
        Some((temperature, ppm))
    }
}

impl Curve {
    fn at(&self, temperature: f64) -> f64 {
        match self {
            Self::Quadratic { t0, k0, k1, k2 } => {
                let above = temperature - t0;
                k0 + above * k1 + above * above * k2
            }
            Self::Points(points) => interpolate(points, temperature),
        }
    }
}

/// Along the line through the two neighbours; beyond the ends along the last one.
fn interpolate(points: &[(f64, f64)], temperature: f64) -> f64 {
    let next = points.partition_point(|(at, _)| *at < temperature);
    let last = points.len().saturating_sub(1);
    let next = next.clamp(1, last.max(1));
    match (points.get(next - 1), points.get(next)) {
        (Some((from, low)), Some((to, high))) => {
            low + (high - low) * (temperature - from) / (to - from)
        }
        _ => 0.0,
    }
}

/// Lines of temperature and frequency (ppm), each warmer than the one before.
fn points(path: &Path) -> io::Result<Vec<(f64, f64)>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let text = fs::read_to_string(path)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let points: Option<Vec<(f64, f64)>> = lines
        .map(|line| {
            let mut words = line.split_ascii_whitespace();
            Some((number(words.next()?)?, number(words.next()?)?))
        })
        .collect();
    let points = points.ok_or_else(|| wrong("a line is not two numbers"))?;
    if points.len() < 2 {
        return Err(wrong("there are not enough points"));
    }
    if !points.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(wrong("the points are not in the order of their temperatures"));
    }
    Ok(points)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

impl EventLoop {
    /// Reads the temperature, if it is time to, and has the frequency follow it.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn take_temperature(&mut self) -> Result<(), Error> {
        // Most machines have none, and this is asked in every turn.
        if self.thermometer.is_none() {
            return Ok(());
        }
        let now = self.now()?;
        let Some(thermometer) = &mut self.thermometer else { return Ok(()) };
        if thermometer.due > now.monotonic {
            return Ok(());
        }
        thermometer.due = now.monotonic + Span::from_seconds(thermometer.settings.interval);
        if let Some((temperature, ppm)) = thermometer.read() {
            self.records.write_temperature(now.system, temperature, ppm);
            self.tell(Input::Compensation(ppm * 1e-6))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_a_parabola_or_goes_through_its_points() {
        let parabola = Curve::Quadratic { t0: 26000.0, k0: 0.0, k1: 0.000183, k2: 0.0 };
        assert!((parabola.at(28000.0) - 0.366).abs() < 1e-12);
        let bent = Curve::Quadratic { t0: 1.0, k0: 1.0, k1: 2.0, k2: 3.0 };
        assert_eq!(bent.at(3.0), 1.0 + 4.0 + 12.0);
        let points = Curve::Points(vec![(0.0, 1.0), (10.0, 3.0), (20.0, 2.0)]);
        for (temperature, ppm) in
            [(0.0, 1.0), (5.0, 2.0), (10.0, 3.0), (15.0, 2.5), (30.0, 1.0), (-10.0, -1.0)]
        {
            assert!((points.at(temperature) - ppm).abs() < 1e-12, "{temperature}");
        }
    }

    #[test]
    fn points_are_lines_of_two_numbers_from_cold_to_warm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("points");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            points(&path)
        };
        assert_eq!(read("0 1.5\n\n10 -2\n").unwrap(), [(0.0, 1.5), (10.0, -2.0)]);
        for (text, reason) in [
            ("0 1\n", "not enough"),
            ("", "not enough"),
            ("0 1\nx 2\n", "not two numbers"),
            ("0 1\n2\n", "not two numbers"),
            ("0 1\nnan 2\n", "not two numbers"),
            ("1 1\n1 2\n", "order"),
            ("2 1\n1 2\n", "order"),
        ] {
            assert!(read(text).unwrap_err().to_string().contains(reason), "{text:?}");
        }
    }

    #[test]
    fn a_sensor_must_make_sense() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("temperature");
        let settings = Temperature {
            file: file.clone(),
            interval: 2.0,
            compensation: Compensation::Quadratic { t0: 0.0, k0: 0.0, k1: 1.0, k2: 0.0 },
        };
        let thermometer = Thermometer::new(Some(&settings), Instant::from_nanos(0)).unwrap();
        assert_eq!(thermometer.read(), None);
        for (text, read) in
            [("4.5\n", Some((4.5, 4.5))), ("hot", None), ("inf", None), ("11", None), ("", None)]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(thermometer.read(), read, "{text:?}");
        }
    }
}
