//! Paths: absolute, or with a `./` before them.
//!
//! A forgotten slash is a likelier mistake than a wish for a path that depends on where the daemon was
//! started, so that wish must be written out.

use std::path::{Path, PathBuf};

/// What says that a path is meant to be relative.
const HERE: &str = "./";

/// Why a text is no path, and what to write instead.
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Reads a path that is not empty.
pub(super) fn read(text: &str, longest: usize) -> Result<PathBuf, Problem> {
    if text.contains('\0') {
        return Err(Problem { message: "a path cannot contain a zero byte".into(), help: None });
    }
    if text.len() > longest {
        let message = format!("this path has {} bytes, at most {longest} are possible", text.len());
        return Err(Problem { message, help: None });
    }
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    match text.strip_prefix(HERE) {
        Some(relative) if !relative.is_empty() => Ok(PathBuf::from(relative)),
        _ => Err(not_absolute(text)),
    }
}

/// Writes a path so that [`read`] gives the same again.
pub(super) fn written(path: &Path) -> String {
    if path.is_absolute() {
        path.display().to_string()
    } else {
        format!("{HERE}{}", path.display())
    }
}

fn not_absolute(text: &str) -> Problem {
    let help = match text.strip_prefix("~/") {
        Some(_) => "`~` is not replaced; write the directory".to_string(),
        None => format!("write where it starts, such as \"/var/lib/{text}\""),
    };
    Problem { message: format!("the path \"{text}\" is not absolute"), help: Some(help) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_written_out() {
        for (path, text) in [
            ("/var/lib/drift", "/var/lib/drift"),
            ("drift", "./drift"),
            ("tmp/drift", "./tmp/drift"),
            ("./drift", "././drift"),
            ("../drift", "./../drift"),
        ] {
            assert_eq!(written(Path::new(path)), text);
            let read = read(text, 100).ok();
            // As text: a `PathBuf` counts some different ones as equal.
            assert_eq!(read.as_deref().and_then(Path::to_str), Some(path));
        }
        for text in ["drift", "~/drift", "./", ".", ".hidden", "a\0b"] {
            assert!(read(text, 100).is_err(), "{text:?}");
        }
        assert!(read("/ab", 2).is_err());
    }
}
