//! Tests: the workspace's own, and what is judged by running the program.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Failure, Outcome, Plan, cargo, is_root, output_of, root, run};

/// Set to 1: a test that lacks a peer, a tool or a right fails instead of skipping.
const REQUIRE_ALL: &str = "TIMEBALL_REQUIRE_ALL";

/// Where the tests against other implementations are, and the one among them that needs more.
const INTEROP: &str = "tests/tests";
const VIRTUAL_MACHINE: &str = "virtual_machine";

/// `cargo test` of everything, with nothing skipped where this process has the rights.
pub(crate) fn workspace() -> Plan {
    Plan::default().step("Tests", || run(&mut cargo_test(&["--workspace"])))
}

/// Only the tests against other implementations: all of that package but those in a virtual machine.
pub(crate) fn peers() -> Plan {
    Plan::default().step("Tests against other implementations", || {
        let mut selection = vec!["--package=timeball-interop".to_owned()];
        for path in entries(&root().join(INTEROP))? {
            match path.file_stem().and_then(OsStr::to_str) {
                Some(VIRTUAL_MACHINE) | None => {}
                Some(name) => selection.push(format!("--test={name}")),
            }
        }
        let selection: Vec<&str> = selection.iter().map(String::as_str).collect();
        run(&mut cargo_test(&selection))
    })
}

/// Only the tests in a virtual machine.
pub(crate) fn virtual_machine() -> Plan {
    Plan::default().step("Tests in a virtual machine", || {
        run(&mut cargo_test(&["--package=timeball-interop", &format!("--test={VIRTUAL_MACHINE}")]))
    })
}

fn cargo_test(selection: &[&str]) -> std::process::Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--no-fail-fast"]).args(selection);
    if is_root() {
        command.env(REQUIRE_ALL, "1");
    } else {
        println!("not root: tests that need namespaces or a virtual machine say so and skip");
    }
    command
}

/// Every configuration that we publish must be one that we accept.
pub(crate) fn example_configurations() -> Plan {
    Plan::default().step("Example configurations", || {
        let examples = example_files()?;
        if examples.is_empty() {
            return Err("no example configuration found".into());
        }
        for example in examples {
            let checker = if example.ends_with("watch.toml") {
                ["watch", "--check"]
            } else {
                ["config", "check"]
            };
            run(timeball().args(checker).arg(example))?;
        }
        Ok(())
    })
}

/// The README's first command, in the build that the tests have made already.
pub(crate) fn demo() -> Plan {
    Plan::default().step("Demo", || run(timeball().arg("demo")))
}

fn timeball() -> std::process::Command {
    let mut command = cargo();
    command.args(["run", "--locked", "--quiet", "--package=timeball", "--"]);
    command
}

/// Runs each kept input through its fuzz target once; no coverage, no mutation, stable Rust.
pub(crate) fn fuzz_corpus() -> Plan {
    Plan::default().step("Fuzz corpus", || {
        for target in fuzz_targets()? {
            let corpus = root().join("fuzz/corpus").join(&target);
            let inputs = entries(&corpus)?.len();
            if inputs == 0 {
                return Err(
                    format!("{} is empty: `cargo fuzz run {target}`", corpus.display()).into()
                );
            }
            println!("{target}: {inputs} inputs");
            output_of(
                cargo()
                    .args(["run", "--locked", "--quiet", "--manifest-path=fuzz/Cargo.toml"])
                    .arg(format!("--bin={target}"))
                    .args(["--", "-runs=0"])
                    .arg(corpus),
            )?;
        }
        Ok(())
    })
}

fn fuzz_targets() -> Outcome<Vec<String>> {
    let sources = entries(&root().join("fuzz/fuzz_targets"))?;
    let names = sources
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| path.file_stem())
        .map(|stem| stem.to_string_lossy().into_owned());
    Ok(names.collect())
}

/// Configurations that we publish: those beside the documentation and those to be installed.
fn example_files() -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in ["docs", "packaging", "crates/config"] {
        collect_configurations(&root().join(folder), &mut found)?;
    }
    Ok(found)
}

fn collect_configurations(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    for path in entries(folder)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        match name.as_deref() {
            Some("src" | "tests" | "Cargo.toml") | None => {}
            Some(_) if path.is_dir() => collect_configurations(&path, found)?,
            Some(name) if name.ends_with(".toml") => found.push(path),
            Some(_) => {}
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let unreadable = |error| Failure::from(format!("cannot read {}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}
