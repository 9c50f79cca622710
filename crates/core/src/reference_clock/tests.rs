//! A clock on a perfect oscillator, in virtual time.

use super::*;
use crate::association::PollInterval;
use crate::estimator::Frequency;
use timeball_wire::ReferenceId;

struct World {
    now: Now,
    timeline: Timeline,
    clock: ReferenceClock,
    leap_table: Option<LeapTable>,
    leap_second: Option<Timestamp>,
}

fn settings() -> Settings {
    let driver = Driver::SharedMemory { unit: 0, permissions: 0o600 };
    Settings::new(driver, ReferenceId::from_bytes(*b"SHM0"))
}

impl World {
    fn new(settings: Settings) -> Self {
        let now = Now {
            monotonic: Instant::from_nanos(77_000_000_000),
            system: Timestamp::from_nanos(1_700_000_000_000_000_000),
            raw: None,
            asleep: Span::ZERO,
            frequency: 0.0,
            uncertainty: Span::ZERO,
        };
        let frequency = Frequency { value: 0.0, sd: 1e-6 };
        let estimator = Estimator::new(settings.estimator, frequency);
        Self {
            now,
            timeline: Timeline::new(now),
            clock: ReferenceClock::new(settings, estimator, now.monotonic),
            leap_table: None,
            leap_second: None,
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now.monotonic += Span::from_secs(seconds);
        self.now.system += Span::from_secs(seconds);
        self.timeline.observe(self.now);
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            timeline: &self.timeline,
            precision: 1e-7,
            frequency: 0.0,
            leap_second: self.leap_second,
            leap_table: self.leap_table.as_ref(),
        }
    }

    fn raw(&self, offset: f64) -> RawSample {
        RawSample {
            received: self.now.system,
            reference: self.now.system + Span::from_seconds(offset),
            leap: LeapIndicator::NoWarning,
        }
    }

    fn sample(&mut self, raw: &RawSample) -> Result<GoodSample, SampleReject> {
        let mut clock = self.clock.clone();
        let result = clock.handle_sample(self.now, raw, &self.surroundings());
        self.clock = clock;
        result
    }

    /// Reads the clock, which is this much ahead, every second; a measurement for each poll that was
    /// over.
    fn run(&mut self, seconds: i64, offset: f64) -> Vec<Option<Measured>> {
        let mut polls = Vec::new();
        for _ in 0..seconds {
            if self.clock.poll_reading(self.now.monotonic) {
                self.sample(&self.raw(offset)).expect("a good sample");
                let mut clock = self.clock.clone();
                polls.extend(clock.reading_over(&self.surroundings()));
                self.clock = clock;
            }
            self.pass(1);
        }
        polls
    }
}

#[test]
fn a_poll_is_so_many_readings() {
    let mut world = World::new(settings());
    assert_eq!(world.run(15, 0.25).len(), 0);
    let polls = world.run(1 + 16, 0.25);
    assert_eq!(polls.len(), 2);
    for measured in polls.into_iter().map(|poll| poll.expect("a measurement")) {
        assert!((measured.offset - 0.25).abs() < 1e-9, "{measured:?}");
        assert!((measured.dispersion - 1e-7).abs() < 1e-12, "{measured:?}");
    }
    assert_eq!(world.clock.reachability().register(), 0b11);
    assert_eq!(world.clock.statistics().readings, 32);
}

#[test]
fn readings_keep_to_their_grid_and_do_not_pile_up() {
    let mut world = World::new(Settings { driver_poll: PollInterval::new(2), ..settings() });
    let begin = world.now.monotonic;
    assert!(world.clock.poll_reading(world.now.monotonic));
    assert!(!world.clock.poll_reading(world.now.monotonic));
    assert_eq!(world.clock.next_reading(), begin + Span::from_secs(4));
    world.pass(5);
    assert!(world.clock.poll_reading(world.now.monotonic));
    assert_eq!(world.clock.next_reading(), begin + Span::from_secs(8));
    world.pass(100);
    assert!(world.clock.poll_reading(world.now.monotonic));
    assert!(!world.clock.poll_reading(world.now.monotonic));
}

