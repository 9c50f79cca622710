//! The table of attacks in the documentation names tests that exist.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The tests that the table names, each with its file.
fn named(folder: &Path, table: &str) -> Vec<(String, PathBuf)> {
    let links = table.split("[`").skip(1).map(|link| {
        let (name, rest) = link.split_once("`](").unwrap_or_else(|| panic!("no link: {link}"));
        let (path, _) = rest.split_once(')').unwrap_or_else(|| panic!("no end: {link}"));
        (name.to_owned(), folder.join(path))
    });
    links.collect()
}

/// The functions of a file that are tests.
fn tests_in(source: &str) -> Vec<&str> {
    let functions = source.split("#[test]").skip(1).filter_map(|after| {
        let (_, name) = after.split_once("fn ")?;
        name.split_once('(').map(|(name, _)| name)
    });
    functions.collect()
}

#[test]
fn every_test_in_the_table_of_attacks_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol");
    let table = fs::read_to_string(folder.join("attacks.md")).unwrap();
    let named = named(&folder, &table);
    assert!(named.len() > 40, "{}", named.len());
    for (name, path) in named {
        let source = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{}", path.display()));
        assert!(tests_in(&source).contains(&name.as_str()), "{name} is not in {}", path.display());
    }
}
