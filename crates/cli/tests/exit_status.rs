//! What the binary's exit status says, command by command.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output};

fn timeball(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_timeball"))
        .args(arguments)
        .env_remove("TIMEBALL_SOCKET")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_status(output: &Output, status: i32) {
    assert_eq!(
        output.status.code(),
        Some(status),
        "stdout:\n{}\nstderr:\n{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// A UDP port on loopback that nobody listens at: it was just free.
fn closed_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn version_and_help_are_fine() {
    let version = timeball(&["--version"]);
    assert_status(&version, 0);
    assert_eq!(text(&version.stdout), format!("timeball {}\n", env!("CARGO_PKG_VERSION")));
    let help = timeball(&["--help"]);
    assert_status(&help, 0);
    for command in [
        "run", "query", "status", "sources", "wait", "step", "config", "sim", "demo", "audit",
        "firewall",
    ] {
        assert!(text(&help.stdout).contains(&format!("\n  {command} ")), "{command} in the help");
        assert_status(&timeball(&[command, "--help"]), 0);
    }
}

#[test]
fn an_unknown_command_or_none_is_a_mistake() {
    assert_status(&timeball(&["dance"]), 2);
    assert_status(&timeball(&[]), 2);
    assert_status(&timeball(&["query"]), 2);
    assert_status(&timeball(&["query", "[nonsense"]), 2);
    assert_status(&timeball(&["wait", "--timeout", "soon"]), 2);
}

#[test]
fn a_configuration_with_mistakes_is_one_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.toml");
    std::fs::write(&file, "[[server]]\nadress = \"192.0.2.1\"\n").unwrap();
    let path = file.to_str().unwrap();
    for arguments in [&["config", "check", path][..], &["run", "--no-clock", "-c", path]] {
        let output = timeball(arguments);
        assert_status(&output, 2);
        let diagnostics = text(&output.stderr);
        assert!(diagnostics.contains("bad.toml:2:1"), "{diagnostics}");
        assert!(diagnostics.contains("^^^^^^"), "{diagnostics}");
        assert!(diagnostics.contains("address"), "{diagnostics}");
        assert_eq!(text(&output.stdout), "");
    }
    let missing = directory.path().join("missing.toml");
    assert_status(&timeball(&["config", "check", missing.to_str().unwrap()]), 2);
    assert_status(&timeball(&["run", "--no-clock", "-c", missing.to_str().unwrap()]), 2);
}

#[test]
fn a_configuration_without_mistakes_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("good.toml");
    std::fs::write(&file, "[[server]]\naddress = \"192.0.2.1\"\n").unwrap();
    let output = timeball(&["config", "check", file.to_str().unwrap()]);
    assert_status(&output, 0);
    assert!(text(&output.stdout).contains("OK: 1 server;"), "{}", text(&output.stdout));
}

#[test]
fn the_reference_names_every_section() {
    let output = timeball(&["config", "reference"]);
    assert_status(&output, 0);
    let reference = text(&output.stdout);
    for section in ["[[server]]", "[[pool]]", "[selection]", "[clock]", "[serve]", "[control]"] {
        assert!(reference.contains(section), "{section}");
    }
}

#[test]
fn without_a_daemon_there_is_nobody_to_ask() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let socket = socket.to_str().unwrap();
    for command in ["status", "sources", "step"] {
        let output = timeball(&[command, "--socket", socket]);
        assert_status(&output, 3);
        assert!(text(&output.stderr).contains(socket), "{}", text(&output.stderr));
    }
    let waited = timeball(&["wait", "--timeout", "0", "--socket", socket]);
    assert_status(&waited, 3);
    assert!(text(&waited.stderr).contains(socket), "{}", text(&waited.stderr));
    assert_eq!(text(&waited.stdout), "");
}

