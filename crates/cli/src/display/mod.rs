//! What people read: units, tables, colours. The commands decide what is shown, this decides how.

pub(crate) mod authentication;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod output;
pub(crate) mod source;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod units;

pub(crate) use output::{print, print_json, width};
pub(crate) use table::{Align, Cell, Narrowing, Table};
