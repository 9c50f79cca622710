//! The bank as a whole.

pub(super) mod simpson;

use super::*;

/// An answer after 30 ms from a clock that is ahead by this (s).
fn ahead(by: f64) -> Sample {
    let measurement = Measurement {
        at: Oscillator::from_nanos(0),
        outbound: Span::from_seconds(20e-3 + by),
        inbound: Span::from_seconds(10e-3 - by),
        dispersion: 0.0,
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
