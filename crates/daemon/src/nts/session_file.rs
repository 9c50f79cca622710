//! Keys and cookies kept over a restart: one file for each source, which only its owner can read.
//!
//! ```text
//! timeball-nts 1
//! name NAME
//! established UNIX-SECONDS
//! keys ALGORITHM TO-SERVER TO-CLIENT
//! alternative ALGORITHM TO-SERVER TO-CLIENT
//! server ADDRESS:PORT
//! valid UNIX-SECONDS UNIX-SECONDS
//! cookie COOKIE
//! ```
//!
//! in any order after the first line; `alternative`, `server` and `valid` may be missing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use timeball_auth::hexadecimal;
use timeball_auth::nts::{AeadAlgorithm, SessionSecrets};
use timeball_core::association::NtsSession;
use timeball_core::engine::KeptSession;
use timeball_host::atomic_file;
use timeball_wire::{Span, Timestamp};
use zeroize::Zeroizing;

const IDENTIFIER: &str = "timeball-nts 1";
const EXTENSION: &str = "nts";
/// Longer files are none of ours.
const MAX_LEN: u64 = 65_536;

/// Writes one file for each. What cannot be written is a warning: there will be new keys.
pub(super) fn save(directory: &Path, sessions: &[KeptSession], now: Timestamp) {
    for kept in sessions {
        let path = directory.join(format!("{}.{EXTENSION}", kept.address));
        let text = format(kept, now);
        if let Err(error) = atomic_file::replace_with_mode(&path, text.as_bytes(), 0o600) {
            tracing::warn!("cannot keep the keys of {} in {}: {error}", kept.name, path.display());
        }
    }
}

/// Reads all files and removes them: a cookie is used once.
pub(super) fn take(directory: &Path, now: Timestamp) -> Vec<KeptSession> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut sessions = Vec::new();
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let Some(address) = address_of(&path) else { continue };
        match read(&path) {
            Ok(text) => match parse(&text, address, now) {
                Some(kept) => sessions.push(kept),
                // Another daemon's, perhaps.
                None => continue,
            },
            Err(error) => {
                tracing::warn!("cannot read {}: {error}", path.display());
                continue;
            }
        }
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
    }
    sessions
}

