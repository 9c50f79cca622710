//! Servers that fill the bits below their clock's precision with noise.

use rand_core::Rng;

use super::*;

/// log₂ of the precision (s): far above a nanosecond, by which everything else here is exact.
const PRECISION: i8 = -14;

/// A timestamp of such a server.
fn noisy(stamp: NtpTimestamp, rng: &mut impl Rng) -> NtpTimestamp {
    let mask = (1 << (32 + PRECISION)) - 1;
    NtpTimestamp::from_bits((stamp.to_bits() & !mask) | (rng.next_u64() & mask))
}

/// What a few exchanges later is measured (s): root mean square of the offset, which is 0.
fn offsets(bench: &mut Bench, mut exchange: impl FnMut(&mut Bench)) -> f64 {
    const COUNT: usize = 200;
    (0..40).for_each(|_| exchange(bench));
    let mut squares = 0.0;
    for _ in 0..COUNT {
        exchange(bench);
        let last = bench.association.last_measurement().expect("it was measured");
        squares += last.offset.powi(2);
    }
    (squares / COUNT as f64).sqrt()
}

#[test]
fn what_is_measured_is_the_middle_of_what_a_noisy_server_may_mean() {
    let length = f64::from(PRECISION).exp2();
    let uniform = length / 12f64.sqrt();
    let mut bench = Bench::new(without_volley());
    let rms = offsets(&mut bench, |bench| {
        let (exchange, request) = bench.request();
        let answer = bench.answer_to(&request);
        let answer = Header {
            precision: PRECISION,
            receive_timestamp: noisy(answer.receive_timestamp, &mut bench.rng),
            transmit_timestamp: noisy(answer.transmit_timestamp, &mut bench.rng),
            ..answer
        };
        assert!(bench.receive(exchange, &answer).is_ok());
    });
    assert!((rms / uniform - 1.0).abs() < 0.15, "{rms:e}, not {uniform:e} s");
    let reading = bench.association.last_measurement().map(|last| last.measurement.reading);
    assert_eq!(reading, Some(uniform));
}

/// T2 and T3 of one exchange come with two answers.
#[test]
fn so_it_is_in_interleaved_mode() {
    let uniform = f64::from(PRECISION).exp2() / 12f64.sqrt();
    let mut bench = Bench::new(Settings { interleaved: true, ..without_volley() });
    let mut left = NtpTimestamp::ZERO;
    let rms = offsets(&mut bench, |bench| {
        let (exchange, request) = bench.request();
        let answer = match request.receive_timestamp.is_zero() {
            true => bench.answer_to(&request),
            false => bench.interleaved_answer_to(&request, left),
        };
        left = noisy(answer.receive_timestamp, &mut bench.rng);
        let receive_timestamp = noisy(answer.receive_timestamp, &mut bench.rng);
        let answer = Header { precision: PRECISION, receive_timestamp, ..answer };
        // The first was measured by the T3 that it came with.
        let result = bench.receive(exchange, &answer);
        assert!(matches!(result, Ok(_) | Err(Reject::AlreadyMeasured)), "{result:?}");
    });
    assert!((rms / uniform - 1.0).abs() < 0.15, "{rms:e}, not {uniform:e} s");
}

#[test]
fn a_server_that_knows_better_than_it_claims_is_believed() {
    let mut bench = Bench::new(without_volley());
    let rms = offsets(&mut bench, |bench| {
        let (exchange, request) = bench.request();
        let answer = Header { precision: PRECISION, ..bench.answer_to(&request) };
        assert!(bench.receive(exchange, &answer).is_ok());
    });
    assert!(rms < 2e-9, "{rms:e} s");
}
