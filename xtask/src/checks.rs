//! Checks that run nothing of timeball.

use crate::shell::{Plan, cargo, run};

/// Formatting, clippy, licences and sources, documentation.
pub(crate) fn plan() -> Plan {
    Plan::default()
        .step("Formatting", || run(cargo().args(["fmt", "--all", "--check"])))
        .step("Clippy", || {
            run(cargo()
                .args(["clippy", "--locked", "--workspace", "--all-targets"])
                .args(["--", "-D", "warnings"]))
        })
        .step("Licences, bans and sources", || {
            run(cargo().args(["deny", "--workspace", "check", "licenses", "bans", "sources"]))
        })
        .step("Documentation", || {
            run(cargo()
                .args(["doc", "--locked", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"))
        })
}
