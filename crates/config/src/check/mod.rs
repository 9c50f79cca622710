//! Do the values make sense together? Whatever dialect they came from.

mod clock;
mod serve;
mod sources;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::Places;

/// Everything that is wrong or noteworthy about a configuration whose values are each in order.
pub(crate) fn check(config: &Config, places: &Places) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    sources::check(config, places, &mut findings);
    clock::check(config, places, &mut findings);
    serve::check(config, places, &mut findings);
    findings
}
