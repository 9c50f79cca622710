//! `tracking`: how the system clock is doing.

use std::io::Write;

use timeball_wire::cmdmon::{Answer, Request, Tracking};

use super::{address_value, leap_value, leap_words, seconds, time_value};
use crate::chronyc::names::reference_hex;
use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::{Named, Session};
use crate::chronyc::trouble::{Outcome, Trouble};

/// Names are not cut here.
const WIDTH: usize = 255;

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let Answer::Tracking(tracking) = session.fetch(&Request::Tracking)? else {
        return Err(Trouble::BadReply);
    };
    let name = session.name_of(Named::source(tracking.address, tracking.reference_id), WIDTH);
    Ok(session.output.report(&record(&tracking, &name))?)
}

fn record(tracking: &Tracking, name: &str) -> Record {
    let id = reference_hex(tracking.reference_id);
    let system_offset = seconds(tracking.system_offset);
    let [last_offset, rms_offset] = [tracking.last_offset, tracking.rms_offset].map(seconds);
    let [root_delay, dispersion] = [tracking.root_delay, tracking.root_dispersion].map(seconds);
    let [frequency, residual, skew] =
        [tracking.frequency, tracking.residual_frequency, tracking.skew].map(f64::from);
    let interval = seconds(tracking.update_interval);
    Record::new()
        .words("Reference ID    : ")
        .value("reference_id", id.as_str(), Cell::plain(&id))
        .words(" (")
        .value("reference_name", name, Cell::plain(name))
        .member("reference_address", address_value(tracking.address))
        .words(")\nStratum         : ")
        .value("stratum", tracking.stratum, Cell::plain(tracking.stratum))
        .words("\nRef time (UTC)  : ")
        .value(
            "reference_time",
            time_value(tracking.reference_time),
            Cell::time(tracking.reference_time),
        )
        .words("\nSystem time     : ")
        .value("system_clock_slow_seconds", system_offset, Cell::correction(system_offset))
        .words(" of NTP time\nLast offset     : ")
        .value("last_offset_seconds", last_offset, Cell::signed(last_offset, 9))
        .words(" seconds\nRMS offset      : ")
        .value("rms_offset_seconds", rms_offset, Cell::decimals(rms_offset, 9))
        .words(" seconds\nFrequency       : ")
        .value("frequency_fast_ppm", frequency, Cell::rate(frequency))
        .words("\nResidual freq   : ")
        .value("residual_frequency_ppm", residual, Cell::signed(residual, 3))
        .words(" ppm\nSkew            : ")
        .value("skew_ppm", skew, Cell::decimals(skew, 3))
        .words(" ppm\nRoot delay      : ")
        .value("root_delay_seconds", root_delay, Cell::decimals(root_delay, 9))
        .words(" seconds\nRoot dispersion : ")
        .value("root_dispersion_seconds", dispersion, Cell::decimals(dispersion, 9))
        .words(" seconds\nUpdate interval : ")
        .value("update_interval_seconds", interval, Cell::decimals(interval, 1))
        .words(" seconds\nLeap status     : ")
        .value("leap", leap_value(tracking.leap), Cell::plain(leap_words(tracking.leap)))
}

#[cfg(test)]
mod tests {
    use timeball_wire::cmdmon::{Address, Float, Reserved, Timespec};
    use timeball_wire::{LeapIndicator, ReferenceId};

    use super::*;

    fn tracking() -> Tracking {
        Tracking {
            reference_id: ReferenceId::from_bytes([192, 0, 2, 1]),
            address: Address::Ip("192.0.2.1".parse().unwrap()),
            stratum: 3,
            reserved: Reserved,
            leap: LeapIndicator::NoWarning,
            reference_time: Timespec { seconds: 1_795_321_335, nanoseconds: 250_000_000 },
            system_offset: Float::from(-0.000_001_5),
            last_offset: Float::from(0.000_5),
            rms_offset: Float::from(0.000_25),
            frequency: Float::from(-12.5),
            residual_frequency: Float::from(0.125),
            skew: Float::from(0.5),
            root_delay: Float::from(0.015_625),
            root_dispersion: Float::from(0.000_976_562_5),
            update_interval: Float::from(64.25),
        }
    }

    #[test]
    fn three_presentations() {
        let record = record(&tracking(), "ntp.example.net");
        insta::assert_snapshot!(record.text(), @r"
        Reference ID    : C0000201 (ntp.example.net)
        Stratum         : 3
        Ref time (UTC)  : Sun Nov 22 04:22:15 2026
        System time     : 0.000001500 seconds fast of NTP time
        Last offset     : +0.000500000 seconds
        RMS offset      : 0.000250000 seconds
        Frequency       : 12.500 ppm slow
        Residual freq   : +0.125 ppm
        Skew            : 0.500 ppm
        Root delay      : 0.015625000 seconds
        Root dispersion : 0.000976562 seconds
        Update interval : 64.2 seconds
        Leap status     : Normal
        ");
        assert_eq!(
            record.csv(),
            "C0000201,ntp.example.net,3,1795321335.250000000,-0.000001500,0.000500000,0.000250000,\
             -12.500,0.125,0.500,0.015625000,0.000976562,64.2,Normal"
        );
        let json = record.json();
        assert_eq!(json["reference_address"], "192.0.2.1");
        assert_eq!(json["reference_time"], "2026-11-22T04:22:15.25Z");
        assert_eq!(json["frequency_fast_ppm"], -12.5);
        assert_eq!(json["leap"], "normal");
    }

    #[test]
    fn a_clock_without_a_reference() {
        let tracking = Tracking {
            reference_id: ReferenceId::from_bytes([127, 127, 1, 1]),
            address: Address::Unspecified,
            leap: LeapIndicator::Unsynchronised,
            system_offset: Float::ZERO,
            frequency: Float::ZERO,
            ..tracking()
        };
        let record = record(&tracking, "");
        assert!(record.text().starts_with("Reference ID    : 7F7F0101 ()\n"));
        assert!(record.text().contains("System time     : 0.000000000 seconds fast of NTP time\n"));
        assert!(record.text().contains("Frequency       : 0.000 ppm slow\n"));
        assert!(record.text().ends_with("Leap status     : Not synchronised"));
        assert!(record.json()["reference_address"].is_null());
    }
}
