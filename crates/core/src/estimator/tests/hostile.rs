//! Whatever goes in, only numbers come out.

use proptest::prelude::*;
use timeball_wire::Span;

use super::super::world::{Direction, Queue, World};
use super::super::*;

/// Any number of seconds that a bug or an enemy could think of.
fn seconds() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1.0f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => any::<f64>(),
    ]
}

fn nanos() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -1_000_000_000..1_000_000_000i64,
        1 => -2_000_000_000_000_000_000..2_000_000_000_000_000_000i64,
        1 => Just(0),
        1 => Just(i64::MAX),
        1 => Just(i64::MIN),
        1 => any::<i64>(),
    ]
}

prop_compose! {
    fn measurement()(
        at in nanos(),
        outbound in nanos(),
        inbound in nanos(),
        dispersion in seconds(),
        reading in seconds(),
        root_delay in seconds(),
        root_dispersion in seconds(),
    ) -> Measurement {
        Measurement {
            at: Oscillator::from_nanos(at),
            outbound: Span::from_nanos(outbound),
            inbound: Span::from_nanos(inbound),
            dispersion,
            reading,
            root_delay,
            root_dispersion,
        }
    }
}

#[derive(Clone, Debug)]
enum Action {
    Add(Measurement),
    /// A well-behaved one, this much (ns) after the last.
    Continue(i64),
    Restart,
    Doubt(f64),
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::Bank), Just(Method::Classic)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => measurement().prop_map(Action::Add),
        8 => (0..2_000_000_000_000i64).prop_map(Action::Continue),
        1 => Just(Action::Restart),
        1 => seconds().prop_map(Action::Doubt),
    ]
}

fn assert_sane(estimator: &Estimator, at: Oscillator) {
    let Some(estimate) = estimator.estimate(at) else {
        assert!(estimator.is_empty());
        return;
    };
    for (name, number) in [
        ("offset_sd", estimate.offset_sd),
        ("frequency.sd", estimate.frequency.sd),
        ("jitter", estimate.jitter),
        ("delay", estimate.delay),
        ("root_delay", estimate.root_delay),
        ("root_dispersion", estimate.root_dispersion),
    ] {
        assert!(number.is_finite() && number >= 0.0, "{name} of {estimate:?}");
    }
    assert!(estimate.frequency.value.is_finite(), "{estimate:?}");
    assert!((1..=estimator.len()).contains(&estimate.samples), "{estimate:?}");
    let statistics = estimator.statistics().unwrap();
    for number in [
        statistics.span,
        statistics.delay_floor,
        statistics.typical_excess,
        statistics.noise,
        statistics.residual_sd,
        statistics.wander,
    ] {
        assert!(number.is_finite() && number >= 0.0, "{statistics:?}");
    }
}

