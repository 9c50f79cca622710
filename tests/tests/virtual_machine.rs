//! timeball in charge of a kernel's clock, in a virtual machine. The servers are outside, so
//! that the truth is the clock of the machine that runs the test.

use std::net::IpAddr;

use timeball_interop::guest::{self, GUEST, Machine, OUTSIDE};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY};
use timeball_interop::peer::chrony::{self, Chronyd, Truth};
use timeball_interop::timeball::Status;

const PORTS: [u16; 3] = [123, 1123, 2123];
/// One of them, as the guest sees it.
const SERVER: IpAddr = IpAddr::V4(OUTSIDE);
/// How well an emulated machine must keep time, in seconds.
const TOLERANCE: f64 = 0.010;
/// Far from any clock error of these tests and far above what the kernel should be told.
const SENSIBLE_BOUND: f64 = 0.5;

/// Three servers on the guest's outside.
fn servers(host: &Host, truth: Truth) -> [Chronyd; 3] {
    PORTS.map(|port| Chronyd::start_on_port(host, truth, port))
}

/// All of them as sources, and these lines about the clock.
fn configuration(clock: &str) -> String {
    let tables = PORTS.map(|port| {
        format!("[[server]]\naddress = \"{OUTSIDE}\"\nport = {port}\nminpoll = 0\nmaxpoll = 3\n")
    });
    format!("{}[clock]\n{clock}\n[serve]\nallow = [\"10.0.2.0/24\"]\n", tables.concat())
}

/// How wrong chronyd outside finds the guest's clock (s), of up to three tries the first that is
/// tolerable: a guest that is held up for a moment answers late, and its answers do not tell.
fn from_outside(host: &Host) -> f64 {
    let mut seen = chrony::measure(host, guest::inside());
    for _ in 0..2 {
        if seen.abs() >= TOLERANCE {
            seen = chrony::measure(host, guest::inside());
        }
    }
    seen
}

#[test]
fn a_clock_an_hour_wrong_is_stepped_and_then_stays_right() {
    if !need::met(&[&LABORATORY[..], &GUEST].concat()) {
        return;
    }
    let machine = Machine::new();
    let laboratory = Laboratory::new();
    let host = laboratory.host("outside");
    let _servers = servers(&host, Truth::Honest);
    let mut guest = machine.boot(&host, -3600);
    let wrong = guest.clock_error(SERVER);
    assert!((wrong.offset - 3600.0).abs() < 60.0, "the guest starts with {wrong:?}");
    assert!(!guest.kernel_clock().synchronised);

    guest.start_timeball(&configuration(""));
    let status = guest.wait_until("is synchronised", |status| status.synchronised);
    assert!((1..=3).contains(&status.steps), "{status:#?}");
    assert_eq!(status.foreign_steps, 0, "{status:#?}");

    for _ in 0..6 {
        guest.shell_ok("sleep 5");
        let off = guest.clock_error(SERVER);
        assert!(off.offset.abs() < TOLERANCE, "{off:?}");
        let seen = from_outside(&host);
        assert!(seen.abs() < TOLERANCE, "chronyd outside sees it off by {seen} s");
        let kernel = guest.kernel_clock();
        assert!(kernel.synchronised, "{kernel:?}");
        assert!(off.offset.abs() <= kernel.maximum_error + off.bound, "{off:?} and {kernel:?}");
        assert!(kernel.maximum_error < SENSIBLE_BOUND, "{kernel:?}");
        assert!(kernel.estimated_error <= kernel.maximum_error, "{kernel:?}");
    }
    guest.power_off();
}

#[test]
fn a_reboot_starts_from_the_drift_file() {
    /// How fast the servers run, and how well that must be known before and after, in ppm.
    const DRIFT: f64 = 40.0;
    const KNOWN: f64 = 4.0;
    if !need::met(&[&LABORATORY[..], &GUEST].concat()) {
        return;
    }
    let machine = Machine::new();
    let laboratory = Laboratory::new();
    let host = laboratory.host("outside");
    {
        let _servers = servers(&host, Truth::Drifting(DRIFT));
        let mut guest = machine.boot(&host, 0);
        guest.start_timeball(&configuration("step-threshold = \"20 ms\""));
        guest.wait_until("knows the frequency", |status| {
            status.frequency_sd_ppm < KNOWN / 2.0 && (status.frequency_ppm - DRIFT).abs() < KNOWN
        });
        guest.stop_timeball();
        let drift = guest.shell_ok("cat /var/lib/timeball/drift");
        assert!(drift.contains("frequency-ppm"), "{drift}");
        guest.power_off();
    }
    // No server is left that could tell it.
    let mut guest = machine.boot(&host, 0);
    let fresh = guest.kernel_clock();
    assert!(fresh.frequency_ppm.abs() < 0.001, "a kernel starts without: {fresh:?}");
    guest.start_timeball(&configuration(""));
    let kernel =
        guest.wait_for_kernel("the frequency is set", |kernel| kernel.frequency_ppm != 0.0);
    assert!((kernel.frequency_ppm - DRIFT).abs() < KNOWN, "{kernel:?}");
    assert!(!kernel.synchronised, "{kernel:?}");
    guest.power_off();
}

