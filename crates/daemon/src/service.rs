//! What the service manager is told: that we started, how we are, that we live.

use std::io;

use timeball_core::report::Tracking;
use timeball_host::service;
use timeball_wire::{Instant, Span};

/// The time to the next ping where nobody waits for one.
const NO_WATCHDOG: Span = Span::from_secs(3600);

/// The line to the service manager; it leads nowhere if there is none.
#[derive(Debug)]
pub(crate) struct Service {
    /// Half of the time after which silence counts as death.
    ping_interval: Option<Span>,
    next_ping: Option<Instant>,
    status: String,
    /// It could not be reached, and that was logged.
    broken: bool,
}

impl Service {
    /// The service manager that started this process, by its environment.
    pub(crate) fn from_environment() -> Self {
        Self {
            ping_interval: service::watchdog_interval().map(Span::half),
            next_ping: None,
            status: "starting".into(),
            broken: false,
        }
    }

    /// The daemon has started, or has read its configuration again.
    pub(crate) fn ready(&mut self) {
        let told = service::ready(&self.status);
        self.note(told);
    }

    /// The daemon is about to read its configuration again.
    pub(crate) fn reloading(&mut self) {
        let told = service::reloading();
        self.note(told);
    }

    /// The daemon is about to end.
    pub(crate) fn stopping(&mut self) {
        let told = service::stopping();
        self.note(told);
    }

    /// Says how the clock is doing, if that is news.
    pub(crate) fn describe(&mut self, tracking: &Tracking) {
        let status = status_line(tracking);
        if status != self.status {
            let told = service::status(&status);
            self.note(told);
            self.status = status;
        }
    }

    /// Says that the daemon lives, if it is time to. Answers when it will be time again.
    pub(crate) fn ping(&mut self, now: Instant) -> Instant {
        let Some(interval) = self.ping_interval else { return now + NO_WATCHDOG };
        match self.next_ping {
            Some(next) if now < next => next,
            _ => {
                let told = service::alive();
                self.note(told);
                let next = now + interval;
                self.next_ping = Some(next);
                next
            }
        }
    }

    fn note(&mut self, told: io::Result<()>) {
        match told {
            Ok(()) => self.broken = false,
            Err(error) => {
                if !self.broken {
                    tracing::warn!("the service manager cannot be told: {error}");
                }
                self.broken = true;
            }
        }
    }
}

/// One line about the clock that changes when something happens and not with every measurement.
pub(crate) fn status_line(tracking: &Tracking) -> String {
    match (&tracking.system_peer_name, tracking.synchronised) {
        (Some(peer), true) => format!("synchronised to {peer}, stratum {}", tracking.stratum),
        (None, true) => format!("synchronised, stratum {}", tracking.stratum),
        (_, false) => format!("not synchronised: {}", tracking.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_names_the_peer_or_the_reason() {
        let mut tracking = Tracking { reason: "no measurements yet".into(), ..Tracking::default() };
        assert_eq!(status_line(&tracking), "not synchronised: no measurements yet");
        tracking.synchronised = true;
        tracking.stratum = 3;
        assert_eq!(status_line(&tracking), "synchronised, stratum 3");
        tracking.system_peer_name = Some("ntp.example".into());
        assert_eq!(status_line(&tracking), "synchronised to ntp.example, stratum 3");
    }

    #[test]
    fn pings_come_at_half_the_interval() {
        let mut service = Service::from_environment();
        service.ping_interval = Some(Span::from_secs(5));
        let at = |seconds: i64| Instant::from_nanos(seconds * 1_000_000_000);
        assert_eq!(service.ping(at(100)), at(105));
        assert_eq!(service.ping(at(101)), at(105), "another event has ended the wait");
        assert_eq!(service.ping(at(105)), at(110));
        assert_eq!(service.ping(at(200)), at(205), "late is no reason to hurry");
    }
}
