//! A watch by the program under test, and everybody whom it tells.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::namespace::Host;
use crate::process::{Daemon, output_of, run_within};
use crate::{need, timeball, wait};

/// Generous: a change takes three looks, and machines are slow.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Linux says once a second to each asker that a port is closed; between two looks has to be more (s).
const ICMP_LIMIT: &str = "1.1";

/// What matters of an alert: event, endpoint, condition, and what it was before.
pub type Essence = (String, String, String, String);

fn essence(alert: &Value) -> Essence {
    let text = |key: &str| alert[key].as_str().unwrap_or("-").to_owned();
    (text("event"), text("endpoint"), text("condition"), text("was"))
}

/// A receiver of webhooks that refuses each alert once before it takes it, or all of them.
#[derive(Clone, Default)]
pub struct Receiver {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    taken: Vec<Value>,
    refused_once: HashSet<String>,
    refuses_all: bool,
}

impl Receiver {
    /// Starts it on a host; its URL.
    fn start(&self, host: &Host) -> String {
        let listener =
            host.inside(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a socket"));
        let address = listener.local_addr().expect("a socket has an address");
        let receiver = self.clone();
        // It waits for connections until the test process ends.
        thread::spawn(move || {
            for stream in listener.incoming() {
                receiver.answer(stream.expect("accept a connection"));
            }
        });
        format!("http://{address}/alerts")
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("clone a socket"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).expect("read a request") == 0 {
                return;
            }
        }
        let head = head.to_lowercase();
        assert!(head.starts_with("post /alerts http/1.1\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("read a body");
        let body = String::from_utf8(body).expect("JSON is UTF-8");
        let status = if self.takes(&body) { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        // Whoever has hung up asks again.
        let _ = stream.write_all(answer.as_bytes());
    }

    fn takes(&self, body: &str) -> bool {
        let mut seen = self.seen.lock().expect("nobody panics with the lock");
        if seen.refuses_all || seen.refused_once.insert(body.to_owned()) {
            return false;
        }
        seen.taken.push(serde_json::from_str(body).expect("an alert is JSON"));
        true
    }

    /// Whether it takes nothing from now on.
    pub fn refuse_all(&self, refuses_all: bool) {
        self.seen.lock().expect("nobody panics with the lock").refuses_all = refuses_all;
    }

    /// The alerts that it has taken.
    pub fn taken(&self) -> Vec<Essence> {
        let seen = self.seen.lock().expect("nobody panics with the lock");
        seen.taken.iter().map(essence).collect()
    }
}

/// A watch, through its restarts, and everybody whom it tells.
pub struct Watch<'l> {
    host: &'l Host,
    folder: tempfile::TempDir,
    /// Who gets its alerts by HTTP.
    pub receiver: Receiver,
    daemon: Option<Daemon>,
    starts: usize,
}

impl<'l> Watch<'l> {
    /// One that has not begun, of these `[[endpoint]]` and `[[local]]` tables.
    pub fn new(host: &'l Host, endpoints: &str) -> Self {
        let folder = tempfile::tempdir().expect("create a folder");
        let receiver = Receiver::default();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let file = format!(
            "[watch]\ninterval = \"1500 ms\"\nconfirm-interval = \"{ICMP_LIMIT} s\"\nconfirmations = 3\n\
             timeout = \"1 s\"\nstate-file = {:?}\nmetrics-file = {:?}\n\
             [alerts]\nwebhook = {:?}\ncommand = [\"sh\", \"-c\", 'cat >> \"{}\"']\n{endpoints}",
            place("state"),
            place("metrics"),
            receiver.start(host),
            place("hook"),
        );
        fs::write(folder.path().join("watch.toml"), file).expect("write a file");
        Self { host, folder, receiver, daemon: None, starts: 0 }
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Begins, or begins again.
    pub fn start(&mut self) {
        self.starts += 1;
        let mut command = self.host.command(&timeball::program());
        command.arg("watch").arg(self.path("watch.toml"));
        let log = self.path(&format!("log{}", self.starts));
        self.daemon = Some(Daemon::start("timeball watch", &mut command, &log));
    }

    /// Ends it, as a service manager would.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        let status = daemon.stop();
        assert!(status.success(), "{status}\n{}", daemon.log());
    }

    /// Waits until everything is known to be as expected.
    pub fn wait_until_good(&mut self, endpoints: usize) {
        wait::until("everything is as expected", LIMIT, || {
            self.daemon.as_mut().expect("it runs").assert_running();
            let metrics = fs::read_to_string(self.path("metrics")).unwrap_or_default();
            let good = metrics.lines().filter(|line| {
                line.starts_with("timeball_watch_as_expected{") && line.ends_with(" 1")
            });
            if good.count() == endpoints { Ok(()) } else { Err(metrics) }
        });
    }

    /// Another file in place of the one that it has read; everything but the endpoints stays.
    pub fn rewrite(&self, endpoints: &str) {
        let path = self.path("watch.toml");
        let file = fs::read_to_string(&path).expect("read a file");
        let kept = file.split("[[endpoint]]").next().expect("a beginning");
        fs::write(&path, format!("{kept}{endpoints}")).expect("write a file");
        self.daemon.as_ref().expect("it runs").signal(Signal::SIGHUP);
    }

    /// What it has said on standard error in this run.
    pub fn wait_until_said(&self, words: &str) {
        wait::until(words, LIMIT, || {
            let log = self.daemon.as_ref().expect("it runs").log();
            if log.contains(words) { Ok(()) } else { Err(log) }
        });
    }

    /// Lines of JSON in a file.
    fn alerts_in(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap_or_default();
        // A last line without an end is being written.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines = lines.filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).expect("an alert is JSON")).collect()
    }

    /// What was printed, over all starts.
    pub fn printed(&self) -> Vec<Value> {
        (1..=self.starts)
            .flat_map(|start| Self::alerts_in(&self.path(&format!("log{start}"))))
            .collect()
    }

    /// Waits for as many alerts on standard output and by the command, and compares them all.
    pub fn expect(&mut self, expected: &[Essence]) {
        wait::until(&format!("alert {}", expected.len()), LIMIT, || {
            self.daemon.as_mut().expect("it runs").assert_running();
            let hooked = Self::alerts_in(&self.path("hook"));
            let printed = self.printed();
            if hooked.len() >= expected.len() && printed.len() >= expected.len() {
                Ok(())
            } else {
                let metrics = fs::read_to_string(self.path("metrics")).unwrap_or_default();
                Err(format!("printed: {printed:#?}\nby the command: {hooked:#?}\n{metrics}"))
            }
        });
        self.compare(expected);
    }

    /// Waits for as many alerts by the webhook, and compares them all.
    pub fn expect_by_webhook(&mut self, expected: &[Essence]) {
        wait::until(&format!("posted alert {}", expected.len()), LIMIT, || {
            self.daemon.as_mut().expect("it runs").assert_running();
            let taken = self.receiver.taken();
            if taken.len() >= expected.len() { Ok(()) } else { Err(format!("{taken:#?}")) }
        });
        assert_eq!(self.receiver.taken(), expected);
    }

    /// Compares what it has printed and told the command, in all its runs.
    pub fn compare(&self, expected: &[Essence]) {
        let essences = |alerts: Vec<Value>| alerts.iter().map(essence).collect::<Vec<_>>();
        assert_eq!(essences(self.printed()), expected);
        assert_eq!(essences(Self::alerts_in(&self.path("hook"))), expected);
    }
}

/// A firewall on a host against what comes from outside.
#[derive(Debug)]
pub struct Filter<'l>(&'l Host);

impl<'l> Filter<'l> {
    /// For these packets this verdict, in words of nftables.
    pub fn new(host: &'l Host, packets: &str, verdict: &str) -> Self {
        for words in [
            "add table inet watched",
            "add chain inet watched input { type filter hook input priority 0 ; }",
            &format!("add rule inet watched input iifname eth0 {packets} {verdict}"),
        ] {
            output_of(host.command(&need::program("nft")).args(words.split(' ')));
        }
        Self(host)
    }
}

impl Drop for Filter<'_> {
    fn drop(&mut self) {
        let nft = &need::program("nft");
        output_of(self.0.command(nft).args(["delete", "table", "inet", "watched"]));
    }
}

/// Runs `timeball watch --once`; its exit status and the conditions of its alerts.
pub fn once(host: &Host, words: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = host.command(&timeball::program());
    command
        .args(["watch", "--once", "--confirm-interval", ICMP_LIMIT, "--timeout", "1"])
        .args(words);
    let output = run_within(LIMIT, &mut command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = text.lines().map(|line| {
        let alert: Value = serde_json::from_str(line).unwrap_or_else(|error| {
            panic!("{error}\n{text}{}", String::from_utf8_lossy(&output.stderr))
        });
        essence(&alert).2
    });
    (output.status.code(), told.collect())
}
