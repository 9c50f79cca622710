//! A command that is run for each alert: one at a time, in order, and not for ever.

use std::io::{self, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use timeball_guard::watch::Alert;
use timeball_host::wake::Waker;

use crate::outcome::Failure;

/// A command that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(60);
/// How long to wait for what has begun when the watch ends.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at whether it has ended.
const INTERVAL: Duration = Duration::from_millis(20);

/// The thread that runs it.
pub(super) struct Hook {
    to_run: mpsc::Sender<Alert>,
    done: mpsc::Receiver<()>,
    /// Alerts that have been handed over and not been dealt with.
    under_way: usize,
}

impl Hook {
    /// Starts the thread; it wakes the main loop when a command has ended.
    pub(super) fn start(command: Vec<String>, waker: Waker) -> Result<Self, Failure> {
        let (to_run, alerts) = mpsc::channel::<Alert>();
        let (done_by, done) = mpsc::channel();
        thread::Builder::new()
            .name("hook".into())
            .spawn(move || {
                for alert in alerts {
                    if let Err(complaint) = run(&command, &alert, LIMIT) {
                        let program = command.first().map_or("", String::as_str);
                        anstream::eprintln!("{program}: {complaint}");
                    }
                    if done_by.send(()).is_err() {
                        return;
                    }
                    waker.wake();
                }
            })
            .map_err(Failure::system)?;
        Ok(Self { to_run, done, under_way: 0 })
    }

    /// Has it run for this alert, after those before.
    pub(super) fn run(&mut self, alert: Alert) {
        // The thread ends only after this sender, so it is there to receive.
        let _ = self.to_run.send(alert);
        self.under_way = self.under_way.saturating_add(1);
    }

    /// Counts those that have ended.
    pub(super) fn take(&mut self) {
        self.under_way = self.under_way.saturating_sub(self.done.try_iter().count());
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Waits a while for those that have not ended.
    pub(super) fn end(mut self) {
        let deadline = Instant::now() + PATIENCE;
        self.take();
        while !self.is_idle() {
            match self.done.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => self.under_way = self.under_way.saturating_sub(1),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    anstream::eprintln!("{} alerts have not reached the command", self.under_way);
                    return;
                }
            }
        }
    }
}

/// Runs the command with the alert on its standard input and in its environment.
fn run(command: &[String], alert: &Alert, limit: Duration) -> Result<(), String> {
    let [program, arguments @ ..] = command else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env("TIMEBALL_EVENT", alert.event.name())
        .env("TIMEBALL_ENDPOINT", &alert.endpoint)
        .env("TIMEBALL_EXPECTED", &alert.expected)
        .env("TIMEBALL_CONDITION", &alert.condition)
        .env("TIMEBALL_MESSAGE", alert.sentence())
        .stdin(Stdio::piped())
        // Standard output is for alerts alone.
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let given = match child.stdin.take() {
        Some(mut input) => {
            let json = serde_json::to_string(alert).unwrap_or_default();
            // Less than any pipe holds, so that a command that does not read cannot hold this up.
            writeln!(input, "{json}")
        }
        None => Ok(()),
    };
    match given {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            anstream::eprintln!("{program}: cannot be given an alert: {error}");
        }
        // Whoever does not want it may close it.
        Ok(()) | Err(_) => {}
    }
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return judge(status),
            Ok(None) if start.elapsed() < limit => thread::sleep(INTERVAL),
            Ok(None) => {
                let killed = child.kill().and_then(|()| child.wait());
                return match killed {
                    Ok(_) => Err(format!("has not ended within {} s, killed", limit.as_secs())),
                    Err(error) => Err(format!("cannot be ended: {error}")),
                };
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

fn judge(status: ExitStatus) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(format!("ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use timeball_guard::watch::Event;

    use super::super::tests::alert;
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_alert_is_in_its_input_and_its_environment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let script = format!(
            "{{ echo \"$TIMEBALL_EVENT|$TIMEBALL_ENDPOINT|$TIMEBALL_CONDITION\"; cat; }} > {}",
            path.display()
        );
        let alert = alert(Event::Recovered);
        assert_eq!(run(&shell(&script), &alert, LIMIT), Ok(()));
        let told = std::fs::read_to_string(&path).unwrap();
        let (line, json) = told.split_once('\n').unwrap();
        assert_eq!(line, "recovered|udp:192.0.2.1:123|open");
        assert_eq!(serde_json::from_str::<Alert>(json).unwrap(), alert);
    }

    #[test]
    fn failures_are_told_and_an_endless_one_is_ended() {
        let alert = alert(Event::Violated);
        assert_eq!(run(&shell("exit 3"), &alert, LIMIT), Err("ended with exit status: 3".into()));
        let missing = run(&["/nonexistent".into()], &alert, LIMIT).unwrap_err();
        assert!(missing.starts_with("cannot be run: "), "{missing}");
        let endless = run(&shell("exec sleep 600"), &alert, Duration::ZERO);
        assert_eq!(endless, Err("has not ended within 0 s, killed".into()));
    }

    #[test]
    fn they_run_in_order_and_the_end_waits_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let (_wake, waker) = timeball_host::wake::Wake::new().unwrap();
        let script = format!("echo $TIMEBALL_EVENT >> {}", path.display());
        let mut hook = Hook::start(shell(&script), waker).unwrap();
        for event in Event::ALL {
            hook.run(alert(event));
        }
        assert!(!hook.is_idle());
        hook.end();
        let told = std::fs::read_to_string(&path).unwrap();
        assert_eq!(told, "violated\nchanged\nreminder\nrecovered\n");
    }
}
