//! What the service manager hears. One test, because the environment belongs to the process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::net::UnixDatagram;

use timeball_host::service;
use timeball_wire::time::Span;

fn set_variable(name: &str, value: &str) {
    // SAFETY: this process has one test and no thread that reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
}

#[test]
fn the_service_manager_hears_what_it_is_told() {
    // Without a service manager nothing happens, successfully.
    service::ready("starting").unwrap();
    assert_eq!(service::watchdog_interval(), None);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    set_variable("NOTIFY_SOCKET", path.to_str().unwrap());
    let heard = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    service::ready("no source yet").unwrap();
    assert_eq!(heard(), "READY=1\nSTATUS=no source yet\n");
    service::status("two\nlines").unwrap();
    assert_eq!(heard(), "STATUS=two lines\n");
    service::reloading().unwrap();
    let reloading = heard();
    let microseconds = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(microseconds.trim().parse::<u64>().unwrap() > 0);
    service::alive().unwrap();
    assert_eq!(heard(), "WATCHDOG=1\n");
    service::stopping().unwrap();
    assert_eq!(heard(), "STOPPING=1\n");

    set_variable("WATCHDOG_USEC", "3000000");
    assert_eq!(service::watchdog_interval(), Some(Span::from_secs(3)));
    set_variable("WATCHDOG_PID", "1");
    assert_eq!(service::watchdog_interval(), None);

    drop(manager);
    service::alive().unwrap_err();
}
