//! The table, and what is to be said of all of it.

use timeball_sim::matrix::{Figures, Runs, geometric_mean, median};

use super::Matrix;
use super::baseline::Comparison;
use crate::display::style::{BAD, DOUBTFUL, FAINT, GOOD, PLAIN, STRONG, paint};
use crate::display::{Align, Cell, Table, units};

/// Share of the claimed bounds that have to be true, over the whole matrix.
const LEAST_COVERED: f64 = 0.995;

/// What the whole matrix is judged by.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict<'a> {
    /// Share of the claimed bounds that were true; the mean over all runs.
    pub(super) covered: f64,
    /// Runs whose clock never came to rest: scenario and seed.
    pub(super) diverged: Vec<(&'a str, u64)>,
    /// Runs in which a liar was followed: scenario and seed.
    pub(super) deceived: Vec<(&'a str, u64)>,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(matrix: &'a Matrix) -> Self {
        let all = || {
            matrix.iter().flat_map(|(name, runs)| {
                runs.iter().map(move |(seed, figures)| ((name.as_str(), *seed), figures))
            })
        };
        let which = |wrong: fn(&Figures) -> bool| {
            all().filter(|(_, figures)| wrong(figures)).map(|(run, _)| run).collect()
        };
        let count = all().count().max(1) as f64;
        Self {
            covered: all().map(|(_, figures)| figures.covered).sum::<f64>() / count,
            diverged: which(|run| run.converged_after.is_none() || !run.max.is_finite()),
            deceived: which(|run| run.liar_samples > 0),
        }
    }

    pub(super) fn is_well(&self) -> bool {
        self.covered >= LEAST_COVERED && self.diverged.is_empty() && self.deceived.is_empty()
    }
}

/// All of it, for people.
pub(super) fn text(matrix: &Matrix, seeds: &[u64], baseline: Option<&Matrix>) -> String {
    let verdict = Verdict::of(matrix);
    let mut text = format!(
        "{}: {} scenarios, {}\n\n{}\n",
        paint(STRONG, "The matrix"),
        matrix.len(),
        span_of(seeds),
        table(matrix, baseline).render("  ")
    );
    let held = format!("{:.2} %", verdict.covered * 100.0);
    let style = if verdict.covered >= LEAST_COVERED { GOOD } else { BAD };
    let asked = LEAST_COVERED * 100.0;
    text.push_str(&format!(
        "bounds that held: {} ({asked:.1} % are asked for)\n",
        paint(style, &held)
    ));
    text.push_str(&format!("diverged: {}\n", list(&verdict.diverged)));
    text.push_str(&format!("followed a liar: {}\n", list(&verdict.deceived)));
    if let Some(baseline) = baseline {
        text.push_str(&against(matrix, baseline));
    }
    text
}

/// Seeds that follow each other.
pub(super) fn span_of(seeds: &[u64]) -> String {
    match seeds {
        [] => "no seed".into(),
        [seed] => format!("seed {seed}"),
        [first, .., last] => format!("seeds {first} to {last}"),
    }
}

fn list(runs: &[(&str, u64)]) -> String {
    if runs.is_empty() {
        return paint(GOOD, "none");
    }
    let names: Vec<String> =
        runs.iter().map(|(name, seed)| format!("{name} (seed {seed})")).collect();
    paint(BAD, &names.join(", "))
}

/// Medians over the seeds; of the bounds that held, the mean.
fn table(matrix: &Matrix, baseline: Option<&Matrix>) -> Table {
    let mut columns = vec![
        (Align::Left, "scenario"),
        (Align::Right, "rms error"),
        (Align::Right, "99 %"),
        (Align::Right, "max"),
        (Align::Right, "converged"),
        (Align::Right, "bound"),
        (Align::Right, "held"),
        (Align::Right, "requests"),
    ];
    if baseline.is_some() {
        columns.extend([(Align::Right, "rms ×"), (Align::Right, "requests ×")]);
    }
    let mut table = Table::new(&columns);
    for (name, runs) in matrix {
        let middle = |figure: fn(&Figures) -> f64| median(runs.values().map(figure));
        let time = |figure| Cell::or_dash(middle(figure).map(units::seconds));
        let mut row = vec![
            name.clone().into(),
            time(|run| run.rms),
            time(|run| run.p99),
            time(|run| run.max),
            converged(runs),
            time(|run| run.bound),
            held(runs),
            Cell::or_dash(middle(|run| run.requests as f64).map(|count| format!("{count:.0}"))),
        ];
        if let Some(baseline) = baseline {
            row.extend(ratios(Comparison::new(matrix, baseline, name)));
        }
        table.row(row);
    }
    table
}

/// The latest of all seeds.
fn converged(runs: &Runs) -> Cell {
    let after: Option<Vec<f64>> = runs.values().map(|run| run.converged_after).collect();
    match after.and_then(|after| after.into_iter().max_by(f64::total_cmp)) {
        Some(latest) => units::seconds(latest).into(),
        None => Cell::styled(BAD, "never"),
    }
}

fn held(runs: &Runs) -> Cell {
    let covered = runs.values().map(|run| run.covered).sum::<f64>() / runs.len().max(1) as f64;
    let style = if covered >= LEAST_COVERED { GOOD } else { BAD };
    Cell::styled(style, format!("{:.2} %", covered * 100.0))
}

fn ratios(comparison: Option<Comparison>) -> [Cell; 2] {
    match comparison {
        Some(Comparison { rms, requests }) => [
            Cell::styled(of_ratio(rms), ratio(rms)),
            Cell::styled(of_ratio(requests), ratio(requests)),
        ],
        None => [Cell::styled(FAINT, "new"), Cell::or_dash(None)],
    }
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// A twentieth is luck.
fn of_ratio(ratio: f64) -> anstyle::Style {
    match ratio {
        ..0.95 => GOOD,
        0.95..1.05 => PLAIN,
        _ => DOUBTFUL,
    }
}

fn against(matrix: &Matrix, baseline: &Matrix) -> String {
    let known: Vec<(&String, Comparison)> = matrix
        .keys()
        .filter_map(|name| Some((name, Comparison::new(matrix, baseline, name)?)))
        .collect();
    let mean = |figure: fn(&Comparison) -> f64| {
        geometric_mean(known.iter().map(|(_, comparison)| figure(comparison)))
    };
    let worst = known.iter().max_by(|(_, a), (_, b)| a.rms.total_cmp(&b.rms));
    match (mean(|c| c.rms), mean(|c| c.requests), worst) {
        (Some(rms), Some(requests), Some((name, worst))) => format!(
            "against the baseline: rms error {} ×, requests {} × (geometric means over {} \
             scenarios); largest rms error: {name}, {} ×\n",
            paint(of_ratio(rms), &ratio(rms)),
            paint(of_ratio(requests), &ratio(requests)),
            known.len(),
            ratio(worst.rms)
        ),
        _ => "against the baseline: it has none of these scenarios and seeds\n".into(),
    }
}
