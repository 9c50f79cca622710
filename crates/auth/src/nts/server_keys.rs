//! The keys that a server encrypts cookies with, and the cookies.
//!
//! A cookie is what the server would otherwise have to remember of a client: its two keys, encrypted
//! for the server's own eyes (RFC 8915 §6). Its form and that of the file which several servers or a
//! restarted one share are chronyd's, so that either daemon opens what the other has given out.
//!
//! Of four keys one is current, one is the next and two were current before: a cookie is good for
//! two changes after the one that ended its key.

use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use super::aead::{AeadAlgorithm, AeadKey, TAG_LEN};
use crate::hexadecimal;
use crate::secret::Secret;

/// How many keys there are; the lowest bits of an identifier say in which place a key is.
const PLACES: usize = 4;

/// Bytes of the longest cookie that we give out or open.
pub const MAX_COOKIE_LEN: usize = ID_LEN + MAX_NONCE_LEN + 2 * MAX_KEY_LEN + TAG_LEN;

const ID_LEN: usize = 4;
const MAX_NONCE_LEN: usize = 16;
const MAX_KEY_LEN: usize = 64;

/// Hexadecimal digits of the longest line in a file.
const MAX_KEY_DIGITS: usize = 2 * MAX_KEY_LEN;

/// The two keys of a client.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    /// What it sends is encrypted with this one,
    pub to_server: AeadKey,
    /// and what it is sent with this.
    pub to_client: AeadKey,
}

/// The same before they are made ready for use: what a cookie holds. Overwritten when it is dropped.
#[derive(Clone)]
pub struct SessionSecrets {
    algorithm: AeadAlgorithm,
    /// That of what the client sends, and then that of what it is sent.
    text: Zeroizing<[u8; 2 * MAX_KEY_LEN]>,
}

impl SessionSecrets {
    /// `None` if one has another length than the algorithm's keys.
    pub fn new(algorithm: AeadAlgorithm, to_server: &[u8], to_client: &[u8]) -> Option<Self> {
        let len = algorithm.key_len();
        let mut text = Zeroizing::new([0; 2 * MAX_KEY_LEN]);
        let (first, rest) = text.split_at_mut_checked(len)?;
        for (place, key) in [(first, to_server), (rest.get_mut(..len)?, to_client)] {
            place.get_mut(..key.len()).filter(|place| place.len() == len)?.copy_from_slice(key);
        }
        Some(Self { algorithm, text })
    }

    /// What the keys are for.
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.algorithm
    }

    /// The bytes of both, that of the client first: for a file that nobody else can read.
    pub fn expose(&self) -> (&[u8], &[u8]) {
        self.text().split_at_checked(self.algorithm.key_len()).unwrap_or_default()
    }

    /// Both keys, one after the other.
    fn text(&self) -> &[u8] {
        self.text.get(..2 * self.algorithm.key_len()).unwrap_or_default()
    }

    /// Ready for use.
    pub fn keys(&self) -> Option<SessionKeys> {
        Some(SessionKeys { to_server: self.to_server()?, to_client: self.to_client()? })
    }

    /// That of what the client sends, ready for use.
    pub(super) fn to_server(&self) -> Option<AeadKey> {
        AeadKey::new(self.algorithm, self.expose().0)
    }

    /// That of what it is sent, ready for use.
    pub(super) fn to_client(&self) -> Option<AeadKey> {
        AeadKey::new(self.algorithm, self.expose().1)
    }
}

impl fmt::Debug for SessionSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSecrets").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct ServerKey {
    id: u32,
    secret: Secret,
    key: AeadKey,
}

impl ServerKey {
    fn new(id: u32, algorithm: AeadAlgorithm, secret: &[u8]) -> Option<Self> {
        let key = AeadKey::new(algorithm, secret)?;
        Some(Self { id, secret: Secret::new(secret), key })
    }

    /// Which place a key of this identifier has.
    const fn place(id: u32) -> usize {
        id as usize % PLACES
    }
}

