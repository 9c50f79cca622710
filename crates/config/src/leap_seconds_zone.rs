//! A time zone of the kind `right/…`: its file lists the leap seconds (RFC 9636).

use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::{fs::File, io};

use thiserror::Error;
use timeball_core::discipline::LeapTable;
use timeball_wire::Timestamp;

/// Where the time zones are.
const DIRECTORY: &str = "/usr/share/zoneinfo";
/// Longest file that is read; a real one has some 2 kB.
const LONGEST: u64 = 1 << 20;
/// TAI − UTC (s) before the first leap second, and when UTC as it is now began: 1972-01-01.
const FIRST: (i64, i32) = (63_072_000, 10);
const DAY: i64 = 86_400;
/// Octets of a header, of which the last 24 are six counts.
const HEADER: usize = 44;

/// Why a time zone says nothing of leap seconds.
#[derive(Debug, Error)]
pub enum LeapZoneError {
    /// It is no name below the directory of time zones.
    #[error("this is not the name of a time zone")]
    Name,
    /// The system does not let us read its file.
    #[error("{path} cannot be read: {cause}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file is not what RFC 9636 describes.
    #[error("its file is not one of a time zone")]
    Format,
    /// It is a time zone that ignores leap seconds, as most do.
    #[error("there are no leap seconds in it; those of right/UTC are")]
    Without,
    /// A leap second is not one second, or not at the end of a day.
    #[error("what it has is no list of leap seconds")]
    Impossible,
}

/// The leap seconds of the time zone `name`, such as `right/UTC`. Such a file mostly does not say how
/// long it is good for: then the table ends with the last leap second that is known.
///
/// # Errors
///
/// Why they cannot be had.
pub(crate) fn open(name: &str) -> Result<LeapTable, LeapZoneError> {
    let relative = Path::new(name);
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(LeapZoneError::Name);
    }
    let path = Path::new(DIRECTORY).join(relative);
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|cause| LeapZoneError::Unreadable { path, cause })?;
    parse(&bytes)
}

/// Reads a file of version 2 or later. Takes any bytes without a panic.
fn parse(bytes: &[u8]) -> Result<LeapTable, LeapZoneError> {
    let first = Block::parse(bytes, 4).ok_or(LeapZoneError::Format)?;
    // What version 1 could say is repeated with times of eight octets.
    let block = bytes.get(first.end..).and_then(|rest| Block::parse(rest, 8));
    let block = block.filter(|_| first.version >= b'2').ok_or(LeapZoneError::Format)?;
    table(block.leaps)
}

/// A header with the data that follow it.
struct Block<'a> {
    version: u8,
    /// Leap seconds: a time of eight octets (in the second block) and the sum so far, of four.
    leaps: &'a [u8],
    end: usize,
}

impl<'a> Block<'a> {
    /// Reads a block whose times have `width` octets.
    fn parse(bytes: &'a [u8], width: usize) -> Option<Self> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let (magic, rest) = header.split_first_chunk::<4>()?;
        let version = *rest.first()?;
        let mut counts = [0; 6];
        for (octets, count) in header.get(20..)?.chunks_exact(4).zip(&mut counts) {
            *count = usize::try_from(u32::from_be_bytes(octets.try_into().ok()?)).ok()?;
        }
        let [utc_marks, standard_marks, leaps, times, types, letters] = counts;
        let before = [times.checked_mul(width + 1)?, types.checked_mul(6)?, letters];
        let start = before.iter().try_fold(HEADER, |sum, size| sum.checked_add(*size))?;
        let leaps_end = start.checked_add(leaps.checked_mul(width + 4)?)?;
        let end = leaps_end.checked_add(utc_marks)?.checked_add(standard_marks)?;
        let leaps = bytes.get(start..leaps_end)?;
        (magic == b"TZif" && end <= bytes.len()).then_some(Self { version, leaps, end })
    }
}

fn table(records: &[u8]) -> Result<LeapTable, LeapZoneError> {
    let (mut entries, mut last, mut sum, mut expiry) = (vec![entry(FIRST)?], FIRST.0, 0, None);
    for record in records.chunks_exact(12) {
        let (time, correction) = record.split_first_chunk::<8>().ok_or(LeapZoneError::Format)?;
        let correction: [u8; 4] = correction.try_into().map_err(|_| LeapZoneError::Format)?;
        let correction = i32::from_be_bytes(correction);
        // These times count the leap seconds that have been.
        let time = i64::from_be_bytes(*time)
            .checked_sub(i64::from(sum))
            .ok_or(LeapZoneError::Impossible)?;
        if expiry.is_some() || time <= last {
            return Err(LeapZoneError::Impossible);
        }
        // A last record that changes nothing is when the file expires (version 4).
        if correction == sum {
            expiry = Some(time);
            continue;
        }
        // A second taken out may be noted where it would have been, one before the end of the day.
        let taken_out = correction < sum && time % DAY == DAY - 1;
        let midnight = if taken_out { time.saturating_add(1) } else { time };
        let known = FIRST.1.checked_add(correction);
        match known.filter(|_| correction.abs_diff(sum) == 1 && midnight % DAY == 0) {
            Some(offset) => entries.push(entry((midnight, offset))?),
            None => return Err(LeapZoneError::Impossible),
        }
        (last, sum) = (midnight, correction);
    }
    if entries.len() == 1 {
        return Err(LeapZoneError::Without);
    }
    let (expiry, _) = entry((expiry.unwrap_or(last), 0))?;
    Ok(LeapTable::new(entries, expiry))
}

