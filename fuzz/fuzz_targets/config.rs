//! Any text is a configuration or has its mistakes shown, in whatever dialect; an accepted one survives
//! being written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use timeball_config::native::to_native;
use timeball_config::{Dialect, Style, parse};

fuzz_target!(|text: &str| {
    for (_, dialect) in Dialect::WORDS {
        read(text, *dialect);
    }
});

fn read(text: &str, dialect: Dialect) {
    match parse("fuzz.toml", text, dialect) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                shown(&warning.render(&loaded.document, Style::Plain));
            }
            let written = to_native(&loaded.config);
            match parse("written.toml", &written, Dialect::Native) {
                Ok(again) => assert_eq!(again.config, loaded.config, "{written}"),
                Err(mistakes) => panic!("{written}\n{mistakes}"),
            }
        }
        Err(mistakes) => {
            assert!(!mistakes.diagnostics.is_empty());
            shown(&mistakes.render(Style::Plain));
        }
    }
}

/// What is shown says something and controls no terminal.
fn shown(text: &str) {
    assert!(text.starts_with("fuzz.toml:"), "{text:?}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}
