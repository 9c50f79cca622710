//! `timeball audit` of 65 534 addresses, of which 200 answer in eight ways.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::process::{Daemon, output_of};
use timeball_interop::timeball;
use timeball_interop::wait;

const RANGE: &str = "10.200.0.0/16";
const ASKED: u64 = 65_534;
const ANSWERING: usize = 200;
/// Bytes that the audit may take, however many addresses it asks.
const MEMORY: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(400);
/// Requests per second.
const RATE: u32 = 10_000;
/// How much of the time that the audit was woken late it may make up for (s); see `scan`.
const CATCH_UP: f64 = 0.002;

/// As many datagrams as could be sent in this time at the rate that was allowed.
fn allowed(seconds: f64) -> f64 {
    f64::from(RATE) * (seconds + CATCH_UP) + 1.0
}

/// What becomes of a request.
type Answering = fn(&[u8]) -> Option<Vec<u8>>;

/// How a host of the range answers, and the findings that it should have.
const WAYS: [(Answering, &[&str]); 8] = [
    (|request| time(request, 0, 2, 0x24), &[]),
    (|request| time(request, 3600, 2, 0x24), &["wrong-time"]),
    (|request| time(request, 0, 16, 0xe4), &["unsynchronised"]),
    (variables, &["amplifier", "mode6-variables"]),
    (|request| control(request, 0xc0, 7, b""), &[]),
    (monlist, &["amplifier", "mode7-monlist"]),
    (|request| Some(request.to_vec()), &["reflector"]),
    (kiss, &[]),
];

/// The addresses that answer are spread over the range.
fn address(number: usize) -> Ipv4Addr {
    let place = number * 327 + 5;
    let [high, low] = u16::try_from(place).expect("a /16 has room").to_be_bytes();
    Ipv4Addr::new(10, 200, high, low)
}

