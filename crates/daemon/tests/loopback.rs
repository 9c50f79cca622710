//! A daemon that watches servers on loopback, with real sockets and the real kernel.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::{SocketAddr, UdpSocket};

use common::{config, start, turn, turn_until};
use timeball_core::discipline::Drift;
use timeball_core::engine::StampQuality;
use timeball_core::selection::State;
use timeball_daemon::DriftFile;
use timeball_daemon::demo::DemoServers;
use timeball_wire::{Header, LeapIndicator, Mode, NtpTimestamp, Span, Timestamp};

#[test]
fn two_honest_servers_outvote_a_lying_one() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO, Span::from_millis(212), Span::ZERO]).unwrap();
    let mut daemon = start(config(directory.path(), servers.addresses()));
    let report = turn_until(&mut daemon, |report| {
        report.tracking.synchronised
            && report.sources.iter().all(|source| source.samples >= 8)
            && report.sources[1].state == State::Falseticker
    });

    assert_eq!(report.tracking.stratum, 2);
    assert_eq!(report.tracking.leap, LeapIndicator::NoWarning);
    assert!(!report.tracking.clock_control);
    // It is the same clock: the truth is zero.
    let (offset, bound) = (report.tracking.offset.unwrap(), report.tracking.offset_bound.unwrap());
    assert!(offset.abs() <= bound, "offset {offset} ± {bound}");
    assert!(offset.abs() < 1e-3, "offset {offset}");

    let [first, liar, third] = report.sources.as_slice() else { panic!("{report:#?}") };
    for honest in [first, third] {
        assert!(matches!(honest.state, State::Selected | State::Combined), "{honest:#?}");
        assert!(honest.offset.unwrap().abs() < 1e-3, "{honest:#?}");
        assert_eq!(honest.stratum, Some(1));
        assert!(honest.rejected.is_empty(), "{honest:#?}");
    }
    let lie = liar.offset.unwrap();
    assert!((lie - 0.212).abs() < 1e-3, "{liar:#?}");
    assert!(liar.reason.contains("majority"), "{}", liar.reason);
}

#[test]
fn the_kernel_stamps_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let mut daemon = start(config(directory.path(), servers.addresses()));
    let report = turn_until(&mut daemon, |report| report.sources[0].samples >= 5);
    let source = &report.sources[0];
    assert_eq!(source.transmit_stamp, Some(StampQuality::Kernel));
    assert_eq!(source.receive_stamp, Some(StampQuality::Kernel));
    assert!(source.delay.unwrap() < 0.01, "{source:#?}");
}

#[test]
fn nobody_listening_is_noticed_and_nothing_breaks() {
    let directory = tempfile::tempdir().unwrap();
    // Bound and closed again: loopback answers that nobody listens there.
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut daemon = start(config(directory.path(), &[nobody]));
    let report = turn_until(&mut daemon, |report| report.sources[0].sent >= 8);
    assert!(!report.tracking.synchronised);
    assert_eq!(report.sources[0].reach, 0);
    assert_eq!(report.sources[0].accepted, 0);
}

#[test]
fn a_restart_of_the_server_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let mut daemon = start(config(directory.path(), servers.addresses()));
    turn_until(&mut daemon, |report| report.tracking.synchronised);
    drop(servers);
    let sent = daemon.report().unwrap().sources[0].sent;
    turn_until(&mut daemon, |report| report.sources[0].sent >= sent + 10);
    assert_eq!(daemon.report().unwrap().sources[0].reach, 0);
}

fn request() -> Header {
    let zeros = Header::from_bytes(&[0; Header::LEN]);
    let transmit_timestamp = NtpTimestamp::from_bits(0x0123_4567_89ab_cdef);
    Header { version: 4, mode: Mode::Client, poll: 6, transmit_timestamp, ..zeros }
}

/// A daemon that follows one honest server and serves loopback, and its address.
fn serving(
    directory: &std::path::Path,
    servers: &DemoServers,
) -> (timeball_daemon::EventLoop, SocketAddr) {
    let mut config = config(directory, servers.addresses());
    config.engine.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config.serve.bind_addresses = vec!["127.0.0.1".parse().unwrap()];
    config.serve.port = 0;
    let daemon = start(config);
    let address = daemon.server_addresses()[0];
    (daemon, address)
}

fn answer(daemon: &mut timeball_daemon::EventLoop, client: &UdpSocket) -> Header {
    client.set_nonblocking(true).unwrap();
    let mut bytes = [0; 1024];
    for _ in 0..1000 {
        match client.recv(&mut bytes) {
            Ok(length) => {
                assert_eq!(length, Header::LEN);
                return Header::from_bytes(bytes.first_chunk().unwrap());
            }
            Err(_) => turn(daemon),
        }
    }
    panic!("no answer");
}