fn entry((time, offset): (i64, i32)) -> Result<(Timestamp, i32), LeapZoneError> {
    let nanos = time.checked_mul(1_000_000_000).ok_or(LeapZoneError::Impossible)?;
    Ok((Timestamp::from_nanos(nanos), offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(utc: &str) -> Timestamp {
        utc.parse().unwrap()
    }

    fn header(leaps: u32) -> Vec<u8> {
        let mut header = b"TZif4".to_vec();
        header.resize(20, 0);
        for count in [0, 0, leaps, 0, 1, 4] {
            header.extend(u32::to_be_bytes(count));
        }
        header
    }

    /// A file as `zic` makes it, with one type of four letters.
    fn file(records: &[(i64, i32)]) -> Vec<u8> {
        let mut file = header(0);
        file.extend([0; 10]);
        file.extend(header(records.len() as u32));
        file.extend([0; 10]);
        for (time, sum) in records {
            file.extend(time.to_be_bytes());
            file.extend(sum.to_be_bytes());
        }
        file.extend(b"\nUTC0\n");
        file
    }

    #[test]
    fn times_that_count_leap_seconds_become_midnights() {
        let table = parse(&file(&[(78_796_800, 1), (94_694_401, 2)])).unwrap();
        for (utc, offset) in [
            ("1971-12-31T23:59:59Z", None),
            ("1972-01-01T00:00:00Z", Some(10)),
            ("1972-06-30T23:59:59Z", Some(10)),
            ("1972-07-01T00:00:00Z", Some(11)),
            ("1972-12-31T23:59:59Z", Some(11)),
            ("1973-01-01T00:00:00Z", Some(12)),
        ] {
            assert_eq!(table.tai_offset_at(at(utc)), offset, "{utc}");
        }
        assert_eq!(table.expiry(), at("1973-01-01T00:00:00Z"));
    }

    #[test]
    fn a_file_may_say_when_it_expires() {
        let table = parse(&file(&[(78_796_800, 1), (94_694_401, 1)])).unwrap();
        assert_eq!(table.expiry(), at("1973-01-01T00:00:00Z"));
        assert_eq!(table.tai_offset_at(at("1974-01-01T00:00:00Z")), Some(11));
    }

    #[test]
    fn a_second_may_be_taken_out() {
        for noted in [94_694_400, 94_694_401] {
            let table = parse(&file(&[(78_796_800, 1), (noted, 0)])).unwrap();
            assert_eq!(table.tai_offset_at(at("1972-12-31T23:59:58Z")), Some(11));
            assert_eq!(table.tai_offset_at(at("1973-01-01T00:00:00Z")), Some(10));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert_eq!(refused(b""), "its file is not one of a time zone");
        assert_eq!(refused(&file(&[])), LeapZoneError::Without.to_string());
        for records in [
            &[(78_796_801, 1)][..],
            &[(78_796_800, 2)],
            &[(78_796_800, 1), (78_796_801, 2)],
            &[(i64::MIN, 1)],
            &[(i64::MAX / DAY * DAY, 1)],
            &[(78_796_800, 1), (i64::MAX, -5)],
        ] {
            assert_eq!(refused(&file(records)), LeapZoneError::Impossible.to_string());
        }
        let whole = file(&[(78_796_800, 1), (94_694_401, 2)]);
        // The line after the data is not needed.
        for end in 0..whole.len() - b"\nUTC0\n".len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0xff;
            let _ = parse(&damaged);
        }
        for name in ["/etc/passwd", "../zoneinfo/right/UTC", "right/../UTC", "."] {
            assert!(matches!(open(name), Err(LeapZoneError::Name)), "{name}");
        }
    }

    /// This machine's own, against what the IERS lists for 2017.
    #[test]
    fn the_time_zone_of_this_machine_is_read() {
        match open("right/UTC") {
            Ok(table) => {
                assert_eq!(table.tai_offset_at(at("2016-12-31T23:59:59Z")), Some(36));
                assert_eq!(table.tai_offset_at(at("2017-01-01T00:00:00Z")), Some(37));
            }
            Err(LeapZoneError::Unreadable { path, .. }) => {
                eprintln!("SKIPPED: there is no {} here", path.display());
            }
            Err(error) => unreachable!("{error}"),
        }
        assert!(!matches!(open("Europe/Berlin"), Ok(_) | Err(LeapZoneError::Format)));
    }
}
