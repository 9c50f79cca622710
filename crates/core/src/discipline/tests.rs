mod leap_seconds;

use timeball_wire::{LeapIndicator, Timestamp};

use super::*;
use crate::selection::SourceId;
use crate::{Output, engine};

/// A clock that obeys, and true time beside it.
struct Bench {
    now: Now,
    truth: Timestamp,
    timeline: Timeline,
    discipline: Discipline,
    out: Outbox,
    events: Vec<Event>,
    steps: Vec<Span>,
    status: Option<SyncStatus>,
    drifts: Vec<Drift>,
    exits: u32,
    /// What the oscillator really is off by (s/s of true time gained per second of it).
    oscillator: f64,
}

impl Bench {
    fn new(settings: Settings, offset: f64, oscillator: f64) -> Self {
        let truth = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let now = Now {
            monotonic: Instant::from_nanos(1_000_000_000),
            system: truth - Span::from_seconds(offset),
            raw: None,
            asleep: Span::ZERO,
            frequency: 0.0,
            uncertainty: Span::ZERO,
        };
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        Self {
            now,
            truth,
            timeline: Timeline::new(now),
            discipline: Discipline::new(now, settings, frequency),
            out: Outbox::default(),
            events: Vec::new(),
            steps: Vec::new(),
            status: None,
            drifts: Vec::new(),
            exits: 0,
            oscillator,
        }
    }

    /// A clock that shows true time, which is `utc`.
    fn at(settings: Settings, utc: &str) -> Self {
        let mut bench = Self::new(settings, 0.0, 0.0);
        bench.truth = utc.parse().expect("a timestamp");
        bench.now.system = bench.truth;
        bench.timeline = Timeline::new(bench.now);
        bench
    }

    /// True time minus system clock (s).
    fn error(&self) -> f64 {
        (self.truth - self.now.system).seconds()
    }

    fn obey(&mut self) {
        while let Some(output) = self.out.pop() {
            match output {
                Output::Clock(ClockCommand::SetFrequency(frequency)) => {
                    self.now.frequency = frequency;
                }
                Output::Clock(ClockCommand::Step(by)) => {
                    self.now.system += by;
                    self.steps.push(by);
                    self.discipline.step_done(Some(by), &mut self.out);
                }
                Output::Clock(ClockCommand::SetStatus(status)) => self.status = Some(status),
                Output::Event(event) => self.events.push(event),
                Output::Exit => self.exits += 1,
                Output::SaveDrift(drift) => self.drifts.push(drift),
                other => panic!("a discipline does not ask for {other:?}"),
            }
            self.timeline.observe(self.now);
        }
    }

    /// Somebody else adds so many seconds to the clock, and the discipline gives its orders.
    fn jump(&mut self, seconds: i64) {
        let by = Span::from_secs(seconds);
        self.now.system += by;
        assert_eq!(self.timeline.observe(self.now).step, Some(by));
        self.discipline.jumped(self.now, by, &self.timeline, &mut self.out);
    }

    fn set_by_hand(&mut self, seconds: i64) {
        self.jump(seconds);
        self.obey();
    }

    fn pass(&mut self, seconds: f64) {
        let end = self.now.monotonic + Span::from_seconds(seconds);
        while self.now.monotonic < end {
            let next = self.discipline.next_timeout().map_or(end, |at| at.min(end));
            let shown = (next - self.now.monotonic).seconds().max(1e-3);
            let oscillator = shown / (1.0 + self.now.frequency);
            self.now.monotonic += Span::from_seconds(shown);
            self.now.system += Span::from_seconds(shown);
            self.truth += Span::from_seconds(oscillator * (1.0 + self.oscillator));
            self.timeline.observe(self.now);
            self.discipline.handle_timeout(self.now, &self.timeline, &mut self.out);
            self.obey();
        }
    }

    /// A selection that knows the truth.
    fn combination(&self) -> Combination {
        Combination {
            system_peer: SourceId(0),
            sources: vec![SourceId(0)],
            offset: self.error(),
            offset_sd: 1e-5,
            frequency: Frequency { value: self.oscillator, sd: 1e-8 },
            root_delay: 1e-3,
            root_dispersion: 1e-4,
            stratum: 1,
            leap: LeapIndicator::NoWarning,
        }
    }

    fn update(&mut self) {
        self.update_announcing(LeapIndicator::NoWarning);
    }

