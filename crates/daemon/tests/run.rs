//! A whole daemon from its file to its end, by signals. One test: signals belong to the process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;
use std::thread;

use timeball_config::Dialect;
use timeball_daemon::control::{Answer, Request, Response, ask};
use timeball_daemon::demo::DemoServers;
use timeball_daemon::{ClockControl, ConfigFile, Configuration, Ending, Error, Options, run};
use timeball_wire::Span;

/// More questions than any of the waits needs; each takes a turn of the daemon's loop.
const MAX_QUESTIONS: usize = 1_000_000;

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn a_daemon_starts_reloads_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let servers = DemoServers::start(&[Span::ZERO, Span::ZERO]).unwrap();
    let write = |count: usize| {
        let mut text = format!(
            "clock.control = false\n[files]\nstate-directory = {:?}\npid-file = {:?}\n\
             [control]\nsocket = {:?}\n",
            path("state"),
            path("run/pid"),
            path("run/socket")
        );
        for server in servers.addresses().iter().take(count) {
            text += &format!(
                "[[server]]\naddress = \"{}\"\nport = {}\nminpoll = -4\nmaxpoll = -4\n",
                server.ip(),
                server.port()
            );
        }
        fs::write(path("timeball.toml"), text).unwrap();
    };
    write(1);
    let file = ConfigFile { path: path("timeball.toml"), dialect: Dialect::Native };
    let options =
        Options { clock_control: ClockControl::Never, ..Options::new(Configuration::file(file)) };
    let wait_for = |sources: usize| {
        for _ in 0..MAX_QUESTIONS {
            // Before its start there is nobody to ask.
            if let Ok(Response::Ok(Answer::Report(report))) =
                ask(path("run/socket"), Request::Status)
                && report.sources.len() == sources
                && report.sources.iter().all(|source| source.accepted > 0)
            {
                return;
            }
            thread::yield_now();
        }
        panic!("no {sources} sources after {MAX_QUESTIONS} questions");
    };

    let daemon = thread::spawn({
        let options = options.clone();
        move || run(&options)
    });
    wait_for(1);
    let pid = fs::read_to_string(path("run/pid")).unwrap();
    assert_eq!(pid.trim(), std::process::id().to_string());
    assert!(path("state").is_dir());

    // A process has one set of signal handlers.
    let twice = run(&options).unwrap_err();
    assert!(matches!(twice, Error::Signals(_)), "{twice}");

    write(2);
    signal("-HUP");
    wait_for(2);
    fs::write(path("timeball.toml"), "[[server]]\n").unwrap();
    signal("-HUP");
    signal("-USR1");
    wait_for(2);

    signal("-TERM");
    assert_eq!(daemon.join().unwrap().unwrap(), Ending::Done);
    assert!(!path("run/pid").exists());
    assert!(!path("run/socket").exists());

    let broken = run(&options).unwrap_err();
    assert!(matches!(broken, Error::Configuration(_)), "{broken}");
    assert!(broken.to_string().contains("timeball.toml:1:1"), "{broken}");
}
