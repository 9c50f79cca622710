//! timeball inside the guest.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::Guest;
use crate::timeball::Status;
use crate::wait;

const CONFIGURATION: &str = "/etc/timeball.toml";
const LOG: &str = "/run/timeball.log";
const PID: &str = "/run/timeball.pid";

/// Emulation is slow, and on a busy machine its clock is a bad one.
const LIMIT: Duration = Duration::from_secs(900);

/// How wrong a clock is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct ClockError {
    /// True time minus the clock, in seconds.
    pub offset: f64,
    /// The offset is good to this: a measurement through a busy machine is not exact.
    #[serde(rename = "offset_bound")]
    pub bound: f64,
}

impl Guest {
    /// Starts `timeball run` with this configuration, in charge of the guest's clock.
    pub fn start_timeball(&mut self, configuration: &str) {
        self.write_file(CONFIGURATION, configuration);
        self.shell_ok(&format!("timeball run -c {CONFIGURATION} >>{LOG} 2>&1 & echo $! >{PID}"));
    }

    /// Ends it in good order and waits for its end.
    pub fn stop_timeball(&mut self) {
        self.end_timeball("TERM", 0);
    }

    /// Ends it without a chance to do anything.
    pub fn kill_timeball(&mut self) {
        self.end_timeball("KILL", 128 + 9);
    }

    /// The shell waits as well: told of a child's end while it reads the next command, busybox's
    /// forgets what it has read of it.
    fn end_timeball(&mut self, signal: &str, status: i32) {
        let end = format!("kill -{signal} $(cat {PID}) && wait $(cat {PID})");
        let printed = self.shell(&end);
        assert_eq!(printed.status, status, "{end} printed:\n{}", printed.text);
    }

    fn timeball_runs(&mut self) -> bool {
        self.shell(&format!("kill -0 $(cat {PID})")).status == 0
    }

    /// The end of its log.
    pub fn timeball_log(&mut self) -> String {
        self.shell(&format!("tail -n 40 {LOG}")).text
    }

    /// Waits until `timeball status --json` is as it should be, and returns it.
    pub fn wait_until(&mut self, what: &str, good: impl Fn(&Status) -> bool) -> Status {
        wait::until(&format!("timeball {what}"), LIMIT, || {
            assert!(self.timeball_runs(), "timeball has ended\n{}", self.timeball_log());
            let printed = self.shell("timeball status --json").text;
            let status: Status = serde_json::from_str(&printed)
                .map_err(|error| format!("{error}\n{printed}\n{}", self.timeball_log()))?;
            if good(&status) {
                return Ok(status);
            }
            Err(format!("{status:#?}\n{}", self.timeball_log()))
        })
    }

    /// How wrong the guest's clock is, by a server and `timeball query`.
    pub fn clock_error(&mut self, server: IpAddr) -> ClockError {
        // On a terminal, and the guest's line is one, progress is shown among the complaints.
        let printed = self.shell_ok(&format!(
            "timeball query {server} --samples 4 --json 2>/run/query || {{ cat /run/query; false; }}"
        ));
        let [error] = serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("query printed no measurement: {error}\n{printed}"));
        error
    }

    /// Waits until the guest's clock is nearer to a server's than `tolerance`.
    pub fn wait_until_right(&mut self, server: IpAddr, tolerance: f64) {
        wait::until("the guest's clock is right", LIMIT, || match self.clock_error(server) {
            error if error.offset.abs() < tolerance => Ok(()),
            error => Err(format!("{error:?}\n{}", self.timeball_log())),
        });
    }

    /// Waits until the kernel's clock is as it should be, and returns it.
    pub fn wait_for_kernel(
        &mut self,
        what: &str,
        good: impl Fn(&super::KernelClock) -> bool,
    ) -> super::KernelClock {
        wait::until(what, LIMIT, || {
            let kernel = self.kernel_clock();
            if good(&kernel) { Ok(kernel) } else { Err(format!("{kernel:?}")) }
        })
    }
}
