//! CVE-2020-15025: whoever sends a client answers that do not prove themselves, again and again, takes
//! none of its memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use timeball_auth::{Algorithm, Key, KeyId};
use timeball_core::association::Authentication;
use timeball_core::datagram::compose;
use timeball_core::engine::{Answer, StampQuality, Transmit};
use timeball_core::settings::SourceSettings;
use timeball_core::{Engine, Input, Now, Output, Settings};
use timeball_wire::{Header, Instant, Mode, Span, Timestamp};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NOW: Now = Now {
    monotonic: Instant::from_nanos(1_000_000_000),
    system: Timestamp::from_nanos(1_700_000_000_000_000_000),
    raw: None,
    asleep: Span::ZERO,
    frequency: 0.0,
    uncertainty: Span::ZERO,
};

fn key(secret: u8) -> Key {
    Key::new(KeyId::new(1).unwrap(), Algorithm::Aes128, &[secret; 16]).unwrap()
}

/// A client that has asked its server with a key, and the request.
fn asked() -> (Engine, Transmit) {
    let mut source = SourceSettings::server(SERVER.to_string());
    source.association.authentication = Authentication::Key(key(1).id());
    let settings = Settings { sources: vec![source], ..Settings::default() };
    let mut engine = Engine::new(NOW, settings, None, 1e-7, [3; 32]);
    engine.handle(NOW, Input::Keys(Arc::new([key(1)].into_iter().collect())));
    let mut now = NOW;
    loop {
        while let Some(output) = engine.poll_output() {
            match output {
                Output::Resolve { id, .. } => {
                    engine.handle(now, Input::Resolved { id, addresses: Ok(&[SERVER]) });
                }
                Output::Transmit(request) => return (engine, request),
                _ => {}
            }
        }
        let span = Span::from_secs(1);
        (now.monotonic, now.system) = (now.monotonic + span, now.system + span);
        engine.handle(now, Input::Timeout);
    }
}

#[test]
fn ten_thousand_wrong_digests_take_no_memory() {
    let (mut engine, request) = asked();
    let header = Header::from_bytes(request.datagram.first_chunk().unwrap());
    let answer = Header {
        mode: Mode::Server,
        stratum: 1,
        origin_timestamp: header.transmit_timestamp,
        receive_timestamp: header.transmit_timestamp,
        ..header
    };
    let mut forge = |seed: u8| {
        let bytes = compose(&answer, Some(&key(seed)));
        let datagram = Answer {
            exchange: request.exchange,
            from: request.destination,
            to: None,
            bytes: &bytes,
            received: NOW.system,
            quality: StampQuality::Kernel,
        };
        engine.handle(NOW, Input::Datagram(datagram));
        while engine.poll_output().is_some() {}
    };
    // The first one makes the counter.
    forge(2);
    let memory = allocation_counter::measure(|| (0..10_000).for_each(|_| forge(2)));
    assert_eq!((memory.count_current, memory.bytes_current), (0, 0));
    let report = engine.report(NOW);
    assert_eq!(report.sources[0].rejected, BTreeMap::from([("bad-mac".to_owned(), 10_001)]));
}
