//! Eras, rounding and the calendar: the moments where clocks have gone wrong before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use timeball_wire::{NtpTimestamp, ParseTimestampError, Span, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ntp(text: &str) -> u64 {
    NtpTimestamp::from(at(text)).to_bits()
}

const SECOND: u64 = 1 << 32;

#[test]
fn epochs_are_where_the_rfc_says() {
    // RFC 5905 figure 4.
    assert_eq!(ntp("1900-01-01T00:00:01Z"), SECOND);
    assert_eq!(ntp("1970-01-01T00:00:00Z"), 2_208_988_800 * SECOND);
    assert_eq!(ntp("1972-01-01T00:00:00Z"), 2_272_060_800 * SECOND);
    assert_eq!(ntp("1999-12-31T00:00:00Z"), 3_155_587_200 * SECOND);
    assert_eq!(ntp("2036-02-08T00:00:00Z"), 63_104 * SECOND);
}

#[test]
fn eras_begin_in_1900_2036_and_2172_without_becoming_unknown() {
    for begin in ["1900-01-01T00:00:00Z", "2036-02-07T06:28:16Z", "2172-03-15T12:56:32Z"] {
        let begin = at(begin);
        let first = NtpTimestamp::from(begin);
        assert_eq!(first.to_bits(), 1, "a known time is never the unknown one");
        assert_eq!(first.unfold(begin), begin);
        let last = NtpTimestamp::from(begin - Span::from_nanos(1));
        assert_eq!(last.to_bits() >> 32, 0xffff_ffff);
        assert_eq!(last.unfold(begin), begin - Span::from_nanos(1));
        assert_eq!(NtpTimestamp::from(begin + Span::from_secs(1)).to_bits(), SECOND);
    }
}

/// RFC 4330 §3 tells the era by the first bit of the seconds, which works from 1968 to here.
#[test]
fn the_first_bit_of_the_seconds_tells_no_era_after_2104() {
    let edge = at("2104-02-26T09:42:24Z");
    assert_eq!(NtpTimestamp::from(edge).to_bits(), 1 << 63);
    let bit_of = |timestamp| NtpTimestamp::from(timestamp).to_bits() >> 63;
    assert_eq!(bit_of(edge - Span::from_nanos(1)), 0);
    for nanos in [-1, 0, 1] {
        let moment = edge + Span::from_nanos(nanos);
        for pivot in ["2104-02-26T09:42:23Z", "2104-02-26T09:42:25Z", "2036-02-08T00:00:00Z"] {
            assert_eq!(NtpTimestamp::from(moment).unfold(at(pivot)), moment, "{moment} {pivot}");
        }
    }
}

