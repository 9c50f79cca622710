//! Everything a contributor or a machine runs before a change lands: `cargo xtask help`.

#![forbid(unsafe_code)]

mod checks;
mod ntpd_rs;
mod packages;
mod peers;
mod setup;
mod shell;
mod tests;

use std::process::ExitCode;

use crate::shell::{Outcome, Plan};

const HELP: &str = "\
cargo xtask COMMAND

  test    set up, lint, and run every test there is (what CI runs)
  setup   install what the tests need: Debian packages, peers, cargo-deny
  lint    formatting, clippy, licences and sources, documentation
  peers   only the tests against other implementations in network namespaces
  vm      only the tests in a virtual machine
  fuzz    run the kept fuzz corpus through its targets once
  help    this text

Each step is described in CONTRIBUTING.md.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match names.as_slice() {
        ["test"] => everything(),
        ["setup"] => setup::plan().run(),
        ["lint"] => checks::plan().run(),
        ["peers"] => setup::plan().then(tests::peers()).run(),
        ["vm"] => setup::plan().then(tests::virtual_machine()).run(),
        ["fuzz"] => tests::fuzz_corpus().run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => Err(format!("no such command: {}\n\n{HELP}", other.join(" ")).into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Cheap checks first, so that a slip is told within a minute.
fn everything() -> Outcome {
    Plan::default()
        .then(setup::plan())
        .then(checks::plan())
        .then(tests::workspace())
        .then(tests::example_configurations())
        .then(tests::fuzz_corpus())
        .then(tests::demo())
        .run()
}
