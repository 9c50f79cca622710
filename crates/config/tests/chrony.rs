//! chrony.conf: whole files, files that include others, and the page about it all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use timeball_config::chrony::{SourceDirectories, compat_page, parse_lines};
use timeball_config::native::to_native;
use timeball_config::{Dialect, Loaded, Mistakes, Severity, Style, load, parse};
use timeball_core::settings::SourceKind;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn accepted(outcome: Result<Loaded, Mistakes>) -> Loaded {
    outcome.unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn refused(outcome: Result<Loaded, Mistakes>) -> Mistakes {
    match outcome {
        Ok(loaded) => panic!("accepted: {:#?}", loaded.config),
        Err(mistakes) => mistakes,
    }
}

fn warnings(loaded: &Loaded) -> String {
    loaded.warnings.iter().map(|w| w.render(&loaded.document, Style::Plain)).collect()
}

/// A directory with files in it.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("DIR", directory.path().to_str().unwrap())).unwrap();
    }
    directory
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.config.engine.sources.iter().map(|source| source.name.as_str()).collect()
}

#[test]
fn the_committed_page_is_fresh() {
    let path = here().join("../../docs/compat/chrony.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, compat_page()).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == compat_page(),
        "{} is stale; renew it with\n\n    \
         UPDATE_DOCS=1 cargo test -p timeball-config --test chrony\n",
        path.display()
    );
}

/// Files as they are found on machines. A line `# refused: WORDS` says what is expected of one that
/// cannot be used, `# warned: WORDS` what is said of one that can.
#[test]
fn realistic_files_load_and_mean_the_same_in_native_words() {
    let mut files: Vec<PathBuf> = fs::read_dir(here().join("tests/chrony"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "only {} files found", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let expected = |marker: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(marker));
            lines.map(|words| words.trim().to_owned()).collect()
        };
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(Dialect::detect(&path, &text), Dialect::Chrony, "{name}");
        let refusals = expected("# refused:");
        let loaded = match load(&path, Dialect::Chrony) {
            Ok(loaded) => {
                assert!(refusals.is_empty(), "{name} is accepted");
                loaded
            }
            Err(mistakes) => {
                let errors: Vec<_> = mistakes
                    .diagnostics
                    .iter()
                    .filter(|diagnostic| diagnostic.severity == Severity::Error)
                    .map(|diagnostic| diagnostic.message.clone())
                    .collect();
                assert_eq!(errors, refusals, "{name}:\n{mistakes}");
                continue;
            }
        };
        let said: Vec<_> = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
        assert_eq!(said, expected("# warned:"), "{name}:\n{}", warnings(&loaded));
        same_in_native_words(name, &loaded);
    }
}

fn same_in_native_words(name: &str, loaded: &Loaded) {
    let native = to_native(&loaded.config);
    match parse("converted.toml", &native, Dialect::Native) {
        Ok(again) => assert_eq!(again.config, loaded.config, "{name}:\n{native}"),
        Err(mistakes) => panic!("{name}:\n{native}\n{mistakes}"),
    }
}

/// What Debian's package installs, and its examples.
#[test]
fn the_files_that_come_with_chrony_load() {
    let share = here().join("../../target/peers/chrony/usr/share");
    let files = [
        "chrony/chrony.conf",
        "doc/chrony/examples/chrony.conf.example1",
        "doc/chrony/examples/chrony.conf.example2",
        "doc/chrony/examples/chrony.conf.example3",
    ];
    for file in files {
        let path = share.join(file);
        if !path.exists() {
            // Loudly: a test that looks at nothing must not pass for one that does.
            eprintln!(
                "SKIPPED {file}: Debian's chrony is not here; `cargo xtask peers` fetches it"
            );
            continue;
        }
        let loaded = accepted(load(&path, Dialect::Chrony));
        let said: Vec<_> = loaded.warnings.iter().map(|w| w.message.as_str()).collect();
        // The third has all of its sources in comments.
        let expected = ["there is no source of time"];
        assert_eq!(said, &expected[usize::from(!file.ends_with('3'))..], "{file}");
        every_commented_line_is_known(&fs::read_to_string(&path).unwrap());
        same_in_native_words(file, &loaded);
        if file == "chrony/chrony.conf" {
            assert_eq!(names(&loaded), ["2.debian.pool.ntp.org"]);
            assert_eq!(loaded.config.engine.discipline.step_limit, Some(3));
            assert_eq!(loaded.config.clock.leap_seconds_zone.as_deref(), Some("right/UTC"));
        }
    }
}