    fn update_announcing(&mut self, leap: LeapIndicator) {
        let combination = Combination { leap, ..self.combination() };
        self.discipline.update(self.now, &self.timeline, &combination, &mut self.out);
        self.obey();
    }
}

#[test]
fn a_large_offset_at_the_start_is_stepped() {
    let mut bench = Bench::new(Settings::default(), 3600.0, 30e-6);
    bench.update();
    assert_eq!(bench.steps, [Span::from_secs(3600)]);
    assert!(bench.error().abs() < 1e-6, "{}", bench.error());
    bench.pass(64.0);
    bench.update();
    bench.pass(1000.0);
    assert!(bench.error().abs() < 2e-6, "{}", bench.error());
    assert!((bench.now.frequency - 30e-6).abs() < 1e-8, "{}", bench.now.frequency);
}

#[test]
fn half_a_second_is_slewed_within_the_rate_limit() {
    let mut bench = Bench::new(Settings::default(), 0.5, -20e-6);
    bench.update();
    assert_eq!(bench.steps, []);
    assert!((bench.now.frequency - (1000e-6 - 20e-6)).abs() < 1e-9, "{}", bench.now.frequency);
    bench.pass(250.0);
    assert!((bench.error() - 0.25).abs() < 1e-3, "{}", bench.error());
    bench.pass(400.0);
    assert!(bench.error().abs() < 2e-6, "{}", bench.error());
    assert!((bench.now.frequency + 20e-6).abs() < 1e-7, "{}", bench.now.frequency);
}

#[test]
fn steps_end_with_the_third_update_and_return_after_a_jump() {
    let mut bench = Bench::new(Settings::default(), 0.0, 0.0);
    for _ in 0..3 {
        bench.update();
        bench.pass(16.0);
    }
    // The sources change their mind by two seconds: no step any more.
    bench.truth += Span::from_secs(2);
    bench.update();
    assert_eq!(bench.steps, []);
    assert!(
        bench.events.iter().any(|event| matches!(event, Event::StepRefused { .. })),
        "{:?}",
        bench.events
    );
    // Somebody sets the clock: that may be undone at once.
    bench.set_by_hand(5);
    assert_eq!(bench.steps.len(), 1);
    assert!(bench.error().abs() < 1e-6, "{}", bench.error());
}

