use super::*;

const FULL: &str = r#"
[watch]
interval = "1 min"
confirm-interval = "500 ms"
confirmations = 2
timeout = "1 s"
reminder = "never"
key-file = "/etc/ntp.keys"
key-format = "ntp"
trust = ["/etc/ssl/ours.pem"]
state-file = "/var/lib/timeball/watch.json"
metrics-file = "/var/lib/node_exporter/timeball-watch.prom"
metrics-listen = "[::1]:9123"

[alerts]
journal = true
command = ["/usr/local/bin/alert", "--ntp"]
webhook = "https://alerts.example/ntp"

[[endpoint]]
address = "192.0.2.7"
expect = "closed"

[[endpoint]]
address = "ntp.example"
expect = "time"
within = "50 ms"
max-stratum = 3
key = 7

[[endpoint]]
address = "2001:db8::1"
port = 4460
transport = "tcp"
expect = "closed-or-filtered"

[[endpoint]]
address = "nts.example"
expect = "time"
nts = true

[[local]]
processes = ["timeball"]

[[local]]
transport = "tcp"
port = 323
"#;

#[test]
fn everything_that_can_be_written_is_read() {
    let plan = parse("watch.toml", FULL).unwrap();
    let udp = Port { protocol: Protocol::Udp, number: 123 };
    let limits = TimeLimits { within: 0.05, max_stratum: 3, proof: KeyId::new(7).map(Proof::Key) };
    let by_nts = TimeLimits { proof: Some(Proof::NTS), ..TimeLimits::default() };
    let remote = |host: &str, port, expected| Subject::Remote { host: host.into(), port, expected };
    assert_eq!(
        plan.subjects,
        [
            remote("192.0.2.7", udp, Expectation::Closed),
            remote("ntp.example", udp, Expectation::Time(limits)),
            remote(
                "2001:db8::1",
                Port { protocol: Protocol::Tcp, number: 4460 },
                Expectation::ClosedOrFiltered
            ),
            remote("nts.example", udp, Expectation::Time(by_nts)),
            Subject::Local { port: udp, processes: vec!["timeball".into()] },
            Subject::Local {
                port: Port { protocol: Protocol::Tcp, number: 323 },
                processes: Vec::new()
            },
        ]
    );
    assert_eq!(
        plan.schedule,
        Schedule {
            interval: Span::from_secs(60),
            confirm_interval: Span::from_millis(500),
            confirmations: 2,
            reminder: None,
        }
    );
    assert_eq!(plan.timeout, Span::from_secs(1));
    let keys = KeyFile { path: "/etc/ntp.keys".into(), format: Format::Ntp };
    assert_eq!(plan.keys, Some(keys));
    assert_eq!(plan.trust, [Path::new("/etc/ssl/ours.pem")]);
    assert_eq!(plan.metrics_listen, "[::1]:9123".parse().ok());
    assert!(plan.outlets.journal);
    assert_eq!(plan.outlets.command, ["/usr/local/bin/alert", "--ntp"]);
    assert_eq!(plan.outlets.webhook.as_deref(), Some("https://alerts.example/ntp"));
    assert_eq!(plan.state_file.as_deref(), Some(Path::new("/var/lib/timeball/watch.json")));
    assert_eq!(plan.check(), Ok(()));
}

#[test]
fn the_example_of_the_guide_is_read() {
    let guide = include_str!("../../../../../docs/guide/port-123.md");
    let examples: Vec<&str> = guide.split("```toml\n").skip(1).collect();
    assert_eq!(examples.len(), 1);
    let plan = parse("guide", examples[0].split("```").next().unwrap()).unwrap();
    assert_eq!(plan.check(), Ok(()));
    assert_eq!(plan.subjects.len(), 5);
    assert_eq!((plan.schedule, plan.timeout), (Schedule::default(), Plan::default().timeout));
}

#[test]
fn the_example_of_the_package_is_read_and_says_the_defaults() {
    let example = include_str!("../../../../../packaging/watch.toml");
    let uncommented: Vec<&str> =
        example.lines().map(|line| line.strip_prefix("#").unwrap_or(line)).collect();
    // What is commented out is an example too; prose begins with a space.
    let settings = uncommented.iter().filter(|line| !line.starts_with(' '));
    let all = settings.map(|line| format!("{line}\n")).collect::<String>();
    for (text, subjects) in [(example, 1), (&all, 5)] {
        let plan = parse("packaging/watch.toml", text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.check(), Ok(()));
        assert_eq!(plan.subjects.len(), subjects);
        assert_eq!((plan.schedule, plan.timeout), (Schedule::default(), Plan::default().timeout));
    }
}

