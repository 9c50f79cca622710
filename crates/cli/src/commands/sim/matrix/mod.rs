//! `timeball sim matrix`: is the clock kept better than before, whatever the world is like?

mod baseline;
mod plot;
mod random;
mod summary;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use timeball_sim::Scenario;
use timeball_sim::matrix::{self, Runs};

use super::EstimatorName;
use crate::display::print;
use crate::outcome::{Failure, Outcome};

/// Everything that ran, by scenario.
type Matrix = BTreeMap<String, Runs>;

const PROGRESS: &str = "{bar:40} {pos} of {len} runs, {eta} left";

/// The status is 0 if at least 99.5 % of the claimed bounds were true, no clock diverged and no liar
/// was followed.
#[derive(Args, Debug)]
pub(crate) struct MatrixArguments {
    /// Only these scenarios, by the names of their files
    names: Vec<String>,
    /// The folder of the scenarios
    #[arg(long, value_name = "FOLDER", default_value = "scenarios/matrix")]
    scenarios: PathBuf,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How measurements become an estimate, whatever the scenarios say
    #[arg(long, value_name = "METHOD")]
    estimator: Option<EstimatorName>,
    /// Compare with an earlier run
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Keep this run, to compare later ones with
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Draw the errors of all scenarios
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Run so many random worlds instead, one for every seed from the first on
    #[arg(long, value_name = "N", conflicts_with_all = ["names", "scenarios", "seeds", "baseline", "save", "plot"])]
    random: Option<u64>,
    /// Write the scenario files of random worlds that fail to this folder
    #[arg(long, value_name = "FOLDER", requires = "random")]
    keep: Option<PathBuf>,
}

pub(super) fn run(arguments: &MatrixArguments) -> Result<Outcome, Failure> {
    if let Some(count) = arguments.random {
        let seeds = seeds(arguments.seed, count);
        return random::run(&seeds, arguments.estimator, arguments.keep.as_deref());
    }
    // A baseline that cannot be read should not be found out at the end.
    let baseline = arguments.baseline.as_deref().map(baseline::read).transpose()?;
    let scenarios = read_folder(&arguments.scenarios, &arguments.names, arguments.estimator)?;
    let seeds = seeds(arguments.seed, arguments.seeds);
    let progress = super::progress_bar(PROGRESS, (scenarios.len() * seeds.len()) as u64);
    let run = matrix::run_all(&scenarios, &seeds, &|| progress.inc(1));
    progress.finish_and_clear();
    let run = run.map_err(Failure::system)?;
    if let Some(file) = &arguments.save {
        super::write(file, &baseline::text(&run)?)?;
    }
    if let Some(file) = &arguments.plot {
        let svg = plot::svg(&run, baseline.as_ref()).map_err(Failure::system)?;
        super::write(file, &svg)?;
    }
    print(&summary::text(&run, &seeds, baseline.as_ref()))?;
    Ok(Outcome::from(summary::Verdict::of(&run).is_well()))
}

fn seeds(first: u64, count: u64) -> Vec<u64> {
    (first..first.saturating_add(count)).collect()
}

/// Reads the scenarios of a folder: those of these names, or all if none is named.
fn read_folder(
    folder: &Path,
    names: &[String],
    estimator: Option<EstimatorName>,
) -> Result<BTreeMap<String, Scenario>, Failure> {
    let names = if names.is_empty() { names_in(folder)? } else { names.to_vec() };
    if names.is_empty() {
        let message = format!("{}: there is no scenario in it", folder.display());
        return Err(Failure::Configuration(message));
    }
    let read = |name: String| {
        let scenario = super::read(&folder.join(format!("{name}.toml")), estimator)?;
        Ok((name, scenario))
    };
    names.into_iter().map(read).collect()
}

fn names_in(folder: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::Configuration(format!("{}: cannot be read: {error}", folder.display()))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
