//! `timeball demo`: a daemon finds the liar among three servers.
//!
//! Servers, daemon and table run in this one process, on loopback, and the clock is left alone.

mod screen;

use clap::Args;
use timeball_config::Config;
use timeball_core::association::PollInterval;
use timeball_core::report::{Report, SourceReport};
use timeball_core::selection::State;
use timeball_core::settings::SourceSettings;
use timeball_daemon::demo::DemoServers;
use timeball_daemon::{ClockControl, EventLoop};
use timeball_wire::{Instant, Span};

use crate::display::style::{BAD, GOOD, STRONG, paint};
use crate::display::{print, units};
use crate::outcome::{Failure, Outcome};
use screen::Screen;

/// What each server adds to the true time.
const LIES: [Span; 3] = [Span::ZERO, Span::ZERO, Span::from_millis(212)];
/// The demonstration is over after this at the latest.
const PATIENCE: Span = Span::from_secs(60);
/// How often the table is drawn anew.
const FRAME: Span = Span::from_millis(250);

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {}

pub(crate) fn run(_: &DemoArguments) -> Result<Outcome, Failure> {
    let servers = DemoServers::start(&LIES)
        .map_err(|error| Failure::System(format!("cannot serve on loopback: {error}")))?;
    print(&introduction(&servers))?;
    let mut daemon =
        EventLoop::new(config(&servers), ClockControl::Never).map_err(Failure::system)?;
    let end = watch(&mut daemon)?;
    daemon.stop().map_err(Failure::system)?;
    print(&end.conclusion())?;
    Ok(end.is_happy().into())
}

fn introduction(servers: &DemoServers) -> String {
    let mut text = paint(STRONG, "Three servers on this machine; one of them is wrong.");
    text.push('\n');
    for (address, lie) in servers.addresses().iter().zip(LIES) {
        let truth = match lie {
            Span::ZERO => "tells this machine's time".to_owned(),
            lie => format!("adds {}", units::seconds(lie.seconds())),
        };
        text.push_str(&format!("  {address}  {truth}\n"));
    }
    text.push_str("A daemon asks them and knows nothing of this. It does not touch the clock.\n");
    text
}

/// A daemon that hurries: the servers are near and are ours.
fn config(servers: &DemoServers) -> Config {
    let mut config = Config::default();
    config.control.socket = None;
    // Nothing is remembered: there is no such directory.
    config.files.state_directory = "/nonexistent/timeball-demo".into();
    for address in servers.addresses() {
        let mut source = SourceSettings::server(address.ip().to_string());
        source.port = address.port();
        source.association.minpoll = PollInterval::new(-1);
        source.association.maxpoll = PollInterval::SECOND;
        config.engine.sources.push(source);
    }
    config.engine.discipline.control = false;
    config
}

/// One look at the daemon; the last one is how it ended.
struct Look {
    report: Report,
    /// Since the start.
    after: Span,
}

impl Look {
    fn falsetickers(&self) -> impl Iterator<Item = &SourceReport> {
        self.report.sources.iter().filter(|source| source.state == State::Falseticker)
    }

    fn conclusion(&self) -> String {
        let tracking = &self.report.tracking;
        let after = units::seconds(self.after.seconds());
        if !self.is_happy() {
            let heading = paint(BAD.bold(), &format!("Not done after {after}."));
            return format!("\n{heading} The daemon says: {}.", tracking.reason);
        }
        let heading = paint(GOOD.bold(), &format!("Synchronised after {after}:"));
        let offset = tracking.offset.unwrap_or_default();
        let offset = units::offset_and_bound(offset, tracking.offset_bound);
        let liars = self.falsetickers().map(|liar| {
            let name = paint(BAD.bold(), &format!("{} lies:", liar.name));
            format!("\n{name} {}.", liar.reason)
        });
        let liars: String = liars.collect();
        format!("\n{heading} {}; this clock is off by {offset}.{liars}", tracking.reason)
    }

    /// Synchronised, and not fooled.
    fn is_happy(&self) -> bool {
        let lies = self.report.sources.iter().zip(LIES);
        self.report.tracking.synchronised
            && lies
                .into_iter()
                .all(|(source, lie)| (source.state == State::Falseticker) == (lie != Span::ZERO))
    }
}

fn watch(daemon: &mut EventLoop) -> Result<Look, Failure> {
    let start = daemon.monotonic().map_err(Failure::system)?;
    let mut screen = Screen::for_stdout();
    loop {
        let now = daemon.monotonic().map_err(Failure::system)?;
        let look = Look { report: daemon.report().map_err(Failure::system)?, after: now - start };
        screen.show(&look)?;
        if look.is_happy() || look.after >= PATIENCE {
            return Ok(look);
        }
        let frame: Instant = now + FRAME;
        while daemon.monotonic().map_err(Failure::system)? < frame {
            daemon.turn(frame).map_err(Failure::system)?;
        }
    }
}

#[cfg(test)]
mod tests;