#[test]
fn a_pivot_on_either_side_of_an_era_finds_the_same_moment() {
    let cases = [
        ("2036-02-07T06:28:15.999999999Z", "2036-02-07T06:28:16.000000001Z"),
        ("2036-02-07T06:28:16.000000001Z", "2036-02-07T06:28:15.999999999Z"),
        ("2104-02-26T09:42:23.5Z", "2104-02-26T09:42:24.5Z"),
        ("2104-02-26T09:42:24.5Z", "2104-02-26T09:42:23.5Z"),
        ("2036-02-07T06:28:17Z", "2025-01-01T00:00:00Z"),
        ("2035-12-31T23:59:59Z", "2040-01-01T00:00:00Z"),
        ("2100-03-01T00:00:00Z", "2110-01-01T00:00:00Z"),
        ("2110-01-01T00:00:00Z", "2099-12-31T00:00:00Z"),
        ("1970-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
    ];
    for (moment, pivot) in cases {
        assert_eq!(
            NtpTimestamp::from(at(moment)).unfold(at(pivot)),
            at(moment),
            "{moment} {pivot}"
        );
    }
}

#[test]
fn the_pivot_reaches_half_an_era_each_way() {
    let half = Span::from_secs(1 << 31);
    let tick = Span::from_nanos(1);
    for pivot in ["1970-01-01T00:00:00Z", "2036-02-07T06:28:16Z", "2025-06-15T12:00:00.123456789Z"]
    {
        let pivot = at(pivot);
        for inside in [pivot - half, pivot - half + tick, pivot, pivot + half - tick] {
            assert_eq!(NtpTimestamp::from(inside).unfold(pivot), inside);
        }
        let beyond = pivot + half + tick;
        assert_eq!(NtpTimestamp::from(beyond).unfold(pivot), beyond - half - half);
        let before = pivot - half - tick;
        assert_eq!(NtpTimestamp::from(before).unfold(pivot), before + half + half);
    }
}

#[test]
fn unfolding_saturates_at_the_ends_of_the_timestamp_range() {
    let (first, last) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
    assert_eq!(NtpTimestamp::from(first).unfold(first), first);
    assert_eq!(NtpTimestamp::from(last).unfold(last), last);
    let hour = 3600 * SECOND;
    let bits = |timestamp| NtpTimestamp::from(timestamp).to_bits();
    let later = NtpTimestamp::from_bits(bits(last).wrapping_add(hour));
    assert_eq!(later.unfold(last), last);
    let earlier = NtpTimestamp::from_bits(bits(first).wrapping_sub(hour));
    assert_eq!(earlier.unfold(first), first);
}

#[test]
fn fractions_round_to_nearest_and_never_reach_the_next_second() {
    assert_eq!(ntp("1970-01-01T00:00:00.5Z") & 0xffff_ffff, 0x8000_0000);
    // 1 ns is 4.29 units of 2⁻³² s.
    assert_eq!(ntp("1970-01-01T00:00:00.000000001Z") & 0xffff_ffff, 4);
    assert_eq!(ntp("1970-01-01T00:00:00.000000002Z") & 0xffff_ffff, 9);
    assert_eq!(ntp("1970-01-01T00:00:00.999999999Z"), 2_208_988_800 * SECOND + 0xffff_fffc);
    // A fraction that is nearer to the next second than to any nanosecond before it.
    let almost = NtpTimestamp::from_bits(2_208_988_800 * SECOND + 0xffff_ffff);
    assert_eq!(almost.unfold(at("1970-01-01T00:00:00Z")), at("1970-01-01T00:00:01Z"));
}

#[test]
fn the_calendar_knows_its_leap_years() {
    let secs = |text| at(text).nanos() / 1_000_000_000;
    assert_eq!(secs("2000-02-29T00:00:00Z"), 951_782_400);
    assert_eq!(secs("2000-03-01T00:00:00Z"), 951_868_800);
    assert_eq!(secs("2024-12-31T23:59:59Z"), 1_735_689_599);
    assert_eq!(secs("2100-02-28T23:59:59Z"), 4_107_542_399);
    assert_eq!(secs("2100-03-01T00:00:00Z"), 4_107_542_400);
    assert_eq!(secs("1969-12-31T23:59:59Z"), -1);
    assert_eq!(secs("1900-01-01T00:00:00Z"), -2_208_988_800);
    for no_such in [
        "2100-02-29T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-04-31T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-00T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
    ] {
        assert_eq!(no_such.parse::<Timestamp>(), Err(ParseTimestampError::NoSuchTime), "{no_such}");
    }
}

#[test]
fn every_day_from_1700_to_2262_follows_the_one_before() {
    let mut day = at("1700-01-01T00:00:00Z");
    let end = at("2262-01-01T00:00:00Z");
    let mut previous = (1699, 12, 31);
    while day < end {
        let text = format!("{day:.0}");
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap().parse::<u32>().unwrap();
        let (year, month, date) = (part(0..4), part(5..7), part(8..10));
        let next = match previous {
            (year, 12, 31) => (year + 1, 1, 1),
            (year, month, date) if date == days_of(year, month) => (year, month + 1, 1),
            (year, month, date) => (year, month, date + 1),
        };
        assert_eq!((year, month, date), next, "after {previous:?}");
        assert_eq!(at(&text), day);
        previous = next;
        day += Span::from_secs(86_400);
    }
    assert_eq!(previous, (2261, 12, 31));
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(400) || (year.is_multiple_of(4) && !year.is_multiple_of(100)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[test]
fn timestamps_print_with_the_precision_asked_for() {
    let t = at("2036-02-07T06:28:15.987654321Z");
    assert_eq!(t.to_string(), "2036-02-07T06:28:15.987654321Z");
    assert_eq!(format!("{t:.6}"), "2036-02-07T06:28:15.987654Z");
    assert_eq!(format!("{t:.0}"), "2036-02-07T06:28:15Z");
    assert_eq!(format!("{t:.12}"), "2036-02-07T06:28:15.987654321Z");
    assert_eq!(format!("[{t:>22.0}]"), "[  2036-02-07T06:28:15Z]");
    assert_eq!(format!("[{t:22.0}]"), "[2036-02-07T06:28:15Z  ]");
    let before_epoch = Timestamp::from_nanos(-1);
    assert_eq!(before_epoch.to_string(), "1969-12-31T23:59:59.999999999Z");
    let ends = [i64::MIN, i64::MAX].map(|nanos| Timestamp::from_nanos(nanos).to_string());
    assert_eq!(ends, ["1677-09-21T00:12:43.145224192Z", "2262-04-11T23:47:16.854775807Z"]);
    assert_eq!(ends.map(|text| at(&text).nanos()), [i64::MIN, i64::MAX]);
}

#[test]
fn what_is_no_time_is_refused() {
    use ParseTimestampError::{Malformed, OutOfRange};
    for text in [
        "",
        "Z",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+00:00",
        "2024-01-01 00:00:00Z",
        "24-01-01T00:00:00Z",
        "2024-1-01T00:00:00Z",
        "2024-01-01-01T00:00:00Z",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890Z",
        "2024-01-01T00:00:00.-1Z",
        "2024-01-01T+1:00:00Z",
        "-024-01-01T00:00:00Z",
        "２０２４-01-01T00:00:00Z",
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(Malformed), "{text}");
    }
    for text in ["0000-01-01T00:00:00Z", "1677-09-21T00:12:43.145224191Z", "9999-12-31T23:59:59Z"] {
        assert_eq!(text.parse::<Timestamp>(), Err(OutOfRange), "{text}");
    }
}
