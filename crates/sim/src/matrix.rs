//! The matrix: many scenarios, each with several seeds, and what is asked of all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::NodeOutcome;
use crate::{RunError, Scenario, parallel, run};

/// One run of a scenario, in numbers. Times are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Root mean square of the clock's error, after settling.
    pub rms: f64,
    /// Magnitude that one sample in a hundred exceeds.
    pub p99: f64,
    /// Largest magnitude.
    pub max: f64,
    /// When the error was last above the scenario's `converged`; none if it never came to rest.
    pub converged_after: Option<f64>,
    /// Mean of the bounds that were claimed.
    pub bound: f64,
    /// Share of the claimed bounds that were true.
    pub covered: f64,
    /// Requests sent.
    pub requests: u64,
    /// Samples at which a liar was followed.
    pub liar_samples: u64,
}

impl From<&NodeOutcome> for Figures {
    fn from(node: &NodeOutcome) -> Self {
        Self {
            rms: node.error.rms,
            p99: node.error.p99,
            max: node.error.max,
            converged_after: node.converged_after,
            bound: node.bound.mean,
            covered: node.bound.covered,
            requests: node.packets.sent,
            liar_samples: node.liar_samples(),
        }
    }
}

/// The runs of one scenario, by seed.
pub type Runs = BTreeMap<u64, Figures>;

/// Runs every scenario with every seed, on all processors; `done` is called after every run, from
/// several threads. The first node of a scenario is the one that is looked at.
///
/// # Errors
/// [`RunError`], for an engine that is broken.
pub fn run_all(
    scenarios: &BTreeMap<String, Scenario>,
    seeds: &[u64],
    done: &(dyn Fn() + Sync),
) -> Result<BTreeMap<String, Runs>, RunError> {
    let trials: Vec<(&str, &Scenario, u64)> = scenarios
        .iter()
        .flat_map(|(name, scenario)| seeds.iter().map(move |seed| (name.as_str(), scenario, *seed)))
        .collect();
    let outcomes = parallel::map(&trials, |(_, scenario, seed)| {
        let outcome = run(scenario, *seed, &mut |_| {});
        done();
        outcome
    });
    let mut matrix: BTreeMap<String, Runs> = BTreeMap::new();
    for ((name, _, seed), outcome) in trials.into_iter().zip(outcomes) {
        if let Some(node) = outcome?.nodes.first() {
            matrix.entry(name.to_owned()).or_default().insert(seed, Figures::from(node));
        }
    }
    Ok(matrix)
}

/// The middle one of some numbers, the higher of two; none of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The geometric mean of positive numbers; none of none.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) =
        values.into_iter().fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value.ln()));
    (count > 0.0).then(|| f64::exp(sum / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: &str = r#"
title = "One server"
duration = "20 min"
node = [{ name = "client", offset = "20 ms", server = [{ address = "ntp" }] }]
server = [{ name = "ntp" }]
"#;

    #[test]
    fn every_scenario_runs_with_every_seed_and_the_same_seed_tells_the_same() {
        let scenario = Scenario::from_toml(WORLD).unwrap();
        let scenarios =
            BTreeMap::from([("a".to_owned(), scenario.clone()), ("b".into(), scenario)]);
        let done = std::sync::atomic::AtomicU32::new(0);
        let count = || {
            done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        };
        let matrix = run_all(&scenarios, &[5, 6, 7], &count).unwrap();
        assert_eq!(done.into_inner(), 6);
        assert_eq!(matrix.len(), 2);
        assert_eq!(matrix["a"], matrix["b"]);
        assert_eq!(matrix["a"].keys().copied().collect::<Vec<_>>(), [5, 6, 7]);
        assert_ne!(matrix["a"][&5].rms, matrix["a"][&6].rms);
        assert!(matrix["a"][&5].rms < 1e-3 && matrix["a"][&5].requests > 10);
    }

    #[test]
    fn middles() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
        let mean = geometric_mean([0.5, 2.0, 8.0]).unwrap();
        assert!((mean - 2.0).abs() < 1e-12, "{mean}");
        assert_eq!(geometric_mean([]), None);
    }
}
