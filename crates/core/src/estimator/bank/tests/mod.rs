//! The bank as a whole.

pub(super) mod simpson;

use super::super::world::{Queue, World};
use super::*;

/// An answer after 30 ms from a clock that is ahead by this (s).
fn ahead(by: f64) -> Sample {
    let measurement = Measurement {
        at: Oscillator::from_nanos(0),
        outbound: Span::from_seconds(20e-3 + by),
        inbound: Span::from_seconds(10e-3 - by),
        dispersion: 0.0,
        reading: 0.0,
        root_delay: 0.0,
        root_dispersion: 0.0,
    };
    Sample::new(&measurement, Span::ZERO)
}

#[test]
fn another_origin_moves_what_was_foreseen_as_well() {
    let mut sample = ahead(120.0);
    sample.foreseen = 120.004;
    assert!((sample.offset() - 120.005).abs() < 1e-12);
    sample.move_origin(Span::ZERO, Span::from_secs(120));
    assert!((sample.offset() - 5e-3).abs() < 1e-12, "{sample:?}");
    assert!((sample.foreseen - 4e-3).abs() < 1e-12, "{sample:?}");
}

/// However unlikely a hypothesis finds it that a packet takes half a second more than ever.
#[test]
fn a_packet_that_was_held_back_is_no_reason_to_take_the_oscillator_for_another() {
    for seed in 0..20 {
        let mut world = World::with_path(seed, 0.1e-3, Queue::Bursty(10e-6, 0.1e-3));
        world.walk = 3e-8;
        let mut bank = Bank::new(Settings::default(), Frequency { value: 0.0, sd: 1e-4 });
        let logs = |bank: &Bank| -> Vec<f64> {
            bank.hypotheses.weights.iter().flat_map(|lanes| lanes.0.map(f64::ln)).collect()
        };
        for _ in 0..40 {
            bank.add(&world.exchange().unwrap());
            world.advance(90.0);
        }
        let before = logs(&bank);
        let mut measurement = world.exchange().unwrap();
        measurement.inbound += Span::from_seconds(0.5);
        bank.add(&measurement);
        let gained: Vec<f64> = before.iter().zip(logs(&bank)).map(|(old, new)| new - old).collect();
        let most = gained.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = gained.iter().copied().fold(f64::INFINITY, f64::min);
        // And what is forgotten of all evidence before.
        assert!(most - least < MOST_OF_A_HINT + 0.3, "seed {seed}: {:.1}", most - least);
    }
}
