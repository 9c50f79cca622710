use proptest::prelude::*;
use timeball_wire::Instant;

use super::*;

/// A machine whose oscillator's reading is known, to compare the time line with.
#[derive(Clone, Copy)]
struct Machine {
    oscillator: i64,
    now: Now,
}

impl Machine {
    fn new(frequency: f64) -> Self {
        let start = 1_700_000_000_000_000_000;
        Self {
            oscillator: start,
            now: Now {
                monotonic: Instant::from_nanos(5_000_000_000),
                system: Timestamp::from_nanos(start),
                raw: None,
                asleep: Span::ZERO,
                frequency,
                uncertainty: Span::ZERO,
            },
        }
    }

    fn run(&mut self, seconds: f64) {
        let elapsed = Span::from_seconds(seconds);
        let shown = elapsed + Span::from_seconds(seconds * self.now.frequency);
        self.oscillator += elapsed.nanos();
        self.now.system += shown;
        self.now.monotonic += shown;
    }

    fn step(&mut self, by: Span) {
        self.now.system += by;
    }

    fn error(&self, of: Oscillator) -> i64 {
        of.nanos() - self.oscillator
    }
}

#[test]
fn an_undisturbed_clock_is_the_oscillator() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(1000.0);
    assert_eq!(timeline.observe(machine.now), Disturbance::default());
    assert_eq!(machine.error(timeline.now()), 0);
    assert_eq!(timeline.correction(), Span::ZERO);
}

#[test]
fn a_step_that_was_ordered_is_known_however_small() {
    let mut machine = Machine::new(20e-6);
    let mut timeline = Timeline::new(machine.now);
    for by in [Span::from_nanos(30), Span::from_nanos(-20_000), Span::from_secs(3)] {
        machine.run(10.0);
        timeline.observe(machine.now);
        let correction = timeline.correction();
        machine.step(by);
        assert_eq!(timeline.observe_step(machine.now, by).step, Some(by));
        assert_eq!(timeline.correction() - correction, by);
        assert!(machine.error(timeline.now()).abs() <= 1, "{:?}", timeline.now());
    }
    // A kernel that does not do as told is believed, and not the order.
    let wrong = Span::from_secs(2);
    machine.step(wrong);
    assert_eq!(timeline.observe_step(machine.now, Span::from_secs(1)).step, Some(wrong));
}

#[test]
fn a_compensated_oscillator_runs_evenly() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(100.0);
    timeline.observe(machine.now);
    // It is known to have become slower by 8 ppm, and the kernel is told to make up for it.
    timeline.compensate(8e-6);
    machine.now.frequency = timeline.kernel_frequency(0.0);
    timeline.observe(machine.now);
    assert_eq!(timeline.rate(), 0.0);
    machine.run(1000.0);
    timeline.observe(machine.now);
    assert!((machine.error(timeline.now()) - 8_000_000).abs() <= 1, "{:?}", timeline.now());
    let rate = 0.05;
    machine.now.frequency = timeline.kernel_frequency(rate);
    timeline.observe(machine.now);
    assert!((timeline.rate() - rate).abs() < 1e-15, "{}", timeline.rate());
}

#[test]
fn a_step_moves_the_system_clock_and_not_the_oscillator() {
    let mut machine = Machine::new(20e-6);
    let mut timeline = Timeline::new(machine.now);
    machine.run(100.0);
    let before = machine;
    timeline.observe(machine.now);
    machine.step(Span::from_secs(3600));
    let disturbance = timeline.observe(machine.now);
    assert_eq!(disturbance.step, Some(Span::from_secs(3600)));
    assert_eq!(machine.error(timeline.now()), 0);
    assert_eq!(timeline.correction(), Span::from_secs(3600) + Span::from_millis(2));
    assert_eq!(before.error(timeline.oscillator_at(before.now.system)), 0);
}

#[test]
fn a_stamp_taken_before_a_backward_step_is_still_understood() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(50.0);
    let stamped = machine;
    machine.run(0.001);
    machine.step(Span::from_secs(-5));
    machine.run(0.001);
    assert_eq!(timeline.observe(machine.now).step, Some(Span::from_secs(-5)));
    assert_eq!(stamped.error(timeline.oscillator_at(stamped.now.system)), 0);
    assert_eq!(machine.error(timeline.oscillator_at(machine.now.system)), 0);
}

/// The machine's clocks, with an interruption before the monotonic clock was read.
fn interrupted(machine: &Machine, by: Span) -> Now {
    Now { monotonic: machine.now.monotonic + by, uncertainty: by, ..machine.now }
}

#[test]
fn an_interrupted_reading_is_no_step() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(1.0);
    let late = Span::from_millis(4);
    let now = interrupted(&machine, late);
    assert!(!timeline.is_disturbed(now));
    assert_eq!(timeline.observe(now), Disturbance::default());
    // As much as the clock's uncertainty may pass for sleep, and no more.
    let asleep = |millis| Now {
        asleep: Span::from_millis(millis),
        uncertainty: Span::from_millis(20),
        ..machine.now
    };
    assert!(!timeline.is_disturbed(asleep(20)));
    assert!(timeline.is_disturbed(asleep(25)));
    let claims_too_little = Now { uncertainty: Span::from_millis(3), ..now };
    timeline.observe(machine.now);
    assert!(timeline.is_disturbed(claims_too_little));
    assert_eq!(timeline.observe(claims_too_little).step, Some(-late));
}

