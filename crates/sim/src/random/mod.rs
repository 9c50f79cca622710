//! Random worlds: random oscillators, paths, minorities of liars, and things that happen to the
//! machine. Each is the text of a scenario file: what fails here can be written to a file and run again
//! with `timeball sim`.

mod world;

use std::panic::catch_unwind;

use timeball_core::estimator::Method;

use crate::outcome::NodeOutcome;
use crate::world::{Look, run_watched};
use crate::{RunError, Scenario, ScenarioError, parallel};

/// Largest correction the settings allow: frequency and slew (ppm).
const MAX_CORRECTION: f64 = 500.0 + 1000.0;
/// A clock has been left alone for this long (s) at least when its frequency is looked at.
const LEFT_ALONE: f64 = 3600.0;
/// Wander (ppm) since the last look, at most.
const LATE_WANDER: f64 = 3.0;
/// Share of the claimed bounds that have to be true in every single world, and how much of the time
/// there has to be a claim.
const LEAST_COVERED: f64 = 0.98;
const LEAST_CLAIMED: f64 = 0.5;

/// A random world and what may be expected of it.
#[derive(Clone, Debug)]
pub struct RandomWorld {
    /// The scenario file.
    pub text: String,
    /// Half of the longest round trip between the node and a server, jitter included, plus what the
    /// servers say they may be off: no honest error is larger for long (s).
    pub path_error: f64,
}

/// What went wrong in a random world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Divergence {
    /// The text is no scenario.
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    /// It did not run to its end.
    #[error("{0}")]
    Run(#[from] RunError),
    /// The engine reported something that is no number.
    #[error("a number is not finite")]
    NotFinite,
    /// The clock was corrected by more than the settings allow.
    #[error("corrected by {0} ppm")]
    Correction(f64),
    /// The frequency is wrong in the end.
    #[error("ends {0} ppm off")]
    Frequency(f64),
    /// The clock is wrong in the end.
    #[error("ends {error} s off, {expected} s expected at most")]
    Error {
        /// System clock minus true time (s).
        error: f64,
        /// What the paths explain (s).
        expected: f64,
    },
    /// The bound was wrong too often, or missing.
    #[error("a bound was claimed {claimed} of the time and true {covered} of that")]
    Bound {
        /// Share of the samples with a claim.
        claimed: f64,
        /// Share of the claims that were true.
        covered: f64,
    },
    /// A liar was believed.
    #[error("followed a liar for {0} samples")]
    Liar(u64),
    /// The engine panicked.
    #[error("panicked")]
    Panic,
}

/// The world of this seed.
pub fn world(seed: u64) -> RandomWorld {
    world::world(seed)
}

/// Runs the world of this seed to its end, estimating by `method` or as it is usual.
///
/// # Errors
/// The first thing that went wrong.
pub fn run(seed: u64, method: Option<Method>) -> Result<(), Divergence> {
    let world = world(seed);
    let scenario = Scenario::from_toml(&world.text)?;
    let scenario = match method {
        Some(method) => scenario.estimated_by(method),
        None => scenario,
    };
    let mut witness = Witness::default();
    let outcome = run_watched(&scenario, seed, &mut |_| {}, &mut |look| witness.see(look))?;
    witness.judge(&world)?;
    outcome.nodes.iter().try_for_each(|node| judge(&world, node))
}

/// Runs the worlds of many seeds on all processors; what went wrong, by seed. `done` is called after
/// every world, from several threads.
pub fn run_all(
    seeds: &[u64],
    method: Option<Method>,
    done: &(dyn Fn() + Sync),
) -> Vec<(u64, Divergence)> {
    let results = parallel::map(seeds, |&seed| {
        // An engine that panics is to be reported with its seed too.
        let result = catch_unwind(|| run(seed, method)).unwrap_or(Err(Divergence::Panic));
        done();
        result
    });
    seeds
        .iter()
        .copied()
        .zip(results)
        .filter_map(|(seed, result)| Some((seed, result.err()?)))
        .collect()
}

/// What is seen while a world runs.
#[derive(Debug, Default)]
struct Witness {
    worst_correction: f64,
    not_finite: bool,
    /// Frequency error (ppm) without the slew under way, at the last look.
    frequency: f64,
}

impl Witness {
    fn see(&mut self, look: &Look<'_>) {
        let Some(report) = look.report else { return };
        let tracking = &report.tracking;
        let slew = tracking.kernel_frequency_ppm - tracking.frequency_ppm;
        self.frequency = look.frequency_error_ppm - slew;
        self.worst_correction = self.worst_correction.max(tracking.kernel_frequency_ppm.abs());
        let numbers = [
            Some(look.error),
            tracking.offset,
            tracking.offset_bound,
            Some(tracking.frequency_ppm),
            Some(tracking.kernel_frequency_ppm),
            Some(tracking.root_dispersion),
        ];
        self.not_finite |= numbers.into_iter().flatten().any(|number| !number.is_finite());
    }

    fn judge(&self, world: &RandomWorld) -> Result<(), Divergence> {
        if self.not_finite {
            return Err(Divergence::NotFinite);
        }
        if self.worst_correction > MAX_CORRECTION + 0.1 {
            return Err(Divergence::Correction(self.worst_correction));
        }
        // What the path may hide, read as a slope.
        if self.frequency.abs() > LATE_WANDER + world.path_error / LEFT_ALONE * 1e6 {
            return Err(Divergence::Frequency(self.frequency));
        }
        Ok(())
    }
}

fn judge(world: &RandomWorld, node: &NodeOutcome) -> Result<(), Divergence> {
    let (error, expected) = (node.error.last, world.path_error);
    if error.abs() > expected {
        return Err(Divergence::Error { error, expected });
    }
    let (claimed, covered) = (node.bound.claimed, node.bound.covered);
    if covered < LEAST_COVERED || claimed < LEAST_CLAIMED {
        return Err(Divergence::Bound { claimed, covered });
    }
    match node.liar_samples() {
        0 => Ok(()),
        samples => Err(Divergence::Liar(samples)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_world() {
        assert_eq!(world(7).text, world(7).text);
        assert_ne!(world(7).text, world(8).text);
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let seen = Witness { frequency: -40.0, ..Witness::default() };
        let narrow = RandomWorld { path_error: 0.01, ..world(1) };
        assert_eq!(seen.judge(&narrow), Err(Divergence::Frequency(-40.0)));
        let wide = RandomWorld { path_error: 1.0, ..narrow };
        assert_eq!(seen.judge(&wide), Ok(()));
        let seen = Witness { not_finite: true, ..seen };
        assert_eq!(seen.judge(&wide), Err(Divergence::NotFinite));
        let seen = Witness { worst_correction: 1600.0, ..Witness::default() };
        assert_eq!(seen.judge(&wide), Err(Divergence::Correction(1600.0)));
    }
}