proptest! {
    #[test]
    fn nothing_but_numbers_comes_out(
        actions in prop::collection::vec(action(), 1..120),
        method in method(),
        settings in (0..80usize, 0..80usize),
        prior in (seconds(), seconds()),
        at in nanos(),
    ) {
        let settings = Settings {
            method,
            min_samples: settings.0,
            max_samples: settings.1,
            ..Settings::default()
        };
        let mut estimator =
            Estimator::new(settings, Frequency { value: prior.0, sd: prior.1 });
        let mut last = Oscillator::from_nanos(0);
        for action in actions {
            let surprise = match action {
                Action::Restart => {
                    estimator.restart();
                    None
                }
                Action::Doubt(by) => {
                    estimator.doubt(last, by);
                    None
                }
                Action::Add(measurement) => {
                    last = measurement.at;
                    estimator.add(&measurement)
                }
                Action::Continue(nanos) => {
                    last += Span::from_nanos(nanos);
                    estimator.add(&Measurement {
                        at: last,
                        outbound: Span::from_nanos(nanos % 1_000_003),
                        inbound: Span::from_nanos(nanos % 900_007),
                        dispersion: 0.0,
                        reading: 0.0,
                        root_delay: 0.0,
                        root_dispersion: 0.0,
                    })
                }
            };
            if let Some(surprise) = surprise {
                prop_assert!(surprise.error.is_finite());
                prop_assert!(surprise.expected.is_finite() && surprise.expected > 0.0);
                prop_assert!(surprise.stepped.is_none_or(f64::is_finite));
                prop_assert!((1..=estimator.len()).contains(&surprise.samples));
            }
            prop_assert!(estimator.len() <= settings.max_samples.max(1));
            for at in [last, Oscillator::from_nanos(at), last + Span::from_secs(3600)] {
                assert_sane(&estimator, at);
            }
        }
    }

    /// Moving the origin of a time scale changes nothing but the origin.
    #[test]
    fn origins_do_not_matter(
        method in method(),
        seed: u64,
        origin in 0..2_000_000_000i64,
    ) {
        let prior = Frequency { value: 0.0, sd: 100e-6 };
        let settings = Settings { method, ..Settings::default() };
        let [mut here, mut there] = [(); 2].map(|()| Estimator::new(settings, prior));
        let mut world = World::new(seed);
        let shift = Span::from_secs(origin);
        for _ in 0..20 {
            let measurement = world.exchange().unwrap();
            here.add(&measurement);
            there.add(&Measurement {
                outbound: measurement.outbound + shift,
                inbound: measurement.inbound - shift,
                ..measurement
            });
            world.advance(64.0);
        }
        let [here, there] = [here, there].map(|e| e.estimate(world.now()).unwrap());
        prop_assert_eq!(there, Estimate { offset: here.offset + shift, ..here });
    }
}

#[test]
fn no_measurement_allocates() {
    for method in [Method::Bank, Method::Classic] {
        let mut world = World::new(1);
        let prior = Frequency { value: 0.0, sd: 100e-6 };
        let settings = Settings { method, ..Settings::default() };
        let mut estimator = Estimator::new(settings, prior);
        // Tables that all estimators share are made with the first measurement of the process.
        estimator.add(&world.exchange().unwrap());
        world.advance(64.0);
        let allocations = allocation_counter::measure(|| {
            for poll in 0..300 {
                // A step in the middle of it takes the rare ways, too.
                world.server_error = if poll > 150 { 1.0 } else { 0.0 };
                estimator.add(&world.exchange().unwrap());
                world.advance(64.0);
                assert!(estimator.estimate(world.now()).is_some());
            }
        });
        assert_eq!(allocations.count_total, 0, "{method:?}");
    }
}

#[test]
fn an_operator_who_was_wrong_costs_no_allocation() {
    let mut world = World::with_path(1, 0.1e-3, Queue::Exponential(0.3e-3));
    world.inbound = Direction { base: 0.1e-3, queue: Queue::Gaussian(0.0) };
    let settings = Settings {
        method: Method::Bank,
        min_delay: 0.2e-3,
        asymmetry: Some(-0.5),
        ..Settings::default()
    };
    let mut estimator = Estimator::new(settings, Frequency { value: 0.0, sd: 100e-6 });
    estimator.add(&world.exchange().unwrap());
    let allocations = allocation_counter::measure(|| {
        for _ in 0..100 {
            world.advance(64.0);
            estimator.add(&world.exchange().unwrap());
        }
    });
    // It was found out: what was said of the queues is not used any more.
    let error = estimator.estimate(world.now()).unwrap().offset - world.truth();
    assert!(error.seconds().abs() < 50e-6, "{error:?}");
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn memory_is_bounded() {
    let prior = Frequency { value: 0.0, sd: 100e-6 };
    let settings = Settings { method: Method::Bank, ..Settings::default() };
    let memory = allocation_counter::measure(|| drop(Estimator::new(settings, prior)));
    println!("{} bytes", memory.bytes_max);
    assert!(memory.bytes_max <= 256 * 1024, "{memory:?}");
}
