//! Worlds that nobody wrote: nothing may go wrong in them.

use std::fs;
use std::path::Path;

use timeball_core::estimator::Method;
use timeball_sim::random;

use super::PROGRESS;
use super::summary::span_of;
use crate::commands::sim::{EstimatorName, progress_bar, write};
use crate::display::print;
use crate::display::style::{BAD, GOOD, paint};
use crate::outcome::{Failure, Outcome};

/// Runs the worlds of these seeds; those that fail are kept as files in `folder`.
pub(super) fn run(
    seeds: &[u64],
    estimator: Option<EstimatorName>,
    folder: Option<&Path>,
) -> Result<Outcome, Failure> {
    let progress = progress_bar(PROGRESS, seeds.len() as u64);
    let failures = random::run_all(seeds, estimator.map(Method::from), &|| progress.inc(1));
    progress.finish_and_clear();
    if let Some(folder) = folder.filter(|_| !failures.is_empty()) {
        fs::create_dir_all(folder).map_err(|error| {
            Failure::System(format!("cannot make {}: {error}", folder.display()))
        })?;
    }
    let worlds = format!("{} random worlds, {}", seeds.len(), span_of(seeds));
    if failures.is_empty() {
        print(&format!("{worlds}: {}", paint(GOOD, "nothing went wrong")))?;
        return Ok(Outcome::Yes);
    }
    print(&format!("{worlds}: {}", paint(BAD, &format!("{} went wrong", failures.len()))))?;
    for (seed, failure) in &failures {
        let kept = match folder {
            Some(folder) => {
                let file = folder.join(format!("random-world-{seed}.toml"));
                write(&file, &random::world(*seed).text)?;
                format!("; see {}", file.display())
            }
            None => String::new(),
        };
        print(&format!("seed {seed}: {failure}{kept}"))?;
    }
    Ok(Outcome::No)
}
