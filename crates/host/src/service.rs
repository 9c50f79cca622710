//! The service manager (systemd's `sd_notify(3)` protocol): readiness, status, watchdog.
//!
//! Without a service manager (`NOTIFY_SOCKET` is not set) all of this does nothing, and opens no
//! socket.

use std::io;

use sd_notify::{NotifyState, notify};
use timeball_wire::time::Span;

/// The service has started.
///
/// # Errors
///
/// When the service manager cannot be told.
pub fn ready(status: &str) -> io::Result<()> {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))])
}

/// The service reads its configuration again; [`ready`] must follow.
///
/// # Errors
///
/// When the service manager cannot be told.
pub fn reloading() -> io::Result<()> {
    notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
}

/// The service is about to end.
///
/// # Errors
///
/// When the service manager cannot be told.
pub fn stopping() -> io::Result<()> {
    notify(&[NotifyState::Stopping])
}

/// What the service is doing, in a line for people.
///
/// # Errors
///
/// When the service manager cannot be told.
pub fn status(text: &str) -> io::Result<()> {
    notify(&[NotifyState::Status(&one_line(text))])
}

/// The service is alive. To be called at least twice in each [`watchdog_interval`].
///
/// # Errors
///
/// When the service manager cannot be told.
pub fn alive() -> io::Result<()> {
    notify(&[NotifyState::Watchdog])
}

/// How long the service manager waits for [`alive`] before it takes the service for dead; `None`
/// if it does not wait for it.
pub fn watchdog_interval() -> Option<Span> {
    sd_notify::watchdog_enabled().map(Span::from).filter(|&interval| interval > Span::ZERO)
}

/// A line break would begin another message to the service manager.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_a_command() {
        assert_eq!(one_line("synchronised\nMAINPID=1\0"), "synchronised MAINPID=1 ");
    }
}
