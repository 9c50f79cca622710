use super::*;

const NEW_YEAR: &str = "2017-01-01T00:00:00Z";

/// The list as it stood before the last leap second so far.
fn with_table(expiry: &str) -> Settings {
    let at = |utc: &str| utc.parse().expect("a timestamp");
    let entries = vec![(at("2015-07-01T00:00:00Z"), 36), (at(NEW_YEAR), 37)];
    Settings { leap_table: Some(LeapTable::new(entries, at(expiry))), ..Settings::default() }
}

impl Bench {
    /// The kernel inserts a second, and the next thing that happens is noticed.
    fn insert_second(&mut self) {
        self.now.system += Span::from_secs(-1);
        self.truth += Span::from_secs(-1);
        let step = self.timeline.observe(self.now).step.expect("a step");
        assert!(self.discipline.is_leap_step(self.now, step, &mut self.out), "{step:?}");
        self.timeline.leap(step);
        self.obey();
    }

    fn configure(&mut self, settings: Settings) {
        self.discipline.configure(settings, &self.timeline, &mut self.out);
        self.obey();
    }

    /// What the kernel was told of leap seconds last: what to do at midnight, and TAI − UTC.
    fn told(&self) -> (LeapIndicator, Option<i32>) {
        let status = self.status.expect("the kernel was told");
        (status.leap, status.tai_offset)
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| wanted(event)).count()
    }
}

#[test]
fn a_leap_second_is_armed_on_its_day_and_recognised() {
    let mut bench = Bench::at(Settings::default(), "2016-12-31T23:00:00Z");
    bench.update_announcing(LeapIndicator::Insert);
    bench.pass(1.0);
    assert_eq!(bench.told(), (LeapIndicator::Insert, None));
    assert!(bench.events.contains(&Event::LeapArmed { direction: 1 }));
    bench.pass(3599.5);
    assert!(!bench.discipline.is_leap_step(bench.now, Span::from_secs(5), &mut bench.out));
    bench.insert_second();
    bench.pass(1.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, None));
    assert_eq!(bench.count(|event| *event == Event::LeapDone), 1);
}

#[test]
fn a_table_announces_the_leap_second_and_the_offset_follows_it() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T22:00:00Z");
    bench.update();
    bench.pass(7190.0);
    assert_eq!(bench.told(), (LeapIndicator::Insert, Some(36)));
    assert_eq!(bench.discipline.leap_midnight(), NEW_YEAR.parse().ok());
    bench.pass(10.25);
    bench.insert_second();
    // The last second of the year is shown again. A new measurement must not arm another leap.
    bench.pass(0.25);
    bench.update();
    bench.pass(0.25);
    assert!(bench.now.system < NEW_YEAR.parse().expect("a timestamp"), "{:?}", bench.now.system);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, None), "the kernel counts by itself");
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
    let armed = bench.count(|event| matches!(event, Event::LeapArmed { .. }));
    assert_eq!((armed, bench.count(|event| *event == Event::LeapDone)), (1, 1));
}

#[test]
fn a_table_needs_no_measurement_on_the_day() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-30T23:00:00Z");
    bench.update();
    bench.pass(3000.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(36)));
    bench.pass(1000.0);
    assert_eq!(bench.told(), (LeapIndicator::Insert, Some(36)));
}

#[test]
fn a_good_table_knows_better_than_the_sources() {
    let mut bench = Bench::at(with_table("2017-12-28T00:00:00Z"), "2017-06-30T23:00:00Z");
    bench.update_announcing(LeapIndicator::Insert);
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
    assert_eq!(bench.count(|event| matches!(event, Event::LeapArmed { .. })), 0);
}

#[test]
fn an_expired_table_keeps_its_offset_and_leaves_leap_seconds_to_the_sources() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2017-06-30T23:00:00Z");
    bench.update_announcing(LeapIndicator::Insert);
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::Insert, Some(37)));
    bench.update();
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
    let expired = |event: &Event| matches!(event, Event::LeapTableExpired { .. });
    assert_eq!(bench.count(expired), 1, "{:?}", bench.events);
    // The same list read again is no news, another one that has expired is.
    bench.configure(with_table("2017-06-28T00:00:00Z"));
    bench.pass(20.0);
    assert_eq!(bench.count(expired), 1);
    bench.configure(with_table("2017-06-29T00:00:00Z"));
    bench.pass(20.0);
    assert_eq!(bench.count(expired), 2);
}

