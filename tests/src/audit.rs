//! Audits by `timeball audit`.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::namespace::Host;
use crate::process::run_within;
use crate::timeball;

/// How long an audit of a few hosts may take.
const AUDIT_TAKES: Duration = Duration::from_secs(180);

/// An audit by JSON, with its exit status.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Its exit status.
    pub status: Option<i32>,
    /// What it printed.
    pub report: Value,
}

impl Audit {
    /// What `timeball audit` on this host makes of these targets, or with these options.
    ///
    /// # Panics
    /// If it does not print a report.
    pub fn of<S: AsRef<OsStr>>(auditor: &Host, arguments: &[S]) -> Self {
        let mut command = auditor.command(&timeball::program());
        command.args(["audit", "--json", "--interval", "0.1", "--timeout", "1"]).args(arguments);
        let output = run_within(AUDIT_TAKES, &mut command);
        let text = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{error}\n{text}{}", String::from_utf8_lossy(&output.stderr))
        });
        Self { status: output.status.code(), report }
    }

    /// # Panics
    /// If there is no such host in the report.
    pub fn host(&self, address: IpAddr) -> &Value {
        let hosts = self.report["hosts"].as_array().expect("a list of hosts");
        let address = address.to_string();
        hosts
            .iter()
            .find(|host| host["address"] == address)
            .unwrap_or_else(|| panic!("no {address} in {:#}", self.report))
    }

    /// The names of a host's findings, in alphabetical order.
    ///
    /// # Panics
    /// If there is no such host in the report.
    pub fn findings(&self, address: IpAddr) -> Vec<&str> {
        let findings = self.host(address)["findings"].as_array().expect("a list of findings");
        let mut ids: Vec<&str> =
            findings.iter().map(|finding| finding["id"].as_str().expect("an id")).collect();
        ids.sort_unstable();
        ids
    }

    /// What came of one probe.
    ///
    /// # Panics
    /// If there is no such probe, or no such host, in the report.
    pub fn probe(&self, address: IpAddr, name: &str) -> &Value {
        let probes = self.host(address)["probes"].as_array().expect("a list of probes");
        probes
            .iter()
            .find(|probe| probe["probe"] == name)
            .unwrap_or_else(|| panic!("no {name} in {probes:#?}"))
    }
}
