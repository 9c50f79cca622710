//! `[clock]` and the tables in it.

use crate::config::{Compensation, Config};
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const CLOCK: Scope = Scope::Section("clock");
const FALLBACK_DRIFT: Scope = Scope::Section("clock.fallback-drift");
const INITIAL: Scope = Scope::Section("clock.initial");
const TEMPERATURE: Scope = Scope::Section("clock.temperature");

pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let clock = &config.engine.discipline;
    if clock.control && clock.step_limit != Some(0) && clock.panic_threshold < clock.step_threshold
    {
        findings.push(
            Diagnostic::error(
                "`panic-threshold` is below `step-threshold`: an alarm would come before any step",
            )
            .at(places.nearest(CLOCK, &["panic-threshold", "step-threshold"]))
            .related(places.value(CLOCK, "step-threshold"), "the threshold of steps")
            .help("raise `panic-threshold` or lower `step-threshold`"),
        );
    }
    if let Some((shortest, longest)) = clock.fallback_drift
        && shortest > longest
    {
        findings.push(
            Diagnostic::warning(format!(
                "`shortest` ({shortest}) is larger than `longest` ({longest}): there is no average"
            ))
            .at(places.nearest(FALLBACK_DRIFT, &["shortest", "longest"]))
            .help("exchange the two"),
        );
    }
    if config.clock.initial.as_ref().is_some_and(|initial| initial.servers.is_empty()) {
        findings.push(
            Diagnostic::warning("there is no server to correct the clock by at the start")
                .at(places.nearest(INITIAL, &["servers"]))
                .help("name some:\nservers = [\"ntp.example.net\"]"),
        );
    }
    compensation(config, places, findings);
}

/// Of the two ways to say what a temperature means only one can hold.
fn compensation(config: &Config, places: &Places, findings: &mut Vec<Diagnostic>) {
    let Some(temperature) = &config.clock.temperature else { return };
    let coefficients = ["reference", "constant", "linear", "quadratic"];
    let first = coefficients
        .into_iter()
        .find_map(|name| places.value(TEMPERATURE, name).map(|span| (name, span)));
    if let (Compensation::Points(_), Some((name, span))) = (&temperature.compensation, first) {
        findings.push(
            Diagnostic::error(format!("`points` and `{name}` are two ways to say the same"))
                .at(span)
                .related(places.value(TEMPERATURE, "points"), "the points")
                .help("keep the points or the coefficients"),
        );
    }
}
