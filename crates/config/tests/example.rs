//! The commented example is valid, complete, and tells the truth about the defaults.

use timeball_config::{Dialect, parse, reference};

const EXAMPLE: &str = include_str!("../../../packaging/timeball.toml");

/// Keys that must be set; the example shows a plausible value.
const REQUIRED: &[&str] =
    &["address", "threshold", "file", "private-key", "interface", "reference-id", "certificates"];

/// Keys that have no default; the example shows a plausible value.
const WITHOUT_DEFAULT: &[&str] = &[
    "family",
    "bind-address",
    "bind-device",
    "presend",
    "max-delay-ratio",
    "max-delay-dev-ratio",
    "max-delay-quantile",
    "max-dispersion",
    "precision",
    "path",
    "asymmetry",
    "leap-seconds-zone",
    "correction-time-ratio",
    "servers",
    "points",
    "allow",
    "pid-file",
    "key-file",
    "key",
    "nts-port",
    "certificate-set",
    "directory",
    "drift-file",
    "drift-interval",
    "dump-directory",
    "log-directory",
    "ntp-server",
    "directory",
    "user",
    "priority",
];

/// Keys that say otherwise what the one above them says.
const ALTERNATIVES: &[&str] =
    &["max-delay-quantile", "points", "path", "nts-port", "certificate-set"];

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

/// The lines of the example in use of which this is true.
fn lines_that(wanted: impl Fn(Option<&str>) -> bool) -> String {
    let lines = EXAMPLE.lines().filter(|line| wanted(key_of(line))).map(uncommented);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_valid_as_it_is_and_with_every_line_in_use() {
    let everything = lines_that(|key| key.is_none_or(|key| !ALTERNATIVES.contains(&key)))
        // What a card is to do makes sense only if it does it.
        .replace("timestamping = \"kernel\"", "timestamping = \"hardware\"");
    for text in [EXAMPLE, &everything] {
        let loaded = parse("packaging/timeball.toml", text, Dialect::Native)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(loaded.warnings, vec![]);
    }
}

#[test]
fn commented_values_are_the_defaults() {
    let load = |text: &str| {
        parse("packaging/timeball.toml", text, Dialect::Native)
            .unwrap_or_else(|mistakes| panic!("{mistakes}"))
            .config
    };
    let defaults = lines_that(|key| key.is_none_or(|key| !WITHOUT_DEFAULT.contains(&key)));
    // chronyc's sockets are none by default, but a plausible value is worth more than `false`.
    let defaults = defaults.replace("socket = \"/run/chrony/chronyd.sock\"\nport = 323\n", "");
    let headers = lines_that(|key| key.is_none_or(|key| REQUIRED.contains(&key)));
    assert!(headers.contains("\n[serve.smoothing]\n"), "{headers}");
    assert_eq!(load(&defaults), load(&headers));
    assert_eq!(load(&headers).engine.sources.len(), 3);
}

#[test]
fn every_key_of_the_reference_is_in_the_example() {
    let reference = reference::markdown();
    let keys: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key))
        .collect();
    assert!(keys.len() > 100, "only {} keys found in the reference", keys.len());
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
    assert_eq!(files.len(), 7);
    for file in files {
        let loaded = parse("docs/guide/configuration.md", file, Dialect::Native)
            .unwrap_or_else(|mistakes| panic!("{file}\n{mistakes}"));
        assert_eq!(loaded.warnings, vec![], "{file}");
    }
}
