//! Every file in `malformed/` is refused, with a line, a caret, and a word about what to do.
//!
//! `cargo insta review` shows what a change of the messages looks like.

use std::fs;
use std::path::{Path, PathBuf};

use timeball_config::{Dialect, Severity, Style, parse};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed")
}

#[test]
fn every_mistake_is_shown_where_it_is() {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 40, "only {} malformed files found", files.len());

    for path in files {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let mistakes = match parse("timeball.toml", &text, Dialect::Native) {
            Ok(loaded) => panic!("{stem} was accepted: {:#?}", loaded.config),
            Err(mistakes) => mistakes,
        };
        for diagnostic in &mistakes.diagnostics {
            let about_the_whole_file = diagnostic.message == "there is no source of time";
            assert!(diagnostic.span.is_some() || about_the_whole_file, "{stem}: {diagnostic:?}");
            assert!(
                diagnostic.expected.is_some()
                    || diagnostic.help.is_some()
                    || diagnostic.severity == Severity::Warning,
                "{stem}: nothing says what to do: {diagnostic:?}"
            );
        }
        insta::with_settings!({
            snapshot_path => directory(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(stem, mistakes.render(Style::Plain));
        });
    }
}
