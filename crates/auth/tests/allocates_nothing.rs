//! No packet costs an allocation, whether its digest is right or wrong.

use timeball_auth::{Algorithm, Key, KeyId, Keys};

#[test]
fn signing_and_verifying_allocate_nothing() {
    let keys: Keys = Algorithm::ALL
        .into_iter()
        .zip(1..)
        .map(|(algorithm, id)| {
            let secret = vec![7; algorithm.exact_key_len().unwrap_or(20)];
            Key::new(KeyId::new(id).unwrap(), algorithm, &secret).unwrap()
        })
        .collect();
    let packet = [0x23; 48];
    let info = allocation_counter::measure(|| {
        for number in 1..=Algorithm::ALL.len() as u32 {
            let key = KeyId::new(number).and_then(|id| keys.get(id)).unwrap();
            for version in [3, 4] {
                let digest = key.sign(version, &packet);
                assert!(key.verify(version, &packet, digest.as_bytes()));
                assert!(!key.verify(version, &packet[..44], digest.as_bytes()));
            }
        }
        assert!(keys.get(KeyId::new(999).unwrap()).is_none());
    });
    assert_eq!(info.count_total, 0);
}
