//! Every key of timeball.toml, table by table.
//!
//! A new key is one entry here, with the field that it fills. The reader, the suggestions, the writer
//! and the reference page follow from it; a line in `packaging/timeball.toml` and what it means
//! together with other keys (`crate::check`) do not. The tests say what is missing.

mod clock;
mod daemon;
mod selection;
mod serve;
mod source;

use super::schema::Section;
use crate::config::Config;

pub(crate) use serve::{RATE_LIMIT, RATE_LIMIT_TABLE, SERVE};
pub(crate) use source::{DEFAULT_POOL_COUNT, POOL, SERVER};

/// The tables there is one of, in the order of the reference page.
pub(crate) static SECTIONS: [&Section<Config>; 7] = [
    &selection::SELECTION,
    &clock::CLOCK,
    &serve::SERVE,
    &daemon::NETWORK,
    &daemon::FILES,
    &daemon::CONTROL,
    &daemon::LOG,
];