/// The server's keys.
#[derive(Clone, Debug)]
pub struct ServerKeys {
    keys: [ServerKey; PLACES],
    current: usize,
}

/// Randomness for one key.
#[derive(Debug)]
pub struct KeyMaterial {
    id: u32,
    secret: Secret,
}

impl KeyMaterial {
    /// Bytes that it takes.
    pub const LEN: usize = ID_LEN + ServerKeys::ALGORITHM.key_len();

    /// Of these unpredictable bytes.
    pub fn new(random: &[u8; Self::LEN]) -> Self {
        let (id, secret) = random.split_first_chunk().unwrap_or((&[0; ID_LEN], &[]));
        Self { id: u32::from_be_bytes(*id), secret: Secret::new(secret) }
    }
}

/// Why the text of a file makes no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerKeysError {
    /// It does not begin as such a file does.
    #[error("line 1 is not `NKS0` or `NKS1`: this is no file of NTS server keys")]
    Beginning,
    /// The age is no number.
    #[error(
        "line 2 is not the age of the current key in seconds, after an algorithm in the older form"
    )]
    Age,
    /// A key is missing, or is none.
    #[error("line {line} is not `ID KEY ALGORITHM` with {digits} hexadecimal digits or fewer", digits = MAX_KEY_DIGITS)]
    Key {
        /// Which line.
        line: usize,
    },
    /// Two keys have the same place.
    #[error("line {line} has not the identifier that follows that of the line before")]
    Order {
        /// Which line.
        line: usize,
    },
}

impl ServerKeys {
    /// What our own keys are for: the shortest cookies.
    pub const ALGORITHM: AeadAlgorithm = AeadAlgorithm::Aes128GcmSiv;

    /// Keys of a server that has none yet.
    pub fn new(material: [KeyMaterial; PLACES]) -> Option<Self> {
        let mut places = (0..).zip(material).map(|(place, material)| Self::key(place, &material));
        let keys = [places.next()??, places.next()??, places.next()??, places.next()??];
        Some(Self { keys, current: 0 })
    }

    fn key(place: usize, material: &KeyMaterial) -> Option<ServerKey> {
        let id = material.id - material.id % PLACES as u32 + u32::try_from(place).ok()?;
        ServerKey::new(id, Self::ALGORITHM, material.secret.as_bytes())
    }

    /// The next key is the current one from now on, and the oldest gives its place to a new one.
    pub fn rotate(&mut self, material: &KeyMaterial) {
        self.current = (self.current + 1) % PLACES;
        let next = (self.current + 1) % PLACES;
        if let (Some(key), Some(place)) = (Self::key(next, material), self.keys.get_mut(next)) {
            *place = key;
        }
    }

    /// Bytes of a cookie for keys of this algorithm.
    pub fn cookie_len(&self, algorithm: AeadAlgorithm) -> usize {
        let nonce_len = self.current().key.algorithm().nonce_len();
        ID_LEN + nonce_len + 2 * algorithm.key_len() + TAG_LEN
    }

    fn current(&self) -> &ServerKey {
        // Always one of the places.
        &self.keys[self.current % PLACES]
    }

    /// Writes a cookie to the start of `out`, and answers how long it is. `nonce` must never have been
    /// used with these keys; as much of it is taken as they need. `None` if there is no room.
    pub fn seal(
        &self,
        secrets: &SessionSecrets,
        nonce: &[u8; MAX_NONCE_LEN],
        out: &mut [u8],
    ) -> Option<usize> {
        let ServerKey { id, key, .. } = self.current();
        let nonce = nonce.get(..key.algorithm().nonce_len())?;
        let (name, rest) = out.split_first_chunk_mut::<ID_LEN>()?;
        let (place, rest) = rest.split_at_mut_checked(nonce.len())?;
        let sealed = key.seal(nonce, &[], secrets.text(), rest)?;
        *name = id.to_be_bytes();
        place.copy_from_slice(nonce);
        Some(ID_LEN + nonce.len() + sealed)
    }

