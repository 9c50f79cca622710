//! `timeball`, the one binary.
//!
//! Every command is a file of [`commands`]; what they print is put together by [`display`]. None of
//! them computes anything about time: that is the engine's.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_main)]

mod arguments;
mod chronyc;
mod chronyd;
mod commands;
mod display;
mod key_establishment;
mod outcome;
mod personality;
mod resolve;

use clap::Parser as _;

use arguments::Arguments;
use personality::Personality;

#[cfg(not(test))]
timeball_host::entry_point!(run);

/// Does what the program is called for; its exit status.
#[cfg_attr(test, expect(dead_code, reason = "tests have a start of their own"))]
fn run() -> u8 {
    let called = std::env::args_os().next().unwrap_or_default();
    match Personality::of(&called) {
        Personality::Timeball => timeball(),
        Personality::Chronyd => chronyd::main().exit_status(),
        Personality::Chronyc => chronyc::main().exit_status(),
    }
}

fn timeball() -> u8 {
    match commands::run(Arguments::parse().command) {
        Ok(outcome) => outcome.exit_status(),
        Err(failure) => {
            failure.print();
            failure.exit_status()
        }
    }
}
