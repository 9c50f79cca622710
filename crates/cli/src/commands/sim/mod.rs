//! `timeball sim`: the engine in a world whose true time is known.

mod plot;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use timeball_sim::outcome::NodeOutcome;
use timeball_sim::{Outcome as Run, Progress, Scenario};

use crate::display::style::{BAD, DOUBTFUL, FAINT, GOOD, PLAIN, STRONG, paint};
use crate::display::{Align, Cell, Table, print, print_json, units};
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct SimArguments {
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
}

pub(crate) fn run(arguments: &SimArguments) -> Result<Outcome, Failure> {
    let scenario = read(&arguments.file)?;
    let progress = progress_bar();
    let mut report = |Progress { elapsed, duration }| {
        progress.set_position((elapsed / duration * 1000.0) as u64);
    };
    let seed = arguments.seed.unwrap_or(scenario.seed);
    let run = timeball_sim::run(&scenario, seed, &mut report);
    progress.finish_and_clear();
    let run = run.map_err(Failure::system)?;
    if let Some(file) = &arguments.plot {
        let svg = plot::svg(&run).map_err(Failure::system)?;
        fs::write(file, svg).map_err(|error| {
            Failure::System(format!("cannot write {}: {error}", file.display()))
        })?;
    }
    if arguments.json {
        print_json(&run)?;
    } else {
        print(&account(&run))?;
    }
    Ok(Outcome::Yes)
}

fn read(file: &Path) -> Result<Scenario, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::Configuration(format!("{}: cannot be read: {error}", file.display()))
    })?;
    Scenario::from_toml(&text)
        .map_err(|error| Failure::Configuration(format!("{}: {error}", file.display())))
}

/// On standard error, and only on a terminal.
fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {percent} % of the simulated time, {eta} left");
    ProgressBar::new(1000).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
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
