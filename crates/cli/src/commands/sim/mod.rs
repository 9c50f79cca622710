//! `timeball sim`: the engine in a world whose true time is known.

mod matrix;
mod plot;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use timeball_core::estimator::Method;
use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Outcome as Run, Progress, Scenario};

use crate::display::style::{BAD, DOUBTFUL, FAINT, GOOD, PLAIN, STRONG, paint};
use crate::display::{Align, Cell, Table, print, print_json, units};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SimArguments {
    #[command(subcommand)]
    command: Option<SimCommand>,
    #[command(flatten)]
    scenario: Option<ScenarioArguments>,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// Run many scenarios with many seeds, and compare with an earlier run
    Matrix(matrix::MatrixArguments),
}

#[derive(Args, Debug)]
struct ScenarioArguments {
    /// The scenario
    file: PathBuf,
    /// Print everything, the error over time included, as JSON
    #[arg(long)]
    json: bool,
    /// Randomness other than the scenario's own
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Draw clock error and reported bound over time
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// How measurements become an estimate, whatever the scenario says
    #[arg(long, value_name = "METHOD")]
    estimator: Option<EstimatorName>,
}

/// The estimators, by the names that configuration files have for them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EstimatorName {
    /// Smoothers, each with another idea of the clock and of the path
    Bank,
    /// A weighted regression
    Classic,
}

impl From<EstimatorName> for Method {
    fn from(name: EstimatorName) -> Self {
        match name {
            EstimatorName::Bank => Self::Bank,
            EstimatorName::Classic => Self::Classic,
        }
    }
}

pub(crate) fn run(arguments: &SimArguments) -> Result<Outcome, Failure> {
    match (&arguments.command, &arguments.scenario) {
        (Some(SimCommand::Matrix(matrix)), _) => matrix::run(matrix),
        (None, Some(scenario)) => run_scenario(scenario),
        (None, None) => Err(Failure::Configuration("a scenario file is needed".into())),
    }
}

fn run_scenario(arguments: &ScenarioArguments) -> Result<Outcome, Failure> {
    let scenario = read(&arguments.file, arguments.estimator)?;
    let progress = progress_bar("{bar:40} {percent} % of the simulated time, {eta} left", 1000);
    let mut report = |Progress { elapsed, duration }| {
        progress.set_position((elapsed / duration * 1000.0) as u64);
    };
    let seed = arguments.seed.unwrap_or(scenario.seed);
    let run = timeball_sim::run(&scenario, seed, &mut report);
    progress.finish_and_clear();
    let run = run.map_err(Failure::system)?;
    if let Some(file) = &arguments.plot {
        let svg = plot::svg(&run).map_err(Failure::system)?;
        write(file, &svg)?;
    }
    if arguments.json {
        print_json(&run)?;
    } else {
        print(&account(&run))?;
    }
    Ok(Outcome::Yes)
}

fn read(file: &Path, estimator: Option<EstimatorName>) -> Result<Scenario, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::Configuration(format!("{}: cannot be read: {error}", file.display()))
    })?;
    let scenario = Scenario::from_toml(&text)
        .map_err(|error| Failure::Configuration(format!("{}: {error}", file.display())))?;
    Ok(match estimator {
        Some(estimator) => scenario.estimated_by(estimator.into()),
        None => scenario,
    })
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text)
        .map_err(|error| Failure::System(format!("cannot write {}: {error}", file.display())))
}

/// On standard error, and only on a terminal.
fn progress_bar(template: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What came of it, for people.
fn account(run: &Run) -> String {
    let mut text = format!(
        "{}: {} simulated, seed {}\n\n{}",
        paint(STRONG, &run.title),
        units::age(run.duration),
        run.seed,
        nodes(run).render("  ")
    );
    for node in run.nodes.iter().filter(|node| !node.sources.is_empty()) {
        text.push_str(&format!("\n{}\n{}", paint(STRONG, &node.name), sources(node).render("  ")));
    }
    text
}

fn nodes(run: &Run) -> Table {
    let mut table = Table::new(&[
        (Align::Left, "node"),
        (Align::Right, "rms error"),
        (Align::Right, "99 %"),
        (Align::Right, "max"),
        (Align::Right, "converged"),
        (Align::Right, "mean bound"),
        (Align::Right, "bound held"),
        (Align::Right, "requests"),
        (Align::Right, "steps"),
        (Align::Right, "liars followed"),
    ]);
    for node in &run.nodes {
        let error = &node.error;
        table.row([
            node.name.clone().into(),
            units::seconds(error.rms).into(),
            units::seconds(error.p99).into(),
            units::seconds(error.max).into(),
            converged(node),
            Cell::or_dash(claims(node).then(|| units::seconds(node.bound.mean))),
            coverage(node),
            node.packets.sent.to_string().into(),
            node.all_steps.to_string().into(),
            liars(node),
        ]);
    }
    table
}

fn converged(node: &NodeOutcome) -> Cell {
    match node.converged_after {
        Some(after) => units::seconds(after).into(),
        None => Cell::styled(BAD, "never"),
    }
}

/// Did the node ever say how good its clock is?
fn claims(node: &NodeOutcome) -> bool {
    node.bound.claimed > 0.0
}

fn coverage(node: &NodeOutcome) -> Cell {
    if !claims(node) {
        return Cell::or_dash(None);
    }
    let covered = node.bound.covered * 100.0;
    let style = match covered {
        99.0.. => GOOD,
        95.0.. => DOUBTFUL,
        _ => BAD,
    };
    Cell::styled(style, format!("{covered:.2} %"))
}

fn liars(node: &NodeOutcome) -> Cell {
    match node.liar_samples() {
        0 => Cell::styled(FAINT, "never"),
        samples => Cell::styled(BAD, format!("{samples} times")),
    }
}

fn sources(node: &NodeOutcome) -> Table {
    let mut table =
        Table::new(&[(Align::Left, "source"), (Align::Left, "state"), (Align::Left, "reason")]);
    for source in &node.sources {
        table.row([
            Cell::styled(PLAIN, source.name.clone()),
            Cell::styled(crate::display::style::of_state(source.state), source.state.to_string()),
            source.reason.clone().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
