//! Reports for the tests of what is shown.

use std::collections::BTreeMap;

use timeball_core::engine::StampQuality;
use timeball_core::report::{NtsReport, Report, SourceReport, Tracking};
use timeball_core::selection::State;
use timeball_core::server::Counters;
use timeball_wire::{LeapIndicator, ReferenceId};

/// What a terminal without colours would show.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// A daemon in good health, with a source in every kind of state.
pub(crate) fn synchronised() -> Report {
    Report {
        tracking: Tracking {
            synchronised: true,
            reason: "following ntp1.example and 1 other".into(),
            clock_control: true,
            system_peer_name: Some("ntp1.example".into()),
            reference_id: ReferenceId::from_bytes([192, 0, 2, 1]),
            reference: "192.0.2.1".into(),
            stratum: 3,
            leap: LeapIndicator::NoWarning,
            tai_offset: Some(37),
            offset: Some(12.34e-6),
            offset_bound: Some(3.4e-3),
            offset_sd: Some(4.5e-6),
            remaining_correction: -8.1e-6,
            frequency_ppm: -12.345_678,
            frequency_sd_ppm: 0.0123,
            root_delay: 6.1e-3,
            root_dispersion: 0.35e-3,
            update_age: Some(42.0),
            updates: 7,
            steps: 1,
            foreign_steps: 2,
            ..Tracking::default()
        },
        sources: vec![
            measured(1, "ntp1.example", State::Selected, "agrees with 1 other", 12e-6),
            measured(
                2,
                "ntp2.example",
                State::Combined,
                "agrees; 31 µs from the system peer",
                -19e-6,
            ),
            SourceReport {
                pool: true,
                rejected: BTreeMap::from([("wrong-origin".into(), 2), ("max-delay".into(), 1)]),
                ..measured(3, "pool.example", State::Outlier, "others are closer together", 4.1e-3)
            },
            measured(
                4,
                "liar.example",
                State::Falseticker,
                "212.0 ms off, outside the majority interval of ±3.1 ms",
                -0.212,
            ),
            SourceReport {
                reach: 0,
                last_answer: Some(9000.0),
                ..measured(
                    5,
                    "gone.example",
                    State::Unreachable,
                    "no answer to the last 8 requests",
                    1e-3,
                )
            },
            unresolved("new.example"),
        ],
        pools: Vec::new(),
        rejected: BTreeMap::new(),
        smoothing: None,
        server: Some(Counters { answered: 1234, leaked: 3, kissed: 5, ..Counters::default() }),
    }
}

/// A daemon that has just started.
pub(crate) fn starting() -> Report {
    Report {
        tracking: Tracking { reason: "no selectable source".into(), ..Tracking::default() },
        sources: vec![unresolved("new.example")],
        ..Report::default()
    }
}

/// The same, and two of its sources prove who they are, as far as they can.
pub(crate) fn authenticated() -> Report {
    let mut report = synchronised();
    let without = NtsReport {
        algorithm: None,
        age: None,
        cookies: 0,
        attempts: 2,
        failure: Some("TLS: invalid peer certificate: Expired".into()),
        ..nts()
    };
    for (source, nts) in report.sources.iter_mut().zip([nts(), without]) {
        (source.authenticated, source.nts) = (true, Some(nts));
    }
    report
}

/// Keys and cookies of a source that has had them for a while.
pub(crate) fn nts() -> NtsReport {
    NtsReport {
        algorithm: Some(30),
        key_bits: 128,
        sessions: 1,
        age: Some(10_800.0),
        attempts: 0,
        nak: false,
        cookies: 8,
        cookie_len: 68,
        certificate_time_unchecked: false,
        failure: None,
    }
}

fn measured(last_octet: u8, name: &str, state: State, reason: &str, offset: f64) -> SourceReport {
    SourceReport {
        address: Some([192, 0, 2, last_octet].into()),
        state,
        reason: reason.into(),
        reach: 0o377,
        next_poll: Some(22.0),
        last_answer: Some(42.0),
        server_poll: Some(6),
        stratum: Some(2),
        reference_id: Some(ReferenceId::from_bytes([198, 51, 100, 1])),
        reference: "198.51.100.1".into(),
        leap: Some(LeapIndicator::NoWarning),
        offset: Some(offset),
        offset_bound: Some(3.1e-3),
        offset_sd: Some(8e-6),
        frequency_ppm: Some(-12.3),
        frequency_sd_ppm: Some(0.05),
        delay: Some(1.52e-3),
        jitter: Some(23e-6),
        root_delay: Some(6.1e-3),
        root_dispersion: Some(0.3e-3),
        samples: 12,
        transmit_stamp: Some(StampQuality::Kernel),
        receive_stamp: Some(StampQuality::Hardware),
        sent: 20,
        accepted: 17,
        ..unresolved(name)
    }
}

fn unresolved(name: &str) -> SourceReport {
    SourceReport {
        name: name.into(),
        port: 123,
        reason: "its name is being resolved".into(),
        poll: 6,
        version: 4,
        ..SourceReport::default()
    }
}
