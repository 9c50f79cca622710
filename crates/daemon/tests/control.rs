//! The control socket of a daemon that runs, and reading its configuration again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use common::{config, start, turn, turn_until};
use timeball_config::Dialect;
use timeball_core::report::Report;
use timeball_daemon::control::{Answer, ClientError, Request, Response, ask};
use timeball_daemon::demo::DemoServers;
use timeball_daemon::{ClockControl, ConfigFile, EventLoop};
use timeball_wire::Span;

/// Asks a daemon that is turned meanwhile.
fn ask_daemon(daemon: &mut EventLoop, path: &Path, request: Request) -> Response {
    let path = path.to_owned();
    let client = thread::spawn(move || ask(&path, request));
    while !client.is_finished() {
        turn(daemon);
    }
    client.join().unwrap().unwrap()
}

fn report(response: Response) -> Report {
    match response {
        Response::Ok(Answer::Report(report)) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn status_and_sources_carry_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let config = config(directory.path(), servers.addresses());
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);
    turn_until(&mut daemon, |report| report.tracking.synchronised);
    for request in [Request::Status, Request::Sources] {
        let report = report(ask_daemon(&mut daemon, &path, request));
        assert!(report.tracking.synchronised);
        assert_eq!(report.sources.len(), 1);
        assert_eq!(report.sources[0].name, "127.0.0.1");
        assert!(report.sources[0].accepted >= 3);
    }
    match ask_daemon(&mut daemon, &path, Request::Status) {
        Response::Ok(Answer::Report(report)) => {
            assert_eq!(report.server.map(|counters| counters.received()), Some(0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_owner_may_ask_and_the_socket_goes_with_the_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), &[]);
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    daemon.stop().unwrap();
    assert!(matches!(ask(&path, Request::Status), Err(ClientError::NoSocket { .. })));
}

#[test]
fn a_daemon_without_the_clock_does_not_step_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), &[]);
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);
    match ask_daemon(&mut daemon, &path, Request::Step) {
        Response::Error(why) => assert!(why.contains("does not control the clock"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(daemon.report().unwrap().tracking.steps, 0);
}

#[test]
fn a_burst_sends_more_requests() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let mut config = config(directory.path(), servers.addresses());
    let association = &mut config.engine.sources[0].association;
    association.minpoll = timeball_core::association::PollInterval::new(10);
    association.maxpoll = association.minpoll;
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);
    turn_until(&mut daemon, |report| report.sources.iter().any(|source| source.accepted == 1));
    let response = ask_daemon(&mut daemon, &path, Request::Burst);
    assert!(matches!(response, Response::Ok(Answer::Done(_))), "{response:?}");
    turn_until(&mut daemon, |report| report.sources[0].accepted >= 2);
}

#[test]
fn malformed_requests_are_answered_and_slow_clients_do_not_block_others() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), &[]);
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);

    let mut slow = UnixStream::connect(&path).unwrap();
    slow.write_all(b"{\"command\":").unwrap();
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(UnixStream::connect(&path).unwrap());
    }
    for garbage in
        [&b"what?\n"[..], b"\n", b"\x00\xff\n", b"{\"command\":\"dance\"}\n", &[b'x'; 5000]]
    {
        let answer = converse(&mut daemon, &path, garbage);
        let line = std::str::from_utf8(&answer).unwrap();
        assert!(line.starts_with("{\"error\":\""), "{line}");
        assert!(line.ends_with("\"}\n"), "{line}");
    }
    // The slow one has lost nothing.
    slow.write_all(b"\"status\"}\n").unwrap();
    slow.shutdown(std::net::Shutdown::Write).unwrap();
    let answer = read_to_end(&mut daemon, slow);
    assert!(answer.starts_with(b"{\"ok\":{\"synchronised\":false"));
}

#[test]
fn more_connections_than_there_is_room_for_are_not_lost_and_not_unbounded() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), &[]);
    let path = config.control.socket.clone().unwrap();
    let mut daemon = start(config);
    // Within the backlog of the socket, beyond the room of the daemon.
    let mut crowd: Vec<UnixStream> = Vec::new();
    for _ in 0..28 {
        crowd.push(UnixStream::connect(&path).unwrap());
        turn(&mut daemon);
    }
    // Those at the door come in when others leave.
    let last = crowd.pop().unwrap();
    crowd.clear();
    (&last).write_all(b"{\"command\":\"status\"}\n").unwrap();
    last.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(read_to_end(&mut daemon, last).starts_with(b"{\"ok\":"));
}

/// Sends `bytes` on a connection of its own and reads all that comes back.
fn converse(daemon: &mut EventLoop, path: &Path, bytes: &[u8]) -> Vec<u8> {
    let mut client = UnixStream::connect(path).unwrap();
    client.write_all(bytes).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    read_to_end(daemon, client)
}

fn read_to_end(daemon: &mut EventLoop, mut client: UnixStream) -> Vec<u8> {
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // A connection closed before all was read ends in an error after the answer.
        let _ = client.read_to_end(&mut bytes);
        bytes
    });
    while !reader.is_finished() {
        turn(daemon);
    }
    reader.join().unwrap()
}

