//! `timeball config`, as an operator sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Command, Output};

fn timeball(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_timeball"))
        .args(arguments)
        .env_remove("TIMEBALL_SOCKET")
        .output()
        .expect("the binary runs")
}

/// Exit status, standard output and standard error.
fn result(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const CHRONY: &str = "\
server ntp1.example.net iburst xleave
pool pool.example.net iburst maxsources 3
peer peer.example.net
driftfile /var/lib/chrony/drift
makestep 1.0 3
maxchange 100 1 2
allow 192.0.2.0/24
local stratum 8 orphan
log tracking
logdir /var/log/chrony
";

#[test]
fn a_chrony_conf_becomes_a_native_file_that_means_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let chrony = directory.path().join("chrony.conf");
    fs::write(&chrony, CHRONY).unwrap();
    let (status, text, errors) =
        result(&timeball(&["config", "convert", chrony.to_str().unwrap()]));
    assert_eq!(status, Some(0), "{errors}");
    for line in [
        "[[server]]\naddress = \"ntp1.example.net\"\n",
        "interleaved = true\n",
        "[[pool]]\naddress = \"pool.example.net\"\ncount = 3\n",
        "[[peer]]\naddress = \"peer.example.net\"\n",
        "[clock.max-change]\nthreshold = \"100 s\"\nignore = 2\n",
        "allow = [\"192.0.2.0/24\"]\n",
        "[serve.local]\nstratum = 8\norphan = true\n",
        "drift-file = \"/var/lib/chrony/drift\"\n",
        "records = [\"tracking\"]\n",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }

    let native = directory.path().join("timeball.toml");
    fs::write(&native, &text).unwrap();
    let again = timeball(&["config", "convert", native.to_str().unwrap(), "--to", "native"]);
    assert_eq!(result(&again).1, text);
    let [of_chrony, of_native] = [&chrony, &native].map(|file| {
        let (status, summary, errors) =
            result(&timeball(&["config", "check", file.to_str().unwrap()]));
        assert_eq!(status, Some(0), "{errors}");
        summary.split_once(": OK: ").unwrap().1.to_string()
    });
    assert_eq!(of_chrony, of_native);
    assert!(
        of_native.starts_with("2 servers, 1 pool; corrects the clock; serves 1 network"),
        "{of_native}"
    );
}

#[test]
fn the_dialect_can_be_forced() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chrony.conf");
    fs::write(&file, "server ntp.example.net\n").unwrap();
    let path = file.to_str().unwrap();
    let (status, text, errors) =
        result(&timeball(&["config", "convert", path, "--dialect", "native"]));
    assert_eq!((status, text.as_str()), (Some(2), ""));
    assert!(errors.contains("this is a line of chrony.conf"), "{errors}");
    let (status, text, _) = result(&timeball(&["config", "convert", path, "--dialect", "chrony"]));
    assert_eq!(status, Some(0));
    assert!(text.starts_with("[[server]]\naddress = \"ntp.example.net\"\n"), "{text}");
}

#[test]
fn the_daemon_tells_dialects_apart_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chrony.conf");
    fs::write(&file, "server ntp.example.net iburts\n").unwrap();
    let path = file.to_str().unwrap();
    for arguments in [&["config", "check", path][..], &["run", "--no-clock", "-c", path]] {
        let (status, text, errors) = result(&timeball(arguments));
        assert_eq!((status, text.as_str()), (Some(2), ""), "{errors}");
        assert!(errors.contains("chrony.conf:1:24: error: "), "{errors}");
        assert!(errors.contains("iburst"), "{errors}");
    }
}

#[test]
fn mistakes_print_nothing_and_end_with_status_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chrony.conf");
    fs::write(&file, "server ntp.example.net\nmakestp 1.0 3\n").unwrap();
    for path in [file.clone(), directory.path().join("missing.conf")] {
        let (status, text, errors) =
            result(&timeball(&["config", "convert", path.to_str().unwrap()]));
        assert_eq!((status, text.as_str()), (Some(2), ""), "{errors}");
        assert!(errors.contains(": error: "), "{errors}");
    }
    let other = timeball(&["config", "convert", file.to_str().unwrap(), "--to", "sendmail"]);
    assert_eq!(result(&other).0, Some(2));
}
