//! `[nts]` and the table in it.

use timeball_auth::nts::AeadAlgorithm;

use super::daemon::LONGEST_PATH;
use super::one;
use crate::config::{Config, TrustedCertificates};
use crate::native::schema::{
    Field, Key, Kind, Rows, Section, Table, field, find, word_of, words_of,
};

/// `[nts]`.
pub(crate) static NTS: Table<Config> = one(Section {
    name: "nts",
    header: "[nts]",
    doc: "Network Time Security, of sources and of this server alike.",
    keys: &[KEYS],
    required: &[],
});

/// `[[nts.trusted]]`.
pub(crate) static TRUSTED: Table<TrustedCertificates> = Table {
    section: Section {
        name: "nts.trusted",
        header: "[[nts.trusted]]",
        doc: "Certificates that are trusted beside the system's. Repeat the table for every file.",
        keys: &[TRUSTED_KEYS],
        required: &[("certificates", "/etc/timeball/authority.pem")],
    },
    rows: Rows::Many { get: |c| &c.nts.trusted, get_mut: |c| &mut c.nts.trusted },
    fresh: || TrustedCertificates { set: 0, path: std::path::PathBuf::new() },
};

const ALGORITHMS: &[(&str, AeadAlgorithm)] = &[
    ("aes-128-gcm-siv", AeadAlgorithm::Aes128GcmSiv),
    ("aes-siv-cmac-256", AeadAlgorithm::AesSivCmac256),
    ("aes-siv-cmac-512", AeadAlgorithm::AesSivCmac512),
];

const KEYS: &[Key<Config>] = &[
    Key {
        name: "algorithms",
        kind: Kind::Words {
            words: || words_of(ALGORITHMS),
            field: Field {
                get: |c| {
                    let all = c.nts.algorithms.iter();
                    Some(all.filter_map(|algorithm| word_of(ALGORITHMS, algorithm)).collect())
                },
                set: |c, words| {
                    let found = words.into_iter().filter_map(|word| find(ALGORITHMS, word));
                    c.nts.algorithms = found.collect();
                },
            },
        },
        doc: "Ciphers to offer to servers, the best first, and those that clients may have. Every server \
              has \"aes-siv-cmac-256\".",
    },
    Key {
        name: "refresh",
        kind: Kind::Duration { range: 1.0..=1e9, field: field!(engine.nts.refresh) },
        doc: "Keys of sources that are older are used no more, and replaced.",
    },
    Key {
        name: "system-certificates",
        kind: Kind::Switch(field!(nts.system_certificates)),
        doc: "Trust the authorities that the system trusts; they belong to set 0.",
    },
    Key {
        name: "unchecked-updates",
        kind: Kind::Integer {
            range: 0..=u32::MAX as i64,
            unit: "updates of the clock",
            field: field!(nts.unchecked_updates as u32),
        },
        doc: "Accept certificates that are not valid by our clock until it was updated so often, for \
              machines that start without knowing the time. What their servers say of the time has to \
              fit them nevertheless. A clock that is behind the last time saved in the drift file is \
              not asked in any case.",
    },
    Key {
        name: "bound-by-certificates",
        kind: Kind::Switch(field!(nts.bound_by_certificates)),
        doc: "While certificates need not be valid by our clock, believe no time that lies outside of \
              their validity, and no certificate that expired before the last time saved. Without it, \
              whoever has got hold of the key of an expired certificate can set the clock during the \
              `unchecked-updates`; chronyd's `nocerttimecheck` is like that.",
    },
    Key {
        name: "directory",
        kind: Kind::OptionalPath { longest: LONGEST_PATH, field: field!(nts.directory) },
        doc: "Where keys and cookies are kept over a restart, in files that only their owner can read. \
              Without it, they are established anew. A server keeps the keys of its cookies in `ntskeys`, \
              which several servers may share.",
    },
];

const TRUSTED_KEYS: &[Key<TrustedCertificates>] = &[
    Key {
        name: "certificates",
        kind: Kind::Path {
            longest: LONGEST_PATH,
            field: Field {
                get: |t| Some(t.path.clone()).filter(|path| !path.as_os_str().is_empty()),
                set: |t, path| t.path = path,
            },
        },
        doc: "A file of certificates in PEM form, or a directory of such files. Required.",
    },
    Key {
        name: "set",
        kind: Kind::Integer { range: 0..=u32::MAX as i64, unit: "", field: field!(set as u32) },
        doc: "The set that they belong to: `certificate-set` of a source says which one it trusts.",
    },
];
