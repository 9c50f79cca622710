//! The guide to port 123: each of its claims names a test, and that test is there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

const GUIDE: &str = include_str!("../../../docs/guide/port-123.md");

/// The rows of the tables of claims.
fn claims() -> Vec<&'static str> {
    let tables = GUIDE.split("| claim | test |\n|---|---|\n").skip(1);
    tables.flat_map(|table| table.lines().take_while(|line| line.starts_with('|'))).collect()
}

#[test]
fn each_claim_names_a_test_that_is_there() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let claims = claims();
    assert!(claims.len() > 25, "{} claims", claims.len());
    for claim in claims {
        let (_, tests) = claim.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        for test in tests.split(", ") {
            // `name` in `path`
            let words: Vec<&str> = test.split('`').collect();
            let &["", name, " in ", path, ""] = words.as_slice() else {
                panic!("{test:?} names no test: {claim}")
            };
            let source = fs::read_to_string(workspace.join(path))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(source.contains(&format!("fn {name}(")), "no {name} in {path}");
        }
    }
}
