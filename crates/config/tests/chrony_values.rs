//! What every directive and every option of chrony.conf comes to, value by value.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use timeball_auth::KeyId;
use timeball_auth::nts::AeadAlgorithm;
use timeball_config::{
    Card, Certificate, ClientPort, Compensation, Config, Dialect, DriftFile, InitialCorrection,
    ReceiveFilter, Record, Temperature, Timestamping, TrustedCertificates, chrony, parse,
};
use timeball_core::association::{Authentication, Connectivity, NtsServer, PollInterval};
use timeball_core::discipline::{LeapMode, MaxChange};
use timeball_core::estimator::Method;
use timeball_core::reference_clock::{self, Driver, TimeScale};
use timeball_core::selection::AuthenticationPolicy;
use timeball_core::server::{Broadcast, ClientLog, RateLimit, Smoothing};
use timeball_core::settings::{Family, Local, SourceKind, SourceSettings};
use timeball_wire::ReferenceId;

fn read(text: &str) -> Config {
    parse("chrony.conf", text, Dialect::Chrony).unwrap_or_else(|error| panic!("{error}")).config
}

/// A directive, and what it changes in a configuration that says nothing.
type Case = (&'static str, fn(&mut Config));

const DIRECTIVES: &[Case] = &[
    // Time sources; their options have a table of their own.
    ("initstepslew 30 a.example 192.0.2.1", |c| {
        let servers = vec!["a.example".into(), "192.0.2.1".into()];
        c.clock.initial = Some(InitialCorrection { threshold: 30.0, servers });
    }),
    ("initstepslew 30", |_| {}),
    ("manual", |c| c.clock.manual = true),
    ("acquisitionport 1123", |c| c.network.client_port = ClientPort::Fixed(1123)),
    ("acquisitionport 0", |c| c.network.client_port = ClientPort::Shared),
    ("bindacqaddress 192.0.2.7", |_| {}),
    ("bindacqdevice eth0", |_| {}),
    ("dscp 46", |c| c.network.dscp = 46),
    ("dumpdir /var/lib/chrony", |c| c.files.dump_directory = Some("/var/lib/chrony".into())),
    ("maxsamples 10", |_| {}),
    ("minsamples 10", |_| {}),
    // Source selection.
    ("ntsrefresh 3600", |c| c.engine.nts.refresh = 3600.0),
    ("nosystemcert", |c| c.nts.system_certificates = false),
    ("nocerttimecheck 2", |c| {
        c.nts.unchecked_updates = 2;
        c.nts.bound_by_certificates = false;
    }),
    ("nocerttimecheck 0", |c| c.nts.unchecked_updates = 0),
    ("ntstrustedcerts /a\nntstrustedcerts 3 /b", |c| {
        let path = |set, path: &str| TrustedCertificates { set, path: path.into() };
        c.nts.trusted = vec![path(0, "/a"), path(3, "/b")];
    }),
    ("authselectmode require", |c| {
        c.engine.selection.authentication = AuthenticationPolicy::Require;
    }),
    ("authselectmode Prefer", |c| {
        c.engine.selection.authentication = AuthenticationPolicy::Prefer;
    }),
    ("authselectmode mix", |_| {}),
    ("authselectmode ignore", |c| {
        c.engine.selection.authentication = AuthenticationPolicy::Ignore;
    }),
    ("keyfile /etc/chrony/chrony.keys", |c| {
        c.files.key_file = Some("/etc/chrony/chrony.keys".into());
    }),
    ("combinelimit 0", |c| c.engine.selection.combine_limit = 0.0),
    ("maxdistance 0.25", |c| c.engine.selection.maximum_distance = 0.25),
    ("maxjitter 0.01", |c| c.engine.selection.maximum_jitter = 0.01),
    ("maxstratum 5", |c| c.engine.selection.maximum_stratum = 5),
    ("minstratum 2", |c| c.engine.selection.minimum_stratum = 2),
    ("minsources 3", |c| c.engine.selection.minimum_sources = 3),
    ("reselectdist 1e-5", |c| c.engine.selection.reselect_distance = 1e-5),
    ("stratumweight 0", |c| c.engine.selection.stratum_weight = 0.0),
    // System clock.
    ("corrtimeratio 10", |c| c.engine.discipline.correction_time_ratio = Some(10.0)),
    ("driftfile /var/lib/chrony/drift", |c| {
        c.files.drift_file =
            DriftFile::At { path: "/var/lib/chrony/drift".into(), interval: 3600.0 };
    }),
    ("driftfile /drift interval 60", |c| {
        c.files.drift_file = DriftFile::At { path: "/drift".into(), interval: 60.0 };
    }),
    ("fallbackdrift 16 19", |c| c.engine.discipline.fallback_drift = Some((16, 19))),
    ("fallbackdrift 0 0", |_| {}),
    ("fallbackdrift 19 16", |_| {}),
    ("leapsecmode system", |_| {}),
    ("leapsecmode step", |c| c.engine.discipline.leap_mode = LeapMode::Step),
    ("leapsecmode slew", |c| c.engine.discipline.leap_mode = LeapMode::Slew),
    ("leapsecmode ignore", |c| c.engine.discipline.leap_mode = LeapMode::Ignore),
    ("leapsectz right/UTC", |c| c.clock.leap_seconds_zone = Some("right/UTC".into())),
    ("leapseclist /leap-seconds.list", |c| {
        c.clock.leap_seconds_list = Some("/leap-seconds.list".into());
    }),
    ("makestep 0.1 3", |c| {
        c.engine.discipline.step_threshold = 0.1;
        c.engine.discipline.step_limit = Some(3);
    }),
    ("makestep 1 -1", |c| c.engine.discipline.step_limit = None),
    ("maxchange 1000 1 2", |c| {
        c.engine.discipline.max_change =
            Some(MaxChange { threshold: 1000.0, start: 1, ignore: Some(2) });
    }),
    ("maxchange 0.5 0 -1", |c| {
        c.engine.discipline.max_change = Some(MaxChange { threshold: 0.5, start: 0, ignore: None });
    }),
    ("maxchange 0.5 -1 0", |_| {}),
    ("maxclockerror 5", |c| c.engine.discipline.wander = 5e-6),
    ("maxdrift 500", |c| c.engine.discipline.max_frequency = 500e-6),
    ("maxdrift 500000", |_| {}),
    ("maxslewrate 500", |c| c.engine.discipline.max_slew = 500e-6),
    ("maxslewrate 100001", |c| c.engine.discipline.max_slew = 0.1),
    ("maxupdateskew 100.0", |c| c.engine.discipline.max_update_skew = 100e-6),
    ("tempcomp /temp 30 26000 0.0 0.000183 0.0", |c| {
        c.clock.temperature = Some(Temperature {
            file: "/temp".into(),
            interval: 30.0,
            compensation: Compensation::Quadratic { t0: 26000.0, k0: 0.0, k1: 0.000183, k2: 0.0 },
        });
    }),
    ("tempcomp /temp 30 /etc/points", |c| {
        c.clock.temperature = Some(Temperature {
            file: "/temp".into(),
            interval: 30.0,
            compensation: Compensation::Points("/etc/points".into()),
        });
    }),
    ("rtcsync", |c| c.clock.sync_battery_clock = true),
    // NTP server.
    ("allow", |c| c.engine.server.allow = vec![net("0.0.0.0/0"), net("::/0")]),
    ("deny", |_| {}),
    ("bindaddress 192.0.2.1", |c| c.serve.bind_addresses = addresses(&["192.0.2.1", "::"])),
    ("bindaddress ::1\nbindaddress 127.0.0.1", |c| {
        c.serve.bind_addresses = addresses(&["127.0.0.1", "::1"]);
    }),
    ("binddevice eth1", |c| c.serve.bind_device = Some("eth1".into())),
    ("broadcast 60 192.0.2.255", |c| {
        let destination = "192.0.2.255:123".parse().unwrap();
        c.engine.server.broadcasts = vec![Broadcast { interval: 60.0, destination }];
    }),
    ("broadcast 10 ff02::101 1123\nbroadcast 20 192.0.2.255", |c| {
        let to = |interval: f64, to: &str| Broadcast { interval, destination: to.parse().unwrap() };
        c.engine.server.broadcasts =
            vec![to(10.0, "[ff02::101]:1123"), to(20.0, "192.0.2.255:123")];
    }),
    ("broadcast 60 192.0.2.255\nport 0", |_| {}),
    ("clientloglimit 1000000", |c| {
        c.engine.server.client_log = Some(ClientLog { limit: 1_000_000 });
    }),
    ("noclientlog", |c| c.engine.server.client_log = None),
    ("noclientlog\nclientloglimit 5", |c| c.engine.server.client_log = None),
    ("local", |c| c.engine.local = Some(Local::default())),
    ("local stratum 8 orphan", |c| {
        c.engine.local = Some(Local {
            stratum: 8,
            orphan: true,
            wait_unsynchronised: 300.0,
            ..Local::default()
        });
    }),
    ("local Distance 0.1 activate 0.2 waitsynced 3 waitunsynced 4 orphan", |c| {
        c.engine.local = Some(Local {
            stratum: 10,
            distance: 0.1,
            activate: 0.2,
            orphan: true,
            wait_synchronised: 3.0,
            wait_unsynchronised: 4.0,
        });
    }),
    ("port 1123", |c| c.serve.port = 1123),
    ("port 0\nallow", |_| {}),
    ("ratelimit", |c| {
        c.engine.server.rate_limit = Some(RateLimit { interval: 8.0, burst: 8, leak: 4, kiss: 0 });
    }),
    ("ratelimit interval -4 burst 16 leak 1 kod 3", |c| {
        c.engine.server.rate_limit =
            Some(RateLimit { interval: 0.0625, burst: 16, leak: 2, kiss: 8 });
    }),
    ("ratelimit interval 30 burst 0 leak 9 kod 9", |c| {
        c.engine.server.rate_limit =
            Some(RateLimit { interval: 4096.0, burst: 1, leak: 16, kiss: 16 });
    }),
    ("smoothtime 400 0.01", |c| {
        c.engine.server.smoothing =
            Some(Smoothing { max_frequency: 400e-6, max_wander: 0.01e-6, leap_only: false });
    }),
    ("smoothtime 50000 1 leaponly", |c| {
        c.engine.server.smoothing =
            Some(Smoothing { max_frequency: 0.05, max_wander: 1e-6, leap_only: true });
    }),
    // Command access.
    ("bindcmdaddress 0.0.0.0", |c| c.chronyc.bind_addresses = addresses(&["0.0.0.0", "::1"])),
    ("bindcmdaddress /run/c.sock", |c| c.chronyc.socket = Some("/run/c.sock".into())),
    ("bindcmdaddress /", |c| c.chronyc.socket = None),
    ("bindcmddevice lo", |c| c.chronyc.bind_device = Some("lo".into())),
    ("cmdallow 192.0.2", |c| c.chronyc.allow = vec![net("192.0.2.0/24")]),
    ("cmdallow 10/8\ncmddeny 10.1.2.3", |c| {
        c.chronyc.allow = vec![net("10.0.0.0/8")];
        c.chronyc.deny = vec![net("10.1.2.3/32")];
    }),
    ("cmdport 1323", |c| c.chronyc.port = Some(1323)),
    ("cmdport 0", |c| c.chronyc.port = None),
    ("cmdratelimit", |c| {
        c.chronyc.rate_limit = Some(RateLimit { interval: 0.0625, burst: 8, leak: 4, kiss: 0 });
    }),
    ("cmdratelimit interval 1 burst 4 leak 3", |c| {
        c.chronyc.rate_limit = Some(RateLimit { interval: 2.0, burst: 4, leak: 8, kiss: 0 });
    }),
    ("opencommands tracking Tracking ntpdata", |c| {
        c.chronyc.open_commands = vec!["tracking".into(), "ntpdata".into()];
    }),
    ("opencommands", |c| c.chronyc.open_commands = vec![]),
    // Network.
    ("hwtimestamp *", |c| {
        c.network.timestamping = Timestamping::Hardware;
        c.network.cards = vec![Card::new("*")];
    }),
    (
        "hwtimestamp eth0 minpoll -2 maxpoll 3 minsamples 4 maxsamples 20 nocrossts \
         precision 50e-9 txcomp 300e-9 rxcomp -645e-9 rxfilter ptp\nhwtimestamp eth1 rxfilter none",
        |c| {
            c.network.timestamping = Timestamping::Hardware;
            c.network.cards = vec![
                Card {
                    transmit_compensation: 300e-9,
                    receive_compensation: -645e-9,
                    receive_filter: ReceiveFilter::Ptp,
                    cross_timestamps: false,
                    ..Card::new("eth0")
                },
                Card { receive_filter: ReceiveFilter::None, ..Card::new("eth1") },
            ];
        },
    ),
    ("ptpport 0", |_| {}),
    // NTS.
    ("ntsdumpdir /a\nntscachedir /b", |c| c.nts.directory = Some("/b".into())),
    ("ntsaeads 15 99 30", |c| {
        c.nts.algorithms = vec![AeadAlgorithm::AesSivCmac256, AeadAlgorithm::Aes128GcmSiv];
    }),
    ("ntsserverkey /b\nntsservercert /a\nntsservercert /c\nntsserverkey /d", |c| {
        let pair =
            |file: &str, key: &str| Certificate { file: file.into(), private_key: key.into() };
        c.serve.key_establishment.certificates = vec![pair("/a", "/b"), pair("/c", "/d")];
    }),
    ("ntsport 4461", |c| c.serve.key_establishment.port = 4461),
    ("ntsprocesses 0", |c| c.serve.key_establishment.own_thread = false),
    ("ntsprocesses 3", |_| {}),
    ("maxntsconnections 7", |c| c.serve.key_establishment.max_connections = 7),
    ("ntsntpserver ntp.example", |c| {
        c.serve.key_establishment.ntp_server = Some("ntp.example".into());
    }),
    ("ntsrotate 0", |c| c.serve.key_establishment.rotation = None),
    ("ntsrotate 66666", |c| c.serve.key_establishment.rotation = Some(66666.0)),
    ("ntsratelimit interval 3 burst 1 leak 3", |c| {
        c.serve.key_establishment.rate_limit =
            Some(RateLimit { interval: 8.0, burst: 1, leak: 8, kiss: 0 });
    }),
    ("ntsratelimit", |c| {
        c.serve.key_establishment.rate_limit =
            Some(RateLimit { interval: 64.0, burst: 8, leak: 4, kiss: 0 });
    }),
    // Logging.
    ("log tracking rawmeasurements statistics measurements tracking", |c| {
        c.log.records = vec![Record::RawMeasurements, Record::Statistics, Record::Tracking];
    }),
    ("log measurements selection rtc\nlog refclocks tempcomp", |c| {
        c.log.records = vec![
            Record::Measurements,
            Record::Selection,
            Record::BatteryClock,
            Record::ReferenceClocks,
            Record::Temperature,
        ];
    }),
    ("logbanner 0", |c| c.log.banner = 0),
    ("logchange 0.5", |c| c.log.change_threshold = 0.5),
    ("logdir /var/log/chrony", |c| c.files.log_directory = Some("/var/log/chrony".into())),
    // Files and process.
    ("include /nowhere/*.conf", |_| {}),
    ("confdir /nowhere /elsewhere", |_| {}),
    ("sourcedir /a /b\nsourcedir /c", |c| {
        c.files.source_directories = vec!["/a".into(), "/b".into(), "/c".into()];
    }),
    ("pidfile /run/x.pid", |c| c.files.pid_file = Some("/run/x.pid".into())),
    ("pidfile /", |c| c.files.pid_file = None),
    ("user _chrony", |c| c.process.user = Some("_chrony".into())),
    ("user root", |_| {}),
    ("lock_all", |c| c.process.lock_memory = true),
    ("sched_priority 1", |c| c.process.priority = Some(1)),
    ("sched_priority 100", |c| c.process.priority = Some(99)),
    ("sched_priority 0", |_| {}),
    // Of two lines about one thing the last counts, and case makes no difference.
    ("DSCP 1\ndscp 2", |c| c.network.dscp = 2),
    ("DriftFile /A", |c| {
        c.files.drift_file = DriftFile::At { path: "/A".into(), interval: 3600.0 };
    }),
];

/// Options after `server a.example`, or whole lines, and what they change in a source that says
/// nothing.
type SourceCase = (&'static str, fn(&mut SourceSettings));

const OPTIONS: &[SourceCase] = &[
    ("", |_| {}),
    ("minpoll -3 maxpoll 4", |s| {
        s.association.minpoll = PollInterval::new(-3);
        s.association.maxpoll = PollInterval::new(4);
    }),
    ("minpoll 12", |s| {
        s.association.minpoll = PollInterval::new(12);
        s.association.maxpoll = PollInterval::new(12);
    }),
    ("minpoll -8 maxpoll -20", |_| {}),
    ("key 4294967295", |s| {
        s.association.authentication = Authentication::Key(KeyId::new(u32::MAX).unwrap());
    }),
    ("nts", |s| s.association.authentication = Authentication::Nts(NtsServer::default())),
    ("certset 2 nts ntsport 4461", |s| {
        let server = NtsServer { port: 4461, certificate_set: 2 };
        s.association.authentication = Authentication::Nts(server);
    }),
    ("maxpoll 24", |s| s.association.maxpoll = PollInterval::LONGEST),
    ("IBURST", |s| s.association.iburst = true),
    ("burst", |s| {
        s.association.burst = true;
        s.association.max_delay_dev_ratio = Some(10.0);
    }),
    ("maxdelay 0.3", |s| s.association.max_delay = 0.3),
    ("maxdelay 2000", |s| s.association.max_delay = 1000.0),
    ("maxdelayratio 2.5", |s| s.association.max_delay_ratio = Some(2.5)),
    ("maxdelayratio 0.5", |_| {}),
    ("maxdelaydevratio 5", |s| s.association.max_delay_dev_ratio = Some(5.0)),
    ("maxdelayquant 0.3", |s| s.association.max_delay_quantile = Some(0.3)),
    ("maxdelayquant 0.99", |s| s.association.max_delay_quantile = Some(0.95)),
    ("maxdelayquant 0", |_| {}),
    ("mindelay 1e-4", |s| s.estimator.min_delay = 1e-4),
    ("asymmetry 0.25", |s| s.estimator.asymmetry = Some(-0.25)),
    ("asymmetry 1.0", |_| {}),
    ("offset -0.00005", |s| s.association.offset = -0.00005),
    ("minsamples 32", |s| s.estimator.min_samples = 32),
    ("minsamples 0", |s| s.estimator.min_samples = 1),
    ("minsamples 100", |s| s.estimator.min_samples = 64),
    ("maxsamples 4", |s| {
        s.estimator.min_samples = 4;
        s.estimator.max_samples = 4;
    }),
    ("maxsamples 0", |_| {}),
    ("maxunreach 12", |s| s.association.max_unreach = 12),
    ("filter 15", |s| s.association.filter = 15),
    ("filter 0", |_| {}),
    ("offline", |s| s.association.connectivity = Connectivity::Offline),
    ("auto_offline", |s| s.association.connectivity = Connectivity::AutoOffline),
    ("offline auto_offline", |s| s.association.connectivity = Connectivity::Offline),
    ("prefer", |s| s.options.prefer = true),
    ("noselect", |s| s.options.noselect = true),
    ("trust require", |s| {
        s.options.trust = true;
        s.options.require = true;
    }),
    ("xleave", |s| s.association.interleaved = true),
    ("polltarget 30", |s| s.association.poll_target = 30),
    ("port 1123", |s| s.port = 1123),
    ("presend 9", |s| s.association.presend = Some(PollInterval::new(9))),
    ("presend 32", |_| {}),
    ("minstratum 3", |s| s.association.min_stratum = 3),
    ("version 3", |s| s.association.version = 3),
    ("copy", |s| s.association.copy = true),
    ("ipv4", |s| s.family = Some(Family::Ipv4)),
    ("ipv6", |s| s.family = Some(Family::Ipv6)),
    ("ntsport 4461 certset 1", |_| {}),
    ("extfield F323", |s| s.association.monotonic = true),
    ("extfield f323", |s| s.association.monotonic = true),
    ("extfield F324", |_| {}),
    ("extfield 10A", |_| {}),
    ("extfield 10A extfield F323", |s| s.association.monotonic = true),
    ("maxsources 7", |_| {}),
];

type ClockCase = (&'static str, fn(&mut reference_clock::Settings));

fn reference_id(letters: [u8; 4]) -> ReferenceId {
    ReferenceId::from_bytes(letters)
}

const CLOCKS: &[ClockCase] = &[
    ("SHM 3", |_| {}),
    ("SHM 3:perm=0644", |c| c.driver = Driver::SharedMemory { unit: 3, permissions: 0o644 }),
    ("SOCK /run/gps.sock", |c| {
        c.driver = Driver::Socket { path: "/run/gps.sock".into() };
        c.reference_id = reference_id(*b"SOC0");
    }),
    ("SHM 3 refid GPS", |c| c.reference_id = reference_id(*b"GPS\0")),
    ("SHM 3 poll 2 dpoll -2", |c| {
        c.poll = PollInterval::new(2);
        c.driver_poll = PollInterval::new(-2);
    }),
    ("SHM 3 offset -0.125 delay 0.25", |c| {
        c.offset = -0.125;
        c.delay = 0.25;
    }),
    ("SHM 3 stratum 3", |c| c.stratum = 3),
    ("SHM 3 precision 1e-3 maxdispersion 1e-2", |c| {
        c.precision = Some(1e-3);
        c.max_dispersion = Some(1e-2);
    }),
    ("SHM 3 precision 0 maxdispersion 0", |_| {}),
    ("SHM 3 filter 16", |c| c.filter = 16),
    ("SHM 3 minsamples 4 maxsamples 5", |c| {
        c.estimator.min_samples = 4;
        c.estimator.max_samples = 5;
    }),
    ("SHM 3\nmaxsamples 20", |c| c.estimator.max_samples = 20),
    ("SHM 3 maxunreach 7", |c| c.max_unreach = 7),
    ("SHM 3 tai", |c| c.time_scale = TimeScale::Tai),
    ("SHM 3 prefer trust require", |c| {
        c.options.prefer = true;
        c.options.trust = true;
        c.options.require = true;
    }),
    ("SHM 3 noselect", |c| c.options.noselect = true),
    ("SHM 3 rate 5 width 0.1 maxlockage 4", |_| {}),
];

const SOURCES: &[SourceCase] = &[
    ("pool a.example", |s| s.kind = SourceKind::Pool { count: 4 }),
    ("pool a.example maxsources 2 iburst", |s| {
        s.kind = SourceKind::Pool { count: 2 };
        s.association.iburst = true;
    }),
    ("pool a.example maxsources 50", |s| s.kind = SourceKind::Pool { count: 16 }),
    ("peer a.example iburst burst presend 6 copy xleave", |s| {
        s.kind = SourceKind::Peer;
        s.estimator.method = Method::Classic;
        s.association.max_delay_dev_ratio = Some(10.0);
        s.association.interleaved = true;
    }),
    // What holds for all sources, whichever line comes first.
    ("server a.example\nminsamples 10\nmaxsamples 20", |s| {
        s.estimator.min_samples = 10;
        s.estimator.max_samples = 20;
    }),
    ("maxsamples 20\nserver a.example maxsamples 30 minsamples 3", |s| {
        s.estimator.min_samples = 3;
        s.estimator.max_samples = 30;
    }),
    ("server a.example\nbindacqdevice eth0", |s| s.bind_device = Some("eth0".into())),
    ("server 192.0.2.1\nbindacqaddress 192.0.2.7\nbindacqaddress 2001:db8::7", |s| {
        s.name = "192.0.2.1".into();
        s.bind_address = "192.0.2.7".parse().ok();
    }),
    ("server 2001:db8::1\nbindacqaddress 192.0.2.7\nbindacqaddress 2001:db8::7", |s| {
        s.name = "2001:db8::1".into();
        s.bind_address = "2001:db8::7".parse().ok();
    }),
    ("server a.example ipv6\nbindacqaddress 192.0.2.7", |s| s.family = Some(Family::Ipv6)),
];

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn nothing_said_is_what_chronyd_assumes() {
    let config = read("");
    let discipline = &config.engine.discipline;
    assert_eq!(discipline.step_limit, Some(0));
    assert!(discipline.control);
    assert!((discipline.max_slew - 83333.333e-6).abs() < 1e-9);
    assert_eq!(discipline.max_frequency, 100_000e-6);
    assert_eq!(discipline.panic_threshold, f64::INFINITY);
    assert_eq!(discipline.correction_time_ratio, None);
    assert_eq!(discipline.wander, 1e-6);
    assert_eq!(discipline.max_update_skew, 1000e-6);
    assert_eq!((discipline.max_change, discipline.fallback_drift), (None, None));
    assert_eq!(discipline.leap_mode, LeapMode::System);
    assert_eq!(config.clock.leap_seconds_list, None);
    assert!(!config.clock.sync_battery_clock && !config.clock.manual);
    assert_eq!(config.files.drift_file, DriftFile::None);
    assert_eq!(config.files.pid_file.as_deref(), Some("/run/chrony/chronyd.pid".as_ref()));
    assert_eq!(config.chronyc.socket.as_deref(), Some("/run/chrony/chronyd.sock".as_ref()));
    assert_eq!(config.chronyc.port, Some(323));
    assert_eq!(config.chronyc.bind_addresses, addresses(&["127.0.0.1", "::1"]));
    assert_eq!(config.chronyc.rate_limit, None);
    assert_eq!(
        config.chronyc.open_commands,
        [
            "activity",
            "manual",
            "rtcdata",
            "smoothing",
            "sourcename",
            "sources",
            "sourcestats",
            "tracking"
        ]
    );
    let server = &config.engine.server;
    assert_eq!(server.client_log, Some(ClientLog { limit: 524_288 }));
    assert_eq!((server.rate_limit, server.smoothing), (None, None));
    assert!(server.allow.is_empty() && !config.serves());
    assert_eq!(config.serve.port, 123);
    assert_eq!(config.network.timestamping, Timestamping::Kernel);
    assert_eq!(config.network.client_port, ClientPort::PerRequest);
    assert_eq!(config.log.change_threshold, 1.0);
    assert_eq!(config.log.banner, 32);
    assert_eq!(config.process.user, None);
    let selection = &config.engine.selection;
    assert_eq!((selection.maximum_distance, selection.maximum_jitter), (3.0, 1.0));
    assert_eq!((selection.reselect_distance, selection.stratum_weight), (1e-4, 1e-3));
    assert_eq!((selection.combine_limit, selection.minimum_sources), (3.0, 1));
    assert_eq!(selection.authentication, AuthenticationPolicy::Mix);
}

#[test]
fn a_source_of_which_nothing_is_said_is_what_chronyd_assumes() {
    let config = read("server a.example");
    let source = &config.engine.sources[0];
    let association = &source.association;
    assert_eq!((source.port, source.kind), (123, SourceKind::Server));
    assert_eq!((association.minpoll.exponent(), association.maxpoll.exponent()), (6, 10));
    assert!(!association.iburst && !association.burst && !association.interleaved);
    assert_eq!(association.max_delay, 3.0);
    // The one exception: the bank weighs delays itself.
    assert_eq!(association.max_delay_dev_ratio, None);
    let peer = read("peer a.example");
    assert_eq!(peer.engine.sources[0].association.max_delay_dev_ratio, Some(10.0));
    assert_eq!((association.max_delay_ratio, association.max_delay_quantile), (None, None));
    assert_eq!((association.filter, association.max_unreach), (1, 100_000));
    assert_eq!((association.poll_target, association.version), (8, 4));
    assert_eq!((association.presend, association.min_stratum), (None, 0));
    assert_eq!((source.estimator.min_samples, source.estimator.max_samples), (6, 64));
    assert_eq!((source.estimator.min_delay, source.estimator.asymmetry), (0.0, None));
}

#[test]
fn every_directive_comes_to_what_it_says() {
    for (text, change) in DIRECTIVES {
        let mut expected = read("");
        change(&mut expected);
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn every_option_comes_to_what_it_says() {
    let options = OPTIONS.iter().map(|(text, change)| (format!("server a.example {text}"), change));
    let lines = SOURCES.iter().map(|(text, change)| ((*text).to_owned(), change));
    for (text, change) in CLOCKS {
        let shm = Driver::SharedMemory { unit: 3, permissions: 0o600 };
        let mut expected = reference_clock::Settings::new(shm, reference_id(*b"SHM0"));
        change(&mut expected);
        let text = format!("leapsectz right/UTC\nrefclock {text}");
        assert_eq!(read(&text).engine.reference_clocks, [expected], "{text}");
    }
    for (text, change) in options.chain(lines) {
        let mut expected = read("server a.example").engine.sources.remove(0);
        change(&mut expected);
        assert_eq!(read(&text).engine.sources, [expected], "{text}");
    }
}

/// The page lists what the table has: a new directive cannot be forgotten here.
#[test]
fn every_honoured_directive_and_option_has_a_value_here() {
    let words = |texts: Vec<&'static str>| -> BTreeSet<String> {
        texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_ascii_lowercase).collect()
    };
    let mut seen = words(DIRECTIVES.iter().map(|(text, _)| *text).collect());
    seen.extend(words(CLOCKS.iter().map(|(text, _)| *text).collect()));
    seen.insert("refclock".to_owned());
    seen.extend(words(OPTIONS.iter().chain(SOURCES).map(|(text, _)| *text).collect()));
    let page = chrony::compat_page();
    let honoured: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | honoured |"))
        .map(|(name, _)| name)
        .collect();
    assert!(honoured.len() > 90, "{honoured:?}");
    let missing: Vec<_> = honoured.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "no value for {missing:?}");
}

/// A few measurements are enough where no more may be kept.
#[test]
fn a_source_of_one_sample_can_be_selected() {
    let config = read("server a.example maxsamples 1");
    assert_eq!(config.engine.selection.minimum_samples, 1);
    assert_eq!(read("server a.example").engine.selection.minimum_samples, 3);
    assert_eq!(read("refclock SHM 0 maxsamples 2").engine.selection.minimum_samples, 2);
}

#[test]
fn later_lines_about_networks_take_back_earlier_ones() {
    let all = ["0.0.0.0/0", "::/0"];
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("allow", &all, &[]),
        ("allow all", &all, &[]),
        ("allow\ndeny", &[], &[]),
        ("deny\nallow", &all, &[]),
        ("allow 1.2", &["1.2.0.0/16"], &[]),
        ("allow 1.2.3", &["1.2.3.0/24"], &[]),
        ("allow 10", &["10.0.0.0/8"], &[]),
        ("allow 1.2.3/12", &["1.0.0.0/12"], &[]),
        ("allow 0/0", &["0.0.0.0/0"], &[]),
        ("allow 192.0.2.77/24", &["192.0.2.0/24"], &[]),
        ("allow 2001:db8::1", &["2001:db8::1/128"], &[]),
        ("allow 2001:db8::/32\ndeny 2001:db8:1::/48", &["2001:db8::/32"], &["2001:db8:1::/48"]),
        ("allow 1.2.3.4\ndeny 1.2.3\nallow 1.2", &["1.2.3.4/32", "1.2.0.0/16"], &["1.2.3.0/24"]),
        // A rule for all of a network wipes out what was said of its parts.
        ("allow 1.2.3.4\ndeny 1.2.3\nallow all 1.2", &["1.2.0.0/16"], &[]),
        ("allow 1.2.3.4\ndeny all 1.2.3", &[], &[]),
        ("allow 10/8\ndeny 10.0.1\nallow all", &all, &[]),
        // Denying what was never allowed says nothing.
        ("deny 10/8\nallow 192.168/16", &["192.168.0.0/16"], &[]),
        // The table has a step every four bits; within a step the later line wins.
        ("deny 10.0/10\nallow 10.0/9", &["10.0.0.0/9"], &[]),
        ("deny 10.0/13\nallow 10.0/9", &["10.0.0.0/9"], &["10.0.0.0/13"]),
        ("allow 10.0/9\ndeny 10.0/10", &["10.0.0.0/9"], &["10.0.0.0/10"]),
    ];
    for (text, allow, deny) in cases {
        let nets = |texts: &[&str]| texts.iter().map(|text| net(text)).collect::<Vec<_>>();
        let server = read(text).engine.server;
        assert_eq!((server.allow, server.deny), (nets(allow), nets(deny)), "{text}");
        let commands = text.replace("allow", "cmdallow").replace("deny", "cmddeny");
        let chronyc = read(&commands).chronyc;
        assert_eq!((chronyc.allow, chronyc.deny), (nets(allow), nets(deny)), "{commands}");
    }
}
