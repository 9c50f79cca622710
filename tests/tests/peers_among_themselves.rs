//! The harness itself: the peers agree with each other as they must, before timeball is judged
//! by them.

use std::net::SocketAddr;

use timeball_interop::capture::{CAPTURE, Capture};
use timeball_interop::namespace::Laboratory;
use timeball_interop::need::{self, LABORATORY, Need};
use timeball_interop::peer::chrony::{self, Chronyd, Truth};
use timeball_interop::peer::installation::Peer;
use timeball_interop::peer::ntpsec;

/// One clock, two user-space paths between its readings.
const SAME: f64 = 0.001;

#[test]
fn a_shifted_server_is_shifted_for_everybody() {
    let needs = [Need::Unpacked(Peer::Chrony), Need::Unpacked(Peer::Ntpsec)];
    if !need::met(&[&LABORATORY[..], &CAPTURE, &needs].concat()) {
        return;
    }
    let laboratory = Laboratory::new();
    let [shifted, honest, judge] = ["shifted", "honest", "judge"].map(|name| laboratory.host(name));
    let capture = Capture::start(&laboratory);
    let _shifted = Chronyd::start(&shifted, Truth::Shifted(0.5));
    let _honest = ntpsec::Ntpd::start(&honest);

    let offset = chrony::measure(&judge, SocketAddr::new(shifted.address(), 123));
    assert!((offset - 0.5).abs() < SAME, "chronyd -Q measured {offset}");
    let dug = ntpsec::dig(&judge, shifted.address());
    dug.assert_agrees_with(0.5);

    let offset = chrony::measure(&judge, SocketAddr::new(honest.address(), 123));
    assert!(offset.abs() < SAME, "chronyd -Q measured {offset}");
    let dug = ntpsec::dig(&judge, honest.address());
    dug.assert_agrees_with(0.0);
    assert_eq!((dug.stratum, dug.leap.as_str()), (1, "no-leap"));

    let packets = capture.finish();
    let answers = packets.iter().filter(|packet| packet.mode == 4).count();
    assert!(answers >= 6, "two bursts and two questions gave {answers} answers");
}
