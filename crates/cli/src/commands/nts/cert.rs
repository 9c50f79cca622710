//! `timeball nts cert`: a certificate that vouches for itself, and its key.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{Timestamp, ToSpan as _, civil};
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::display::print;
use crate::outcome::{Failure, Outcome};

/// Anybody may read a certificate.
const CERTIFICATE_MODE: u32 = 0o644;
/// Nobody but the owner may read a key.
const KEY_MODE: u32 = 0o600;

#[derive(Args, Debug)]
pub(super) struct CertArguments {
    /// The names and addresses by which clients know the server; the first names the files
    #[arg(long, value_name = "NAME", required = true, num_args = 1..)]
    self_signed: Vec<String>,
    /// Where to write NAME.crt and NAME.key
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// For how many days it will be valid, from yesterday on
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    days: u16,
}

pub(super) fn run(arguments: &CertArguments) -> Result<Outcome, Failure> {
    let Files { certificate, key } = write(arguments, today())?;
    print(&format!("{}: give it to clients, which have to trust it", certificate.display()))?;
    print(&format!("{}: the server's alone", key.display()))?;
    Ok(Outcome::Yes)
}

/// What was written.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

fn today() -> civil::Date {
    Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn write(arguments: &CertArguments, today: civil::Date) -> Result<Files, Failure> {
    let names = &arguments.self_signed;
    let refused = |error: rcgen::Error| {
        Failure::Configuration(format!("no certificate for {}: {error}", names.join(", ")))
    };
    let first = names.first().filter(|name| is_file_name(name)).ok_or_else(|| {
        Failure::Configuration("the first name must be a host name or an address".to_owned())
    })?;
    let mut params = CertificateParams::new(names.clone()).map_err(refused)?;
    params.distinguished_name.push(DnType::CommonName, first.as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Clocks of clients may be a little behind.
    let from = today.saturating_sub(1.day());
    let to = from.saturating_add(i32::from(arguments.days).days());
    [params.not_before, params.not_after] = [from, to].map(|date| {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(i32::from(date.year()), month, day)
    });
    let key = KeyPair::generate().map_err(refused)?;
    let certificate = params.self_signed(&key).map_err(refused)?;
    let at = |extension: &str| arguments.directory.join(format!("{first}.{extension}"));
    let files = Files { certificate: at("crt"), key: at("key") };
    let secret = Zeroizing::new(key.serialize_pem());
    // The key first: without it the certificate is of no use.
    create(&files.key, secret.as_bytes(), KEY_MODE)?;
    create(&files.certificate, certificate.pem().as_bytes(), CERTIFICATE_MODE)?;
    Ok(files)
}

/// Names that would lead elsewhere are none of hosts.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0', '*'])
}

/// A file that was there is not replaced: it may be in use.
fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    written().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Configuration(format!(
            "{} is there already; remove it, or choose another --directory",
            path.display()
        )),
        _ => Failure::System(format!("cannot write {}: {error}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use timeball_auth::nts::ke::server::Certificates;

    use super::*;

    fn arguments(names: &[&str], directory: &Path) -> CertArguments {
        let self_signed = names.iter().map(|name| (*name).to_owned()).collect();
        CertArguments { self_signed, directory: directory.to_path_buf(), days: 365 }
    }

    const TODAY: civil::Date = civil::date(2026, 3, 1);

    #[test]
    fn a_server_can_use_what_is_written_and_nobody_else_can_read_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["ntp.example", "192.0.2.1", "2001:db8::1"];
        let files = write(&arguments(&names, directory.path()), TODAY).unwrap();
        assert_eq!(files.certificate, directory.path().join("ntp.example.crt"));
        assert_eq!(fs::metadata(&files.key).unwrap().mode() & 0o777, 0o600);
        let (chain, key) = (fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap());
        assert_eq!(Certificates::from_pem([(&chain[..], &key[..])]).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = arguments(&["ntp.example"], directory.path());
        let files = write(&arguments, TODAY).unwrap();
        let before = fs::read(&files.key).unwrap();
        let again = write(&arguments, TODAY);
        assert!(matches!(again, Err(Failure::Configuration(_))), "{again:?}");
        assert_eq!(fs::read(&files.key).unwrap(), before);
    }

    #[test]
    fn names_are_names() {
        let directory = tempfile::tempdir().unwrap();
        for bad in ["", "../x", "a/b", ".hidden", "*.example", "ü"] {
            let outcome = write(&arguments(&[bad], directory.path()), TODAY);
            assert!(matches!(outcome, Err(Failure::Configuration(_))), "{bad}: {outcome:?}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
