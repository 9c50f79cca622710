//! What the tests of a whole daemon share. None of them may touch the clock.
#![allow(dead_code, unreachable_pub)]

use std::net::SocketAddr;
use std::path::Path;

use timeball_config::Config;
use timeball_core::association::PollInterval;
use timeball_core::report::Report;
use timeball_core::settings::SourceSettings;
use timeball_daemon::{ClockControl, EventLoop};
use timeball_wire::Span;

/// More turns than any of the tests needs: a few dozen exchanges with three servers.
const MAX_TURNS: usize = 20_000;

/// A configuration that asks these servers several times a second, keeps everything in `directory`
/// and leaves the clock alone.
pub fn config(directory: &Path, servers: &[SocketAddr]) -> Config {
    let mut config = Config::default();
    config.engine.sources = servers.iter().map(|server| source(*server)).collect();
    config.engine.discipline.control = false;
    config.files.state_directory = directory.join("state");
    config.control.socket = Some(directory.join("socket"));
    config
}

pub fn source(server: SocketAddr) -> SourceSettings {
    let mut source = SourceSettings::server(server.ip().to_string());
    source.port = server.port();
    source.association.minpoll = PollInterval::new(-4);
    source.association.maxpoll = PollInterval::new(-4);
    source.association.iburst = false;
    source
}

/// A daemon that cannot touch the clock whatever its configuration says.
pub fn start(config: Config) -> EventLoop {
    let event_loop = EventLoop::new(config, ClockControl::Never).unwrap();
    assert!(event_loop.why_it_only_watches().is_some());
    event_loop
}

/// Turns until `done`, and answers the report that satisfied it. Each turn is ended by an event or
/// after 100 ms.
pub fn turn_until(event_loop: &mut EventLoop, done: impl Fn(&Report) -> bool) -> Report {
    for _ in 0..MAX_TURNS {
        let report = event_loop.report().unwrap();
        if done(&report) {
            return report;
        }
        turn(event_loop);
    }
    panic!("not within {MAX_TURNS} turns: {:#?}", event_loop.report().unwrap());
}

/// One turn, ended by an event or after 100 ms.
pub fn turn(event_loop: &mut EventLoop) {
    let until = event_loop.monotonic().unwrap() + Span::from_millis(100);
    event_loop.turn(until).unwrap();
}
