//! `timeball keys`: symmetric keys, made and looked at. No command shows a key.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use timeball_auth::key_file::{self, Format};
use timeball_auth::{Algorithm, Key, KeyId, Keys};
use timeball_host::random;
use zeroize::Zeroizing;

use super::config::word_of;
use crate::display::print;
use crate::outcome::{Failure, Outcome};

/// Bytes of a secret, where the algorithm takes any.
const SECRET_LEN: usize = 32;

/// Only the owner may read a new file.
const MODE: u32 = 0o600;

#[derive(Args, Debug)]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Add new random keys to a file, which is made if there is none
    ///
    /// A new file can be read by its owner alone. Copy the lines that another machine needs to its
    /// file of keys by a way that nobody can listen to, and give each pair of machines its own key.
    Generate {
        /// The file of keys
        file: PathBuf,
        /// Number of the first new key, instead of the first that is free after all others
        #[arg(long, value_name = "ID")]
        id: Option<KeyId>,
        /// How many keys to make
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// The algorithm: AES128, which RFC 8573 asks for, or another one of chronyd's
        #[arg(long = "type", value_name = "TYPE", default_value = "AES128", value_parser = algorithm)]
        algorithm: Algorithm,
        /// Whose format the file has
        #[arg(long, default_value = "chrony", value_parser = word_of(Format::WORDS))]
        format: Format,
    },
    /// Check a file of keys: who can read it, what is wrong with it, and which keys are weak
    Check {
        /// The file of keys
        file: PathBuf,
        /// Whose format the file has
        #[arg(long, default_value = "chrony", value_parser = word_of(Format::WORDS))]
        format: Format,
    },
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

pub(crate) fn run(arguments: &KeysArguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        KeysCommand::Generate { file, id, count, algorithm, format } => {
            let made = generate(file, *format, *id, *count, *algorithm)?;
            let ids = match made.as_slice() {
                [only] => format!("key {only}"),
                [first, .., last] => format!("keys {first} to {last}"),
                [] => "no key".to_owned(),
            };
            print(&format!("{}: {ids} added, {algorithm}", file.display()))?;
            Ok(Outcome::Yes)
        }
        KeysCommand::Check { file, format } => {
            let keys = read(file, *format)?;
            print(&format!("{}: OK: {} keys", file.display(), keys.len()))?;
            for (key, weakness) in keys.iter().filter_map(|key| Some((key, key.weakness()?))) {
                print(&format!("key {} should be replaced: {weakness}", key.id()))?;
            }
            Ok(Outcome::Yes)
        }
    }
}

fn read(file: &Path, format: Format) -> Result<Keys, Failure> {
    timeball_daemon::keys::read(file, format)
        .map_err(|error| Failure::Configuration(error.to_string()))
}

/// Adds keys to a file, and answers which.
fn generate(
    file: &Path,
    format: Format,
    id: Option<KeyId>,
    count: u16,
    algorithm: Algorithm,
) -> Result<Vec<KeyId>, Failure> {
    let refused = |message: &str| Failure::Configuration(format!("{}: {message}", file.display()));
    // A file with mistakes is not added to: what is meant by it is not known.
    let known = if file.exists() { read(file, format)? } else { Keys::default() };
    let largest = match format {
        Format::Chrony => u32::MAX,
        Format::Ntp => u32::from(u16::MAX),
    };
    let first = match id {
        Some(id) => id.get(),
        None => {
            known.iter().last().map_or(Some(1), |key| key.id().get().checked_add(1)).unwrap_or(0)
        }
    };
    let ids: Option<Vec<KeyId>> = (0..u32::from(count))
        .map(|more| first.checked_add(more).filter(|id| *id <= largest).and_then(KeyId::new))
        .collect();
    let ids = ids.ok_or_else(|| refused("there are no more numbers for keys; name one by --id"))?;
    if let Some(taken) = ids.iter().find(|id| known.get(**id).is_some()) {
        return Err(refused(&format!("there is a key {taken} already; choose another --id")));
    }
    if format == Format::Ntp && algorithm == Algorithm::Aes256 {
        return Err(refused("ntpd has no AES256; take AES128"));
    }
    let mut lines = Zeroizing::new(String::new());
    for id in &ids {
        let len = algorithm.exact_key_len().unwrap_or(SECRET_LEN);
        let mut secret = Zeroizing::new(vec![0; len]);
        random::fill(&mut secret).map_err(Failure::system)?;
        // What is written can be read.
        Key::new(*id, algorithm, &secret).map_err(Failure::system)?;
        lines.push_str(&key_file::line(format, *id, algorithm, &secret));
        lines.push('\n');
    }
    append(file, lines.as_bytes())
        .map_err(|error| Failure::System(format!("cannot write {}: {error}", file.display())))?;
    Ok(ids)
}

