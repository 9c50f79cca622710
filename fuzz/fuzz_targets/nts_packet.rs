//! A client's requests with NTS, changed by others: none of them is proven but the client's own, and no
//! answer is longer than its request.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use timeball_auth::nts::request::Protection;
use timeball_auth::nts::{AeadAlgorithm, KeyMaterial, MAX_COOKIE_LEN, ServerKeys, SessionSecrets};
use timeball_core::engine::StampQuality;
use timeball_core::server::{
    Arrival, CookieKeys, MAX_ANSWER_LEN, Responder, ServerView, Settings, Verdict,
};
use timeball_wire::{Header, Instant, PacketWriter, Timestamp};

#[derive(Arbitrary, Debug)]
struct Scene<'a> {
    algorithm: u8,
    placeholders: u8,
    /// Place and new bytes.
    changes: Vec<(u16, &'a [u8])>,
    /// What is cut off, and what is put in its place.
    cut: u16,
    appended: &'a [u8],
}

fuzz_target!(|scene: Scene<'_>| {
    let algorithm = AeadAlgorithm::ALL[usize::from(scene.algorithm) % AeadAlgorithm::ALL.len()];
    let material = [1, 2, 3, 4].map(|seed| KeyMaterial::new(&[seed; KeyMaterial::LEN]));
    let keys = Arc::new(ServerKeys::new(material).expect("keys"));
    let len = algorithm.key_len();
    let secrets = SessionSecrets::new(algorithm, &vec![1; len], &vec![2; len]).expect("secrets");
    let mut cookie = [0; MAX_COOKIE_LEN];
    let cookie_len = keys.seal(&secrets, &[9; 16], &mut cookie).expect("a cookie");

    let mut header = [0; Header::LEN];
    header[0] = 0x23;
    let mut buffer = [0; MAX_ANSWER_LEN];
    let mut writer =
        PacketWriter::new(&Header::from_bytes(&header), &mut buffer).expect("a packet");
    let protection = Protection {
        unique_identifier: &[5; 32],
        cookie: &cookie[..cookie_len],
        placeholders: usize::from(scene.placeholders % 8),
        key: &secrets.keys().expect("keys").to_server,
        nonce: &[3; 16],
    };
    protection.write(&mut writer).expect("a request");
    let good = writer.finish().expect("a request").to_vec();
    let mut request = good.clone();
    for (place, bytes) in &scene.changes {
        for (at, byte) in request.iter_mut().skip(usize::from(*place)).zip(*bytes) {
            *at = *byte;
        }
    }
    request.truncate(request.len().saturating_sub(usize::from(scene.cut)));
    request.extend(scene.appended.iter().take(MAX_ANSWER_LEN - request.len()));

    // Without memory for clients, which would take most of the time.
    let settings = Settings {
        allow: vec!["0.0.0.0/0".parse().expect("a network")],
        client_log: None,
        ..Settings::default()
    };
    let view = ServerView::unsynchronised(-24, Instant::from_nanos(0));
    let mut responder = Responder::new(&settings, view, [1; 16]);
    responder.take_cookie_keys(Some(CookieKeys::new(keys, [7; 32])));
    let now = Timestamp::from_nanos(1_800_000_000_000_000_000);
    let arrival = Arrival {
        received: now,
        quality: StampQuality::Daemon,
        monotonic: Instant::from_nanos(1),
        from: ([192, 0, 2, 1], 40_000).into(),
        to_everybody: false,
    };
    let mut out = [0; MAX_ANSWER_LEN];
    let len = match responder.respond(&request, &arrival, now, &mut out) {
        Verdict::Answer(len) | Verdict::Kiss(len) => len,
        Verdict::Silence(_) => 0,
    };
    assert!(len <= request.len());
    // Type and length, both lengths, nonce and tag: nobody vouches for the padding behind them.
    let vouched = good.len() - (4 + 4 + algorithm.nonce_len() + 16);
    let own = request.get(..vouched) == good.get(..vouched);
    assert!(responder.counters().nts_authenticated == 0 || own);
});
