//! Any datagrams, from anywhere, at any time: no answer is longer than its request or answered
//! itself, and every datagram is counted once.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_core::engine::StampQuality;
use timeball_core::server::{Arrival, MAX_ANSWER_LEN, RateLimit, Responder, ServerView, Settings, Verdict};
use timeball_wire::{Instant, LeapIndicator, Timestamp};

#[derive(Arbitrary, Debug)]
struct Scene<'a> {
    rate_limit: Option<(f64, u32, u32, u32)>,
    stratum: u8,
    root_delay: f64,
    root_dispersion: f64,
    hash_key: [u8; 16],
    datagrams: Vec<Datagram<'a>>,
}

#[derive(Arbitrary, Debug)]
struct Datagram<'a> {
    bytes: &'a [u8],
    from: IpAddr,
    port: u16,
    received: i64,
    transmit: i64,
    monotonic: i64,
}

fuzz_target!(|scene: Scene<'_>| {
    let everybody = ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("a network"));
    let settings = Settings {
        allow: everybody.to_vec(),
        deny: Vec::new(),
        rate_limit: scene.rate_limit.map(|(interval, burst, leak, kiss)| RateLimit {
            interval,
            burst,
            leak,
            kiss,
        }),
        ..Settings::default()
    };
    let view = ServerView {
        leap: LeapIndicator::NoWarning,
        stratum: scene.stratum,
        root_delay: scene.root_delay,
        root_dispersion: scene.root_dispersion,
        ..ServerView::unsynchronised(-24, Instant::from_nanos(0))
    };
    let mut responder = Responder::new(&settings, view, scene.hash_key);
    let mut judged = 0;
    for datagram in &scene.datagrams {
        let arrival = Arrival {
            received: Timestamp::from_nanos(datagram.received),
            quality: StampQuality::Daemon,
            monotonic: Instant::from_nanos(datagram.monotonic),
            from: SocketAddr::new(datagram.from, datagram.port),
            to_everybody: false,
        };
        let transmit = Timestamp::from_nanos(datagram.transmit);
        let mut out = [0; MAX_ANSWER_LEN];
        let len = match responder.respond(datagram.bytes, &arrival, transmit, &mut out) {
            Verdict::Answer(len) | Verdict::Kiss(len) => len,
            Verdict::Silence(_) => 0,
        };
        assert!(len <= datagram.bytes.len());
        let answer = out;
        let echoed = responder.respond(&answer[..len], &arrival, transmit, &mut out);
        assert!(matches!(echoed, Verdict::Silence(_)), "an answer was answered: {echoed:?}");
        let to_everybody = Arrival { to_everybody: true, ..arrival };
        let verdict = responder.respond(datagram.bytes, &to_everybody, transmit, &mut out);
        assert!(matches!(verdict, Verdict::Silence(_)), "everybody was asked: {verdict:?}");
        judged += 3;
        assert_eq!(responder.counters().received(), judged);
    }
});