fn append(file: &Path, lines: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(file)?;
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    file.write_all(lines)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_new_file_is_its_owners_and_has_what_was_asked_for() {
        for format in [Format::Chrony, Format::Ntp] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("keys");
            let made = generate(&file, format, None, 3, Algorithm::Aes128).unwrap();
            assert_eq!(made.iter().map(|id| id.get()).collect::<Vec<_>>(), [1, 2, 3]);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
            generate(&file, format, KeyId::new(9), 1, Algorithm::Sha256).unwrap();
            let more = generate(&file, format, None, 1, Algorithm::Sha1).unwrap();
            assert_eq!(more[0].get(), 10);
            let keys = read(&file, format).unwrap();
            let found: Vec<_> =
                keys.iter().map(|key| (key.id().get(), key.algorithm(), key.bits())).collect();
            assert_eq!(
                found,
                [
                    (1, Algorithm::Aes128, 128),
                    (2, Algorithm::Aes128, 128),
                    (3, Algorithm::Aes128, 128),
                    (9, Algorithm::Sha256, 256),
                    (10, Algorithm::Sha1, 256),
                ]
            );
            let text = fs::read_to_string(&file).unwrap();
            let lines: std::collections::BTreeSet<&str> =
                text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
            assert_eq!(lines.len(), 5, "no two keys are the same");
        }
    }

    #[test]
    fn a_last_line_without_an_end_stays_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys");
        generate(&file, Format::Chrony, None, 1, Algorithm::Aes128).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.trim_end()).unwrap();
        generate(&file, Format::Chrony, None, 1, Algorithm::Aes128).unwrap();
        assert_eq!(read(&file, Format::Chrony).unwrap().len(), 2);
    }

    #[test]
    fn nothing_is_added_where_it_would_do_harm() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys");
        generate(&file, Format::Chrony, KeyId::new(5), 2, Algorithm::Aes128).unwrap();
        let before = fs::read(&file).unwrap();
        for (id, count) in [(5, 1), (4, 2), (6, 1), (u32::MAX, 2)] {
            let result = generate(&file, Format::Chrony, KeyId::new(id), count, Algorithm::Aes128);
            assert!(matches!(result, Err(Failure::Configuration(_))), "{id}");
        }
        assert_eq!(fs::read(&file).unwrap(), before);
        let ntp = directory.path().join("ntp.keys");
        assert!(generate(&ntp, Format::Ntp, KeyId::new(65_536), 1, Algorithm::Aes128).is_err());
        assert!(generate(&ntp, Format::Ntp, None, 1, Algorithm::Aes256).is_err());
        assert!(!ntp.exists());
        // A file with mistakes, and one that everybody can read.
        fs::write(&file, "7 nonsense nonsense\n").unwrap();
        assert!(generate(&file, Format::Chrony, None, 1, Algorithm::Aes128).is_err());
        let open = directory.path().join("open");
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&open).unwrap();
        fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(generate(&open, Format::Chrony, None, 1, Algorithm::Aes128).is_err());
    }
}
