//! `[clock]`, and files that must not be the same.

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::{Places, Scope};

const CLOCK: Scope = Scope::Section("clock");

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
    if let (Some(socket), Some(pid_file)) = (&config.control.socket, &config.files.pid_file)
        && socket == pid_file
    {
        findings.push(
            Diagnostic::error("`pid-file` and the control socket are the same path")
                .at(places.nearest(Scope::Section("files"), &["pid-file"]))
                .related(places.value(Scope::Section("control"), "socket"), "the socket")
                .help("give each a path of its own"),
        );
    }
}