#[test]
fn the_size_of_a_step_is_put_right_by_the_next_good_reading() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(1.0);
    machine.step(Span::from_millis(9));
    let late = Span::from_millis(4);
    let step = timeline.observe(interrupted(&machine, late)).step;
    assert_eq!(step, Some(Span::from_millis(5)));
    machine.run(1.0);
    assert_eq!(timeline.observe(machine.now), Disturbance::default());
    assert_eq!(machine.error(timeline.now()), 0);
    // From here on small steps are seen again.
    machine.step(Span::from_nanos(60_000));
    assert_eq!(timeline.observe(machine.now).step, Some(Span::from_nanos(60_000)));
    assert_eq!(machine.error(timeline.now()), 0);
}

#[test]
fn a_start_with_an_interrupted_reading_is_no_step_later() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(interrupted(&machine, Span::from_millis(4)));
    machine.run(1.0);
    assert_eq!(timeline.observe(machine.now), Disturbance::default());
    machine.step(Span::from_nanos(60_000));
    assert_eq!(timeline.observe(machine.now).step, Some(Span::from_nanos(60_000)));
}

#[test]
fn reading_noise_is_no_step_and_does_not_pile_up() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    for i in 0..1000 {
        machine.run(1.0);
        let mut noisy = machine.now;
        noisy.system += Span::from_nanos(if i % 2 == 0 { 30_000 } else { -30_000 });
        assert_eq!(timeline.observe(noisy), Disturbance::default());
    }
    assert_eq!(timeline.segments.len(), 1);
}

#[test]
fn the_oscillator_runs_on_while_the_machine_sleeps() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(10.0);
    timeline.observe(machine.now);
    let asleep = Span::from_secs(600);
    machine.oscillator += asleep.nanos();
    machine.now.system += asleep;
    machine.now.asleep += asleep;
    let disturbance = timeline.observe(machine.now);
    assert_eq!(disturbance.suspend, Some(asleep));
    assert_eq!(disturbance.step, None);
    assert_eq!(machine.error(timeline.now()), 0);
    // And the sleep is no step when looked at again.
    machine.run(1.0);
    assert_eq!(timeline.observe(machine.now), Disturbance::default());
}

#[test]
fn a_leap_second_leaves_differences_to_servers_continuous() {
    let mut machine = Machine::new(0.0);
    let mut timeline = Timeline::new(machine.now);
    machine.run(10.0);
    timeline.observe(machine.now);
    let server = machine.now.system + Span::from_millis(7);
    let before = timeline.continuous(server).nanos() - timeline.now().nanos();
    let correction = timeline.correction();

    machine.step(Span::from_secs(-1));
    let step = timeline.observe(machine.now).step.expect("the leap second is seen as a step");
    timeline.leap(step);
    let server = machine.now.system + Span::from_millis(7);
    let after = timeline.continuous(server).nanos() - timeline.now().nanos();
    assert_eq!(before, after);
    assert_eq!(timeline.correction(), correction);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Run(f64),
    Step(i64),
    Frequency(f64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0.001f64..5000.0).prop_map(Act::Run),
        1 => (-4_000_000_000_000i64..4_000_000_000_000)
            .prop_filter("above the noise", |by| by.abs() > 100_000)
            .prop_map(Act::Step),
        2 => (-0.1f64..0.1).prop_map(Act::Frequency),
    ];
    prop::collection::vec(act, 1..100)
}

proptest! {
    /// Whatever is done to the system clock, the time line finds the oscillator's reading of every
    /// stamp, seen at once or a moment later.
    #[test]
    fn every_stamp_maps_to_the_oscillator_reading_it_was_taken_at(acts in acts()) {
        let mut machine = Machine::new(0.0);
        let mut timeline = Timeline::new(machine.now);
        for act in acts {
            match act {
                Act::Run(seconds) => machine.run(seconds),
                Act::Step(by) => {
                    timeline.observe(machine.now);
                    machine.step(Span::from_nanos(by));
                }
                Act::Frequency(frequency) => {
                    timeline.observe(machine.now);
                    machine.now.frequency = frequency;
                }
            }
            timeline.observe(machine.now);
            let stamped = machine;
            machine.run(0.002);
            timeline.observe(machine.now);
            prop_assert!(stamped.error(timeline.oscillator_at(stamped.now.system)).abs() <= 200);
            prop_assert!(machine.error(timeline.now()).abs() <= 200);
        }
        prop_assert!(timeline.segments.len() <= SEGMENTS);
    }
}

#[test]
fn nobody_knows_when_a_frequency_changed_that_nobody_saw_change() {
    for share in [0.0, 0.3, 1.0] {
        let mut machine = Machine::new(0.0);
        let mut timeline = Timeline::new(machine.now);
        machine.run(10.0 * share);
        machine.now.frequency = 400e-6;
        machine.run(10.0 * (1.0 - share));
        let disturbance = timeline.observe(machine.now);
        assert_eq!(disturbance.frequency, Some((0.0, 400e-6)));
        let error = machine.error(timeline.now()).abs() as f64 * 1e-9;
        assert!((disturbance.doubt - 2e-3).abs() < 1e-5, "{disturbance:?}");
        assert!(error <= disturbance.doubt, "{error} s");
    }
}

/// By the monotonic clock, which nobody steps: all of the time since the last look counts.
#[test]
fn a_step_makes_no_difference_to_how_long_ago_a_frequency_may_have_changed() {
    for by in [1e9, 0.5, -0.5, -1e9] {
        let mut machine = Machine::new(0.0);
        let mut timeline = Timeline::new(machine.now);
        machine.now.frequency = 400e-6;
        machine.run(10.0);
        machine.step(Span::from_seconds(by));
        let disturbance = timeline.observe(machine.now);
        assert!(disturbance.step.is_some_and(|step| (step.seconds() - by).abs() < 1e-6));
        assert!((disturbance.doubt - 4e-3).abs() < 1e-5, "{disturbance:?}");
        let error = machine.error(timeline.now()).abs() as f64 * 1e-9;
        assert!(error <= disturbance.doubt, "{error} s after a step of {by} s");
    }
}