#[test]
fn a_clock_that_is_not_synchronised_knows_no_day_and_no_offset() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T22:00:00Z");
    bench.update();
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::Insert, Some(36)));
    bench.discipline.desynchronise(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, None));
    assert_eq!(bench.discipline.tai_offset(bench.now, &bench.timeline), None);

    // An hour off by what it shows: the day may be another one.
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T23:30:00Z");
    bench.truth += Span::from_secs(3600);
    bench.update();
    assert_eq!(bench.steps, [Span::from_secs(3600)]);
    assert_eq!(bench.count(|event| matches!(event, Event::LeapArmed { .. })), 0);
}

#[test]
fn stopping_disarms() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T22:00:00Z");
    bench.update();
    bench.pass(20.0);
    bench.discipline.stop(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(36)));
}

#[test]
fn a_leap_second_that_nobody_makes_is_over_two_seconds_later() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T23:59:50Z");
    bench.update();
    bench.pass(11.0);
    bench.discipline.tell_kernel(bench.now, &bench.timeline, &mut bench.out);
    bench.obey();
    assert_eq!(bench.told(), (LeapIndicator::Insert, None), "the kernel may be late");
    bench.pass(20.0);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
}

/// Runs over the New Year of 2017 in the given mode. Hands out the bench a minute later; `passed` is
/// told the error at every tenth of a second.
fn over_new_year(leap_mode: LeapMode, passed: &mut dyn FnMut(&Bench)) -> Bench {
    let settings = Settings {
        leap_mode,
        max_slew: 0.1,
        // What may be noise is to be corrected very slowly.
        correction_time_ratio: Some(1e9),
        ..with_table("2017-06-28T00:00:00Z")
    };
    let mut bench = Bench::at(settings, "2016-12-31T23:59:30.05Z");
    bench.update();
    bench.pass(10.0);
    bench.update();
    let new_year: Timestamp = NEW_YEAR.parse().expect("a timestamp");
    let mut inserted = false;
    for _ in 0..900 {
        bench.pass(0.1);
        if !inserted && bench.truth >= new_year {
            inserted = true;
            bench.truth += Span::from_secs(-1);
        }
        bench.follow_leap();
        passed(&bench);
    }
    bench
}

impl Bench {
    /// What the engine does whenever it has looked at the clock.
    fn follow_leap(&mut self) {
        if let Some(by) = self.discipline.take_leap(self.now) {
            self.timeline.leap(by);
            self.discipline.follow_leap(self.now, by, &self.timeline, &mut self.out);
            self.obey();
        }
    }
}

#[test]
fn a_leap_second_that_is_stepped() {
    let mut worst = 0.0f64;
    let bench = over_new_year(LeapMode::Step, &mut |bench| {
        worst = worst.max(bench.error().abs());
        assert_eq!(bench.told().0, LeapIndicator::NoWarning, "the kernel has no part in it");
    });
    assert!(worst < 1e-6, "{worst}");
    assert_eq!(bench.steps, [Span::from_secs(-1)]);
    assert_eq!(bench.count(|event| *event == Event::LeapDone), 1);
    assert_eq!(bench.count(|event| matches!(event, Event::LeapArmed { .. })), 1);
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
}

#[test]
fn a_leap_second_that_is_slewed() {
    let (mut late, mut slewing) = (0, false);
    let bench = over_new_year(LeapMode::Slew, &mut |bench| {
        late += u32::from(bench.error() < -1e-3);
        slewing |= bench.now.frequency < -0.09;
        assert!(bench.error() < 1e-6 && bench.error() > -1.0 - 1e-6, "{}", bench.error());
    });
    assert!(slewing);
    // A second at 100 000 ppm takes nine of this clock's.
    assert!((85..=95).contains(&late), "{late}");
    assert!(bench.error().abs() < 1e-6, "{}", bench.error());
    assert_eq!((bench.steps.len(), bench.now.frequency), (0, 0.0));
    assert_eq!(bench.told(), (LeapIndicator::NoWarning, Some(37)));
}

#[test]
fn a_leap_second_that_is_ignored() {
    let bench = over_new_year(LeapMode::Ignore, &mut |bench| {
        assert_eq!(bench.told().0, LeapIndicator::NoWarning, "the kernel has no part in it");
    });
    assert_eq!(bench.error(), -1.0);
    assert_eq!(bench.steps, []);
}

#[test]
fn the_clock_is_looked_at_right_after_the_leap_second() {
    let mut bench = Bench::at(with_table("2017-06-28T00:00:00Z"), "2016-12-31T23:59:50Z");
    bench.update();
    let look = bench.discipline.leap_moment().expect("a moment");
    assert_eq!(look - bench.now.monotonic, Span::from_millis(10_020));
    bench.pass(10.01);
    assert!(bench.discipline.is_leaping(bench.now), "nobody has made it yet");
    bench.insert_second();
    assert!(!bench.discipline.is_leaping(bench.now));
    assert_eq!(bench.discipline.leap_moment(), None);
}