/// A daemon with a configuration file, and that file.
struct FromFile {
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl FromFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("timeball.toml");
        Self { directory, file }
    }

    /// Writes a configuration with these servers and, at its end, `more`.
    fn write(&self, servers: &[SocketAddr], more: &str) {
        let directory = self.directory.path().display();
        let mut text = format!(
            "clock.control = false\nfiles.state-directory = \"{directory}/state\"\n\
             control.socket = \"{directory}/socket\"\n"
        );
        for server in servers {
            text += &format!(
                "[[server]]\naddress = \"{}\"\nport = {}\nminpoll = -4\nmaxpoll = -4\n\
                 iburst = false\n",
                server.ip(),
                server.port()
            );
        }
        fs::write(&self.file, text + more).unwrap();
    }

    fn start(&self) -> EventLoop {
        let file = ConfigFile { path: self.file.clone(), dialect: Dialect::Native };
        EventLoop::from_file(file, ClockControl::Never).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }
}

#[test]
fn a_reload_keeps_unchanged_sources_and_their_history() {
    let servers = DemoServers::start(&[Span::ZERO, Span::ZERO, Span::ZERO]).unwrap();
    let [first, second, third] = servers.addresses() else { panic!() };
    let here = FromFile::new();
    here.write(&[*first, *second], "");
    let mut daemon = here.start();
    let before =
        turn_until(&mut daemon, |report| report.sources.iter().all(|source| source.accepted >= 10));

    here.write(&[*second, *third], "");
    let response = ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert!(matches!(response, Response::Ok(Answer::Done(_))), "{response:?}");
    let after = daemon.report().unwrap();
    let names: Vec<_> = after.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["127.0.0.2", "127.0.0.3"]);
    assert_eq!(after.sources[0].id, before.sources[1].id);
    assert!(after.sources[0].accepted >= before.sources[1].accepted);
    assert!(after.sources[0].samples >= before.sources[1].samples);
    turn_until(&mut daemon, |report| report.sources[1].accepted >= 3);
}

#[test]
fn a_broken_reload_changes_nothing() {
    let servers = DemoServers::start(&[Span::ZERO, Span::ZERO]).unwrap();
    let here = FromFile::new();
    here.write(servers.addresses(), "");
    let mut daemon = here.start();
    let before = turn_until(&mut daemon, |report| report.tracking.synchronised);

    here.write(servers.addresses(), "[[server]]\nadress = \"127.0.0.9\"\n");
    match ask_daemon(&mut daemon, &here.socket(), Request::Reload) {
        Response::Error(why) => {
            assert!(why.contains("adress"), "{why}");
            assert!(why.contains("timeball.toml:"), "{why}");
            assert!(why.ends_with("the configuration stays as it was"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    fs::remove_file(&here.file).unwrap();
    let response = ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert!(matches!(response, Response::Error(_)), "{response:?}");

    let after = daemon.report().unwrap();
    assert!(after.tracking.synchronised);
    assert_eq!(after.sources.len(), 2);
    assert!(after.sources[0].accepted >= before.sources[0].accepted);
}

#[test]
fn a_reload_opens_and_closes_the_servers_sockets() {
    let here = FromFile::new();
    let port = free_port();
    let serve = |port| {
        format!(
            "[serve]\nport = {port}\nbind-addresses = [\"127.0.0.1\"]\nallow = [\"127.0.0.1\"]\n"
        )
    };
    here.write(&[([127, 0, 0, 9], 123).into()], "");
    let mut daemon = here.start();
    assert_eq!(daemon.server_addresses(), []);

    here.write(&[([127, 0, 0, 9], 123).into()], &serve(port));
    ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert_eq!(daemon.server_addresses(), [([127, 0, 0, 1], port).into()]);

    let other = free_port();
    here.write(&[([127, 0, 0, 9], 123).into()], &serve(other));
    ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert_eq!(daemon.server_addresses(), [([127, 0, 0, 1], other).into()]);

    here.write(&[([127, 0, 0, 9], 123).into()], "");
    ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert_eq!(daemon.server_addresses(), []);
}

/// A port that is free now. Others may take it, but hardly within this test.
fn free_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_control_socket_that_moves_answers_the_one_who_moved_it() {
    let here = FromFile::new();
    here.write(&[([127, 0, 0, 9], 123).into()], "");
    let mut daemon = here.start();
    let text = fs::read_to_string(&here.file).unwrap();
    fs::write(&here.file, text.replace("/socket\"", "/elsewhere\"")).unwrap();
    let response = ask_daemon(&mut daemon, &here.socket(), Request::Reload);
    assert!(matches!(response, Response::Ok(Answer::Done(_))), "{response:?}");
    assert!(!here.socket().exists());
    let elsewhere = here.directory.path().join("elsewhere");
    report(ask_daemon(&mut daemon, &elsewhere, Request::Status));
}