fn time(request: &[u8], shift: u64, stratum: u8, first: u8) -> Option<Vec<u8>> {
    if request.len() != 48 || request[0] & 0x3f != 0x23 {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    // Good to a microsecond.
    let micros = (now * 1e6) as u64;
    let seconds = micros / 1_000_000 + shift + 2_208_988_800;
    let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
    let stamp = (seconds << 32 | fraction).to_be_bytes();
    let mut answer = vec![0; 48];
    answer[..4].copy_from_slice(&[first, stratum, 0, 0xec]);
    answer[12..16].copy_from_slice(&[192, 0, 2, 1]);
    for (at, bytes) in [(16, &stamp[..]), (24, &request[40..48]), (32, &stamp), (40, &stamp)] {
        answer[at..at + 8].copy_from_slice(bytes);
    }
    Some(answer)
}

fn kiss(request: &[u8]) -> Option<Vec<u8>> {
    let mut answer = time(request, 0, 0, 0xe4)?;
    answer[12..16].copy_from_slice(b"RATE");
    Some(answer)
}

fn control(request: &[u8], flags: u8, status: u8, data: &[u8]) -> Option<Vec<u8>> {
    if request.len() < 12 || request[0] & 7 != 6 {
        return None;
    }
    let mut answer = request[..12].to_vec();
    answer[1] |= flags;
    answer[4] = status;
    answer[11] = u8::try_from(data.len()).expect("short data");
    answer.extend(data);
    Some(answer)
}

fn variables(request: &[u8]) -> Option<Vec<u8>> {
    (request.get(1) == Some(&2))
        .then(|| control(request, 0x80, 6, b"version=\"something else 1.0\", stratum=2, leap=0"))?
}

fn monlist(request: &[u8]) -> Option<Vec<u8>> {
    if request.get(..4) != Some(&[0x17, 0x00, 0x03, 0x2a]) {
        return None;
    }
    let mut answer = vec![0x97, 0x00, 0x03, 0x2a, 0, 1, 0, 72];
    answer.resize(80, 0);
    answer[24..28].copy_from_slice(&[192, 0, 2, 77]);
    Some(answer)
}

/// The hosts that answer; they end when this is dropped.
struct World {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl World {
    fn start(host: &Host) -> Self {
        let sockets: Vec<UdpSocket> = host.inside(|| {
            (0..ANSWERING)
                .map(|number| {
                    let place = SocketAddr::new(address(number).into(), 123);
                    let socket = UdpSocket::bind(place).expect("bind to port 123");
                    socket.set_nonblocking(true).expect("set a socket's mode");
                    socket
                })
                .collect()
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut request = [0; 600];
            while !stopped.load(Ordering::Relaxed) {
                for (number, socket) in sockets.iter().enumerate() {
                    while let Ok((length, from)) = socket.recv_from(&mut request) {
                        let (answer, _) = WAYS[number % WAYS.len()];
                        if let Some(answer) = answer(&request[..length]) {
                            socket.send_to(&answer, from).expect("answer");
                        }
                    }
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the thread of the range has panicked");
        }
    }
}

fn route(host: &Host, words: &str) {
    output_of(host.command(&need::program("ip")).args(words.split_whitespace()));
}

fn words(journal: &Path) -> String {
    let program = timeball::program();
    format!(
        "{} audit {RANGE} --json --rate {RATE} --interval 0.05 --timeout 2 --retries 1 --resume {}",
        program.display(),
        journal.display()
    )
}

fn audit(auditor: &Host, journal: &Path) -> Command {
    let words = words(journal);
    let (program, arguments) = words.split_once(' ').expect("a program and what it is told");
    let mut command = auditor.command(Path::new(program));
    command.args(arguments.split(' '));
    command
}

/// Datagrams that a host has sent, as its kernel counts them.
fn datagrams_sent(host: &Host) -> u64 {
    let counters = host.inside(|| fs::read_to_string("/proc/thread-self/net/snmp"));
    let counters = counters.expect("read the kernel's counters");
    let mut lines = counters.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let mut counters = names.split(' ').zip(values.split(' '));
    let (_, sent) = counters.find(|(name, _)| *name == "OutDatagrams").expect("a counter");
    sent.parse().expect("a number")
}

fn lines(journal: &Path) -> usize {
    fs::read(journal)
        .map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
        .unwrap_or_default()
}

/// The most memory that the audit has had, as the kernel counted it.
fn peak_memory() -> Option<u64> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let command = fs::read_to_string(process.path().join("cmdline")).ok()?;
        let is_ours = command.contains("audit\0") && command.contains(RANGE);
        if !is_ours || command.starts_with("ip\0") {
            return None;
        }
        let status = fs::read_to_string(process.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
    })
}

#[test]
fn every_answer_of_a_range_is_found_and_an_interrupted_audit_goes_on() {
    if !need::met(&[&LABORATORY[..], &[Need::Program("script")]].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, world] = ["auditor", "world"].map(|name| laboratory.host(name));
    route(&world, &format!("route add local {RANGE} dev lo"));
    route(&auditor, &format!("route add {RANGE} via {}", world.ipv4));
    let _world = World::start(&world);
    let folder = tempfile::tempdir().expect("create a folder");
    let journal = folder.path().join("journal");
    let report = folder.path().join("report");

    let mut first = Daemon::start("an audit", &mut audit(&auditor, &journal), &report);
    wait::until("it asks", PATIENCE, || {
        first.assert_running();
        if datagrams_sent(&auditor) > 0 { Ok(()) } else { Err("nothing is sent".to_owned()) }
    });
    let (start, sent) = (Instant::now(), datagrams_sent(&auditor));
    wait::until("a third of the range is done", PATIENCE, || {
        first.assert_running();
        let done = lines(&journal);
        if done > 20_000 { Ok(()) } else { Err(format!("{done} lines")) }
    });
    // Both readings of the clock are on the side that makes the rate look smaller, by very little.
    let sent = datagrams_sent(&auditor) - sent;
    let elapsed = start.elapsed().as_secs_f64();
    let rate = sent as f64 / elapsed;
    println!("{sent} datagrams, {rate:.0} per second of {RATE} that were allowed");
    assert!(sent > 20_000 && sent as f64 <= allowed(elapsed), "{rate} per second");
    let memory = peak_memory().expect("the audit runs");
    println!("{memory} bytes of memory at most");
    assert!(memory < MEMORY, "{memory} bytes");
    first.stop();
    let done = lines(&journal);
    assert!(done < 60_000, "it was interrupted: {done}");

    // At a terminal, which the report does not go to.
    let line = format!("{} > {}", words(&journal), report.display());
    let mut script = auditor.command(&need::program("script"));
    script.env("TERM", "xterm").args(["-q", "-e", "-c", &line, "/dev/null"]);
    let (start, sent) = (Instant::now(), datagrams_sent(&auditor));
    let output = script.output().expect("run timeball at a terminal");
    let sent = datagrams_sent(&auditor) - sent;
    let elapsed = start.elapsed().as_secs_f64();
    println!("{sent} datagrams in the {elapsed:.1} s of the second run");
    assert!(sent > 0 && sent as f64 <= allowed(elapsed), "{sent} in {elapsed} s");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = fs::read_to_string(&report).expect("read the report");
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{shown}\n{text}"));
    // Progress goes on where it was, and up.
    let ending = format!("/{ASKED} addresses, ");
    let positions: Vec<usize> =
        shown.split(&ending).filter_map(|before| before.rsplit(' ').next()?.parse().ok()).collect();
    println!("{} times progress was shown, from {:?}", positions.len(), positions.first());
    assert!(positions.len() > 2 && positions.is_sorted(), "{positions:?}");
    assert!(positions.first().is_some_and(|first| *first >= done), "{positions:?} from {done}");
    assert!(shown.contains(" answer ("), "who has answered is counted: {shown:?}");
    assert_eq!(report["summary"]["asked"], ASKED);
    let found: BTreeMap<String, Vec<String>> = report["hosts"]
        .as_array()
        .expect("a list of hosts")
        .iter()
        .map(|host| {
            let findings = host["findings"].as_array().expect("a list of findings");
            let mut ids: Vec<String> = findings
                .iter()
                .map(|finding| finding["id"].as_str().expect("an id").to_owned())
                .collect();
            ids.sort();
            (host["address"].as_str().expect("an address").to_owned(), ids)
        })
        .collect();
    let expected: BTreeMap<String, Vec<String>> = (0..ANSWERING)
        .map(|number| {
            let (_, findings) = WAYS[number % WAYS.len()];
            let findings = findings.iter().map(|&id| id.to_owned()).collect();
            (address(number).to_string(), findings)
        })
        .collect();
    assert_eq!(found, expected);
    // Nobody was asked twice, and all were asked.
    assert_eq!(lines(&journal) as u64, ASKED);
    assert_eq!(output.status.code(), Some(14));
}