#[test]
fn what_is_not_written_is_the_default() {
    let plan = parse("watch.toml", "").unwrap();
    assert_eq!(plan, Plan::default());
}

#[test]
fn mistakes_are_shown_with_their_line_and_what_to_do() {
    let endpoint = "[[endpoint]]\naddress = \"h\"\n";
    for (text, line, parts) in [
        ("[watch]\nintervall = \"1 s\"", 2, &["unknown field `intervall`", "`interval`"][..]),
        ("[watch]\ninterval = \"1\"", 2, &["`1` has no unit", "write \"1 s\""]),
        ("[watch]\ninterval = \"0 s\"", 2, &["a duration above 0 s"]),
        ("[watch]\nreminder = \"often\"", 2, &["does not begin with a number"]),
        ("[watch]\nconfirmations = 0", 2, &["confirmations", "write 1 to 1000"]),
        ("[alerts]\nwebhook = \"alerts\"", 2, &["no URL", "https://"]),
        ("[[endpoint]]\nexpect = \"open\"", 1, &["missing field `address`"]),
        (&format!("{endpoint}expect = \"shut\""), 3, &["unknown variant `shut`", "`closed`"]),
        (
            &format!("{endpoint}expect = \"open\"\nwithin = \"1 s\""),
            4,
            &["about a server's time", "expect = \"time\""],
        ),
        (
            &format!("{endpoint}expect = \"time\"\ntransport = \"tcp\""),
            4,
            &["NTP is not served over TCP"],
        ),
        (
            &format!("{endpoint}expect = \"time\"\nmax-stratum = 16"),
            4,
            &["no such stratum", "1 to 15"],
        ),
        (&format!("{endpoint}expect = \"time\"\nkey = 0"), 4, &["nonzero"]),
        (
            &format!("{endpoint}expect = \"time\"\nkey = 1\nnts = true"),
            5,
            &["two ways at once", "either `key` or `nts`"],
        ),
        (&format!("{endpoint}expect = \"open\"\nnts = true"), 4, &["about a server's time"]),
        (&format!("{endpoint}expect = \"open\"\nnts-port = 1"), 4, &["about a server's time"]),
        (&format!("{endpoint}expect = \"time\"\nnts-port = 1"), 4, &["write nts = true too"]),
        (
            &format!("{endpoint}expect = \"time\"\nnts = true\nnts-port = 0"),
            5,
            &["port 0 cannot be watched"],
        ),
        ("[watch]\nmetrics-listen = \"9123\"", 2, &["socket address"]),
        (&format!("{endpoint}expect = \"open\"\nport = 0"), 4, &["port 0", "1 to 65535"]),
        (
            "[[endpoint]]\naddress = \"a b\"\nexpect = \"open\"",
            2,
            &["a name or an address is needed"],
        ),
        ("[[local]]\nprocess = \"x\"", 2, &["unknown field `process`", "`processes`"]),
        ("closed = 1", 1, &["unknown field `closed`", "`endpoint`"]),
        ("[watch", 1, &["]"]),
    ] {
        let mistakes = parse("watch.toml", text).unwrap_err().to_string();
        assert!(mistakes.contains(&format!("watch.toml:{line}:")), "{text}\n{mistakes}");
        for part in parts {
            assert!(mistakes.contains(part), "{part:?} for\n{text}\n{mistakes}");
        }
    }
}

#[test]
fn all_that_cannot_be_meant_is_told_at_once() {
    let text = "[watch]\nconfirmations = 0\n[[endpoint]]\naddress = \"\"\nport = 0\n\
                expect = \"open\"\nkey = 1\n";
    let mistakes = parse("watch.toml", text).unwrap_err();
    let lines: Vec<usize> = mistakes
        .diagnostics
        .iter()
        .map(|mistake| mistakes.document.line_and_column(mistake.span.clone().unwrap().start).0)
        .collect();
    assert_eq!(lines, [2, 4, 5, 7]);
}

#[test]
fn a_url_is_one_of_the_web() {
    for good in ["http://127.0.0.1:8080/", "https://a.example", "https://a/b?c=d"] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in ["", "a.example", "ftp://a", "http://", "http:///x", "http://a b", "http://ä"] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}
