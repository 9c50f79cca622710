//! A list of leap seconds, from its file to what people see.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::turn_until;
use timeball_config::Dialect;
use timeball_daemon::demo::DemoServers;
use timeball_daemon::{ClockControl, ConfigFile, EventLoop};
use timeball_wire::Span;

#[test]
fn the_offset_follows_the_file_at_start_and_at_each_reload() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let servers = DemoServers::start(&[Span::ZERO]).unwrap();
    let server = servers.addresses()[0];
    let configure = |leap_seconds: &str| {
        let text = format!(
            "[[server]]\naddress = '{}'\nport = {}\nminpoll = -4\nmaxpoll = -4\n\
             [clock]\ncontrol = false\nleap-seconds-list = {leap_seconds}\n\
             [files]\nstate-directory = {:?}\n[control]\nsocket = {:?}\n",
            server.ip(),
            server.port(),
            path("state"),
            path("socket")
        );
        fs::write(path("timeball.toml"), text).unwrap();
    };
    let named = format!("{:?}", path("leap-seconds.list"));
    configure(&named);
    // Expired long ago: the last offset holds all the same.
    fs::write(path("leap-seconds.list"), "#@ 3900000000\n3644697600 36\n3692217600 37\n").unwrap();

    let file = ConfigFile { path: path("timeball.toml"), dialect: Dialect::Native };
    let mut daemon = EventLoop::from_file(file, ClockControl::Never).unwrap();
    assert_eq!(daemon.report().unwrap().tracking.tai_offset, None, "not synchronised yet");
    let report = turn_until(&mut daemon, |report| report.tracking.synchronised);
    assert_eq!(report.tracking.tai_offset, Some(37));

    fs::write(path("leap-seconds.list"), "#@ 3900000000\n3692217600 37\n3723753600 38\n").unwrap();
    daemon.reload().unwrap().unwrap();
    assert_eq!(daemon.report().unwrap().tracking.tai_offset, Some(38));

    fs::write(path("leap-seconds.list"), "#@ 3900000000\n3692217600 37\n3723753600 39\n").unwrap();
    let refused = daemon.reload().unwrap().unwrap_err();
    assert!(refused.contains("jumps from 37 s to 39 s in line 3"), "{refused}");
    assert_eq!(daemon.report().unwrap().tracking.tai_offset, Some(38), "nothing has changed");

    configure("false");
    daemon.reload().unwrap().unwrap();
    assert_eq!(daemon.report().unwrap().tracking.tai_offset, None);
}