#[test]
fn one_jump_allows_one_step_back_and_no_more() {
    let mut bench = Bench::new(Settings::default(), 0.0, 0.0);
    for _ in 0..4 {
        bench.update();
        bench.pass(16.0);
    }
    bench.jump(5);
    // Ordered and not yet carried out: asking again does not order it twice.
    bench.discipline.step_now(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert_eq!(bench.steps, [Span::from_secs(-5)]);
    bench.truth += Span::from_secs(3);
    bench.update();
    assert_eq!(bench.steps.len(), 1);
}

#[test]
fn a_panic_ends_the_slew_and_nothing_steps_until_an_operator_says() {
    let mut bench = Bench::new(Settings::default(), 0.4, 0.0);
    for _ in 0..4 {
        bench.update();
        bench.pass(1.0);
    }
    assert!(bench.now.frequency > 900e-6, "slewing");
    bench.truth += Span::from_secs(2000);
    bench.update();
    assert_eq!(bench.now.frequency, 0.0);
    bench.set_by_hand(5);
    assert_eq!(bench.steps, []);
}

#[test]
fn giving_up_control_ends_the_slew() {
    let mut bench = Bench::new(Settings::default(), 0.4, 5e-6);
    bench.update();
    assert!(bench.now.frequency > 900e-6, "slewing");
    let watch = Settings { control: false, ..Settings::default() };
    bench.discipline.configure(watch, &bench.timeline, &mut bench.out);
    bench.obey();
    assert!((bench.now.frequency - 5e-6).abs() < 1e-12, "{}", bench.now.frequency);
}

#[test]
fn an_oscillator_beyond_the_frequency_limit_is_known_to_drift() {
    let mut bench = Bench::new(Settings::default(), 0.0, 700e-6);
    bench.update();
    bench.pass(100.0);
    let offset = bench.discipline.offset(&bench.timeline).expect("an offset");
    assert!((offset - bench.error()).abs() < 1e-5, "{offset} {}", bench.error());
}

#[test]
fn beyond_the_panic_bound_nothing_is_touched_until_an_operator_says() {
    let mut bench = Bench::new(Settings::default(), 0.0, 0.0);
    for _ in 0..4 {
        bench.update();
        bench.pass(16.0);
    }
    bench.truth += Span::from_secs(2000);
    bench.update();
    bench.pass(16.0);
    bench.update();
    assert!((bench.error() - 2000.0).abs() < 1e-3);
    assert_eq!(bench.now.frequency, 0.0);
    let panics = bench.events.iter().filter(|event| matches!(event, Event::Panic { .. }));
    assert_eq!(panics.count(), 1, "an alarm, once");
    assert!(!bench.discipline.is_synchronised(bench.now, &bench.timeline));
    bench.discipline.step_now(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert!(bench.error().abs() < 1e-6);
    assert!(bench.discipline.is_synchronised(bench.now, &bench.timeline));
}

#[test]
fn holdover_widens_the_bound_until_it_is_of_no_use() {
    let settings = Settings { wander: 1e-6, ..Settings::default() };
    let mut bench = Bench::new(settings, 0.0, 10e-6);
    bench.update();
    bench.pass(100.0);
    let early = bench.discipline.bound(bench.now, &bench.timeline).expect("a bound");
    assert!((early - (0.5e-3 + 1e-4 + 100.0 * 1.01e-6)).abs() < 1e-5, "{early}");
    bench.pass(10_000.0);
    let late = bench.discipline.bound(bench.now, &bench.timeline).expect("a bound");
    assert!((late - early - 10_000.0 * 1.03e-6).abs() < 1e-4, "{late}");
    let status = bench.status.expect("the kernel was told");
    assert!(status.synchronised);
    let told = status.max_error.seconds();
    assert!(told <= late && told > late - 1e-3, "{told} {late}");
}

#[test]
fn contradicting_sources_leave_the_clock_alone_and_unsynchronised() {
    let mut bench = Bench::new(Settings::default(), 0.4, 5e-6);
    bench.update();
    bench.discipline.desynchronise(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert!((bench.now.frequency - 5e-6).abs() < 1e-12, "the slew has ended");
    assert_eq!(bench.status.map(|status| status.synchronised), Some(false));
    assert!(!bench.discipline.is_synchronised(bench.now, &bench.timeline));
}

#[test]
fn stopping_leaves_no_slew_behind_and_remembers_the_drift() {
    let mut bench = Bench::new(Settings::default(), 0.4, 5e-6);
    bench.update();
    assert!(bench.now.frequency > 900e-6);
    bench.discipline.stop(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert!((bench.now.frequency - 5e-6).abs() < 1e-12);
    let drift = *bench.drifts.last().expect("a drift");
    assert!((drift.frequency - 5e-6).abs() < 1e-12 && drift.uncertainty == 1e-8);
}

#[test]
fn without_control_nothing_is_ordered() {
    let settings = Settings { control: false, ..Settings::default() };
    let mut bench = Bench::new(settings, 5.0, 5e-6);
    bench.update();
    bench.pass(100.0);
    bench.update();
    assert_eq!((bench.steps.len(), bench.now.frequency, bench.status), (0, 0.0, None));
    let offset = bench.discipline.offset(&bench.timeline).expect("an offset");
    assert!((offset - bench.error()).abs() < 1e-6);
}

#[test]
fn a_kernel_that_refuses_is_asked_once() {
    let mut bench = Bench::new(Settings::default(), 0.1, 0.0);
    bench.discipline.refused(&engine::ClockError::Permission, &mut bench.out);
    bench.update();
    assert!(!bench.discipline.controls_clock());
    assert_eq!(bench.now.frequency, 0.0);
}

#[test]
fn who_never_steps_does_not_step_back_either() {
    let settings = Settings { step_limit: Some(0), max_slew: 0.08, ..Settings::default() };
    let mut bench = Bench::new(settings, 0.0, 0.0);
    bench.update();
    bench.set_by_hand(5);
    assert_eq!(bench.steps, []);
    bench.pass(80.0);
    assert!(bench.error().abs() < 1e-6, "{}", bench.error());
}

#[test]
fn the_first_measurement_may_step_by_a_threshold_of_its_own() {
    let settings = |initial_step| Settings {
        step_limit: Some(0),
        initial_step: Some(initial_step),
        ..Settings::default()
    };
    for (threshold, steps) in [(2.0, 1), (4.0, 0)] {
        let mut bench = Bench::new(settings(threshold), 3.0, 0.0);
        bench.update();
        assert_eq!(bench.steps.len(), steps, "{threshold}");
        bench.pass(64.0);
        bench.truth += Span::from_secs(3);
        bench.update();
        assert_eq!(bench.steps.len(), steps, "{threshold}, for the first only");
    }
}

#[test]
fn changes_that_are_too_large_are_ignored_until_it_is_enough() {
    let max_change = Some(MaxChange { threshold: 0.1, start: 1, ignore: Some(3) });
    let mut bench = Bench::new(Settings { max_change, ..Settings::default() }, 0.5, 0.0);
    bench.update();
    bench.pass(64.0);
    // What is left of the first offset is no news.
    bench.update();
    assert!(bench.now.frequency > 900e-6, "slewing");
    bench.truth += Span::from_secs(2);
    for ignored in 1..=4 {
        assert_eq!(bench.exits, 0, "after {ignored}");
        bench.update();
        let count = |event: &&Event| matches!(event, Event::OffsetIgnored { .. });
        assert_eq!(bench.events.iter().filter(count).count(), ignored.min(3));
        bench.pass(64.0);
    }
    assert_eq!(bench.exits, 1);
    assert!(bench.events.iter().any(|event| matches!(event, Event::OffsetFatal { .. })));
    assert_eq!(bench.now.frequency, 0.0, "no slew is left behind");
    assert_eq!(bench.steps, []);
}

#[test]
fn a_step_beyond_the_largest_change_is_not_undone_unasked() {
    let max_change = Some(MaxChange { threshold: 0.1, start: 1, ignore: None });
    let mut bench = Bench::new(Settings { max_change, ..Settings::default() }, 0.0, 0.0);
    bench.update();
    bench.set_by_hand(5);
    assert_eq!((bench.steps.len(), bench.now.frequency), (0, 0.0));
    let bound = bench.discipline.bound(bench.now, &bench.timeline).expect("a bound");
    assert!(bound > 5.0, "{bound}");
    bench.update();
    assert!(matches!(bench.events.last(), Some(Event::OffsetIgnored { .. })), "{:?}", bench.events);
}

#[test]
fn an_uncertain_frequency_is_not_used() {
    let mut bench = Bench::new(Settings::default(), 0.0, 30e-6);
    bench.discipline.set_max_update_skew(1e-8);
    bench.update();
    assert_eq!(bench.discipline.frequency().value, 0.0);
    assert_eq!(bench.discipline.updates().residual_frequency, 30e-6);
    bench.discipline.set_max_update_skew(3e-8);
    bench.update();
    assert_eq!(bench.discipline.frequency().value, 30e-6);
    assert_eq!(bench.discipline.updates().residual_frequency, 0.0);
}

#[test]
fn an_operator_moves_the_clock_and_its_frequency_for_a_test() {
    let mut bench = Bench::new(Settings::default(), 0.0, 0.0);
    bench.update();
    bench.discipline.adjust_offset(bench.now, 1e-3, &bench.timeline, &mut bench.out);
    bench.obey();
    bench.pass(10.0);
    assert!((bench.error() + 1e-3).abs() < 1e-7, "{}", bench.error());
    bench.discipline.adjust_frequency(10e-6, &bench.timeline, &mut bench.out);
    bench.obey();
    assert!((bench.now.frequency - 10e-6).abs() < 1e-9, "{}", bench.now.frequency);
    bench.pass(100.0);
    assert!((bench.error() + 2e-3).abs() < 1e-6, "{}", bench.error());
    // The next update knows better.
    bench.update();
    bench.pass(100.0);
    assert!(bench.error().abs() < 1e-6, "{}", bench.error());
}

#[test]
fn silence_makes_the_clock_run_at_its_average() {
    let settings = Settings { fallback_drift: Some((6, 7)), ..Settings::default() };
    let mut bench = Bench::new(settings, 0.0, 0.0);
    for update in 0..40 {
        bench.oscillator = if update % 2 == 0 { 1e-6 } else { 3e-6 };
        bench.update();
        bench.pass(16.0);
    }
    assert!((bench.now.frequency - 3e-6).abs() < 1e-8, "{}", bench.now.frequency);
    bench.pass(500.0);
    assert!((bench.now.frequency - 2e-6).abs() < 2e-7, "{}", bench.now.frequency);
}