fn address_of(path: &Path) -> Option<IpAddr> {
    if path.extension()? != EXTENSION {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn read(path: &PathBuf) -> io::Result<Zeroizing<String>> {
    if fs::symlink_metadata(path)?.len() > MAX_LEN {
        return Err(io::Error::other("too long for keys and cookies"));
    }
    fs::read_to_string(path).map(Zeroizing::new)
}

fn format(kept: &KeptSession, now: Timestamp) -> Zeroizing<String> {
    // Long enough from the start: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN as usize));
    let session = &kept.session;
    let established = seconds(now - Span::from_seconds(session.age.max(0.0)));
    // Writing to a string does not fail.
    let _ = writeln!(text, "{IDENTIFIER}\nname {}\nestablished {established}", kept.name);
    write_keys(&mut text, "keys", &session.secrets);
    if let Some(alternative) = &session.alternative {
        write_keys(&mut text, "alternative", alternative);
    }
    if let Some(server) = session.server {
        let _ = writeln!(text, "server {server}");
    }
    if let Some((from, to)) = session.validity {
        let _ = writeln!(text, "valid {} {}", seconds(from), seconds(to));
    }
    for cookie in &session.cookies {
        let _ = write!(text, "cookie ");
        write_hex(&mut text, cookie);
        text.push('\n');
    }
    text
}

fn write_keys(text: &mut String, word: &str, secrets: &SessionSecrets) {
    let (to_server, to_client) = secrets.expose();
    let _ = write!(text, "{word} {} ", secrets.algorithm().number());
    write_hex(text, to_server);
    text.push(' ');
    write_hex(text, to_client);
    text.push('\n');
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

fn parse(text: &str, address: IpAddr, now: Timestamp) -> Option<KeptSession> {
    let mut lines = text.lines();
    if lines.next()? != IDENTIFIER {
        return None;
    }
    let mut name = None;
    let mut established = None;
    let (mut secrets, mut alternative) = (None, None);
    let (mut server, mut validity) = (None, None);
    let mut cookies = Vec::new();
    for line in lines {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "name" => name = Some(rest.to_owned()),
            "established" => established = Some(moment(rest)?),
            "keys" => secrets = Some(keys(rest)?),
            "alternative" => alternative = Some(keys(rest)?),
            "server" => server = Some(rest.parse::<SocketAddr>().ok()?),
            "valid" => {
                let (from, to) = rest.split_once(' ')?;
                validity = Some((moment(from)?, moment(to)?));
            }
            "cookie" => cookies.push(hexadecimal::decode(rest.as_bytes()).ok()?.to_vec()),
            _ => return None,
        }
    }
    let age = (now - established?).seconds().max(0.0);
    let session = NtsSession { secrets: secrets?, alternative, cookies, server, validity, age };
    Some(KeptSession { name: name?, address, session })
}

fn keys(text: &str) -> Option<SessionSecrets> {
    let mut words = text.split(' ');
    let algorithm = AeadAlgorithm::from_number(words.next()?.parse().ok()?)?;
    let mut bytes = || hexadecimal::decode(words.next()?.as_bytes()).ok();
    let (to_server, to_client) = (bytes()?, bytes()?);
    SessionSecrets::new(algorithm, &to_server, &to_client).filter(|_| words.next().is_none())
}

fn seconds(at: Timestamp) -> i64 {
    at.nanos().div_euclid(1_000_000_000)
}

fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<i64>().ok()?.checked_mul(1_000_000_000).map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_800_000_000_000_000_000);

    fn kept(server: Option<SocketAddr>, alternative: bool) -> KeptSession {
        let secrets = |seed| {
            let algorithm = AeadAlgorithm::Aes128GcmSiv;
            SessionSecrets::new(algorithm, &[seed; 16], &[seed + 1; 16]).unwrap()
        };
        KeptSession {
            name: "ntp.example".to_owned(),
            address: "192.0.2.1".parse().unwrap(),
            session: NtsSession {
                secrets: secrets(0xa0),
                alternative: alternative.then(|| secrets(0xb0)),
                cookies: vec![vec![1; 64], vec![2; 64]],
                server,
                validity: server.map(|_| (Timestamp::from_nanos(1_000_000_000), NOW)),
                age: 100.0,
            },
        }
    }

    fn shown(kept: &KeptSession, now: Timestamp) -> String {
        format(kept, now).to_string()
    }

    #[test]
    fn what_was_kept_comes_back_once_and_only_the_owner_can_read_it() {
        for (server, alternative) in [(None, false), ("[2001:db8::1]:1123".parse().ok(), true)] {
            let directory = tempfile::tempdir().unwrap();
            let kept = kept(server, alternative);
            save(directory.path(), std::slice::from_ref(&kept), NOW);
            let path = directory.path().join("192.0.2.1.nts");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let [back] = take(directory.path(), NOW).try_into().unwrap();
            assert_eq!(shown(&back, NOW), shown(&kept, NOW));
            assert!((back.session.age - 100.0).abs() < 1e-6);
            assert!(take(directory.path(), NOW).is_empty());
        }
    }

    #[test]
    fn other_files_stay_where_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let good = shown(&kept(None, false), NOW);
        for (name, text) in [
            ("192.0.2.2.nts", "NNC0\nntp.example\n"),
            ("192.0.2.3.nts", ""),
            ("192.0.2.4.nts", &good.replace("keys 30", "keys 15")),
            ("192.0.2.5.nts", &good.replace("cookie 01", "cookie 0")),
            ("192.0.2.6.nts", &good.replace("name ", "game ")),
            ("192.0.2.7.nts", &good.replace("established 1", "established one")),
            ("ntskeys", &good),
            ("192.0.2.8.txt", &good),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        assert!(take(directory.path(), NOW).is_empty());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 8);
    }
}