#[test]
fn a_closed_port_is_no_answer() {
    let host = format!("127.0.0.1:{}", closed_port());
    let output = timeball(&["query", "--samples", "1", &host]);
    assert_status(&output, 1);
    assert!(text(&output.stderr).contains("nobody listens"), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");

    let output = timeball(&["query", "--json", "--samples", "1", &host]);
    assert_status(&output, 1);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0]["host"], "127.0.0.1");
    assert_eq!(json[0]["sent"], 1);
}

#[test]
fn an_address_of_the_other_family_is_told_from_a_name_that_does_not_exist() {
    for (family, address) in [("-6", "192.0.2.1"), ("-4", "2001:db8::1")] {
        let output = timeball(&["query", family, address]);
        assert_status(&output, 1);
        assert!(text(&output.stderr).contains(": not an IPv"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_scenario_that_is_none_is_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.toml");
    std::fs::write(&file, "nonsense = 1\n").unwrap();
    let output = timeball(&["sim", file.to_str().unwrap()]);
    assert_status(&output, 2);
    assert!(text(&output.stderr).contains("line 1"), "{}", text(&output.stderr));
    assert_status(&timeball(&["sim", "/nonexistent.toml"]), 2);
}

#[test]
fn a_simulation_tells_and_draws_what_came_of_it() {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/lan.toml");
    let directory = tempfile::tempdir().unwrap();
    let plot = directory.path().join("plot.svg");
    let arguments = [
        "sim",
        scenario.to_str().unwrap(),
        "--json",
        "--seed",
        "7",
        "--plot",
        plot.to_str().unwrap(),
    ];
    let output = timeball(&arguments);
    assert_status(&output, 0);
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["seed"], 7);
    assert!(run["nodes"][0]["error"]["rms"].as_f64().unwrap() > 0.0);
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("<polygon"), "{}", &svg[..200]);
}

#[test]
fn the_demonstration_finds_the_liar() {
    let output = timeball(&["demo"]);
    assert_status(&output, 0);
    let shown = text(&output.stdout);
    assert!(shown.contains("\nSynchronised after "), "{shown}");
    let verdict = shown.lines().last().unwrap();
    assert!(verdict.starts_with("127.0.0.3 lies: "), "{shown}");
    assert!(verdict.contains("212"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours and no cursor movements in a pipe: {shown:?}");
}

#[test]
fn an_audit_of_nobody_or_of_strangers_does_not_start() {
    assert_status(&timeball(&["audit"]), 2);
    let public = timeball(&["audit", "8.8.8.0/24"]);
    assert_status(&public, 2);
    assert!(text(&public.stderr).contains("--authorized"), "{}", text(&public.stderr));
    let nonsense = timeball(&["audit", "1/2"]);
    assert_status(&nonsense, 2);
    assert!(text(&nonsense.stderr).contains("1/2"), "{}", text(&nonsense.stderr));
    let port = closed_port().to_string();
    let silent = timeball(&[
        "audit",
        "--json",
        "--timeout",
        "0.1",
        "--interval",
        "0",
        "-p",
        &port,
        "127.0.0.1",
    ]);
    assert_status(&silent, 1);
    let json: serde_json::Value = serde_json::from_slice(&silent.stdout).unwrap();
    assert_eq!(json["summary"]["unreachable"], 1);
    assert_eq!(json["hosts"], serde_json::json!([]));
}

#[test]
fn firewall_rules_are_printed_for_every_tool_and_installed_for_two() {
    for tool in ["nftables", "iptables", "ufw", "firewalld", "pf"] {
        let output = timeball(&["firewall", "--backend", tool, "client"]);
        assert_status(&output, 0);
        assert!(text(&output.stdout).contains("# Answers to this host's own requests."), "{tool}");
    }
    let output = timeball(&["firewall", "client", "--backend", "pf", "--apply"]);
    assert_status(&output, 2);
    assert_status(&timeball(&["firewall", "client", "--apply", "--check"]), 2);
    assert_status(&timeball(&["firewall", "client", "--rollback-after", "5"]), 2);
    assert_status(&timeball(&["firewall", "peer"]), 2);
}
