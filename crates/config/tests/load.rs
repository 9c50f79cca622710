//! Files that are no text, and files that are accepted.

use std::fs;
use std::path::Path;

use timeball_config::{Dialect, LeapSeconds, Loaded, Mistakes, Severity, load, parse};
use timeball_core::settings::{Family, SourceKind};

/// The one thing that is wrong with a file.
fn refused(result: Result<Loaded, Mistakes>) -> Mistakes {
    match result {
        Err(mistakes) if mistakes.diagnostics.len() == 1 => mistakes,
        other => unreachable!("expected one mistake, not {other:#?}"),
    }
}

#[test]
fn a_missing_file_says_what_to_write() {
    let directory = tempfile::tempdir().unwrap();
    let mistakes = refused(load(&directory.path().join("timeball.toml"), Dialect::Native));
    let text = mistakes.to_string();
    assert!(
        text.contains("timeball.toml: error: the file cannot be read: No such file or directory"),
        "{text}"
    );
    assert!(text.contains("[[server]]"), "{text}");
}

#[test]
fn a_directory_is_not_a_file() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        refused(load(directory.path(), Dialect::Native)).diagnostics[0].message,
        "this is a directory"
    );
}

#[test]
fn a_huge_file_is_not_read_to_its_end() {
    let mistakes = refused(load(Path::new("/dev/zero"), Dialect::Native));
    assert_eq!(mistakes.diagnostics[0].message, "the file is longer than 1 MiB");
}

#[test]
fn a_file_of_just_the_longest_length_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("timeball.toml");
    let mut text = "[[server]]\naddress = 'ntp.example.net'\n#".to_string();
    text.push_str(&"x".repeat((1 << 20) - text.len()));
    fs::write(&path, &text).unwrap();
    assert!(load(&path, Dialect::Native).is_ok());
    fs::write(&path, text + "x").unwrap();
    assert_eq!(
        refused(load(&path, Dialect::Native)).diagnostics[0].message,
        "the file is longer than 1 MiB"
    );
}

#[test]
fn a_byte_that_is_not_utf8_is_pointed_at() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("timeball.toml");
    fs::write(&path, b"[[server]]\naddress = 'm\xfcnchen.example'\n").unwrap();
    let text = refused(load(&path, Dialect::Native)).to_string();
    assert!(text.contains("timeball.toml:2:13: error: the byte 0xfc is not UTF-8"), "{text}");
    assert!(text.contains("2 | address = 'm\u{fffd}nchen.example'"), "{text}");
    assert!(text.contains("\n  |             ^\n"), "{text}");
    assert!(text.contains("iconv"), "{text}");
}

