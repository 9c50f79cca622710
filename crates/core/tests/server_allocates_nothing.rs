//! The responder on its packet path: no allocation, whatever arrives.

use timeball_core::engine::StampQuality;
use timeball_core::server::{
    Arrival, Counters, RateLimit, Refusal, Responder, ServerView, Settings, Verdict,
};
use timeball_wire::{Instant, Span, Timestamp};

#[test]
fn answers_kisses_and_refusals_allocate_nothing() {
    let settings = Settings {
        allow: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        deny: vec!["192.0.2.128/25".parse().unwrap()],
        rate_limit: Some(RateLimit { interval: 8.0, burst: 2, leak: 2, kiss: 2 }),
        ..Settings::default()
    };
    let start = Instant::from_nanos(0);
    let mut responder = Responder::new(&settings, ServerView::unsynchronised(-24, start), [1; 16]);
    let mut request = [0; 48];
    request[0] = 0x23;
    let mut interleaved = request;
    let response = [0x24; 48];
    let mut out = [0; 48];
    let mut verdicts = [0u32; 3];

    let allocations = allocation_counter::measure(|| {
        for count in 0..10_000u16 {
            let now = Timestamp::from_nanos(1_800_000_000_000_000_000 + i64::from(count) * 1_000);
            let arrival = Arrival {
                received: now,
                quality: StampQuality::Kernel,
                transmit: now,
                monotonic: start + Span::from_nanos(i64::from(count) * 1_000),
                from: match count % 4 {
                    0 => ([192, 0, 2, 200], 40_000).into(),
                    1 => ([192, 0, 2, count as u8 & 0x7f], 40_000).into(),
                    _ => ([0x2001, 0xdb8, 0, count & 0xff, 0, 0, 0, count], 40_000).into(),
                },
            };
            // In interleaved mode: the origin has the last bit that our receive timestamps have.
            interleaved[24..34].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
            let datagram: &[u8] = match count % 16 {
                8..=12 => &interleaved,
                13 => &response,
                14 => &request[..12],
                _ => &request,
            };
            match responder.respond(datagram, &arrival, &mut out) {
                Verdict::Answer(_) => verdicts[0] += 1,
                Verdict::Kiss(_) => verdicts[1] += 1,
                Verdict::Silence(_) => verdicts[2] += 1,
            }
            if let Some(receive) = responder.pending() {
                responder.transmitted(receive, now, StampQuality::Kernel, arrival.monotonic);
            }
        }
    });

    assert_eq!(allocations.count_total, 0, "allocations for 10000 datagrams");
    assert!(verdicts.iter().all(|count| *count > 100), "{verdicts:?}");
    let counters: &Counters = responder.counters();
    assert_eq!(counters.received(), 10_000);
    assert!(counters.refused.by(Refusal::Denied) > 0);
    assert!(responder.held().pairs > 500, "{:?}", responder.held());
    assert!(responder.clients().is_some_and(|clients| clients.evicted() > 0));
    assert!(counters.refused.by(Refusal::RateLimited) > 0);
}
