//! Other files, and the process itself.

use std::path::PathBuf;

use super::super::Outcome;
use super::super::arguments::{Arguments, wrong};
use super::super::draft::Draft;
use super::Directive;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured("include", "Reads the files that the pattern matches.", skip_pattern),
    Directive::honoured(
        "confdir",
        "Reads `*.conf` in these directories; of files with one name the first directory's.",
        skip_pattern,
    ),
    Directive::honoured(
        "sourcedir",
        "Reads sources from `*.sources` in these directories, and again on `chronyc reload sources`.",
        |draft, arguments| {
            let directories = directories(arguments)?;
            draft.source_directories.push_group(directories);
            Ok(())
        },
    ),
    Directive::honoured("pidfile", "File of the process ID; `/` for none.", |draft, arguments| {
        draft.config.files.pid_file = arguments.path_or_none("the file")?;
        Ok(())
    }),
    Directive::honoured("user", "Runs as this user.", |draft, arguments| {
        let user = arguments.word("the user")?;
        draft.config.process.user = (user.text != "root").then(|| user.text.to_owned());
        Ok(())
    }),
    Directive::honoured("lock_all", "Keeps all memory out of swap space.", |draft, _| {
        draft.config.process.lock_memory = true;
        Ok(())
    }),
    Directive::honoured(
        "sched_priority",
        "Real-time priority; 0 for an ordinary process.",
        |draft, arguments| {
            let priority = arguments.integer("the priority", 0..=100)?.min(99);
            draft.config.process.priority =
                u8::try_from(priority).ok().filter(|priority| *priority != 0);
            Ok(())
        },
    ),
];

const OBSOLETE_WORDS: &str = "chronyd does not support it any more either.";

pub(super) const OBSOLETE: &[Directive<Draft>] = &[
    Directive::unneeded("dumponexit", "With `dumpdir` measurements are always saved."),
    Directive::warned("commandkey", OBSOLETE_WORDS),
    Directive::warned("generatecommandkey", OBSOLETE_WORDS),
    Directive::warned("linux_freq_scale", OBSOLETE_WORDS),
    Directive::warned("linux_hz", OBSOLETE_WORDS),
];

/// How other files come into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chrony) enum Inclusion {
    /// Files that a pattern matches.
    Pattern,
    /// Files of some directories.
    Directories,
}

impl Inclusion {
    /// The inclusion that a directive is.
    pub(in crate::chrony) fn by(directive: &str) -> Option<Self> {
        match directive.to_ascii_lowercase().as_str() {
            "include" => Some(Self::Pattern),
            "confdir" => Some(Self::Directories),
            _ => None,
        }
    }
}

/// Where the text has no other files around it.
fn skip_pattern(_: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    while arguments.next().is_some() {}
    Ok(())
}

/// chronyd takes no more.
const MOST_DIRECTORIES: usize = 10;

/// All arguments as directories.
pub(in crate::chrony) fn directories(arguments: &mut Arguments<'_>) -> Outcome<Vec<PathBuf>> {
    let mut directories = vec![arguments.path("a directory")?];
    while arguments.count() > directories.len() {
        if directories.len() == MOST_DIRECTORIES {
            let word = arguments.word("a directory")?;
            return Err(wrong(word, "the eleventh directory", "at most ten directories"));
        }
        directories.push(arguments.path("a directory")?);
    }
    Ok(directories)
}
