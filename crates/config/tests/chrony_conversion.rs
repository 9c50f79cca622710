//! Whatever chrony.conf says, timeball.toml can say the same.

use proptest::prelude::*;
use timeball_config::native::to_native;
use timeball_config::{Dialect, parse};

/// Lines with `N` where a number stands, `F` where one with a fraction does.
const LINES: &[&str] = &[
    "server a.example iburst burst minpoll N maxpoll N presend N",
    "server b.example maxdelay F maxdelayratio F maxdelaydevratio F maxdelayquant F mindelay F",
    "server 192.0.2.1 asymmetry F offset F minsamples N maxsamples N maxunreach N filter N",
    "server 2001:db8::1 polltarget N port N minstratum N version N copy ipv6 xleave extfield F323",
    "pool c.example maxsources N prefer noselect trust require offline",
    "pool 192.0.2.9 ipv4 auto_offline key N",
    "peer d.example iburst burst presend 6 copy",
    "refclock SHM 0 poll N dpoll N offset F delay F precision F maxdispersion F stratum N",
    "refclock SHM 1:perm=0644 refid GPS filter N minsamples N maxsamples N maxunreach N noselect",
    "refclock SOCK /s prefer trust require rate N width F maxlockage N",
    "keyfile /keys",
    "minsamples N",
    "maxsamples N",
    "minsources N",
    "maxstratum N",
    "minstratum N",
    "maxdistance F",
    "maxjitter F",
    "combinelimit F",
    "reselectdist F",
    "stratumweight F",
    "authselectmode prefer",
    "corrtimeratio F",
    "driftfile /d interval N",
    "fallbackdrift N N",
    "leapsecmode slew",
    "leapsectz right/UTC",
    "leapseclist /list",
    "makestep F N",
    "maxchange F N N",
    "maxclockerror F",
    "maxdrift F",
    "maxslewrate F",
    "maxupdateskew F",
    "tempcomp /t F F F F F",
    "tempcomp /t F /points",
    "initstepslew F a.example",
    "rtcsync",
    "manual",
    "allow N.N/N",
    "deny N.N.N",
    "allow all",
    "allow 2001:db8::/N",
    "cmdallow N/N",
    "cmddeny N",
    "bindaddress 192.0.2.7",
    "bindaddress ::",
    "bindacqaddress 192.0.2.7",
    "bindacqaddress 2001:db8::7",
    "bindacqdevice eth0",
    "bindcmdaddress 0.0.0.0",
    "bindcmdaddress /s",
    "broadcast N 192.0.2.255 N",
    "broadcast N ff02::101",
    "ntsdumpdir /n",
    "ntsaeads 15 N 30",
    "ntsservercert /a\nntsserverkey /b",
    "ntsport N",
    "ntsprocesses N",
    "maxntsconnections N",
    "ntsntpserver a.example",
    "ntsrotate N",
    "ntsratelimit interval N burst N leak N",
    "clientloglimit N",
    "noclientlog",
    "local stratum N orphan distance F activate F waitsynced F waitunsynced F",
    "local",
    "port N",
    "cmdport N",
    "acquisitionport N",
    "ratelimit interval N burst N leak N kod N",
    "cmdratelimit interval N burst N leak N",
    "smoothtime F F",
    "smoothtime F F leaponly",
    "hwtimestamp eth0 txcomp F rxcomp F precision F rxfilter ntp",
    "hwtimestamp *",
    "log tracking measurements",
    "logdir /l",
    "logbanner N",
    "logchange F",
    "opencommands tracking sources",
    "opencommands",
    "sourcedir /a /b",
    "dumpdir /d",
    "pidfile /",
    "pidfile /p",
    "user u",
    "lock_all",
    "sched_priority N",
    "dscp N",
];

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (-40i64..70).prop_map(|n| n.to_string()),
        1 => any::<i32>().prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["0", "1", "255", "65535", "2147483647", "-2147483648", "+3"])
            .prop_map(str::to_owned),
    ]
}

fn fraction() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0.0f64..100.0).prop_map(|n| n.to_string()),
        2 => (-30i32..9, 1u32..1000).prop_map(|(e, n)| format!("{n}e{e}")),
        1 => any::<f64>().prop_map(|n| format!("{n:e}")),
        1 => prop::sample::select(vec!["0", "-0.0", "1e308", "-1e308", "1e-320", "0.1", "1e6"])
            .prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    let numbers = prop::collection::vec(number(), 6);
    let fractions = prop::collection::vec(fraction(), 6);
    (prop::sample::select(LINES), numbers, fractions).prop_map(|(line, numbers, fractions)| {
        let (mut numbers, mut fractions) = (numbers.into_iter(), fractions.into_iter());
        let fill = |text: &str| match text {
            "N" => numbers.next(),
            "F" => fractions.next(),
            other => Some(other.to_owned()),
        };
        // A number stands between separators.
        let pieces: Vec<_> = line.split_inclusive([' ', '.', '/']).collect();
        let mut fill = fill;
        pieces
            .iter()
            .map(|piece| {
                let word = piece.trim_end_matches([' ', '.', '/']);
                fill(word).unwrap_or_default() + &piece[word.len()..]
            })
            .collect()
    })
}

/// What is accepted comes back unchanged by way of a native file.
fn convert(text: &str) -> Result<bool, TestCaseError> {
    let Ok(loaded) = parse("chrony.conf", text, Dialect::Chrony) else { return Ok(false) };
    let native = to_native(&loaded.config);
    match parse("converted.toml", &native, Dialect::Native) {
        Ok(again) => prop_assert_eq!(again.config, loaded.config, "{}", native),
        Err(mistakes) => prop_assert!(false, "{}\n{}\n{}", text, native, mistakes),
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn one_line(line in line()) {
        convert(&line)?;
    }

    /// Those lines of a file that are accepted by themselves, together.
    #[test]
    fn many_lines(lines in prop::collection::vec(line(), 1..12)) {
        let mut text = String::new();
        for line in &lines {
            if parse("t", line, Dialect::Chrony).is_ok() {
                text.push_str(line);
                text.push('\n');
            }
        }
        prop_assert!(convert(&text)?, "{}", text);
    }
}

/// The strategy is worth something only if most of its lines are accepted with some numbers.
#[test]
fn every_line_is_accepted_with_small_numbers() {
    for line in LINES {
        let words = line.split_inclusive([' ', '.', '/']).map(|piece| {
            let word = piece.trim_end_matches([' ', '.', '/']);
            let word_filled = match word {
                "N" => "4",
                "F" => "0.5",
                other => other,
            };
            format!("{word_filled}{}", &piece[word.len()..])
        });
        let text: String = words.collect();
        assert!(convert(&text).unwrap(), "{text}");
    }
}
