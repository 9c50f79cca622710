//! `timeball audit` of hosts that wish it ill: whatever they send, it ends, says what it can, and stays
//! small.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY};
use timeball_interop::timeball;

/// Bytes that the audit may take.
const MEMORY: u64 = 64 << 20;
/// Generous: a minute is what it takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(300);
/// The longest datagram that there is.
const LONGEST: usize = 65_507;

/// The datagrams with which an attacker answers a request, one after the other.
type Attack = fn(&[u8]) -> Box<dyn Iterator<Item = Vec<u8>> + '_>;

/// A name that tells what it does, and the most datagrams that it sends for one.
const ATTACKS: [(&str, Attack); 7] = [
    ("endless", |request| Box::new((0..5000_u16).map(|number| fragment(request, number, 400)))),
    ("overlap", |request| Box::new((0..500_u16).map(|number| fragment(request, number / 2, 399)))),
    ("sequence", |request| {
        let mut answer = answer_to(request);
        if let Some(byte) = answer.get_mut(3) {
            *byte ^= 1;
        }
        Box::new(std::iter::once(answer))
    }),
    ("longest", |request| {
        let mut answer = answer_to(request);
        answer.resize(LONGEST, b',');
        Box::new(std::iter::repeat_n(answer, 20))
    }),
    ("bomb", |request| Box::new(BOMBS.iter().map(|tail| [&answer_to(request), *tail].concat()))),
    ("cut", |request| {
        let answer = answer_to(request);
        Box::new((0..=answer.len()).map(move |length| answer[..length].to_vec()))
    }),
    ("flood", |request| Box::new(std::iter::repeat_n(answer_to(request), 5000))),
];

/// What promises much behind few bytes: items without length, more items than fit, lists of nothing but
/// separators, quotes without an end.
const BOMBS: [&[u8]; 6] = [
    &[0x0f, 0xff, 0, 0],
    &[0x0f, 0xff, 0x0f, 0xff],
    &[0, 1, 0, 0],
    b",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
    b"a=\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
    b"addr.4294967295=[::]:0,ct.4294967295=4294967295,addr.99999999999=x",
];

/// The request with the sign of an answer, by its mode.
fn answer_to(request: &[u8]) -> Vec<u8> {
    let mut answer = request.to_vec();
    match request.first().map(|first| first & 7) {
        Some(6) => {
            if let Some(byte) = answer.get_mut(1) {
                *byte |= 0x80;
            }
        }
        Some(7) => answer[0] |= 0x80,
        Some(_) if request.len() >= 48 => {
            answer[0] = answer[0] & 0x38 | 4;
            answer.copy_within(40..48, 24);
        }
        _ => {}
    }
    answer
}

/// One piece of an answer in mode 6 that never ends; in mode 7 a packet with the next sequence number.
fn fragment(request: &[u8], number: u16, length: u16) -> Vec<u8> {
    let mut answer = answer_to(request);
    match request.first().map(|first| first & 7) {
        Some(6) if answer.len() >= 12 => {
            answer[1] |= 0x20;
            answer[8..10].copy_from_slice(&number.wrapping_mul(400).to_be_bytes());
            answer[10..12].copy_from_slice(&length.to_be_bytes());
            answer.truncate(12);
            answer.resize(12 + usize::from(length), b'a');
        }
        Some(7) => {
            answer[0] |= 0x40;
            answer[1] = (number & 0x7f) as u8;
        }
        _ => {}
    }
    answer
}

/// Answers each request like this; the thread ends with the test.
fn attack(host: &Host, attack: Attack) {
    let socket = host.udp(host.address(), 123);
    thread::spawn(move || {
        let mut request = [0; 600];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            for datagram in attack(&request[..length]) {
                // A flood may be more than the other side takes.
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
}

/// Hands on what comes to one host, so that another answers it in its place.
fn answer_for(host: &Host, other: &Host) {
    let (hears, speaks) = (host.udp(host.address(), 123), other.udp(other.address(), 123));
    let (hand_on, handed) = mpsc::channel::<(Vec<u8>, SocketAddr)>();
    thread::spawn(move || {
        let mut request = [0; 600];
        while let Ok((length, from)) = hears.recv_from(&mut request) {
            if hand_on.send((request[..length].to_vec(), from)).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || answer_all(&speaks, &handed));
}

fn answer_all(socket: &UdpSocket, handed: &mpsc::Receiver<(Vec<u8>, SocketAddr)>) {
    for (request, from) in handed {
        // The auditor may have gone.
        let _ = socket.send_to(&answer_to(&request), from);
    }
}

/// The most memory that a process has had so far, as the kernel counts it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[test]
fn malicious_answers_neither_crash_nor_hang_nor_inflate_it() {
    if !need::met(&LABORATORY) {
        return;
    }
    let laboratory = Laboratory::new();
    let [auditor, silent, forger] =
        ["auditor", "silent", "forger"].map(|name| laboratory.host(name));
    let attackers = ATTACKS.map(|(name, _)| laboratory.host(name));
    for (host, (_, how)) in attackers.iter().zip(ATTACKS) {
        attack(host, how);
    }
    answer_for(&silent, &forger);

    let folder = tempfile::tempdir().expect("create a folder");
    let path = folder.path().join("report");
    let mut command = auditor.command(&timeball::program());
    command
        .args(["audit", "--json", "--interval", "0.1", "--timeout", "1", "--no-tcp"])
        .args(attackers.iter().chain([&silent]).map(|host| host.ipv4.to_string()))
        .stdin(Stdio::null())
        .stdout(fs::File::create(&path).expect("create a file"));
    let mut audit = command.spawn().expect("start timeball");
    let (start, mut memory) = (Instant::now(), 0);
    let status = loop {
        memory = peak_memory(audit.id()).map_or(memory, |peak| memory.max(peak));
        if let Some(status) = audit.try_wait().expect("wait for timeball") {
            break status;
        }
        if start.elapsed() > LIMIT {
            audit.kill().expect("end timeball");
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(20));
    };
    println!("{:.1} s, {memory} bytes of memory at most", start.elapsed().as_secs_f64());
    assert!((1..MEMORY).contains(&memory), "{memory} bytes");

    let text = fs::read_to_string(&path).expect("read the report");
    assert!(text.len() < 1 << 20, "{} bytes of report", text.len());
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // By the worst that is found; a panic would be 101 and a signal none at all.
    assert!(matches!(status.code(), Some(11..=14)), "{status}");
    let answered = |host: &Host| {
        let hosts = report["hosts"].as_array().expect("a list of hosts");
        hosts.iter().any(|found| found["address"] == host.ipv4.to_string())
    };
    for (host, (name, _)) in attackers.iter().zip(ATTACKS) {
        assert!(answered(host), "{name} has answered");
    }
    // Only a host itself answers for it, though another may know all that it was asked.
    assert!(!answered(&silent) && !answered(&forger), "{report:#}");
}
