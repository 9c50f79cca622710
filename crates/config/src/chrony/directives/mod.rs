//! Every directive of chrony.conf and what becomes of it: the one table from which the reader works
//! and from which the page is made.

mod clock;
mod commands;
mod files;
mod logs;
mod nts;
mod reference_clocks;
mod selection;
mod server;
mod source_options;
mod sources;

use super::Outcome;
use super::arguments::Arguments;
use super::draft::Draft;

pub(super) use files::{Inclusion, directories};
pub(super) use reference_clocks::CLOCK_OPTIONS;
pub(super) use source_options::OPTIONS;
pub(super) use sources::{DEFAULT_POOL_SOURCES, read_source};

/// A directive or an option of one. `D` is what it is read into.
pub(super) struct Directive<D: 'static> {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
    /// What it does, or what happens in its place: for the page, and for whoever is warned.
    pub(super) words: &'static str,
    pub(super) read: fn(&mut D, &mut Arguments<'_>) -> Outcome<()>,
}

/// What becomes of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It does what it does in chronyd.
    Honoured,
    /// It has no effect, and nobody misses it.
    Unneeded,
    /// It has no effect, and whoever wrote it should know.
    Warned,
    /// It cannot be honoured, and to go on without it would not be safe.
    Refused,
}

impl<D> Directive<D> {
    const fn honoured(
        name: &'static str,
        words: &'static str,
        read: fn(&mut D, &mut Arguments<'_>) -> Outcome<()>,
    ) -> Self {
        Self { name, fate: Fate::Honoured, words, read }
    }

    const fn unneeded(name: &'static str, words: &'static str) -> Self {
        Self { name, fate: Fate::Unneeded, words, read: skip }
    }

    const fn warned(name: &'static str, words: &'static str) -> Self {
        Self { name, fate: Fate::Warned, words, read: skip }
    }

    const fn refused(name: &'static str, words: &'static str) -> Self {
        Self { name, fate: Fate::Refused, words, read: skip }
    }
}

/// Takes whatever arguments there are.
fn skip<D>(_: &mut D, arguments: &mut Arguments<'_>) -> Outcome<()> {
    while arguments.next().is_some() {}
    Ok(())
}

/// Directives about one thing, under a heading of the page.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) directives: &'static [Directive<Draft>],
}

/// All of them.
pub(super) const GROUPS: &[Group] = &[
    Group { title: "Time sources", directives: sources::DIRECTIVES },
    Group { title: "Source selection", directives: selection::DIRECTIVES },
    Group { title: "System clock", directives: clock::DIRECTIVES },
    Group { title: "Battery clock", directives: clock::BATTERY },
    Group { title: "NTP server", directives: server::DIRECTIVES },
    Group { title: "Authentication", directives: server::AUTHENTICATION },
    Group { title: "NTS of sources", directives: nts::DIRECTIVES },
    Group { title: "Command access", directives: commands::DIRECTIVES },
    Group { title: "Network", directives: server::NETWORK },
    Group { title: "Logging", directives: logs::DIRECTIVES },
    Group { title: "Files and process", directives: files::DIRECTIVES },
    Group { title: "Not in chronyd any more", directives: files::OBSOLETE },
];

/// The directive of this name.
pub(super) fn find(name: &str) -> Option<&'static Directive<Draft>> {
    all().find(|directive| directive.name.eq_ignore_ascii_case(name))
}

pub(super) fn all() -> impl Iterator<Item = &'static Directive<Draft>> {
    GROUPS.iter().flat_map(|group| group.directives)
}
