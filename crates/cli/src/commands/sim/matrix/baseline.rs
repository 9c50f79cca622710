//! An earlier run in a file: one line of JSON for every scenario and seed, so that a difference between
//! two files can be read.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use timeball_sim::matrix::{Figures, median};

use super::Matrix;
use crate::outcome::Failure;

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    scenario: String,
    seed: u64,
    #[serde(flatten)]
    figures: Figures,
}

/// The file's text.
pub(super) fn text(matrix: &Matrix) -> Result<String, Failure> {
    let mut text = String::new();
    for (scenario, runs) in matrix {
        for (&seed, figures) in runs {
            let line = Line { scenario: scenario.clone(), seed, figures: figures.clone() };
            text.push_str(&serde_json::to_string(&line).map_err(Failure::system)?);
            text.push('\n');
        }
    }
    Ok(text)
}

/// Reads a file.
pub(super) fn read(file: &Path) -> Result<Matrix, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::Configuration(format!("{}: cannot be read: {error}", file.display()))
    })?;
    parse(&text).map_err(|mistake| Failure::Configuration(format!("{}: {mistake}", file.display())))
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Matrix, String> {
    let mut matrix = Matrix::new();
    for (number, line) in text.lines().enumerate() {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            format!("line {}: {error}; it is to be written by `--save`", number + 1)
        })?;
        matrix.entry(line.scenario).or_default().insert(line.seed, line.figures);
    }
    Ok(matrix)
}

/// How a scenario did against an earlier run of it: medians of the ratios over the seeds that both had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    /// Of the RMS errors.
    pub(super) rms: f64,
    /// Of the numbers of requests.
    pub(super) requests: f64,
}

impl Comparison {
    /// `None` for a scenario or seeds that the earlier run did not have.
    pub(super) fn new(matrix: &Matrix, baseline: &Matrix, scenario: &str) -> Option<Self> {
        let (runs, earlier) = (matrix.get(scenario)?, baseline.get(scenario)?);
        let ratio = |figure: fn(&Figures) -> f64| {
            median(
                runs.iter()
                    .filter_map(|(seed, run)| Some(figure(run) / figure(earlier.get(seed)?))),
            )
        };
        Some(Self { rms: ratio(|run| run.rms)?, requests: ratio(|run| run.requests as f64)? })
    }
}
