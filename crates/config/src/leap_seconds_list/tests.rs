use std::path::Path;

use proptest::prelude::*;

use super::*;

/// What the IERS published in July 2025, without the prose.
const IERS: &str = include_str!("../../tests/leap-seconds/iers-2025.list");

fn at(utc: &str) -> Timestamp {
    utc.parse().unwrap()
}

/// The one thing that is wrong with a list.
fn mistake(text: &str) -> String {
    match LeapSecondsList::parse(text) {
        Err(error) => error.to_string(),
        Ok(list) => panic!("{text} was accepted: {list:?}"),
    }
}

fn expect_iers(list: &LeapSecondsList) {
    assert!(list.verified);
    assert_eq!(list.table.expiry(), at("2026-06-28T00:00:00Z"));
    for (utc, offset) in [
        ("1971-12-31T23:59:59Z", None),
        ("1972-01-01T00:00:00Z", Some(10)),
        ("1999-01-01T00:00:00Z", Some(32)),
        ("2016-12-31T23:59:59Z", Some(36)),
        ("2017-01-01T00:00:00Z", Some(37)),
        ("2036-02-07T06:28:16Z", Some(37)),
    ] {
        assert_eq!(list.table.tai_offset_at(at(utc)), offset, "{utc}");
    }
}

#[test]
fn the_list_of_the_iers_is_understood() {
    expect_iers(&LeapSecondsList::parse(IERS).unwrap());
}

#[test]
fn other_line_ends_indents_and_blank_lines_do_not_matter() {
    expect_iers(&LeapSecondsList::parse(&IERS.replace('\n', "\r\n")).unwrap());
    expect_iers(&LeapSecondsList::parse(&IERS.replace('\n', "  \n\n\t ")).unwrap());
    expect_iers(&LeapSecondsList::parse(&IERS.replace("#$\t", "#$")).unwrap());
}

#[test]
fn the_list_of_this_system_is_understood() {
    let path = Path::new("/usr/share/zoneinfo/leap-seconds.list");
    if !path.exists() {
        println!("skipped: there is no {}", path.display());
        return;
    }
    let list = LeapSecondsList::open(path).unwrap();
    assert!(list.verified);
    assert_eq!(list.table.tai_offset_at(at("2017-06-01T00:00:00Z")), Some(37));
}

#[test]
fn words_of_the_hash_may_have_lost_their_zeros() {
    // SHA-1: 0d8b44b1 49486663 033a27db db528493 bead04af
    let list = "#@ 5000000003\n2272060800 10\n2287785600 11\n#h d8b44b1 49486663 33a27db db528493 bead04af\n";
    assert!(LeapSecondsList::parse(list).unwrap().verified);
}

/// The list without its last line.
fn without_hash() -> &'static str {
    IERS.split_once("#h").unwrap().0
}

#[test]
fn a_list_without_a_hash_is_not_verified() {
    let list = LeapSecondsList::parse(without_hash()).unwrap();
    assert!(!list.verified);
    assert_eq!(list.table.tai_offset_at(at("2020-01-01T00:00:00Z")), Some(37));
}

#[test]
fn a_change_of_any_number_is_noticed() {
    for (from, to) in [
        ("3960835200", "3960835201"),
        ("3991593600", "4991593600"),
        ("3692217600", "3692304000"),
        ("3692217600      37      # 1 Jan 2017\n", ""),
        ("49db2447", "49db2448"),
    ] {
        assert_eq!(IERS.matches(from).count(), 1, "{from}");
        assert_eq!(
            mistake(&IERS.replace(from, to)),
            "its numbers do not have the hash that it says: it is damaged",
            "{from} {to}"
        );
    }
}

