//! Ten thousand connections that want no keys, and a client that does.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::Write as _;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use timeball_interop::crowd::{Crowd, Tally, may_open};
use timeball_interop::namespace::{Host, Laboratory};
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::nts::{Place, Valid, WITHIN};
use timeball_interop::peer::chrony::Chronyd;
use timeball_interop::peer::installation::Peer;
use timeball_interop::process::run_within;
use timeball_interop::{timeball, wait};

/// For chronyc.
const CHRONY: [Need; 1] = [Need::Unpacked(Peer::Chrony)];

const SIZE: usize = 10_000;
/// Files that this process has open beside the crowd's.
const OTHER_FILES: u64 = 500;
/// Connections that a server takes at once if nobody has said otherwise.
const PLACES: usize = 100;
/// Files and memory (kB) that a server may need for all that.
const FILES: usize = PLACES + 60;
const MEMORY: u64 = 32_768;

/// A line of the kernel's account of a process, in kB.
fn memory(process: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("read a status");
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let words = found.unwrap_or_else(|| panic!("no {line} in {status}"));
    let number = words.split_whitespace().next().expect("a number");
    number.parse().expect("a number")
}

fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).expect("read a folder").count()
}

/// Keys, and an answer with them.
fn gets_keys(client: &Host, server: &Host, place: &Place) {
    let mut command = client.command(&timeball::program());
    command.args(["query", "--nts", "--samples", "1", "--timeout", "60", "--trust"]);
    command.arg(place.certificate()).arg(server.ipv4.to_string());
    let output = run_within(Duration::from_secs(150), &mut command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn ten_thousand_who_want_nothing_do_not_keep_out_one_who_does() {
    if !need::met(&[&LABORATORY[..], &CHRONY].concat()) {
        return;
    }
    if !may_open(SIZE as u64 + OTHER_FILES) {
        let reason =
            "SKIPPED: this process may not open ten thousand files, and not raise the limit";
        assert!(std::env::var_os("TIMEBALL_REQUIRE_ALL").is_none(), "{reason}");
        return writeln!(std::io::stderr(), "{reason}").expect("stderr takes a line");
    }
    let laboratory = Laboratory::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| laboratory.host(name));
    let place = Place::new(one.ipv4.into(), Valid::Now);
    let configuration = format!(
        "local stratum 1\nallow\nntsservercert {}\nntsserverkey {}\n",
        place.certificate().display(),
        place.key().display()
    );
    let server = Chronyd::played_by_timeball(&one, &configuration);
    let process = server.process();
    gets_keys(&two, &one, &place);
    let (files_before, memory_before) = (files(process), memory(process, "VmHWM"));

    // Enough addresses that no limit for one of them is in the crowd's way.
    let service = SocketAddrV4::new(one.ipv4, 4460);
    let crowd = Crowd { service, size: SIZE, most: 20 * SIZE, addresses: 100 };
    crowd.settle(&three);
    let (tally, over) = (Tally::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| three.inside(|| crowd.press(&tally, &over)));
        // Whatever happens here, the crowd goes home.
        let _home = GoesHome(&over);
        wait::until("all of them have come, and were sent away", WITHIN, || {
            let (opened, ended) =
                (tally.opened.load(Ordering::Relaxed), tally.ended.load(Ordering::Relaxed));
            if opened >= SIZE && ended >= PLACES {
                Ok(())
            } else {
                Err(format!("{opened} {ended}"))
            }
        });
        for _ in 0..3 {
            gets_keys(&two, &one, &place);
            assert!(files(process) <= files_before + FILES, "{}", files(process));
        }
    });
    println!("{tally:?}");
    let most = memory(process, "VmHWM") - memory_before;
    println!("{most} kB more than for one client");
    assert!(most < MEMORY, "{most} kB");
    wait::until("nothing is left of them", WITHIN, || {
        let now = files(process);
        if now <= files_before { Ok(()) } else { Err(format!("{now} files")) }
    });
    gets_keys(&two, &one, &place);
}

struct GoesHome<'a>(&'a AtomicBool);

impl Drop for GoesHome<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