#[test]
fn every_key_reaches_its_place() {
    let text = r#"
        [[server]]
        address = "2001:db8::1"
        port = 1123
        iburst = false
        burst = true
        minpoll = 3
        maxpoll = 17
        version = 3
        max-delay = "250 ms"
        family = "ipv6"
        bind-address = "2001:db8::2"
        bind-device = "eth0"
        prefer = true
        trust = true
        require = true
        estimator = "bank"
        min-samples = 4
        max-samples = 32
        poll-target = 12
        interleaved = true
        monotonic = true
        connectivity = "auto-offline"
        presend = 9
        max-delay-ratio = 1.5
        key = 7
        max-delay-dev-ratio = 2
        min-delay = "1.024 ms"
        asymmetry = -0.25
        offset = "-3 us"
        filter = 5
        min-stratum = 2
        copy = true
        max-unreach = 12

        [[peer]]
        address = "192.0.2.9"
        max-delay-quantile = 0.1
        connectivity = "offline"

        [[pool]]
        address = "pool.example.net"
        count = 3
        noselect = true

        [selection]
        minimum-sources = 1
        minimum-samples = 4
        maximum-distance = 0.5
        maximum-jitter = "20 ms"
        stratum-weight = 0
        reselect-distance = "1 us"
        combine-limit = 0
        minimum-stratum = 1
        maximum-stratum = 9
        authentication = "prefer"

        [clock]
        control = false
        step-threshold = "128 ms"
        step-limit = "always"
        max-slew = "5 %"
        max-frequency = "250 ppm"
        panic-threshold = "1 h"
        wander = "100 ppb"
        leap-seconds-list = "/etc/leap-seconds.list"
        leap-seconds-zone = "right/UTC"
        leap-mode = "slew"
        correction-time-ratio = 1.5
        max-update-skew = "5 ppm"
        manual = true
        sync-battery-clock = false
        [clock.max-change]
        threshold = "100 s"
        start = 2
        ignore = 3
        [clock.fallback-drift]
        shortest = 15
        longest = 18
        [clock.initial]
        threshold = "30 s"
        servers = ["a.example", "192.0.2.3"]
        [clock.temperature]
        file = "/sys/class/hwmon/hwmon0/temp2_input"
        interval = "5 s"
        reference = 26000
        constant = 0.1
        linear = 0.000183
        quadratic = 1.5e-9

        [serve]
        allow = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]
        require-key = ["192.0.2.8/29"]
        deny = ["10.1.0.0/16"]
        port = 1124
        bind-addresses = ["0.0.0.0", "2001:db8::2"]
        bind-device = "eth2"
        client-log = 1000000
        [serve.rate-limit]
        interval = "2 s"
        burst = 16
        leak = 0
        kiss = 2
        [serve.nts]
        port = 4461
        own-thread = false
        max-connections = 20
        ntp-server = "ntp.example"
        rotate-keys = "never"
        [[serve.certificate]]
        file = "/etc/other/crt"
        private-key = "/etc/other/private"
        [serve.nts-rate-limit]
        interval = "16 s"
        [serve.local]
        stratum = 11
        distance = "500 ms"
        activate = "100 ms"
        orphan = true
        wait-synchronised = "10 min"
        wait-unsynchronised = "5 min"
        [[serve.broadcast]]
        address = "192.0.2.255"
        interval = "32 s"
        [[serve.broadcast]]
        address = "ff05::101"
        port = 1123
        [serve.smoothing]
        max-frequency = "50000 ppm"
        max-wander = "0.01 ppm"
        leap-only = true

        [network]
        dscp = 46
        timestamping = "hardware"
        client-port = 1125
        [[network.card]]
        interface = "eth0"
        transmit-compensation = "-300 ns"
        receive-compensation = "645 ns"
        cross-timestamps = false
        receive-filter = "ptp"
        [[network.card]]
        interface = "*"

        [nts]
        algorithms = ["aes-siv-cmac-512", "aes-siv-cmac-256"]
        directory = "/var/lib/other/nts"

        [files]
        state-directory = "/var/lib/other"
        pid-file = "/run/other.pid"
        drift-interval = "2 h"
        drift-file = "/var/lib/other/frequency"
        dump-directory = "/var/lib/other/dump"
        key-file = "/etc/other/keys"
        key-format = "ntp"
        log-directory = "./log"
        source-directories = ["/run/chrony-dhcp", "/etc/chrony/sources.d"]

        [control]
        socket = false

        [chronyc]
        socket = "/run/chrony/chronyd.sock"
        port = 323
        bind-addresses = ["127.0.0.1"]
        bind-device = "lo"
        allow = ["192.0.2.0/24"]
        deny = ["192.0.2.1"]
        open-commands = ["tracking", "serverstats"]
        [chronyc.rate-limit]
        interval = "62.5 ms"

        [process]
        user = "_timeball"
        lock-memory = true
        priority = 50

        [log]
        level = "debug"
        change-threshold = "250 ms"
        records = ["tracking", "raw-measurements"]
        banner = 0
    "#;
    let loaded = parse("all.toml", text, Dialect::Native).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.warnings, vec![]);
    insta::assert_debug_snapshot!(loaded.config);
}