#[test]
fn mistakes_have_a_name_and_a_line() {
    for (text, message) in [
        ("", "there are no leap seconds in it"),
        ("#@ 3991593600\n", "there are no leap seconds in it"),
        ("2272060800 10\n", "there is no line `#@` with its expiry"),
        ("#@\n", "line 1 is incomplete"),
        ("#@ 3991593600\n2272060800\n", "line 2 is incomplete"),
        ("#@ 1 2\n", "line 1 has `2` where it should end or have a # comment"),
        ("2272060800 10 1 Jan 1972\n", "line 1 has `1` where it should end or have a # comment"),
        ("#$ soon\n", "line 1 has `soon` where a number should be"),
        ("\n+2272060800 10\n", "line 2 has `+2272060800` where a number should be"),
        ("2272060800 -10\n", "line 1 has `-10` where a number should be"),
        ("2272060800 ten\n", "line 1 has `ten` where a number should be"),
        ("2272060800 100001\n", "line 1: 100001 is too large"),
        ("2272060800 99999999999999999999\n", "line 1: 99999999999999999999 is too large"),
        ("#@ 12000000000\n", "line 1: 12000000000 is too large"),
        ("#@ 9223372036854775807\n", "line 1: 9223372036854775807 is too large"),
        ("#@ 1\n#@ 1\n", "line 2 is the second that begins with #@"),
        ("#$ 1\n#$ 1\n", "line 2 is the second that begins with #$"),
        ("#h 1 2 3 4 5\n#h 1 2 3 4 5\n", "line 2 is the second that begins with #h"),
        (
            "2287785600 10\n2272060800 11\n",
            "the time in line 2 is not after that of the line before",
        ),
        (
            "2272060800 10\n2272060800 11\n",
            "the time in line 2 is not after that of the line before",
        ),
        ("2272060801 10\n", "the time in line 1 is not a midnight"),
        (
            "2272060800 10\n2287785600 12\n",
            "TAI − UTC jumps from 10 s to 12 s in line 2: a leap second is 1 s",
        ),
        (
            "2272060800 10\n2287785600 10\n",
            "TAI − UTC jumps from 10 s to 10 s in line 2: a leap second is 1 s",
        ),
        ("#h 1 2 3 4\n", "line 1 should have the five hexadecimal words of a hash"),
        ("#h 1 2 3 4 5 6\n", "line 1 should have the five hexadecimal words of a hash"),
        ("#h 1 2 3 4 +5\n", "line 1 should have the five hexadecimal words of a hash"),
        ("#h 1 2 3 4 123456789\n", "line 1 should have the five hexadecimal words of a hash"),
    ] {
        assert_eq!(mistake(text), message, "{text}");
    }
    let long = mistake(&"x".repeat(1000));
    assert_eq!(long, "line 1 is incomplete");
    assert_eq!(
        mistake(&format!("{} 10\n", "x".repeat(1000))),
        "line 1 has `xxxxxxxxxxxxxxxxxxxx` where a number should be"
    );
}

#[test]
fn a_list_that_is_cut_off_is_never_taken_for_whole() {
    let whole = LeapSecondsList::parse(IERS).unwrap();
    for (end, _) in IERS.char_indices() {
        if let Ok(list) = LeapSecondsList::parse(&IERS[..end]) {
            // Cut between two lines: what is left is true as far as it goes.
            assert!(list == whole || !list.verified && IERS[..end].ends_with('\n'), "{end}");
            assert_eq!(list.table.tai_offset_at(at("1972-06-30T00:00:00Z")), Some(10), "{end}");
        }
    }
    let cut = without_hash().trim_end();
    assert_eq!(mistake(cut), "it ends in the middle of a line, and without a hash");
}

#[test]
fn what_is_no_list_is_not_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| LeapSecondsList::open(path).unwrap_err().to_string();
    assert_eq!(
        open(Path::new("/dev/zero")),
        "it is longer than 1 MiB: this is no leap-seconds.list"
    );
    let missing = open(&directory.path().join("missing"));
    assert!(missing.starts_with("it cannot be read: No such file or directory"), "{missing}");
    let is_directory = open(directory.path());
    assert!(is_directory.starts_with("it cannot be read: Is a directory"), "{is_directory}");
    let path = directory.path().join("binary");
    std::fs::write(&path, b"#@ 3991593600\n# M\xfcnchen\n").unwrap();
    assert_eq!(open(&path), "line 2 is not text: this is no leap-seconds.list");
    // A million lines are read, if they are right.
    std::fs::write(&path, "#\n".repeat(1 << 19)).unwrap();
    assert_eq!(open(&path), "there are no leap seconds in it");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = LeapSecondsList::from_bytes(&bytes);
    }

    #[test]
    fn any_pieces_of_a_list_are_answered(pieces in prop::collection::vec(prop_oneof![
        Just("#"), Just("#$"), Just("#@"), Just("#h"), Just(" "), Just("\t"), Just("\n"),
        Just("\r\n"), Just("2272060800"), Just("2287785600"), Just("10"), Just("11"), Just("0"),
        Just("3991593600"), Just("9223372036854775807"), Just("99999999999999999999"), Just("-"),
        Just("49db2447"), Just("g"), Just("−"), Just("\u{0}"),
    ], 0..60)) {
        let _ = LeapSecondsList::parse(&pieces.concat());
    }

    #[test]
    fn what_was_written_is_read(
        days in prop::collection::btree_set(26_297_i64..60_000, 1..30),
        up in prop::collection::vec(any::<bool>(), 30),
        expiry in 0_i64..10_000_000_000,
    ) {
        let mut offset = 40;
        let mut text = format!("#@ {expiry}\n");
        let mut entries = Vec::new();
        for (day, up) in days.into_iter().zip(up) {
            offset += if up { 1 } else { -1 };
            text += &format!("{} {offset}\n", day * DAY);
            entries.push((Timestamp::from_nanos((day * DAY - UNIX_EPOCH) * 1_000_000_000), offset));
        }
        let expiry = Timestamp::from_nanos((expiry - UNIX_EPOCH) * 1_000_000_000);
        let list = LeapSecondsList::parse(&text).unwrap();
        prop_assert_eq!(list, LeapSecondsList { table: LeapTable::new(entries, expiry), verified: false });
    }
}
