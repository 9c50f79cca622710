//! `timeball`, the one binary.
//!
//! Every command is a file of [`commands`]; what they print is put together by [`display`]. None of
//! them computes anything about time: that is the engine's.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod display;
mod outcome;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;

fn main() -> ExitCode {
    match commands::run(Arguments::parse().command) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