#[test]
fn keys_are_for_somebody_and_for_some_cipher() {
    let certificate = "[[server]]\naddress = 'a'\n[[serve.certificate]]\nfile = '/a'\n\
                       private-key = '/b'\n";
    let loaded = parse("t.toml", certificate, Dialect::Native).unwrap();
    let message = "nobody may ask for keys: `allow` of [serve] is empty";
    assert_eq!(loaded.warnings[0].message, message);
    let without = format!("{certificate}[serve]\nallow = ['192.0.2.0/24']\n");
    assert_eq!(parse("t.toml", &without, Dialect::Native).unwrap().warnings, vec![]);
    let without = format!("{without}[nts]\nalgorithms = []\n");
    let loaded = parse("t.toml", &without, Dialect::Native).unwrap();
    assert_eq!(loaded.warnings[0].message, "without a cipher nobody is given keys");
    assert!(!loaded.config.gives_keys());
    let asking = "[[server]]\naddress = 'a'\nnts = true\n[nts]\nalgorithms = []\n";
    let loaded = parse("t.toml", asking, Dialect::Native).unwrap();
    assert_eq!(loaded.warnings[0].message, "without a cipher no source with NTS can be asked");
}

#[test]
fn sources_keep_the_order_in_which_they_are_written() {
    let text = "[[server]]\naddress = 'a'\n[[pool]]\naddress = 'b'\nfamily = 'ipv4'\n\
                [[server]]\naddress = 'c'\n";
    let config = parse("order.toml", text, Dialect::Native).unwrap().config;
    let sources = &config.engine.sources;
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(sources[1].kind, SourceKind::Pool { count: 4 });
    assert_eq!(sources[1].family, Some(Family::Ipv4));
    assert_eq!(config.selectable_sources(), 6);
    assert!(!config.serves());
}

#[test]
fn a_later_check_can_still_point_at_the_line() {
    use timeball_config::{Diagnostic, Scope, Style};

    let text = "[[server]]\naddress = 'ntp.example.net'\nbind-device = 'eth7'\n";
    let loaded = parse("late.toml", text, Dialect::Native).unwrap();
    let diagnostic = Diagnostic::warning("there is no interface `eth7`")
        .at(loaded.places.value(Scope::Source(0), "bind-device"));
    assert_eq!(
        diagnostic.render(&loaded.document, Style::Plain),
        "late.toml:3:15: warning: there is no interface `eth7`\n\
         \u{20} |\n\
         3 | bind-device = 'eth7'\n\
         \u{20} |               ^^^^^^\n"
    );
    assert_eq!(loaded.places.value(Scope::Source(0), "port"), None);
    assert_eq!(loaded.places.nearest(Scope::Source(0), &["port"]), Some(0..10));
    assert_eq!(loaded.places.key(Scope::Source(0), "address"), Some(11..18));
}