#[test]
fn killed_in_mid_slew_it_leaves_the_frequency_within_the_bound() {
    /// `max-slew` and `max-frequency`, in ppm: together what may be in force at any time.
    const MAX_SLEW: f64 = 1000.0;
    const MAX_FREQUENCY: f64 = 20.0;
    /// What the kernel makes of a frequency is a little coarser.
    const RESOLUTION: f64 = 0.01;
    if !need::met(&[&LABORATORY[..], &GUEST].concat()) {
        return;
    }
    let machine = Machine::new();
    let laboratory = Laboratory::new();
    let host = laboratory.host("outside");
    let _servers = servers(&host, Truth::Honest);
    // Three seconds at a thousandth take most of an hour.
    let mut guest = machine.boot(&host, 3);
    guest.start_timeball(&configuration(&format!(
        "step-threshold = \"10 s\"\nmax-slew = \"{MAX_SLEW} ppm\"\nmax-frequency = \"{MAX_FREQUENCY} ppm\""
    )));
    let slewing =
        guest.wait_until("slews", |status| status.kernel_frequency_ppm.abs() > 0.9 * MAX_SLEW);
    assert_eq!(slewing.steps, 0, "{slewing:#?}");
    let before = guest.clock_error(SERVER);
    guest.kill_timeball();
    let kernel = guest.kernel_clock();
    assert!(kernel.frequency_ppm.abs() > 0.5 * MAX_SLEW, "it was slewing: {kernel:?}");
    let bound = MAX_SLEW + MAX_FREQUENCY + RESOLUTION;
    assert!(kernel.frequency_ppm.abs() <= bound, "{kernel:?}");
    // Left alone, the clock went on towards the truth, no faster than that.
    guest.shell_ok("sleep 5");
    let after = guest.clock_error(SERVER);
    assert!(after.offset.abs() < before.offset.abs() + TOLERANCE, "{before:?}, then {after:?}");

    // Whoever comes next takes over what it finds.
    guest.start_timeball(&configuration("step-threshold = \"20 ms\""));
    guest.wait_until_right(SERVER, TOLERANCE);
    guest.wait_for_kernel("the slew has ended", |kernel| kernel.frequency_ppm.abs() < 100.0);
    guest.power_off();
}

#[test]
fn a_foreign_step_is_noticed_and_repaired_without_losing_sources() {
    if !need::met(&[&LABORATORY[..], &GUEST].concat()) {
        return;
    }
    let machine = Machine::new();
    let laboratory = Laboratory::new();
    let host = laboratory.host("outside");
    let _servers = servers(&host, Truth::Honest);
    let mut guest = machine.boot(&host, 0);
    guest.start_timeball(&configuration("step-threshold = \"0.1 s\"\nstep-limit = 1000"));
    // The newest request may be under way.
    let reaches_all =
        |status: &Status| status.sources.iter().all(|source| source.reach | 1 == 0xff);
    let before = guest.wait_until("reaches every source for long", |status| {
        status.synchronised && reaches_all(status)
    });
    guest.wait_until_right(SERVER, TOLERANCE);

    guest.shell_ok("date -s @$(($(date +%s) + 5))");
    let after = guest.wait_until("notices", |status| status.foreign_steps == 1);
    assert!(reaches_all(&after), "{after:#?}");
    guest.wait_until_right(SERVER, TOLERANCE);
    let repaired = guest.wait_until("follows again", |status| status.synchronised);
    assert!(repaired.steps > before.steps, "{repaired:#?}");
    assert_eq!(repaired.foreign_steps, 1, "{repaired:#?}");
    assert!(reaches_all(&repaired), "{repaired:#?}");
    assert!(repaired.sources.iter().any(|source| source.is_followed()), "{repaired:#?}");
    guest.power_off();
}

#[test]
fn asked_to_it_steps_at_once_and_whoever_waits_is_told() {
    if !need::met(&[&LABORATORY[..], &GUEST].concat()) {
        return;
    }
    let machine = Machine::new();
    let laboratory = Laboratory::new();
    let host = laboratory.host("outside");
    let _servers = servers(&host, Truth::Honest);
    let mut guest = machine.boot(&host, 3);
    guest.start_timeball(&configuration("step-threshold = \"10 s\""));
    let slewing = guest.wait_until("is synchronised", |status| status.synchronised);
    assert_eq!(slewing.steps, 0, "{slewing:#?}");
    let far = guest.shell("timeball wait --timeout 2 --max-offset 0.1");
    assert_eq!(far.status, 1, "{far:?}");

    guest.shell_ok("timeball step");
    guest.shell_ok("timeball wait --timeout 30 --max-offset 0.01");
    let off = guest.clock_error(SERVER);
    assert!(off.offset.abs() < TOLERANCE, "{off:?}");
    let stepped = guest.wait_until("has stepped", |status| status.steps == 1);
    assert_eq!(stepped.foreign_steps, 0, "{stepped:#?}");
    guest.power_off();
}
