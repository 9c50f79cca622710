//! The responder on its packet path: no allocation, whatever arrives.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use timeball_auth::nts::request::Protection;
use timeball_auth::nts::{AeadAlgorithm, KeyMaterial, MAX_COOKIE_LEN, ServerKeys, SessionSecrets};
use timeball_auth::{Algorithm, Key, KeyId};
use timeball_core::datagram::compose;
use timeball_core::engine::StampQuality;
use timeball_core::server::{
    Arrival, CookieKeys, Counters, MAX_ANSWER_LEN, RateLimit, Refusal, Responder, ServerView,
    Settings, Verdict,
};
use timeball_wire::{Header, Instant, PacketWriter, Span, Timestamp};

fn server_keys() -> ServerKeys {
    let material = [1, 2, 3, 4].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN]));
    ServerKeys::new(material).unwrap()
}

/// A request that NTS protects, and that asks for eight cookies.
fn protected() -> Vec<u8> {
    let secrets = SessionSecrets::new(AeadAlgorithm::AesSivCmac256, &[1; 32], &[2; 32]).unwrap();
    let mut cookie = [0; MAX_COOKIE_LEN];
    let len = server_keys().seal(&secrets, &[9; 16], &mut cookie).unwrap();
    let mut header = [0; 48];
    header[0] = 0x23;
    let mut buffer = [0; MAX_ANSWER_LEN];
    let mut writer = PacketWriter::new(&Header::from_bytes(&header), &mut buffer).unwrap();
    let protection = Protection {
        unique_identifier: &[5; 32],
        cookie: &cookie[..len],
        placeholders: 7,
        key: &secrets.keys().unwrap().to_server,
        nonce: &[3; 16],
    };
    protection.write(&mut writer).unwrap();
    writer.finish().unwrap().to_vec()
}

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
    let key = KeyId::new(1).map(|id| Key::new(id, Algorithm::Aes128, &[7; 16]).unwrap()).unwrap();
    responder.take_keys(Arc::new([key.clone()].into_iter().collect()));
    let mut request = [0; 48];
    request[0] = 0x23;
    let mut interleaved = request;
    let signed = compose(&Header::from_bytes(&request), Some(&key));
    let mut forged = signed.clone();
    forged[60] ^= 1;
    let response = [0x24; 48];
    let mut out = [0; MAX_ANSWER_LEN];
    let mut for_mono_root = [0; 76];
    for_mono_root[0] = 0x23;
    for_mono_root[48..56].copy_from_slice(&[0xf3, 0x23, 0, 28, 0xf5, 0xbe, 0xdd, 0x9a]);
    let protected = protected();
    let cookies = Arc::new(server_keys());
    responder.take_cookie_keys(Some(CookieKeys::new(cookies, [3; 32])));
    let mut of_another = protected.clone();
    of_another[100] ^= 1;
    let mut verdicts = [0u32; 3];

    let allocations = allocation_counter::measure(|| {
        for count in 0..10_000u16 {
            let now = Timestamp::from_nanos(1_800_000_000_000_000_000 + i64::from(count) * 1_000);
            let arrival = Arrival {
                received: now,
                quality: StampQuality::Kernel,
                monotonic: start + Span::from_nanos(i64::from(count) * 1_000),
                from: match count % 4 {
                    0 => ([192, 0, 2, 200], 40_000).into(),
                    1 => ([192, 0, 2, count as u8 & 0x7f], 40_000).into(),
                    _ => ([0x2001, 0xdb8, 0, count & 0xff, 0, 0, 0, count], 40_000).into(),
                },
                to_everybody: count % 64 == 9,
            };
            // In interleaved mode: the origin has the last bit that our receive timestamps have.
            interleaved[24..34].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
            let datagram: &[u8] = match count % 16 {
                4 => &for_mono_root,
                8..=12 => &interleaved,
                5 | 6 => &signed,
                7 => &forged,
                13 => &response,
                14 => &request[..12],
                2 => &protected,
                3 => &of_another,
                _ => &request,
            };
            match responder.respond(datagram, &arrival, now, &mut out) {
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
    assert!(counters.authenticated > 100, "{}", counters.authenticated);
    assert!(counters.refused.by(Refusal::BadMac) > 10);
    assert!(counters.nts_authenticated > 100, "{}", counters.nts_authenticated);
    assert!(counters.nts_bad_cookies > 100, "{}", counters.nts_bad_cookies);
    assert!(responder.held().pairs > 500, "{:?}", responder.held());
    assert!(responder.clients().is_some_and(|clients| clients.evicted() > 0));
    assert!(counters.refused.by(Refusal::RateLimited) > 0);
}
