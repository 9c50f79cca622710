//! `timeball`, the one binary.
//!
//! Every command is a file of [`commands`]; what they print is put together by [`display`]. None of
//! them computes anything about time: that is the engine's.
#![forbid(unsafe_code)]

mod arguments;
mod chronyc;
mod chronyd;
mod commands;
mod display;
mod outcome;
mod personality;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use personality::Personality;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    match Personality::of(&called) {
        Personality::Timeball => timeball(),
        Personality::Chronyd => chronyd::main(),
        Personality::Chronyc => chronyc::main().exit_code(),
    }
}

fn timeball() -> ExitCode {
    match commands::run(Arguments::parse().command) {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
