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
