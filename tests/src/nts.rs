//! What tests of Network Time Security need: certificates, and how far a daemon has come.

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::chronyc::{Said, ask, path, theirs};
use crate::namespace::Host;
use crate::peer::chrony::Chronyd;
use crate::wait;

/// How long a daemon may take for its first answers, key establishment included.
pub const WITHIN: Duration = Duration::from_secs(90);

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Valid {
    /// Today.
    Now,
    /// Not any more.
    Before,
    /// Not yet.
    Later,
}

/// A certificate that vouches for itself, its key, and a directory for what daemons keep.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// With a certificate for this address.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(address: IpAddr, valid: Valid) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("create a folder") };
        fs::create_dir(place.kept()).expect("create a folder");
        fs::set_permissions(place.kept(), Permissions::from_mode(0o700)).expect("protect it");
        place.certify(address, valid);
        place
    }

    /// Another certificate takes the place of the one that is there.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn certify(&self, address: IpAddr, valid: Valid) {
        let key = KeyPair::generate().expect("make a key");
        let mut params = CertificateParams::new([address.to_string()]).expect("name a certificate");
        let (first, last) = match valid {
            Valid::Now => (2020, 2100),
            Valid::Before => (2020, 2021),
            Valid::Later => (2099, 2100),
        };
        params.not_before = date_time_ymd(first, 1, 1);
        params.not_after = date_time_ymd(last, 1, 1);
        let certificate = params.self_signed(&key).expect("make a certificate");
        fs::write(self.key(), key.serialize_pem()).expect("write a key");
        fs::write(self.certificate(), certificate.pem()).expect("write a certificate");
        fs::set_permissions(self.key(), Permissions::from_mode(0o600)).expect("protect the key");
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.crt")
    }

    /// Its key, PEM, for nobody else to read.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// The directory.
    pub fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }
}

impl Place {
    /// The configuration of timeball with this server as its only source.
    pub fn source(&self, server: IpAddr) -> String {
        format!(
            "[[server]]\naddress = \"{server}\"\nnts = true\nminpoll = 1\nmaxpoll = 1\n\
             [nts]\nsystem-certificates = false\ndirectory = {:?}\n\
             [[nts.trusted]]\ncertificates = {:?}\n",
            self.kept(),
            self.certificate()
        )
    }
}

/// What chronyc says of a daemon on this host, in columns.
pub fn report(host: &Host, daemon: &Chronyd, command: &str) -> Said {
    ask(theirs(host), path(&daemon.command_socket()), &["-c", "-n"], command)
}

/// A column of the first row.
///
/// # Panics
/// If there is none.
pub fn field(said: &Said, column: usize) -> String {
    let rows = said.rows();
    let value = rows.first().and_then(|row| row.get(column).map(ToString::to_string));
    value.unwrap_or_else(|| panic!("no column {column} in {said:?}"))
}

/// The same, if it is a number.
///
/// # Panics
/// If it is none.
pub fn number(said: &Said, column: usize) -> u64 {
    field(said, column).parse().unwrap_or_else(|_| panic!("no number in {column} of {said:?}"))
}

/// "NTS-KE connections accepted" and "Authenticated NTP packets" of a server.
pub fn served(host: &Host, server: &Chronyd) -> (u64, u64) {
    let said = report(host, server, "serverstats");
    (number(&said, 5), number(&said, 7))
}

/// Waits for as many answers in a row as have to do with nothing else.
///
/// # Panics
/// If they do not come.
pub fn reaches(host: &Host, client: &Chronyd) {
    wait::until("the source answers", WITHIN, || {
        let said = report(host, client, "sources");
        let reach = said.rows().first().and_then(|row| row.get(5)?.parse::<u32>().ok());
        if reach.is_some_and(|reach| reach >= 17) {
            Ok(())
        } else {
            Err(format!("{said:#?}\n{}", client.log()))
        }
    });
}
