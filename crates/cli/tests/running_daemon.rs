//! The commands that ask a daemon, and a daemon to ask: a server that is its own reference, and a
//! client of it that leaves the clock alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A daemon in the foreground, ended with the test.
struct Daemon {
    child: Child,
    file: PathBuf,
    socket: PathBuf,
}

impl Daemon {
    fn start(directory: &Path, name: &str, config: &str) -> Self {
        let socket = directory.join(format!("{name}.sock"));
        let file = directory.join(format!("{name}.toml"));
        let state = directory.join(name);
        let pid_file = directory.join(format!("{name}.pid"));
        let common = format!(
            "[clock]\ncontrol = false\n[files]\nstate-directory = {state:?}\n\
             pid-file = {pid_file:?}\n[control]\nsocket = {socket:?}\n"
        );
        std::fs::write(&file, format!("{config}{common}")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_timeball"))
            .args(["run", "--no-clock", "--log-level", "error", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, file, socket }
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        timeball(&[arguments, &["--socket", self.socket.to_str().unwrap()]].concat())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().expect("the daemon has been running until now");
        self.child.wait().expect("it is our child");
    }
}

fn timeball(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_timeball"))
        .args(arguments)
        .env_remove("TIMEBALL_SOCKET")
        .output()
        .expect("the binary runs")
}

/// What a command printed, if it ended with this status.
fn printed(output: &Output, status: i32) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(status), "stdout:\n{stdout}\nstderr:\n{stderr}");
    stdout
}

fn json(output: &Output, status: i32) -> serde_json::Value {
    serde_json::from_str(&printed(output, status)).expect("JSON")
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_client_daemon_tells_what_it_makes_of_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = Daemon::start(
        directory.path(),
        "server",
        &format!(
            "[[server]]\naddress = '127.0.0.1'\nport = 9\nnoselect = true\n[serve]\nport = {port}\n\
             bind-addresses = ['127.0.0.1']\nallow = ['127.0.0.0/8']\n[serve.local]\nstratum = 5\n"
        ),
    );
    let client = Daemon::start(
        directory.path(),
        "client",
        &format!("[[server]]\naddress = '127.0.0.1'\nport = {port}\n"),
    );

    // Neither daemon may listen yet: to wait for that is what `wait` is for.
    let waited = printed(&client.ask(&["wait", "--timeout", "60", "--max-bound", "0.1"]), 0);
    assert!(waited.starts_with("synchronised: the clock is off by "), "{waited}");
    assert!(
        printed(&client.ask(&["wait", "--timeout", "0", "--max-bound", "0"]), 1)
            .starts_with("not synchronised: the clock is off by "),
    );
    let waited = client.ask(&["wait", "--timeout", "0", "--max-bound", "0", "--json"]);
    assert_eq!(json(&waited, 1)["synchronised"], true, "it is, but not as well as was asked for");

    let status = json(&client.ask(&["status", "--json"]), 0);
    assert_eq!(status["synchronised"], true);
    assert_eq!(status["stratum"], 6);
    assert_eq!(status["leap"], "no-warning");
    // One clock on both sides: what is measured is the error, and the bound contains it.
    let (offset, bound) = (&status["offset"], &status["offset_bound"]);
    assert!(offset.as_f64().unwrap().abs() <= bound.as_f64().unwrap(), "{offset} ± {bound}");
    assert!(printed(&client.ask(&["status"]), 0).starts_with("Synchronised: "));

    let sources = json(&client.ask(&["sources", "--json"]), 0);
    assert_eq!(sources[0]["name"], "127.0.0.1");
    assert_eq!(sources[0]["state"], "selected");
    assert_eq!(sources[0]["stratum"], 5);
    let table = printed(&client.ask(&["sources", "-v"]), 0);
    assert!(table.contains(&format!("\n*  127.0.0.1:{port} ")), "{table}");
    assert!(table.contains("127.127.1.1"), "{table}");

    // The server's only source answers nothing: it is not synchronised, whatever it serves.
    let status = json(&server.ask(&["status", "--json"]), 1);
    assert_eq!(status["synchronised"], false);
    assert!(status["server"]["answered"].as_u64().unwrap() >= 3, "{}", status["server"]);
    assert!(printed(&server.ask(&["status"]), 1).contains(" requests answered, 0 slowed down"));

    let twice = timeball(&["run", "--no-clock", "-c", client.file.to_str().unwrap()]);
    printed(&twice, 3);
    let reason = String::from_utf8_lossy(&twice.stderr).into_owned();
    let number = client.child.id();
    assert!(reason.contains(&format!("another daemon is running (process {number})")), "{reason}");

    let refused = client.ask(&["step"]);
    printed(&refused, 1);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(reason.contains("does not control the clock: --no-clock was given"), "{reason}");

    let host = format!("127.0.0.1:{port}");
    let answers = json(&timeball(&["query", "--json", "--samples", "3", &host]), 0);
    assert_eq!(answers[0]["samples"], 3);
    assert_eq!(answers[0]["stratum"], 5);
    assert_eq!(answers[0]["reference"], "127.127.1.1");
    let (offset, bound) = (&answers[0]["offset"], &answers[0]["offset_bound"]);
    assert!(offset.as_f64().unwrap().abs() <= bound.as_f64().unwrap(), "{offset} ± {bound}");
    let table = printed(&timeball(&["query", "--samples", "1", &host]), 0);
    assert!(table.contains(&host) && table.contains("1/1"), "{table}");

    // One that answers and one that does not: the table is there, and the status says no.
    let closed = format!("127.0.0.1:{}", free_port());
    let mixed = timeball(&["query", "--samples", "1", &host, &closed]);
    assert!(printed(&mixed, 1).contains(&host));
}
