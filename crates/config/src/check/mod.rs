//! Do the values make sense together? Whatever dialect they came from.
//!
//! A combination that cannot be carried out, or of which nobody can say what was meant, is an error.
//! One that can, though it is useless or partly without effect, is a warning: other daemons accept it,
//! and their files must go on to work.

pub(crate) mod authentication;
mod chronyc;
mod clock;
mod files;
mod networks;
pub(crate) mod reference_clocks;
mod serve;
mod sources;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::places::Places;

/// Everything that is wrong or noteworthy about a configuration whose values are each in order.
pub(crate) fn check(config: &Config, places: &Places) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    sources::check(config, places, &mut findings);
    reference_clocks::check(config, places, &mut findings);
    authentication::check(config, places, &mut findings);
    clock::check(config, places, &mut findings);
    serve::check(config, places, &mut findings);
    chronyc::check(config, places, &mut findings);
    files::check(config, places, &mut findings);
    findings
}