    /// The keys in a cookie. `None` if it is not one of ours, or too old: nobody can tell which.
    pub fn open(&self, cookie: &[u8]) -> Option<SessionSecrets> {
        let (id, rest) = cookie.split_first_chunk::<ID_LEN>()?;
        let id = u32::from_be_bytes(*id);
        let key = self.keys.get(ServerKey::place(id)).filter(|key| key.id == id)?;
        let (nonce, sealed) = rest.split_at_checked(key.key.algorithm().nonce_len())?;
        let mut text = Zeroizing::new([0; 2 * MAX_KEY_LEN]);
        let len = key.key.open(nonce, &[], sealed, text.as_mut_slice())?;
        // The length says for which algorithm they are.
        let algorithm =
            AeadAlgorithm::ALL.into_iter().find(|algorithm| 2 * algorithm.key_len() == len)?;
        Some(SessionSecrets { algorithm, text })
    }

    /// The text of a file with these keys, the current one of which is so old (s).
    pub fn to_file(&self, age: f64) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64 + PLACES * (MAX_KEY_DIGITS + 16)));
        // Writing to a string does not fail.
        let _ = writeln!(text, "NKS1\n{age:.1}");
        // The next one last: who reads the file knows by this which is the current one.
        for more in 2..2 + PLACES {
            let ServerKey { id, secret, key } = &self.keys[(self.current + more) % PLACES];
            let _ = write!(text, "{id:08X} ");
            for byte in secret.as_bytes() {
                let _ = write!(text, "{byte:02X}");
            }
            let _ = writeln!(text, " {}", key.algorithm().number());
        }
        text
    }

    /// The keys in the text of a file, and how old the current one was (s).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_file(text: &str) -> Result<(Self, f64), ServerKeysError> {
        let mut lines = text.lines();
        let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        // Of old, all keys were for one algorithm, whose number is before the age.
        let (age, algorithm) = match (first, second.trim().split_once(' ')) {
            ("NKS1", None) => (second.trim(), None),
            ("NKS0", Some((number, age))) => {
                let algorithm = number.parse().ok().and_then(AeadAlgorithm::from_number);
                (age, Some(algorithm.ok_or(ServerKeysError::Age)?))
            }
            ("NKS0" | "NKS1", _) => return Err(ServerKeysError::Age),
            _ => return Err(ServerKeysError::Beginning),
        };
        let age = age.parse::<f64>().ok().filter(|age| age.is_finite() && *age >= 0.0);
        let age = age.ok_or(ServerKeysError::Age)?;
        let mut read = |line: usize| {
            let key = lines.next().and_then(|text| server_key(text, algorithm));
            key.ok_or(ServerKeysError::Key { line })
        };
        let mut keys = [read(3)?, read(4)?, read(5)?, read(6)?];
        let first = ServerKey::place(keys[0].id);
        for (more, key) in keys.iter().enumerate() {
            if ServerKey::place(key.id) != (first + more) % PLACES {
                return Err(ServerKeysError::Order { line: 3 + more });
            }
        }
        keys.sort_by_key(|key| ServerKey::place(key.id));
        // The last line is the next one.
        Ok((Self { keys, current: (first + PLACES - 2) % PLACES }, age))
    }
}