#[test]
fn the_known_error_is_taken_out_and_half_the_delay_bounds_the_rest() {
    let mut world = World::new(Settings { offset: 0.125, delay: 0.25, ..settings() });
    let measured = world.run(16, -0.125)[0].expect("a measurement");
    assert!(measured.offset.abs() < 1e-9, "{measured:?}");
    let estimate = world.clock.estimator().estimate(world.timeline.now()).expect("an estimate");
    assert!((estimate.root_delay - 0.25).abs() < 1e-9, "{estimate:?}");
}

#[test]
fn a_clock_that_says_nothing_is_unreachable() {
    let mut world = World::new(Settings { poll: PollInterval::SECOND, ..settings() });
    assert_eq!(world.run(1, 0.0).len(), 1);
    for _ in 0..9 {
        assert!(world.clock.reachability().is_reachable());
        assert!(world.clock.poll_reading(world.now.monotonic));
        let mut clock = world.clock.clone();
        assert_eq!(clock.reading_over(&world.surroundings()), Some(None));
        world.clock = clock;
        world.pass(1);
    }
    assert!(!world.clock.reachability().is_reachable());
    assert!(!world.clock.is_given_up());
}

#[test]
fn every_rule_rejects_what_breaks_it_and_counts_that() {
    let midnight = Timestamp::from_nanos(1_700_006_400_000_000_000);
    let good = |world: &World| world.raw(0.0);
    type Breaks = fn(RawSample) -> RawSample;
    let cases: [(SampleReject, Breaks); 4] = [
        (SampleReject::Unsynchronised, |s| RawSample { leap: LeapIndicator::Unsynchronised, ..s }),
        (SampleReject::Stale, |s| RawSample { received: s.received - Span::from_secs(33), ..s }),
        (SampleReject::Future, |s| RawSample { received: s.received + Span::from_secs(1), ..s }),
        (SampleReject::NotNewer, |s| s),
    ];
    for (reject, breaks) in cases {
        let mut world = World::new(settings());
        if reject == SampleReject::NotNewer {
            assert!(world.sample(&good(&world)).is_ok());
        }
        assert_eq!(world.sample(&breaks(good(&world))), Err(reject));
        assert_eq!(world.clock.statistics().rejected.get(&reject), Some(&1), "{reject}");
    }
    let mut world = World::new(settings());
    world.leap_second = Some(midnight);
    assert!(world.sample(&good(&world)).is_ok());
    world.pass(6398);
    assert_eq!(world.sample(&good(&world)), Err(SampleReject::NearLeapSecond));
    let mut world = World::new(Settings { time_scale: TimeScale::Tai, ..settings() });
    assert_eq!(world.sample(&good(&world)), Err(SampleReject::NoTaiOffset));
}

#[test]
fn tai_becomes_utc() {
    let mut world = World::new(Settings { time_scale: TimeScale::Tai, ..settings() });
    let from = Timestamp::from_nanos(1_483_228_800_000_000_000);
    world.leap_table = Some(LeapTable::new(vec![(from, 37)], world.now.system));
    let sample = world.sample(&world.raw(37.5)).expect("a good sample");
    assert!((sample.offset - 0.5).abs() < 1e-9, "{sample:?}");
    assert!((sample.told - 37.5).abs() < 1e-9, "{sample:?}");
}

#[test]
fn scattered_samples_make_no_measurement_if_so_configured() {
    let scattered = Settings { max_dispersion: Some(1e-3), ..settings() };
    let mut world = World::new(scattered);
    let mut polls = Vec::new();
    for index in 0..16 {
        polls.extend(world.run(1, if index % 2 == 0 { 0.1 } else { -0.1 }));
    }
    assert_eq!(polls, [None]);
    assert_eq!(world.clock.statistics().scattered, 1);
    assert_eq!(world.clock.statistics().rejected_by_name()["clock-samples-scattered"], 1);
}

#[test]
fn a_failure_is_news_once() {
    let mut clock = World::new(settings()).clock;
    assert!(clock.handle_failure("no such device".to_owned()));
    assert!(!clock.handle_failure("no such device".to_owned()));
    assert_eq!(clock.failure(), Some("no such device"));
}
