//! No text makes the reader panic, and every complaint can be shown.

use std::fs;
use std::io;
use std::path::Path;

use proptest::prelude::*;
use timeball_config::{Dialect, Style, parse};

const CHRONY_EXAMPLES: &str = "tests/chrony";

const EXAMPLE: &str = include_str!("../../../packaging/timeball.toml");

fn read_and_render(text: &str) {
    for (_, dialect) in Dialect::WORDS {
        read_and_render_as(*dialect, text);
    }
}

fn read_and_render_as(dialect: Dialect, text: &str) {
    let (document, diagnostics) = match parse("t", text, dialect) {
        Ok(loaded) => (loaded.document, loaded.warnings),
        Err(mistakes) => (mistakes.document, mistakes.diagnostics),
    };
    for diagnostic in diagnostics {
        let coloured = diagnostic.render(&document, Style::Coloured);
        assert!(coloured.contains('\u{1b}'), "{coloured}");
        let plain = diagnostic.render(&document, Style::Plain);
        let control = plain.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{plain:?}");
    }
}

/// All lines of the example in use, all malformed files, and those of chrony: what mutations start
/// from.
fn seeds() -> io::Result<Vec<String>> {
    let mut seeds = vec![EXAMPLE.replace("\n#", "\n")];
    for directory in ["tests/malformed", CHRONY_EXAMPLES] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml" || extension == "conf")
            {
                seeds.push(fs::read_to_string(path)?);
            }
        }
    }
    // The same seed of the random numbers must mean the same file.
    seeds.sort();
    Ok(seeds)
}

/// Replaces, removes or doubles a piece of the text.
fn mutated(text: &str, at: usize, length: usize, with: &str, doubled: bool) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = at % (characters.len() + 1);
    let end = (start + length).min(characters.len());
    let mut result: String = characters[..start].iter().collect();
    if doubled {
        result.extend(&characters[start..end]);
    }
    result.push_str(with);
    result.extend(&characters[if doubled { start } else { end }..]);
    result
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        read_and_render(&text);
    }

    #[test]
    fn arbitrary_pieces_of_toml(pieces in prop::collection::vec(prop_oneof![
        Just("["), Just("]"), Just("[["), Just("]]"), Just("{"), Just("}"), Just("="), Just("\n"),
        Just("\r\n"), Just("\t"), Just("\""), Just("'"), Just("\"\"\""), Just("#"), Just("."),
        Just(","), Just("\\u001b"), Just("\u{202e}"), Just("\0"), Just("server"), Just("pool"),
        Just("serve"), Just("rate-limit"), Just("clock"), Just("address"), Just("minpoll"),
        Just("allow"), Just("socket"), Just("false"), Just("true"), Just("1e400"), Just("-1"),
        Just("0x"), Just("nan"), Just("\"10 ms\""), Just("\"10.0.0.0/8\""), Just("ü"),
        Just("2024-02-29"), Just("driftfile /var"), Just(" "),
    ], 0..60)) {
        read_and_render(&pieces.concat());
    }

    #[test]
    fn arbitrary_pieces_of_chrony_conf(pieces in prop::collection::vec(prop_oneof![
        Just("\n"), Just("\r\n"), Just(" "), Just("\t"), Just("\u{b}"), Just("#"), Just("!"), Just("server "),
        Just("pool "), Just("peer "), Just("a.example "), Just("192.0.2.1 "), Just("minpoll "),
        Just("maxsamples "), Just("key "), Just("allow "), Just("deny "), Just("all "), Just("1.2/"),
        Just("::/0 "), Just("/ "), Just("/a "), Just("include "), Just("confdir "), Just("sourcedir "),
        Just("makestep "), Just("local "), Just("orphan "), Just("stratum "), Just("ratelimit "),
        Just("leak "), Just("hwtimestamp "), Just("tempcomp "), Just("broadcast "), Just("log "),
        Just("tracking "), Just("driftfile "), Just("interval "), Just("-1 "), Just("1e308 "),
        Just("99999999999999999999 "), Just("nan "), Just("-0.0 "), Just("\u{fffd}"), Just("\0"),
        Just("ü"), Just("\u{202e}"), Just("\u{85}"), Just("smoothtime "), Just("maxslewrate "),
        Just("refclock "), Just("bindcmdaddress "), Just("10 "), Just("1 "),
    ], 0..60)) {
        read_and_render(&pieces.concat());
    }

    #[test]
    fn mutated_files(
        seed in prop::sample::select(seeds().unwrap()),
        changes in prop::collection::vec(
            (any::<usize>(), 0usize..40, "[\\PC\n\t\"'=\\[\\]#.]{0,4}", any::<bool>()),
            1..6,
        ),
    ) {
        let mut text = seed;
        for (at, length, with, doubled) in changes {
            text = mutated(&text, at, length, &with, doubled);
        }
        read_and_render(&text);
    }
}
