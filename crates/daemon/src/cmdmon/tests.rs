//! A daemon, asked as chronyc asks: over UDP from this machine, and over the Unix socket.

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use proptest::prelude::*;
use timeball_config::Config;
use timeball_core::server::RateLimit;
use timeball_core::settings::SourceSettings;
use timeball_host::signals::Signal;
use timeball_wire::cmdmon::{
    Activity, Address, Answer, Float, MAX_LEN, Name, NewSource, Reply, Request, SelectMask,
    SourceFlags, SourceState, Status,
};
use timeball_wire::{LeapIndicator, ReferenceId, Timestamp};

use crate::event_loop::{ClockControl, EventLoop};

const SEQUENCE: u32 = 0x5eed_1e55;

struct Daemon {
    event_loop: EventLoop,
    network: UdpSocket,
    local: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Daemon {
    fn start(adapt: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(directory.path(), closed).unwrap();
        let mut config = Config::default();
        config.control.socket = None;
        config.clock.leap_seconds_list = None;
        config.files.state_directory = directory.path().to_owned();
        config.chronyc.socket = Some(directory.path().join("chronyd.sock"));
        config.chronyc.port = Some(0);
        config.chronyc.bind_addresses = vec!["127.0.0.1".parse().unwrap()];
        adapt(&mut config);
        let event_loop = EventLoop::new(config, ClockControl::Never).unwrap();
        let network = UdpSocket::bind("127.0.0.1:0").unwrap();
        network.connect(event_loop.commands.sockets.addresses().next().unwrap()).unwrap();
        network.set_nonblocking(true).unwrap();
        let local = UnixDatagram::bind(directory.path().join("client")).unwrap();
        local.connect(directory.path().join("chronyd.sock")).unwrap();
        local.set_nonblocking(true).unwrap();
        Self { event_loop, network, local, directory }
    }

    fn turn(&mut self) {
        let now = self.event_loop.monotonic().unwrap();
        self.event_loop.turn(now).unwrap();
    }

    /// What comes back for some bytes over UDP.
    fn send(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.network.send(bytes).unwrap();
        self.turn();
        let mut buffer = [0; 2048];
        let length = self.network.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    /// What comes back for some bytes over the Unix socket.
    fn send_local(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.local.send(bytes).unwrap();
        self.turn();
        let mut buffer = [0; 2048];
        let length = self.local.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    fn ask(&mut self, request: Request) -> Reply {
        let reply = self.send(&emitted(request)).unwrap();
        Reply::parse(&reply, request.code(), SEQUENCE).unwrap()
    }

    fn order(&mut self, request: Request) -> Reply {
        let reply = self.send_local(&emitted(request)).unwrap();
        Reply::parse(&reply, request.code(), SEQUENCE).unwrap()
    }

    fn ordered(&mut self, request: Request) -> Status {
        self.order(request).status
    }
}

fn emitted(request: Request) -> Vec<u8> {
    let mut buffer = [0; MAX_LEN];
    request.emit(SEQUENCE, 0, &mut buffer).unwrap().to_vec()
}

fn ip(text: &str) -> Address {
    Address::Ip(text.parse().unwrap())
}

/// Sources on this machine, where nobody answers.
fn with_sources(names: &'static [&'static str]) -> impl FnOnce(&mut Config) {
    move |config| {
        config.engine.sources = names
            .iter()
            .map(|name| {
                let mut source = SourceSettings::server(*name);
                source.association.connectivity = timeball_core::association::Connectivity::Offline;
                source
            })
            .collect();
    }
}

#[test]
fn a_daemon_without_sources_has_nothing_to_tell() {
    let mut daemon = Daemon::start(|_| {});
    let Reply { status: Status::Success, answer: Answer::Tracking(tracking) } =
        daemon.ask(Request::Tracking)
    else {
        panic!("no tracking");
    };
    assert_eq!((tracking.stratum, tracking.leap), (0, LeapIndicator::Unsynchronised));
    assert_eq!(tracking.reference_id, ReferenceId::NONE);
    assert_eq!((tracking.root_delay, tracking.skew), (Float::from(1.0), Float::ZERO));
    assert_eq!(daemon.ask(Request::SourceCount), Answer::SourceCount(0).into());
    assert_eq!(daemon.ask(Request::SourceData { index: 0 }), Status::NoSuchSource.into());
    assert_eq!(daemon.ask(Request::Smoothing), Status::NotEnabled.into());
    assert_eq!(daemon.ask(Request::RtcReport), Status::NoRtc.into());
}

#[test]
fn sources_are_listed_with_and_without_address() {
    let mut daemon = Daemon::start(with_sources(&["127.0.9.1", "127.0.9.2"]));
    assert_eq!(daemon.ask(Request::SourceCount), Answer::SourceCount(2).into());
    let Answer::SourceData(data) = daemon.ask(Request::SourceData { index: 1 }).answer else {
        panic!("no source");
    };
    assert_eq!((data.address, data.poll, data.stratum), (ip("127.0.9.2"), 6, 0));
    assert_eq!(data.state, SourceState::Nonselectable);
    assert_eq!((data.since_sample, data.reachability), (u32::MAX, 0));
    let Answer::SourceStats(stats) = daemon.ask(Request::SourceStats { index: 0 }).answer else {
        panic!("no statistics");
    };
    assert_eq!((stats.samples, stats.skew), (0, Float::from(2000.0)));
    assert_eq!(stats.reference_id, ReferenceId::from_bytes([127, 0, 9, 1]));
    let name = Answer::SourceName(Name::new("127.0.9.1").unwrap());
    assert_eq!(daemon.ask(Request::SourceName { address: ip("127.0.9.1") }), name.into());
    let activity =
        Activity { online: 0, offline: 2, burst_online: 0, burst_offline: 0, unresolved: 0 };
    assert_eq!(daemon.ask(Request::Activity), Answer::Activity(activity).into());
}

#[test]
fn older_clients_are_answered_in_their_own_form() {
    let mut daemon = Daemon::start(with_sources(&["127.0.9.1"]));
    for (request, older) in
        [(Request::ServerStats, 72), (Request::NtpData { address: ip("127.0.9.1") }, 152)]
    {
        let newest = emitted(request);
        let reply = daemon.send_local(&newest).unwrap();
        assert_eq!(reply.len(), newest.len());
        let reply = Reply::parse(&reply, request.code(), SEQUENCE).unwrap();
        assert!(matches!(reply.answer, Answer::ServerStats4(_) | Answer::NtpData2(_)));
        let reply = daemon.send_local(&newest[..older]).unwrap();
        assert_eq!(reply.len(), older);
        let reply = Reply::parse(&reply, request.code(), SEQUENCE).unwrap();
        assert!(matches!(reply.answer, Answer::ServerStats3(_) | Answer::NtpData(_)));
    }
}

#[test]
fn what_the_network_may_not_is_refused_and_not_done() {
    let mut daemon = Daemon::start(with_sources(&["127.0.9.1"]));
    for request in [
        Request::Shutdown,
        Request::DeleteSource { address: ip("127.0.9.1") },
        Request::ServerStats,
        Request::NtpData { address: ip("127.0.9.1") },
        Request::AccessCheck { address: ip("127.0.0.1") },
        Request::AddSource { source: super::new_source::tests::added("127.0.9.9") },
    ] {
        assert_eq!(daemon.ask(request), Status::Unauthorised.into(), "{request:?}");
    }
    assert_eq!(daemon.ask(Request::SourceCount), Answer::SourceCount(1).into());
    assert_eq!(daemon.event_loop.signals_taken(), []);
    // Nor what it could not be understood to ask.
    let mut unreadable =
        emitted(Request::AddSource { source: super::new_source::tests::added("127.0.9.9") });
    unreadable[23] = 77;
    let reply = daemon.send(&unreadable).unwrap();
    assert_eq!(Reply::parse(&reply, 64, SEQUENCE).unwrap().status, Status::Unauthorised);
    let reply = daemon.send_local(&unreadable).unwrap();
    assert_eq!(Reply::parse(&reply, 64, SEQUENCE).unwrap().status, Status::Invalid);
}

#[test]
fn the_operator_changes_sources() {
    let mut daemon = Daemon::start(with_sources(&["127.0.9.1"]));
    let added = super::new_source::tests::added;
    let offline = |name| NewSource { flags: SourceFlags::NONE, ..added(name) };
    assert_eq!(
        daemon.ordered(Request::AddSource { source: offline("127.0.9.2") }),
        Status::Success
    );
    assert_eq!(
        daemon.ordered(Request::AddSource { source: offline("127.0.9.2") }),
        Status::SourceAlreadyKnown
    );
    assert_eq!(daemon.ordered(Request::AddSource { source: offline("") }), Status::InvalidName);
    assert_eq!(daemon.ask(Request::SourceCount), Answer::SourceCount(2).into());
    let address = ip("127.0.9.2");
    let nobody = ip("127.0.9.3");
    assert_eq!(daemon.ordered(Request::ModifyMinpoll { address, min_poll: 4 }), Status::Success);
    assert_eq!(daemon.ordered(Request::ModifyMinpoll { address, min_poll: 99 }), Status::Invalid);
    assert_eq!(
        daemon.ordered(Request::ModifyMinpoll { address: nobody, min_poll: 4 }),
        Status::NoSuchSource
    );
    let options = Request::ModifySelectOptions {
        address,
        reference_id: ReferenceId::NONE,
        mask: SelectMask::PREFER | SelectMask::TRUST,
        options: SourceFlags::TRUST,
    };
    assert_eq!(daemon.ordered(options), Status::Success);
    let Answer::SelectData(select) = daemon.order(Request::SelectData { index: 1 }).answer else {
        panic!("no selection");
    };
    assert_eq!(select.configured, timeball_wire::cmdmon::SelectOptions::TRUST);
    let all = Address::Unspecified;
    let network = (ip("255.255.255.0"), ip("198.51.100.0"));
    assert_eq!(
        daemon.ordered(Request::Offline { mask: network.0, address: network.1 }),
        Status::NoSuchSource
    );
    assert_eq!(daemon.ordered(Request::Offline { mask: all, address: all }), Status::Success);
    let Answer::Activity(activity) = daemon.order(Request::Activity).answer else {
        panic!("no activity");
    };
    assert_eq!((activity.online, activity.offline), (0, 2));
    assert_eq!(daemon.ordered(Request::DeleteSource { address }), Status::Success);
    assert_eq!(daemon.ordered(Request::DeleteSource { address }), Status::NoSuchSource);
    assert_eq!(daemon.ask(Request::SourceCount), Answer::SourceCount(1).into());
}

#[test]
fn the_operator_changes_access() {
    let mut daemon = Daemon::start(|_| {});
    let (address, net) = (ip("192.0.2.77"), ip("192.0.2.0"));
    let serve = Request::AccessCheck { address };
    let admit = Request::CommandAccessCheck { address };
    assert_eq!(daemon.ordered(serve), Status::AccessDenied);
    assert_eq!(daemon.ordered(admit), Status::AccessDenied);
    assert_eq!(daemon.ordered(Request::CommandAllow { address: net, bits: 24 }), Status::Success);
    assert_eq!(daemon.ordered(admit), Status::AccessAllowed);
    assert_eq!(daemon.ordered(serve), Status::AccessDenied);
    assert_eq!(
        daemon.ordered(Request::CommandDenyAll { address: Address::Unspecified, bits: 0 }),
        Status::Success
    );
    assert_eq!(daemon.ordered(admit), Status::AccessDenied);
    assert_eq!(daemon.ordered(Request::Deny { address: net, bits: 33 }), Status::BadSubnet);
    assert_eq!(
        daemon.ordered(Request::CommandAccessCheck { address: ip("127.0.0.1") }),
        Status::AccessAllowed
    );
}

#[test]
fn what_there_is_not_is_said_honestly() {
    let mut daemon = Daemon::start(|_| {});
    for (request, status) in [
        (Request::WriteRtc, Status::NoRtc),
        (Request::TrimRtc, Status::NoRtc),
        (Request::Rekey, Status::Success),
        (Request::MakeStep, Status::Failed),
        (Request::Manual { option: 7 }, Status::Invalid),
        (Request::ManualDelete { index: 0 }, Status::BadSample),
        (Request::Settime { time: Timestamp::from_nanos(1).into() }, Status::NotEnabled),
        (Request::Smoothtime { option: 0 }, Status::NotEnabled),
        (Request::Smoothtime { option: 5 }, Status::Invalid),
        (Request::Reselect, Status::Success),
        (Request::Refresh, Status::Success),
        (Request::Manual { option: 1 }, Status::Success),
    ] {
        assert_eq!(daemon.ordered(request), status, "{request:?}");
    }
}

#[test]
fn a_shutdown_ends_the_daemon() {
    let mut daemon = Daemon::start(|_| {});
    assert_eq!(daemon.ordered(Request::Shutdown), Status::Success);
    assert_eq!(daemon.event_loop.signals_taken(), [Signal::Terminate]);
}

#[test]
fn clients_are_logged_and_counted() {
    let mut daemon = Daemon::start(|config| {
        config.engine.server.allow = vec!["127.0.0.0/8".parse().unwrap()];
        config.serve.port = 0;
        config.serve.bind_addresses = vec!["127.0.0.1".parse().unwrap()];
    });
    for _ in 0..3 {
        daemon.ask(Request::Tracking);
    }
    let Answer::ServerStats4(stats) = daemon.order(Request::ServerStats).answer else {
        panic!("no statistics");
    };
    // This one included.
    assert_eq!((stats.command_hits, stats.command_drops, stats.ntp_hits), (4, 0, 0));
    let everybody = Request::ClientAccesses { first_index: 0, clients: 8, min_hits: 1, reset: 1 };
    let Answer::ClientAccesses(accesses) = daemon.order(everybody).answer else {
        panic!("no clients");
    };
    assert_eq!(accesses.clients.len(), 1);
    assert_eq!(accesses.next_index, accesses.indices);
    let client = &accesses.clients[0];
    assert_eq!((client.address, client.command_hits), (ip("127.0.0.1"), 3));
    assert_eq!((client.ntp_hits, client.last_ntp_hit_ago), (0, u32::MAX));
    let Answer::ClientAccesses(accesses) = daemon.order(everybody).answer else {
        panic!("no clients");
    };
    assert_eq!(accesses.clients.len(), 0, "the counts began anew");
}

#[test]
fn strangers_get_no_reply() {
    let mut daemon = Daemon::start(|config| {
        config.chronyc.bind_addresses = vec!["127.0.0.2".parse().unwrap()];
        config.chronyc.rate_limit =
            Some(RateLimit { interval: 1000.0, burst: 1, leak: 0, kiss: 0 });
    });
    let stranger = UdpSocket::bind("127.0.0.9:0").unwrap();
    stranger.connect(daemon.network.peer_addr().unwrap()).unwrap();
    stranger.set_nonblocking(true).unwrap();
    daemon.network = stranger;
    assert_eq!(daemon.send(&emitted(Request::Tracking)), None);
    assert_eq!(
        daemon.ordered(Request::CommandAllow { address: ip("127.0.0.9"), bits: 32 }),
        Status::Success
    );
    assert!(daemon.send(&emitted(Request::Tracking)).is_some());
    assert_eq!(daemon.send(&emitted(Request::Tracking)), None, "one too many");
}

#[test]
fn a_reload_moves_the_sockets_and_keeps_those_that_stay() {
    let mut daemon = Daemon::start(|_| {});
    let before: Vec<SocketAddr> = daemon.event_loop.commands.sockets.addresses().collect();
    let mut config = daemon.event_loop.config.clone();
    config.chronyc.port = Some(before[0].port());
    let moved: PathBuf = daemon.directory.path().join("moved.sock");
    config.chronyc.socket = Some(moved.clone());
    config.chronyc.open_commands.clear();
    daemon.event_loop.configure(config.clone()).unwrap();
    assert_eq!(daemon.ask(Request::Tracking), Status::Unauthorised.into());
    assert!(!daemon.directory.path().join("chronyd.sock").exists());
    daemon.local.connect(&moved).unwrap();
    assert_eq!(daemon.ordered(Request::Reselect), Status::Success);
    config.chronyc.socket = None;
    config.chronyc.port = None;
    daemon.event_loop.configure(config).unwrap();
    assert!(!moved.exists());
    assert_eq!(daemon.event_loop.commands.sockets.addresses().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever comes, the reply is no longer, and the daemon goes on.
    #[test]
    fn any_request_is_survived_and_no_reply_is_longer(
        command in 0..80_u16,
        data in prop::collection::vec(any::<u8>(), 0..560),
        version in prop_oneof![8 => Just(6_u8), 1 => any::<u8>()],
    ) {
        thread_local! {
            static DAEMON: std::cell::RefCell<Daemon> = std::cell::RefCell::new(
                Daemon::start(with_sources(&["127.0.9.1", "127.0.9.2"])),
            );
        }
        DAEMON.with_borrow_mut(|daemon| {
            let [high, low] = command.to_be_bytes();
            let mut bytes = vec![version, 1, 0, 0, high, low, 0, 0, 1, 2, 3, 4];
            bytes.resize(20, 0);
            bytes.extend(data);
            for reply in [daemon.send(&bytes), daemon.send_local(&bytes)].into_iter().flatten() {
                prop_assert!(reply.len() <= bytes.len());
                prop_assert!(Reply::parse(&reply, command, 0x0102_0304).is_ok());
            }
            Ok(())
        })?;
    }
}