/// Directives that the examples have behind a `!`: each is read, or refused as not supported, or says
/// what it lacks when it is alone.
fn every_commented_line_is_known(text: &str) {
    let commented = text.lines().filter_map(|line| line.strip_prefix("! "));
    for line in commented.filter(|line| *line != "a comment") {
        if let Err(mistakes) = parse("t", line, Dialect::Chrony) {
            let message = &mistakes.diagnostics[0].message;
            let lacks = line.starts_with("ntsserver") && message.starts_with("there are");
            assert!(lacks || message.ends_with("is not supported"), "{line}\n{mistakes}");
        }
    }
}

#[test]
fn included_files_are_read_where_they_are_named() {
    let directory = tree(&[
        ("chrony.conf", "server a.example\ninclude DIR/more/*.conf\nserver z.example\n"),
        ("more/2.conf", "server c.example\ninclude DIR/nothing-here.conf\n"),
        ("more/1.conf", "! a comment\nserver b.example"),
        ("more/.hidden.conf", "server hidden.example\n"),
        ("more/3.txt", "nonsense\n"),
    ]);
    let loaded = accepted(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    assert_eq!(names(&loaded), ["a.example", "b.example", "c.example", "z.example"]);
}

#[test]
fn of_files_with_one_name_the_first_directorys_is_read() {
    let directory = tree(&[
        ("chrony.conf", "confdir DIR/one DIR/missing DIR/two\n"),
        ("one/20-x.conf", "server one.example\n"),
        ("two/20-x.conf", "server two.example\n"),
        ("two/10-y.conf", "server first.example\n"),
        ("two/README", "nonsense\n"),
    ]);
    let loaded = accepted(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    assert_eq!(names(&loaded), ["first.example", "one.example"]);
}

#[test]
fn a_mistake_in_an_included_file_is_shown_there() {
    let directory = tree(&[
        ("chrony.conf", "dscp 46\ninclude DIR/a.conf\ndscp 64\n"),
        ("a.conf", "# nothing\n\n  makesetp 1 3\nserver a.example\nserver A.example\n"),
    ]);
    let path = directory.path().join("chrony.conf");
    let mistakes = refused(load(&path, Dialect::Chrony)).to_string();
    let shown = mistakes.replace(directory.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(shown);
}

#[test]
fn places_in_two_files_are_both_shown() {
    let directory = tree(&[
        ("chrony.conf", "pool a.example\ninclude DIR/a.conf\n"),
        ("a.conf", "# nothing\npool a.example\n"),
    ]);
    let loaded = accepted(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    let shown = warnings(&loaded).replace(directory.path().to_str().unwrap(), "DIR");
    insta::assert_snapshot!(shown);
}

#[test]
fn files_that_include_each_other_have_an_end() {
    let directory = tree(&[("chrony.conf", "include DIR/chrony.conf\ninclude DIR/chrony.conf\n")]);
    let mistakes = refused(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    assert_eq!(mistakes.diagnostics.len(), 1);
    assert_eq!(mistakes.diagnostics[0].message, "files include each other more than 10 deep");
    assert_eq!(mistakes.document.text().matches("include").count(), 20);
}

#[test]
fn an_included_file_that_cannot_be_read_is_a_mistake() {
    let directory = tree(&[("chrony.conf", "include DIR/*.d\n"), ("a.d/b", "")]);
    let mistakes = refused(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    let message = &mistakes.diagnostics[0].message;
    assert!(message.ends_with("a.d: this is a directory"), "{message}");
    assert_eq!(
        mistakes.document.line_and_column(mistakes.diagnostics[0].span.clone().unwrap().start),
        (1, 1)
    );
}

#[test]
fn a_text_from_anywhere_has_no_files_read() {
    let directory = tree(&[("a.conf", "server a.example\n")]);
    let text = format!("include {0}/a.conf\nconfdir {0}\n", directory.path().display());
    let loaded = accepted(parse("t", &text, Dialect::Chrony));
    assert_eq!(names(&loaded), Vec::<&str>::new());
    assert_eq!(loaded.warnings[0].message, "no other file is read from here");
}

#[test]
fn arguments_of_the_command_line_are_lines() {
    let directory = tree(&[("a.conf", "server a.example\n")]);
    let include = format!("include {}/a.conf", directory.path().display());
    let loaded = accepted(parse_lines(&["server b.example iburst", "makestep 1\n3", &include]));
    assert_eq!(names(&loaded), ["b.example", "a.example"]);
    assert_eq!(loaded.config.engine.discipline.step_limit, Some(3));
    let mistakes = refused(parse_lines(&["makestep 1 3", "sever a.example"])).to_string();
    assert!(mistakes.starts_with("command line:2:1: error: "), "{mistakes}");
    assert!(mistakes.contains("did you mean `server`?"), "{mistakes}");
}

#[test]
fn source_directories_are_read_anew_each_time() {
    let directory = tree(&[
        (
            "chrony.conf",
            "sourcedir DIR/dhcp\nsourcedir DIR/one DIR/two\nminsamples 9\nbindacqaddress 192.0.2.7\n",
        ),
        ("dhcp/eth0.sources", "server 192.0.2.1 iburst\n"),
        ("one/eth0.sources", "pool one.example maxsources 2\n"),
        ("two/eth0.sources", "server hidden.example\n"),
        (
            "two/bad.sources",
            "# x\nmakestep 1 3\nserver\nPeer p.example prefer\nserver unfinished.exam",
        ),
        ("two/other.conf", "server other.example\n"),
    ]);
    let loaded = accepted(load(&directory.path().join("chrony.conf"), Dialect::Chrony));
    assert_eq!(names(&loaded), Vec::<&str>::new());
    let paths: Vec<_> = ["dhcp", "one", "two"].map(|name| directory.path().join(name)).into();
    assert_eq!(loaded.config.files.source_directories, paths);
    let found = loaded.source_directories.read();
    let sources: Vec<_> = found
        .sources
        .iter()
        .map(|source| (source.name.as_str(), source.kind, source.estimator.min_samples))
        .collect();
    assert_eq!(
        sources,
        [
            ("192.0.2.1", SourceKind::Server, 9),
            ("p.example", SourceKind::Peer, 9),
            ("one.example", SourceKind::Pool { count: 2 }, 9),
        ]
    );
    assert_eq!(found.sources[0].bind_address, "192.0.2.7".parse().ok());
    let messages: Vec<_> = found.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages,
        ["`makestep` is no source", "`server` lacks the name or address of a server"]
    );
    assert!(found.warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let shown = found.warnings[0].render(&found.document, Style::Plain);
    assert!(shown.contains("two/bad.sources:2:1: warning: "), "{shown}");

    fs::remove_file(directory.path().join("two/bad.sources")).unwrap();
    fs::remove_file(directory.path().join("one/eth0.sources")).unwrap();
    let found = loaded.source_directories.read();
    let names: Vec<_> = found.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["192.0.2.1", "hidden.example"]);
    // Directories of the native dialect hide nothing of each other.
    assert_eq!(SourceDirectories::of(&paths).read().sources.len(), 2);
}

#[test]
fn reference_clocks_in_each_others_way_are_worth_a_word() {
    for (text, message) in [
        ("refclock SHM 0\nrefclock SHM 0", "the shared memory unit 0 has another reader already"),
        ("refclock SOCK /s\nrefclock SOCK /s", "the socket /s has another reader already"),
        (
            "refclock SHM 0 refid A\nrefclock SHM 1 refid A",
            "there is already a reference clock `A`",
        ),
    ] {
        let shown = warnings(&accepted(parse("t", text, Dialect::Chrony)));
        assert!(shown.contains("t:2:1: warning: ") && shown.contains(message), "{shown}");
    }
}

#[test]
fn what_cannot_be_honoured_is_refused_with_the_line() {
    for (text, message) in [
        ("refclock PPS /dev/pps0", "`PPS` is not supported"),
        ("refclock PHC /dev/ptp0", "`PHC` is not supported"),
        ("refclock RTC /dev/rtc", "`RTC` is not supported"),
        ("refclock SHM 0 pps", "`pps` is not supported"),
        ("refclock SHM 0 lock GPS", "`lock` is not supported"),
        ("refclock SHM 0 local", "`local` is not supported"),
        ("refclock SHM 256", "the segment cannot be `256`"),
        ("refclock SHM 0:perm=0999", "the segment cannot be `0:perm=0999`"),
        ("refclock SHM 0:perm=1777", "the segment cannot be `0:perm=1777`"),
        ("refclock SHM", "`refclock` lacks the number of the segment"),
        ("refclock GPS 0", "the driver cannot be `GPS`"),
        ("refclock SHM 0 refid GPSES", "the reference ID cannot be `GPSES`"),
        ("refclock SHM 0 iburst", "`refclock` has no option `iburst`"),
        ("refclock SHM 0 tai", "nothing tells how many seconds TAI is ahead of UTC"),
        ("server a.example key 0", "the key cannot be `0`"),
        ("server a.example key 4294967296", "the key cannot be `4294967296`"),
        ("server a.example nts key 1", "a source has either `nts` or `key`"),
        ("peer a.example nts", "`nts` cannot be used between peers"),
        ("ntsservercert /a\n", "there are 1 `ntsservercert` and 0 `ntsserverkey`"),
        ("ntsserverkey /a\n", "there are 0 `ntsservercert` and 1 `ntsserverkey`"),
        ("ntsntpserver a..b", "the server cannot be `a..b`"),
        ("maxntsconnections 0", "the number of connections cannot be `0`"),
        ("ntpsigndsocket /a\n", "`ntpsigndsocket` is not supported"),
        ("ptpport 319", "NTP over PTP is not supported"),
        ("allow ntp.example", "the network cannot be `ntp.example`"),
        ("allow 1.2.3.4 all", "`all` is too much for `allow`"),
        ("allow 1.2.3.4/33", "the network cannot be `1.2.3.4/33`"),
        ("allow 300", "the network cannot be `300`"),
        ("dscp", "`dscp` lacks the code point"),
        ("dscp 64", "the code point cannot be `64`"),
        ("dscp 4 # four", "`#` is too much for `dscp`"),
        ("rtcsync yes", "`yes` is too much for `rtcsync`"),
        ("maxdistance nan", "the distance (s) cannot be `nan`"),
        ("maxdistance 1s", "the distance (s) cannot be `1s`"),
        ("makestep 1", "`makestep` lacks the limit"),
        ("local stratum 16", "the stratum cannot be `16`"),
        ("local startum 3", "the option cannot be `startum`"),
        ("ratelimit kod", "`ratelimit` lacks the value"),
        ("cmdratelimit kod 1", "the option cannot be `kod`"),
        ("server fe80::1%eth0", "an address has no zone here"),
        ("server", "`server` lacks the name or address of a server"),
        ("server a.example iburt", "`server` has no option `iburt`"),
        ("server a.example port 0", "the port cannot be `0`"),
        ("bindaddress localhost", "the address cannot be `localhost`"),
        (
            "bindacqdevice interface-of-long-name",
            "the interface cannot be `interface-of-long-name`",
        ),
        ("log tracking foo", "a log cannot be `foo`"),
        ("opencommands shutdown", "an open command cannot be `shutdown`"),
        ("hwtimestamp eth0 rxfilter some", "the filter cannot be `some`"),
        ("driftfile /a every 5", "the option cannot be `every`"),
        ("restrict default nomodify", "chrony.conf has no directive `restrict`"),
    ] {
        let mistakes = refused(parse("t", text, Dialect::Chrony));
        assert_eq!(mistakes.diagnostics[0].message, message, "{text}");
        let shown = mistakes.to_string();
        assert!(shown.starts_with("t:1:"), "{shown}");
    }
}

#[test]
fn what_is_not_used_is_said() {
    for (text, message) in [
        ("rtcfile /a", "`rtcfile` has no effect"),
        ("rtcautotrim 30", "`rtcautotrim` has no effect"),
        ("mailonchange root@localhost 0.5", "`mailonchange` has no effect"),
        ("refresh 0", "`refresh` has no effect"),
        ("commandkey 1", "`commandkey` has no effect"),
        ("generatecommandkey", "`generatecommandkey` has no effect"),
        ("linux_hz 100", "`linux_hz` has no effect"),
        ("linux_freq_scale 0.99", "`linux_freq_scale` has no effect"),
        ("server a.example extfield F324", "`extfield F324` is not used"),
        ("peer a.example extfield 10A extfield F323", "`extfield 10A` is not used"),
        ("server a.example key 1", "there is no file of keys: a source with a key is not asked"),
        ("ntsaeads", "there is no cipher left for NTS"),
        ("ntsaeads 16", "there is no cipher left for NTS"),
        ("authselectmode require", "no source is authenticated: none will be selected"),
        ("log tracking", "`log` writes nothing without `logdir`"),
        (
            "hwtimestamp eth0 minpoll -2 maxsamples 8 txcomp 1e-9",
            "`minpoll`, `maxsamples` of `hwtimestamp` has no effect",
        ),
    ] {
        let loaded = accepted(parse("t", &format!("{text}\nlocal\n"), Dialect::Chrony));
        let said: Vec<_> = loaded.warnings.iter().map(|w| w.message.as_str()).collect();
        assert_eq!(said, [message], "{text}");
    }
    let silent = "keyfile /etc/chrony.keys\nserver a.example key 4\nauthselectmode require\nntsdumpdir /a\nntscachedir /a\nntsaeads 30 15\n\
                  ntstrustedcerts 1 /a\nnosystemcert\nnocerttimecheck 1\nntsport 4460\n\
                  rtcdevice /dev/rtc0\nrtconutc\nhwclockfile /etc/adjtime\nclockprecision 1e-9\n\
                  hwtstimeout 0.01\nmaxtxbuffers 4\nptpdomain 1\ndumponexit\nntsrefresh 5\n\
                  ntsprocesses 1\nmaxntsconnections 5\nntsntpserver a\nntsrotate 0\n\
                  ntsratelimit interval 3\nlocal\n\
                  hwtimestamp eth0 txcomp 1e-9 rxcomp 1e-9 rxfilter ntp nocrossts\n";
    assert_eq!(warnings(&accepted(parse("t", silent, Dialect::Chrony))), "");
}

#[test]
fn bytes_that_are_not_utf_8_may_stand_in_comments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chrony.conf");
    fs::write(&path, b"# Z\xe9ro\nserver a.example\n").unwrap();
    assert_eq!(names(&accepted(load(&path, Dialect::Chrony))), ["a.example"]);
    fs::write(&path, b"server a.example\ndriftfile /Z\xe9ro\n").unwrap();
    let mistakes = refused(load(&path, Dialect::Chrony));
    assert_eq!(mistakes.diagnostics[0].message, "this word has bytes that are not UTF-8");
}

#[test]
fn relative_paths_start_where_the_program_was_started() {
    let loaded = accepted(parse("t", "driftfile tmp/drift\nlocal\n", Dialect::Chrony));
    let expected = std::env::current_dir().unwrap().join("tmp/drift");
    let timeball_config::DriftFile::At { path, .. } = loaded.config.files.drift_file else {
        panic!("no drift file");
    };
    assert_eq!(path, expected);
}

#[test]
fn the_dialect_of_a_file_is_seen() {
    for (name, text, dialect) in [
        ("/etc/timeball/timeball.toml", "server a.example", Dialect::Native),
        ("/etc/a.conf", "# x\n\n[[server]]\naddress = 'a'\n", Dialect::Native),
        ("/etc/a.conf", "clock.control = false", Dialect::Native),
        ("/etc/chrony/chrony.conf", "! x = 3\nserver a.example\n", Dialect::Chrony),
        ("/etc/chrony.conf", "user a=b", Dialect::Chrony),
        ("/etc/chrony.conf", "", Dialect::Chrony),
    ] {
        assert_eq!(Dialect::detect(Path::new(name), text), dialect, "{name} {text:?}");
    }
}
