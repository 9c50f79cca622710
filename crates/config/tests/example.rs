//! The commented example is valid, complete, and tells the truth about the defaults.

use timeball_config::{Config, Dialect, parse, reference};
use timeball_core::server::RateLimit;
use timeball_core::settings::{SourceKind, SourceSettings};

const EXAMPLE: &str = include_str!("../../../packaging/timeball.toml");

/// Keys that have no default, or must be set: the example shows a plausible value.
const WITHOUT_DEFAULT: &[&str] =
    &["address", "family", "bind-address", "bind-device", "allow", "local-stratum", "pid-file"];

/// A line such as `#minpoll = 6` or `#[serve]` without its `#`; prose has a blank after it.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(code) if code.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => code,
        _ => line,
    }
}

fn key_of(line: &str) -> Option<&str> {
    uncommented(line).split_once(" = ").map(|(key, _)| key)
}

#[test]
fn the_example_is_valid_as_it_is_and_with_every_line_in_use() {
    let everything: Vec<&str> = EXAMPLE.lines().map(uncommented).collect();
    for text in [EXAMPLE, &everything.join("\n")] {
        let loaded = parse("packaging/timeball.toml", text, Dialect::Native)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(loaded.warnings, vec![]);
    }
}

#[test]
fn commented_values_are_the_defaults() {
    let only_defaults: Vec<&str> = EXAMPLE
        .lines()
        .filter(|line| {
            key_of(line).is_none_or(|key| key == "address" || !WITHOUT_DEFAULT.contains(&key))
        })
        .map(uncommented)
        .collect();
    let loaded = parse("packaging/timeball.toml", &only_defaults.join("\n"), Dialect::Native)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"));

    let mut expected = Config::default();
    expected.engine.server.rate_limit = Some(RateLimit::default());
    for (name, kind) in
        [("2.pool.ntp.org", SourceKind::Pool { count: 4 }), ("ntp.example.net", SourceKind::Server)]
    {
        expected.engine.sources.push(SourceSettings { kind, ..SourceSettings::server(name) });
    }
    assert_eq!(loaded.config, expected);
}

#[test]
fn every_key_of_the_reference_is_in_the_example() {
    let reference = reference::markdown();
    let keys: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key))
        .collect();
    assert!(keys.len() > 40, "only {} keys found in the reference", keys.len());
    for key in keys {
        assert!(EXAMPLE.lines().any(|line| key_of(line) == Some(key)), "`{key}` is missing");
    }
}

#[test]
fn the_files_of_the_guide_are_valid() {
    let guide = include_str!("../../../docs/guide/configuration.md");
    let files: Vec<&str> = guide
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(file, _)| file))
        .collect();
    assert_eq!(files.len(), 5);
    for file in files {
        let loaded = parse("docs/guide/configuration.md", file, Dialect::Native)
            .unwrap_or_else(|mistakes| panic!("{file}\n{mistakes}"));
        assert_eq!(loaded.warnings, vec![], "{file}");
    }
}