#[test]
fn it_serves_what_it_follows() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let (mut daemon, address) = serving(directory.path(), &servers);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();

    client.send(&request().to_bytes()).unwrap();
    let before = answer(&mut daemon, &client);
    assert_eq!((before.leap, before.stratum), (LeapIndicator::Unsynchronised, 0));

    turn_until(&mut daemon, |report| report.tracking.synchronised);
    client.send(&request().to_bytes()).unwrap();
    let after = answer(&mut daemon, &client);
    assert_eq!((after.leap, after.stratum), (LeapIndicator::NoWarning, 2));
    assert_eq!(after.reference_id.to_bytes(), [127, 0, 0, 1]);
    assert_eq!(after.origin_timestamp, request().transmit_timestamp);
    assert!(after.root_dispersion.seconds() > 0.0);
    let now = daemon.report().unwrap().tracking.system_time.unwrap();
    let unfold = |timestamp: NtpTimestamp| timestamp.unfold(now);
    assert!(unfold(after.receive_timestamp) <= unfold(after.transmit_timestamp));
    assert!((now - unfold(after.transmit_timestamp)).seconds() < 10.0);
    assert_eq!(daemon.server_counters().answered, 2);
}

#[test]
fn a_flood_of_requests_does_not_stop_the_client_side() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let (mut daemon, address) = serving(directory.path(), &servers);
    let flooder = UdpSocket::bind("127.0.0.1:0").unwrap();
    flooder.connect(address).unwrap();
    let mut turns = 0;
    while !daemon.report().unwrap().tracking.synchronised {
        // More each time than one turn takes: the socket is never empty.
        for _ in 0..100 {
            let _ = flooder.send(&request().to_bytes());
        }
        turn(&mut daemon);
        turns += 1;
        assert!(turns < 20_000, "starved: {:#?}", daemon.report().unwrap());
    }
    let counters = daemon.server_counters();
    assert!(counters.received() > 1000, "{counters:?}");
}

#[test]
fn garbage_on_the_server_socket_is_counted_and_not_answered() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let (mut daemon, address) = serving(directory.path(), &servers);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(address).unwrap();
    let mode_6 = [0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut long = vec![0xff; 9000];
    long[0] = 0x23;
    for garbage in [&[][..], &[0x23], &mode_6, &long, &[0; 48]] {
        client.send(garbage).unwrap();
    }
    for _ in 0..1000 {
        if daemon.server_counters().received() == 5 {
            break;
        }
        turn(&mut daemon);
    }
    assert_eq!(daemon.server_counters().received(), 5);
    assert_eq!(daemon.server_counters().answered, 0);
    client.set_nonblocking(true).unwrap();
    assert!(client.recv(&mut [0; 64]).is_err());
}

#[test]
fn what_the_drift_file_says_is_where_it_starts() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let drift = Drift { frequency: 12.5e-6, uncertainty: 0.1e-6 };
    DriftFile::in_directory(&state).save(drift, Timestamp::from_nanos(0)).unwrap();
    let mut daemon = start(config(directory.path(), &[]));
    let tracking = daemon.report().unwrap().tracking;
    assert!((tracking.frequency_ppm - 12.5).abs() < 1e-6, "{tracking:#?}");

    std::fs::write(state.join("drift"), "frequency-ppm = nan\nuncertainty-ppm = 1\n").unwrap();
    let mut daemon = start(config(directory.path(), &[]));
    let tracking = daemon.report().unwrap().tracking;
    assert!((tracking.frequency_ppm - 12.5).abs() > 1.0, "{tracking:#?}");
}

#[test]
fn a_port_in_use_is_no_reason_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = config(directory.path(), servers.addresses());
    config.engine.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config.serve.bind_addresses = vec!["127.0.0.1".parse().unwrap()];
    config.serve.port = taken.local_addr().unwrap().port();
    let mut daemon = start(config);
    assert_eq!(daemon.server_addresses(), []);
    turn_until(&mut daemon, |report| report.tracking.synchronised);
}

#[test]
fn a_socket_path_that_cannot_be_is_no_reason_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let mut config = config(directory.path(), servers.addresses());
    config.control.socket = Some(directory.path().join("no/such/directory/socket"));
    let mut daemon = start(config);
    turn_until(&mut daemon, |report| report.tracking.synchronised);
}

#[test]
fn a_source_that_cannot_be_asked_says_which_setting_is_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path(), &["127.0.0.1:9".parse().unwrap()]);
    // RFC 5737: for documentation, and nobody's.
    config.engine.sources[0].bind_address = Some("192.0.2.77".parse().unwrap());
    let mut daemon = start(config);
    turn_until(&mut daemon, |report| {
        report.sources[0].reason.contains("bind-address is 192.0.2.77")
    });
}