#[test]
fn a_list_of_leap_seconds_that_is_named_must_be_right() {
    const IERS: &str = include_str!("leap-seconds/iers-2025.list");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leap-seconds.list");
    let text = format!(
        "[[server]]\naddress = 'a.example'\n[clock]\nleap-seconds-list = '{}'\n",
        path.display()
    );
    let loaded = parse("t.toml", &text, Dialect::Native).unwrap();
    let refused = |loaded: &Loaded| loaded.leap_seconds().unwrap_err().to_string();

    let missing = refused(&loaded);
    assert!(missing.starts_with("t.toml:4:21: error: no leap seconds from /"), "{missing}");
    assert!(missing.contains("cannot be read: No such file or directory"), "{missing}");
    assert!(missing.contains("leap-seconds-list = false"), "{missing}");

    fs::write(&path, IERS.replace("#@\t", "#@\t1")).unwrap();
    let damaged = refused(&loaded);
    assert!(damaged.contains("line 3: 13991593600 is too large"), "{damaged}");

    fs::write(&path, IERS).unwrap();
    match loaded.leap_seconds().unwrap() {
        LeapSeconds::Listed(list) => assert!(list.verified),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_default_list_of_leap_seconds_may_be_missing() {
    let mut loaded =
        parse("t.toml", "[[server]]\naddress = 'a.example'\n", Dialect::Native).unwrap();
    let default = loaded.config.clock.leap_seconds_list.as_deref();
    assert_eq!(default, Some(Path::new("/usr/share/zoneinfo/leap-seconds.list")));
    let directory = tempfile::tempdir().unwrap();
    loaded.config.clock.leap_seconds_list = Some(directory.path().join("missing"));
    match loaded.leap_seconds().unwrap() {
        LeapSeconds::Unavailable(error) => {
            assert!(error.to_string().starts_with("it cannot be read: No such file"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let text = "[[server]]\naddress = 'a.example'\n[clock]\nleap-seconds-list = false\n";
    let without = parse("t.toml", text, Dialect::Native).unwrap();
    assert!(matches!(without.leap_seconds().unwrap(), LeapSeconds::Unwanted));
}

#[test]
fn a_configuration_without_sources_is_noticed() {
    let warnings = |text: &str| {
        let loaded = parse("t.toml", text, Dialect::Native).unwrap_or_else(|e| panic!("{e}"));
        let messages = loaded.warnings.into_iter().map(|warning| warning.message);
        messages.collect::<Vec<_>>()
    };
    let serving = "[serve]\nallow = ['10.0.0.0/8']\n";
    for text in ["", "# nothing yet\n\n[log]\nlevel = 'debug'\n", serving] {
        assert_eq!(warnings(text), ["there is no source of time"], "{text}");
    }
    // The time of this machine, or sources that are named elsewhere.
    for more in ["[serve.local]\n", "[files]\nsource-directories = ['/run/sources']\n"] {
        assert_eq!(warnings(&format!("{serving}{more}")), [""; 0], "{more}");
    }
}

#[test]
fn warnings_do_not_refuse() {
    for (text, place, message) in [
        (
            "[[server]]\naddress = 'a.example'\n[[server]]\naddress = 'b.example'\n",
            (3, 1),
            "two sources cannot outvote each other if they disagree",
        ),
        (
            "[[server]]\naddress = 'a.example'\nminpoll = -4\n",
            (3, 11),
            "`minpoll = -4` asks up to 16 times per second",
        ),
        (
            "[[server]]\naddress = 'a.example'\nnoselect = true\n",
            (3, 1),
            "every source is `noselect`: the clock will never be set",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve]\nallow = ['192.0.2.0/24', '::/0']\n",
            (4, 9),
            "everybody is served, as often as they ask",
        ),
        (
            "[[pool]]\naddress = '192.0.2.1'\n",
            (2, 11),
            "a pool of 192.0.2.1 can only ever have this one server",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve]\nport = 1123\n",
            (3, 1),
            "nobody is served: `allow` is empty",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve]\nallow = ['10.0.0.0/8']\n\
             deny = ['192.0.2.0/24']\n",
            (5, 8),
            "denying 192.0.2.0/24 changes nothing: it is not allowed",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve]\nallow = ['10.0.0.0/8', '10.0.0.0/8']\n",
            (4, 9),
            "10.0.0.0/8 is listed twice",
        ),
        (
            "[[server]]\naddress = 'a.example'\nmin-samples = 32\nmax-samples = 16\n",
            (4, 15),
            "`max-samples` (16) is less than `min-samples` (32): the smaller one holds",
        ),
        (
            "[[server]]\naddress = 'a.example'\npoll-target = 32\nmax-samples = 16\n",
            (4, 15),
            "`max-samples` (16) is less than `poll-target` (32): that many are never kept",
        ),
        (
            "[[server]]\naddress = 'a.example'\nmin-samples = 1\nmax-samples = 2\n",
            (4, 15),
            "with at most 2 measurements this source never has the 3 that `minimum-samples` asks for",
        ),
        (
            "[[server]]\naddress = 'b.example'\nnoselect = true\nprefer = true\n\
             [[server]]\naddress = 'a.example'\n",
            (4, 1),
            "`prefer` has no effect beside `noselect`",
        ),
        (
            "[[server]]\naddress = '192.0.2.1'\nfamily = 'ipv6'\n",
            (3, 10),
            "this source can never be asked: `family` says IPv6 but `address` says IPv4",
        ),
        (
            "[[server]]\naddress = '192.0.2.1'\nbind-address = '2001:db8::1'\n",
            (3, 16),
            "this source can never be asked: `bind-address` says IPv6 but `address` says IPv4",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[[server]]\naddress = 'A.example.'\n",
            (4, 11),
            "`A.example.` is already a source",
        ),
        (
            "[[pool]]\naddress = 'a.example'\n[[pool]]\naddress = 'a.example'\ncount = 2\n",
            (4, 11),
            "`a.example` is already a source",
        ),
        (
            "[[server]]\naddress = '2001:db8::1'\n[[server]]\naddress = '2001:db8:0:0::1'\n",
            (4, 11),
            "`2001:db8:0:0::1` is already a source",
        ),
        (
            "[selection]\nminimum-sources = 6\n[[pool]]\naddress = 'pool.example'\n\
             [[server]]\naddress = 'a.example'\n",
            (2, 19),
            "`minimum-sources` is 6, but there are only 5 sources to select from: the clock will \
             never be set",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[selection]\nminimum-stratum = 4\n\
             maximum-stratum = 3\n",
            (4, 19),
            "no source can be used: `minimum-stratum` (4) is larger than `maximum-stratum` (3)",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve]\ndeny = ['10.0.0.0/8']\n",
            (4, 8),
            "`deny` takes away from `allow`, and nobody is allowed",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[serve.rate-limit]\n",
            (3, 1),
            "nobody is served: `allow` is empty",
        ),
        (
            "[[peer]]\naddress = 'a.example'\npresend = 6\n",
            (3, 1),
            "`presend` has no effect: it is for servers, not for peers",
        ),
        (
            "[[server]]\naddress = 'a.example'\npresend = 11\n",
            (3, 1),
            "`presend` has no effect: `maxpoll` is smaller",
        ),
        (
            "[[server]]\naddress = 'a.example'\nmax-delay-quantile = 0.5\n\
             max-delay-dev-ratio = 2\n",
            (4, 1),
            "`max-delay-dev-ratio` has no effect: `max-delay-quantile` takes its place",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[clock.fallback-drift]\nshortest = 20\n",
            (4, 12),
            "`shortest` (20) is larger than `longest` (19): there is no average",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[clock.initial]\nthreshold = 1\n",
            (3, 1),
            "there is no server to correct the clock by at the start",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[chronyc]\nallow = ['10.0.0.0/8']\n",
            (4, 9),
            "`allow` is about UDP, and `port` of [chronyc] is not set",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[chronyc.rate-limit]\n",
            (3, 1),
            "`rate-limit` is about UDP, and `port` of [chronyc] is not set",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[log]\nrecords = ['tracking']\n",
            (4, 11),
            "`records` are not written: `log-directory` of [files] is not set",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[[network.card]]\ninterface = 'eth0'\n",
            (3, 1),
            "no card stamps: `timestamping` is not \"hardware\"",
        ),
        (
            "[[server]]\naddress = 'a.example'\n[network]\ntimestamping = 'hardware'\n\
             [[network.card]]\ninterface = 'eth0'\n[[network.card]]\ninterface = 'eth0'\n",
            (8, 13),
            "`eth0` is listed twice",
        ),
    ] {
        let loaded = parse("t", text, Dialect::Native).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings.len(), 1, "{text}: {:?}", loaded.warnings);
        let warning = &loaded.warnings[0];
        assert_eq!((warning.severity, warning.message.as_str()), (Severity::Warning, message));
        let span = warning.span.clone().unwrap();
        assert_eq!(loaded.document.line_and_column(span.start), place, "{text}");
    }
}

#[test]
fn what_serves_without_being_asked_is_no_mistake() {
    for more in ["[serve.local]\n", "[[serve.broadcast]]\naddress = '192.0.2.255'\n"] {
        let text = format!("[[server]]\naddress = 'a.example'\n[serve]\nport = 1123\n{more}");
        let loaded = parse("t", &text, Dialect::Native).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.warnings, vec![], "{text}");
    }
}

#[test]
fn a_megabyte_of_mistakes_is_answered_briefly() {
    for (line, shown) in [
        ("a\n", 50),
        ("a = 1\n", 50),
        ("[clock]\n", 50),
        ("= ", 1),
        ("[[server]]\nport = 0\n", 50),
        ("[[server]]\naddress = 'a b'\n", 50),
        ("server ntp.example.net iburst\n", 50),
    ] {
        let text = line.repeat((1 << 20) / line.len());
        let mistakes = parse("t", &text, Dialect::Native).unwrap_err().to_string();
        assert_eq!(mistakes.matches(": error: ").count(), shown, "{line:?}");
        assert_eq!(mistakes.ends_with(" more\n"), shown == 50, "{line:?}");
    }
}
