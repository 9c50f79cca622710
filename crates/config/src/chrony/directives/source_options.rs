//! Options of `server`, `pool` and `peer`.

use timeball_auth::KeyId;
use timeball_core::association::{Authentication, Connectivity, PollInterval};
use timeball_core::settings::{Family, SourceKind};

use super::super::Outcome;
use super::super::arguments::{Arguments, wrong};
use super::super::draft::DraftSource;
use super::Directive;
use crate::diagnostic::Diagnostic;

/// One of them.
pub(in crate::chrony) type SourceOption = Directive<DraftSource>;

/// All of them.
pub(in crate::chrony) const OPTIONS: &[SourceOption] = &[
    SourceOption::honoured(
        "minpoll",
        "Shortest poll interval (log₂ s), −7 to 17.",
        |source, arguments| {
            source.settings.association.minpoll =
                poll(arguments, "the poll interval", DEFAULT_MINPOLL)?;
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxpoll",
        "Longest poll interval (log₂ s), −7 to 17.",
        |source, arguments| {
            source.settings.association.maxpoll =
                poll(arguments, "the poll interval", DEFAULT_MAXPOLL)?;
            Ok(())
        },
    ),
    SourceOption::honoured("iburst", "A volley of requests at the start.", |source, _| {
        source.settings.association.iburst = true;
        Ok(())
    }),
    SourceOption::honoured(
        "burst",
        "More requests in a poll that brought no good measurement.",
        |source, _| {
            source.settings.association.burst = true;
            Ok(())
        },
    ),
    SourceOption::honoured(
        "key",
        "The key that authenticates requests and answers.",
        |source, arguments| {
            let id = arguments.integer("the key", 1..=i64::from(u32::MAX))?;
            if let Some(id) = u32::try_from(id).ok().and_then(KeyId::new) {
                source.settings.association.authentication = Authentication::Key(id);
            }
            Ok(())
        },
    ),
    SourceOption::honoured(
        "nts",
        "Network Time Security: the name has to be that in the server's certificate.",
        |source, _| {
            source.nts = true;
            Ok(())
        },
    ),
    SourceOption::honoured(
        "ntsport",
        "TCP port at which keys are established; means something only with `nts`.",
        |source, arguments| {
            source.nts_server.port = arguments.used_port()?;
            Ok(())
        },
    ),
    SourceOption::honoured(
        "certset",
        "Which set of certificates is trusted; means something only with `nts`.",
        |source, arguments| {
            let set = arguments.integer("the number of the set", 0..=i64::from(u32::MAX))?;
            source.nts_server.certificate_set = u32::try_from(set).unwrap_or_default();
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxdelay",
        "Longest round-trip delay to accept (s).",
        |source, arguments| {
            source.settings.association.max_delay =
                arguments.number("the delay (s)", ANY)?.clamp(SHORTEST_DELAY, LONGEST_DELAY);
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxdelayratio",
        "Longest delay to accept, as a multiple of the shortest; below 1 there is no limit.",
        |source, arguments| {
            let ratio = arguments.number("the ratio", ANY)?;
            source.settings.association.max_delay_ratio =
                (ratio >= 1.0).then_some(ratio.min(LARGEST_RATIO));
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxdelaydevratio",
        "Longest excess of the delay to accept, as a multiple of the offset's standard deviation. Without \
         it that of peers and with `burst` may be 10 times that; others are weighed by the estimator.",
        |source, arguments| {
            let ratio = arguments.number("the ratio", ANY)?;
            source.settings.association.max_delay_dev_ratio = Some(ratio.clamp(0.0, LARGEST_RATIO));
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxdelayquant",
        "The part of all delays that is short enough to accept.",
        |source, arguments| {
            let part = arguments.number("the quantile", ANY)?;
            source.settings.association.max_delay_quantile =
                (part > 0.0).then_some(part.clamp(0.05, 0.95));
            Ok(())
        },
    ),
    SourceOption::honoured(
        "mindelay",
        "The path's delay without queues (s).",
        |source, arguments| {
            source.settings.estimator.min_delay =
                arguments.number("the delay (s)", ANY)?.clamp(0.0, LONGEST_DELAY);
            Ok(())
        },
    ),
    SourceOption::honoured(
        "asymmetry",
        "How the path's jitter is divided between the two ways; beyond ±0.5 it is learnt.",
        |source, arguments| {
            let asymmetry = arguments.number("the asymmetry", ANY)?;
            // Ours is positive where chrony's is negative: if the way to the server is the busy one.
            source.settings.estimator.asymmetry =
                (asymmetry.abs() <= 0.5).then_some(0.0 - asymmetry);
            Ok(())
        },
    ),
    SourceOption::honoured("offset", "Added to every measured offset (s).", |source, arguments| {
        source.settings.association.offset = arguments.difference("the offset (s)")?;
        Ok(())
    }),
    SourceOption::honoured(
        "minsamples",
        "Least measurements to keep; without it, what the directive `minsamples` says.",
        |source, arguments| {
            source.min_samples = Some(arguments.count_of("the number of samples", 0)?);
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxsamples",
        "Most measurements to keep; without it, what the directive `maxsamples` says.",
        |source, arguments| {
            source.max_samples = Some(arguments.count_of("the number of samples", 0)?);
            Ok(())
        },
    ),
    SourceOption::honoured(
        "maxunreach",
        "After so many polls without an answer it is not selected.",
        |source, arguments| {
            let polls = arguments.count_of("the number of polls", 0)?;
            source.settings.association.max_unreach = u32::try_from(polls).unwrap_or(u32::MAX);
            Ok(())
        },
    ),
    SourceOption::honoured(
        "filter",
        "The median of so many polls makes one measurement.",
        |source, arguments| {
            let polls = arguments.count_of("the number of polls", 0)?;
            source.settings.association.filter =
                usize::try_from(polls).unwrap_or(usize::MAX).clamp(1, LONGEST_FILTER);
            Ok(())
        },
    ),
    SourceOption::honoured("offline", "Not asked until `chronyc online`.", |source, _| {
        source.settings.association.connectivity = Connectivity::Offline;
        Ok(())
    }),
    SourceOption::honoured(
        "auto_offline",
        "Not asked any more when the network says that it cannot be reached.",
        |source, _| {
            let connectivity = &mut source.settings.association.connectivity;
            if *connectivity == Connectivity::Online {
                *connectivity = Connectivity::AutoOffline;
            }
            Ok(())
        },
    ),
    SourceOption::honoured("prefer", "Used instead of all that are not preferred.", |source, _| {
        source.settings.options.prefer = true;
        Ok(())
    }),
    SourceOption::honoured("noselect", "Measured, never followed.", |source, _| {
        source.settings.options.noselect = true;
        Ok(())
    }),
    SourceOption::honoured("trust", "Counts as right.", |source, _| {
        source.settings.options.trust = true;
        Ok(())
    }),
    SourceOption::honoured("require", "None is selected unless this one agrees.", |source, _| {
        source.settings.options.require = true;
        Ok(())
    }),
    SourceOption::honoured("xleave", "Interleaved mode (RFC 9769).", |source, _| {
        source.settings.association.interleaved = true;
        Ok(())
    }),
    SourceOption::honoured(
        "polltarget",
        "How many measurements the poll interval aims to keep.",
        |source, arguments| {
            let target = arguments.count_of("the number of measurements", 1)?;
            source.settings.association.poll_target =
                usize::try_from(target).unwrap_or(usize::MAX).min(LARGEST_POLL_TARGET);
            Ok(())
        },
    ),
    SourceOption::honoured("port", "UDP port of the server.", |source, arguments| {
        source.settings.port = arguments.used_port()?;
        Ok(())
    }),
    SourceOption::honoured(
        "presend",
        "From this poll interval on a request is sent ahead of the one that counts.",
        |source, arguments| {
            let poll = arguments.integer("the poll interval", POLLS)?;
            let poll = i8::try_from(poll).unwrap_or(i8::MAX);
            source.settings.association.presend =
                (poll <= PollInterval::LONGEST.exponent()).then(|| PollInterval::new(poll));
            Ok(())
        },
    ),
    SourceOption::honoured(
        "minstratum",
        "Raises the stratum that it claims.",
        |source, arguments| {
            let stratum = arguments.integer("the stratum", 0..=16)?.min(15);
            source.settings.association.min_stratum = u8::try_from(stratum).unwrap_or_default();
            Ok(())
        },
    ),
    SourceOption::honoured("version", "Version of the protocol.", |source, arguments| {
        let version = arguments.integer("the version", 1..=4)?;
        source.settings.association.version = u8::try_from(version).unwrap_or_default();
        Ok(())
    }),
    SourceOption::honoured(
        "copy",
        "Passes on the server's own stratum and reference ID.",
        |source, _| {
            source.settings.association.copy = true;
            Ok(())
        },
    ),
    SourceOption::honoured(
        "extfield",
        "`F323`: monotonic time. Without the corrections of network equipment, `10A` and `F324`, the \
         source is asked as before chrony 4; there is a warning.",
        |source, arguments| {
            let word = arguments.word("the type of an extension field")?;
            match u32::from_str_radix(word.text, 16) {
                Ok(0xF323) => source.settings.association.monotonic = true,
                Ok(0x10A | 0xF324) => source.remarks.push(
                    Diagnostic::warning(format!("`extfield {}` is not used", word.text))
                        .at(word.span.clone())
                        .help("the source is asked without this extension field"),
                ),
                Ok(_) | Err(_) => {
                    let types = "10A, F323 or F324";
                    return Err(wrong(word, "the type of an extension field", types));
                }
            }
            Ok(())
        },
    ),
    SourceOption::honoured("ipv4", "Resolves to IPv4 only.", |source, _| {
        source.settings.family = Some(Family::Ipv4);
        Ok(())
    }),
    SourceOption::honoured("ipv6", "Resolves to IPv6 only.", |source, _| {
        source.settings.family = Some(Family::Ipv6);
        Ok(())
    }),
    SourceOption::honoured("maxsources", "Servers of a pool, up to 16.", |source, arguments| {
        let wanted = arguments.count_of("the number of servers", 1)?;
        if let SourceKind::Pool { count } = &mut source.settings.kind {
            *count = usize::try_from(wanted).unwrap_or(usize::MAX).min(LARGEST_POOL);
        }
        Ok(())
    }),
];

const ANY: std::ops::RangeInclusive<f64> = f64::MIN..=f64::MAX;
/// What chronyd takes for a poll interval before it makes it a possible one.
const POLLS: std::ops::RangeInclusive<i64> = -32..=32;
const DEFAULT_MINPOLL: i8 = 6;
const DEFAULT_MAXPOLL: i8 = 10;
/// chronyd's bounds.
const LONGEST_DELAY: f64 = 1000.0;
const SHORTEST_DELAY: f64 = 1e-9;
const LARGEST_RATIO: f64 = 1e6;
const LARGEST_POOL: usize = 16;
/// Beyond this no measurement would ever come of it.
const LONGEST_FILTER: usize = 1024;
const LARGEST_POLL_TARGET: usize = 1024;

fn poll(arguments: &mut Arguments<'_>, what: &str, default: i8) -> Outcome<PollInterval> {
    let exponent = arguments.integer(what, POLLS)?;
    let exponent = i8::try_from(exponent).unwrap_or(default);
    // Like chronyd: too short is as if it were not said, too long is the longest.
    let exponent = if exponent < PollInterval::SHORTEST.exponent() { default } else { exponent };
    Ok(PollInterval::new(exponent))
}
