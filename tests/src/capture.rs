//! What was on the wire, judged by tshark.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::namespace::{BRIDGE, Laboratory};
use crate::need::{self, Need};
use crate::process::{Daemon, output_of};
use crate::wait;

/// What a test with a capture needs.
pub const CAPTURE: [Need; 2] = [Need::Program("tcpdump"), Need::Program("tshark")];

/// Packets that tshark has something against. Its experts' mere chat (0x200000) is none: it takes
/// a random source port for a traceroute's.
const COMPLAINTS: &str = "_ws.malformed || _ws.expert.severity > 0x200000 || !ntp";

/// Every NTP packet that a laboratory's switch forwards, until it is finished.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Daemon,
    file: PathBuf,
    _folder: TempDir,
}

/// One NTP packet, as tshark reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissected {
    /// Sender's address.
    pub source: String,
    /// Receiver's address.
    pub destination: String,
    /// Protocol version.
    pub version: u8,
    /// Protocol mode: 3 asks, 4 answers.
    pub mode: u8,
    /// Bytes of UDP payload.
    pub length: usize,
}

impl Capture {
    /// Starts and waits until packets are seen.
    pub fn start(laboratory: &Laboratory) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let file = folder.path().join("packets.pcap");
        let mut command = laboratory.switch_command(&need::program("tcpdump"));
        command
            .args(["-Z", "root", "--immediate-mode", "-U", "-n", "-i", BRIDGE, "-w"])
            .arg(&file)
            .args(["udp", "port", "123"]);
        let mut tcpdump = Daemon::start("tcpdump", &mut command, &folder.path().join("log"));
        tcpdump.wait_for_log("listening on", Duration::from_secs(20));
        Self { tcpdump, file, _folder: folder }
    }

    /// Stops, and has every packet dissected.
    ///
    /// # Panics
    /// If tshark finds a malformed packet, a complaint of its experts, or something on port 123
    /// that is not NTP.
    pub fn finish(mut self) -> Vec<Dissected> {
        let file = self.file.clone();
        // Packets reach the file one by one; it is complete when tcpdump has counted them.
        self.tcpdump.stop();
        wait::until("tcpdump counts", Duration::from_secs(10), || {
            let log = self.tcpdump.log();
            if log.contains("packets received by filter") { Ok(()) } else { Err(log) }
        });
        let complaints = output_of(
            need::command("tshark").args(["-n", "-r"]).arg(&file).args(["-Y", COMPLAINTS, "-V"]),
        );
        assert_eq!(complaints, "", "tshark complains");
        let fields = [
            "ip.src",
            "ipv6.src",
            "ip.dst",
            "ipv6.dst",
            "ntp.flags.vn",
            "ntp.flags.mode",
            "udp.length",
        ];
        let table = output_of(
            need::command("tshark")
                .args(["-n", "-T", "fields", "-r"])
                .arg(&file)
                .args(fields.iter().flat_map(|field| ["-e", field])),
        );
        table.lines().map(Dissected::read).collect()
    }
}

impl Dissected {
    fn read(line: &str) -> Self {
        const UDP_HEADER: usize = 8;
        let words: Vec<&str> = line.split('\t').collect();
        let [source4, source6, destination4, destination6, version, mode, length] = words[..]
        else {
            panic!("tshark printed {line:?}");
        };
        let number = |word: &str| {
            word.parse::<usize>().unwrap_or_else(|error| panic!("{word:?} in {line:?}: {error}"))
        };
        let small = |word: &str| u8::try_from(number(word)).expect("versions and modes are small");
        Self {
            source: format!("{source4}{source6}"),
            destination: format!("{destination4}{destination6}"),
            version: small(version),
            mode: small(mode),
            length: number(length) - UDP_HEADER,
        }
    }
}
