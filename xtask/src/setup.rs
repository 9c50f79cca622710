//! What a machine needs before the tests can run.

use crate::ntpd_rs;
use crate::packages;
use crate::peers;
use crate::shell::{Outcome, Plan, cargo, output_of, run, succeeds};

/// Installs what is missing and leaves alone what is there.
pub(crate) fn plan() -> Plan {
    Plan::default()
        .step("Rust components", rust_components)
        .step("Debian packages", packages::install_missing)
        .step("Peers, unpacked side by side", peers::unpack_missing)
        .step("ntpd-rs, built once", ntpd_rs::build_if_missing)
        .step("cargo-deny", cargo_deny)
}

fn rust_components() -> Outcome {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        output_of(cargo().args([subcommand, "--version"])).map_err(|failure| {
            format!("{failure}\n{component} is missing: `rustup component add {component}`")
        })?;
    }
    println!("{}", output_of(cargo().arg("--version"))?.trim());
    Ok(())
}

fn cargo_deny() -> Outcome {
    if succeeds(cargo().args(["deny", "--version"])) {
        println!("{}", output_of(cargo().args(["deny", "--version"]))?.trim());
        return Ok(());
    }
    run(cargo().args(["install", "--locked", "cargo-deny"]))
}
