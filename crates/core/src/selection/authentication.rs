//! What sources that cannot prove who they are may be used for.

use super::AuthenticationPolicy;
use super::candidate::{Candidate, Options, Proof};

/// The options in effect: those of each candidate, and what the policy makes of them.
pub(super) fn effective_options(
    candidates: &[Candidate],
    policy: AuthenticationPolicy,
) -> Vec<Options> {
    let selectable = || candidates.iter().filter(|candidate| !candidate.options.noselect);
    let proven = selectable().any(|candidate| candidate.proof == Proof::Key);
    let mixed = proven && selectable().any(|candidate| candidate.proof == Proof::None);
    let options = |candidate: &Candidate| {
        let options = candidate.options;
        let unproven =
            Options { noselect: options.noselect || candidate.proof == Proof::None, ..options };
        match policy {
            AuthenticationPolicy::Require => unproven,
            AuthenticationPolicy::Prefer if proven => unproven,
            AuthenticationPolicy::Mix if mixed && candidate.proof != Proof::None => {
                Options { trust: true, require: true, ..options }
            }
            AuthenticationPolicy::Prefer
            | AuthenticationPolicy::Mix
            | AuthenticationPolicy::Ignore => options,
        }
    };
    candidates.iter().map(options).collect()
}
