//! The page that says what becomes of every directive, made from the table by which they are read.

use std::fmt::Write as _;

use super::directives::{CLOCK_OPTIONS, Directive, Fate, GROUPS, OPTIONS};

const OPENING: &str = "\
<!-- Generated: `UPDATE_DOCS=1 cargo test -p timeball-config --test chrony` -->

# chrony.conf

timeball reads chronyd's configuration as it is: `timeball run --config /etc/chrony/chrony.conf`. What chronyd assumes where
the file says nothing is assumed here too. `timeball config check` shows every warning and every mistake with its line.

A directive is

- **honoured**: it does what it does in chronyd;
- **unneeded**: it has no effect, and nobody misses it;
- **warned about**: it has no effect, and a message says what happens instead;
- **refused**: going on without it would not be safe, so the file is not used.

A directive that is not in this list is a mistake, as in chronyd.
";

/// The page in Markdown.
pub fn compat_page() -> String {
    let mut page = OPENING.to_string();
    for group in GROUPS {
        table(&mut page, group.title, "directive", group.directives);
    }
    table(&mut page, "Options of `server`, `pool` and `peer`", "option", OPTIONS);
    table(&mut page, "Options of `refclock`", "option", CLOCK_OPTIONS);
    page
}

fn table<D>(page: &mut String, title: &str, what: &str, directives: &[Directive<D>]) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {title}\n\n| {what} | | |\n|---|---|---|\n");
    for directive in directives {
        let fate = match directive.fate {
            Fate::Honoured => "honoured",
            Fate::Unneeded => "unneeded",
            Fate::Warned => "warned about",
            Fate::Refused => "**refused**",
        };
        let _ = writeln!(page, "| `{}` | {fate} | {} |", directive.name, directive.words);
    }
}