/// `ID KEY ALGORITHM`, or `ID KEY` where all are for the same algorithm.
fn server_key(line: &str, of_all: Option<AeadAlgorithm>) -> Option<ServerKey> {
    let mut words = line.split_ascii_whitespace();
    let id = u32::from_str_radix(words.next()?, 16).ok()?;
    let digits = words.next().filter(|digits| digits.len() <= MAX_KEY_DIGITS)?;
    let algorithm = match of_all {
        Some(algorithm) => algorithm,
        None => AeadAlgorithm::from_number(words.next()?.parse().ok()?)?,
    };
    let secret = hexadecimal::decode(digits.as_bytes()).ok()?;
    ServerKey::new(id, algorithm, &secret).filter(|_| words.next().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn material(seed: u8) -> KeyMaterial {
        KeyMaterial::new(&[seed; KeyMaterial::LEN])
    }

    fn server() -> ServerKeys {
        ServerKeys::new([1, 2, 3, 4].map(material)).unwrap()
    }

    fn secrets(algorithm: AeadAlgorithm) -> SessionSecrets {
        let len = algorithm.key_len();
        SessionSecrets::new(algorithm, &vec![0xc5; len], &vec![0x5c; len]).unwrap()
    }

    fn cookie(keys: &ServerKeys, algorithm: AeadAlgorithm, nonce: u8) -> Vec<u8> {
        let mut out = [0; MAX_COOKIE_LEN];
        let len = keys.seal(&secrets(algorithm), &[nonce; 16], &mut out).unwrap();
        assert_eq!(len, keys.cookie_len(algorithm));
        out[..len].to_vec()
    }

    fn same(one: &AeadKey, other: &AeadKey) -> bool {
        let mut sealed = [0; 32];
        let nonce = vec![1; one.algorithm().nonce_len()];
        let len = one.seal(&nonce, b"a", b"text", &mut sealed).unwrap();
        other.open(&nonce, b"a", &sealed[..len], &mut [0; 32]).is_some()
    }

    #[test]
    fn a_cookie_brings_the_keys_back() {
        let server = server();
        for (algorithm, len) in [
            (AeadAlgorithm::Aes128GcmSiv, 64),
            (AeadAlgorithm::AesSivCmac256, 96),
            (AeadAlgorithm::AesSivCmac512, 160),
        ] {
            let cookie = cookie(&server, algorithm, 7);
            assert_eq!(cookie.len(), len);
            assert_eq!(len % 4, 0);
            let opened = server.open(&cookie).unwrap().keys().unwrap();
            let made = secrets(algorithm).keys().unwrap();
            assert!(same(&made.to_server, &opened.to_server));
            assert!(same(&made.to_client, &opened.to_client));
            assert!(!same(&made.to_server, &opened.to_client));
        }
    }

    #[test]
    fn no_log_shows_a_secret() {
        let shown = format!("{:?} {:?}", server(), secrets(AeadAlgorithm::AesSivCmac256));
        assert!(!shown.contains("197, 197") && !shown.contains("1, 1"), "{shown}");
    }

    #[test]
    fn no_two_cookies_are_the_same() {
        let server = server();
        let algorithm = AeadAlgorithm::AesSivCmac256;
        let (one, other) = (cookie(&server, algorithm, 1), cookie(&server, algorithm, 2));
        assert_eq!(one[..4], other[..4]);
        assert!(one[4..].iter().zip(&other[4..]).filter(|(a, b)| a == b).count() < 10);
    }

    #[test]
    fn a_cookie_outlives_two_changes_of_keys() {
        let mut server = server();
        let cookie = cookie(&server, AeadAlgorithm::AesSivCmac256, 7);
        for (seed, good) in [(5, true), (6, true), (7, false), (8, false), (9, false)] {
            server.rotate(&material(seed));
            assert_eq!(server.open(&cookie).is_some(), good, "{seed}");
        }
    }

    #[test]
    fn a_server_that_is_one_change_behind_opens_what_another_gives_out() {
        let mut ahead = server();
        let behind = server();
        ahead.rotate(&material(5));
        let new = cookie(&ahead, AeadAlgorithm::AesSivCmac256, 7);
        assert!(behind.open(&new).is_some());
    }

    #[test]
    fn cookies_of_other_servers_and_changed_ones_are_none() {
        let server = server();
        let good = cookie(&server, AeadAlgorithm::AesSivCmac256, 7);
        let other = ServerKeys::new([5, 6, 7, 8].map(material)).unwrap();
        assert!(other.open(&good).is_none());
        for bit in 0..8 * good.len() {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(server.open(&changed).is_none(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(server.open(&good[..len]).is_none(), "{len} bytes");
        }
        assert!(server.open(&vec![0; 65_535]).is_none());
        // The right identifier, and more behind it than any cookie has (CVE-2023-33192).
        let mut long = good;
        for len in [MAX_COOKIE_LEN, MAX_COOKIE_LEN + 1, 1400, 65_528] {
            long.resize(len, 0);
            assert!(server.open(&long).is_none(), "{len} bytes");
        }
    }

    #[test]
    fn a_file_brings_the_keys_back() {
        let mut server = server();
        for seed in 5..12 {
            let given_out = cookie(&server, AeadAlgorithm::Aes128GcmSiv, seed);
            let text = server.to_file(1234.56);
            let (again, age) = ServerKeys::from_file(&text).unwrap();
            assert_eq!(age, 1234.6);
            assert!(again.open(&given_out).is_some());
            let mut out = [0; MAX_COOKIE_LEN];
            again.seal(&secrets(AeadAlgorithm::Aes128GcmSiv), &[seed; 16], &mut out).unwrap();
            assert_eq!(out[..given_out.len()], given_out, "the same key is current");
            assert_eq!(*again.to_file(1234.56), *text);
            server.rotate(&material(seed));
        }
    }

    #[test]
    fn the_file_is_chronyds() {
        let text = "NKS1\n86.4\n\
            9F2DFAE6 000102030405060708090A0B0C0D0E0F 30\n\
            1F2DFAE7 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F 15\n\
            2F2DFAE8 000102030405060708090A0B0C0D0E0F 30\n\
            3F2DFAE9 000102030405060708090A0B0C0D0E0F 30\n";
        let (keys, age) = ServerKeys::from_file(text).unwrap();
        assert_eq!(age, 86.4);
        assert_eq!(keys.current().id, 0x2f2d_fae8);
        assert_eq!(*keys.to_file(86.4), text);
        let old = "NKS0\n15 3.0\n\
            00000000 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n\
            00000001 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n\
            00000002 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n\
            00000003 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n";
        let (keys, age) = ServerKeys::from_file(old).unwrap();
        assert_eq!((keys.current().id, age), (2, 3.0));
        assert_eq!(keys.cookie_len(AeadAlgorithm::AesSivCmac256), 100);
    }

    #[test]
    fn mistakes_in_a_file_are_named_by_their_line() {
        let good = server().to_file(1.0);
        let error = |text: &str| ServerKeys::from_file(text).unwrap_err();
        assert_eq!(error(""), ServerKeysError::Beginning);
        assert_eq!(error(&good.replace("NKS1", "NKS2")), ServerKeysError::Beginning);
        for age in ["-1.0", "nan", "x", "inf", "15 1.0", ""] {
            assert_eq!(
                error(&good.replace("\n1.0\n", &format!("\n{age}\n"))),
                ServerKeysError::Age
            );
        }
        let lines: Vec<&str> = good.lines().collect();
        for cut in 2..6 {
            let text = lines[..cut].join("\n");
            assert_eq!(error(&text), ServerKeysError::Key { line: cut + 1 });
        }
        for (from, to) in [(" 30", " 31"), (" 30", " 30 1"), (" 30", " 15"), ("02 ", "0G ")] {
            let line = lines[2].replacen(from, to, 1);
            let text = good.replacen(lines[2], &line, 1);
            assert!(ServerKeys::from_file(&text).is_err(), "{from} {to}: {line}");
        }
        let swapped = [lines[0], lines[1], lines[2], lines[4], lines[3], lines[5]].join("\n");
        assert_eq!(error(&swapped), ServerKeysError::Order { line: 4 });
    }

    proptest! {
        #[test]
        fn nothing_surprises(text in "\\PC{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ServerKeys::from_file(&text);
            let _ = ServerKeys::from_file(&format!("NKS1\n0.0\n{text}"));
            prop_assert!(server().open(&bytes).is_none());
        }
    }
}
