//! The program called as `chronyd`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};
use std::thread;

/// More looks at a file than the end of a daemon needs.
const MAX_LOOKS: usize = 10_000_000;

fn chronyd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_timeball"))
        .arg0("/usr/sbin/chronyd")
        .args(arguments)
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn mistakes_end_with_status_1() {
    let unknown = chronyd(&["--quiet"]);
    assert_eq!(unknown.status.code(), Some(1));
    let directive = chronyd(&["-Q", "sever 192.0.2.1"]);
    assert_eq!(directive.status.code(), Some(1));
    assert!(text(&directive.stderr).contains("Fatal error : "), "{}", text(&directive.stderr));
    assert!(text(&directive.stderr).contains("sever"), "{}", text(&directive.stderr));
}

#[test]
fn questions_about_itself_end_with_status_0() {
    let version = chronyd(&["-v"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(text(&version.stdout).starts_with("chronyd (timeball) version "));
    let help = chronyd(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("-R"));
}

#[test]
fn the_configuration_is_printed_with_what_it_includes() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("more.conf"), "# more\nmakestep 1 3\n").unwrap();
    let main = format!("server 192.0.2.1 iburst\ninclude {}\n", path("more.conf"));
    fs::write(path("chrony.conf"), main).unwrap();
    let printed = chronyd(&["-p", "-f", &path("chrony.conf")]);
    assert_eq!(text(&printed.stdout), "server 192.0.2.1 iburst\nmakestep 1 3\n");
    assert_eq!(printed.status.code(), Some(0));
}

#[test]
fn without_an_answer_there_is_no_offset() {
    // Port 9 of loopback refuses at once; the time is up at once, too.
    let measured = chronyd(&["-Q", "-t", "0", "server 127.0.0.1 port 9 iburst"]);
    assert_eq!(measured.status.code(), Some(1));
    let log = text(&measured.stderr);
    let last: Vec<&str> = log.lines().rev().take(2).collect();
    assert!(last[0].ends_with("Z chronyd exiting"), "{log}");
    assert!(last[1].ends_with("Z Timeout reached"), "{log}");
}

#[test]
fn the_daemon_leaves_the_terminal_and_ends_by_any_signal() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let configuration = format!(
        "server 127.0.0.1 port 9\npidfile {}\nbindcmdaddress /\ncmdport 0\ndriftfile {}\n",
        path("pid"),
        path("drift")
    );
    fs::write(path("chrony.conf"), configuration).unwrap();
    let (configuration, log) = (path("chrony.conf"), path("log"));
    let arguments = ["-x", "-U", "-f", &configuration, "-l", &log];
    let started = chronyd(&arguments);
    assert_eq!(started.status.code(), Some(0), "{}", text(&started.stderr));
    let pid = fs::read_to_string(path("pid")).unwrap().trim().to_owned();

    let again = chronyd(&["-x", "-U", "-f", &configuration, "-l", &path("log2")]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains(&format!("process {pid}")), "{}", text(&again.stderr));

    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let ended = (0..MAX_LOOKS).any(|_| {
        thread::yield_now();
        !directory.path().join("pid").exists()
    });
    assert!(ended, "the pid file is still there");
    let log = fs::read_to_string(log).unwrap();
    assert!(log.lines().next().unwrap().contains("Z chronyd version "), "{log}");
    assert!(log.trim_end().ends_with("Z chronyd exiting"), "{log}");
}
