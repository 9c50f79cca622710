//! Serving clients, authentication, and what all packets share.

use std::net::SocketAddr;

use timeball_auth::nts::AeadAlgorithm;
use timeball_core::server::{Broadcast, ClientLog, RateLimit, Smoothing};
use timeball_core::settings::Local;

use super::super::Outcome;
use super::super::access::Access;
use super::super::arguments::{Arguments, wrong};
use super::super::draft::Draft;
use super::Directive;
use crate::config::{Card, ReceiveFilter};
use crate::diagnostic::Diagnostic;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured(
        "allow",
        "Answers clients in this network, or all. Host names are refused.",
        |draft, arguments| draft.served.read(arguments, Access::Allowed),
    ),
    Directive::honoured(
        "deny",
        "Does not answer clients in this network, or any. Host names are refused.",
        |draft, arguments| draft.served.read(arguments, Access::Denied),
    ),
    Directive::honoured(
        "bindaddress",
        "Local address to serve on, one per family.",
        |draft, arguments| {
            draft.bind.set(arguments.address()?);
            Ok(())
        },
    ),
    Directive::honoured("binddevice", "Interface to serve on.", |draft, arguments| {
        draft.config.serve.bind_device = Some(arguments.device()?);
        Ok(())
    }),
    Directive::honoured("broadcast", "Sends the time unasked.", |draft, arguments| {
        let interval = arguments.integer("the interval (s)", 1..=i64::from(i32::MAX))? as f64;
        let address = arguments.address()?;
        let port = if arguments.count() > 2 { arguments.used_port()? } else { 123 };
        let destination = SocketAddr::new(address, port);
        draft.config.engine.server.broadcasts.push(Broadcast { interval, destination });
        Ok(())
    }),
    Directive::honoured(
        "clientloglimit",
        "Memory for what is known of clients (bytes).",
        |draft, arguments| {
            let bytes = arguments.integer("the limit (bytes)", 0..=i64::MAX)?;
            let limit = usize::try_from(bytes).unwrap_or(usize::MAX).min(LARGEST_CLIENT_LOG);
            let log = &mut draft.config.engine.server.client_log;
            *log = log.map(|_| ClientLog { limit });
            Ok(())
        },
    ),
    Directive::honoured(
        "noclientlog",
        "Nothing is kept of clients; interleaved mode is not served then.",
        |draft, _| {
            draft.config.engine.server.client_log = None;
            Ok(())
        },
    ),
    Directive::honoured("local", "This machine's clock as a reference.", |draft, arguments| {
        let local = local(arguments)?;
        draft.config.engine.local = Some(local);
        Ok(())
    }),
    Directive::refused(
        "ntpsigndsocket",
        "Signing answers for Windows domains is not supported yet; their members would stay without \
         time.",
    ),
    Directive::honoured("port", "UDP port of the server; 0 serves nobody.", |draft, arguments| {
        let port = arguments.port()?;
        draft.no_server = port == 0;
        if port != 0 {
            draft.config.serve.port = port;
        }
        Ok(())
    }),
    Directive::honoured(
        "ratelimit",
        "Limits how often a client is answered.",
        |draft, arguments| {
            let limit = rate_limit(
                arguments,
                RateLimit { interval: 8.0, burst: 8, leak: 4, kiss: 0 },
                &["kod"],
            )?;
            draft.config.engine.server.rate_limit = Some(limit);
            Ok(())
        },
    ),
    Directive::honoured(
        "smoothtime",
        "Serves time that changes more smoothly than the clock.",
        |draft, arguments| {
            let max_frequency = arguments.ppm("the frequency (ppm)", 0.0..=1.0)?;
            let max_wander = arguments.ppm("the wander (ppm/s)", 0.0..=1.0)?;
            let leap_only = match arguments.next() {
                None => false,
                Some(word) if word.is("leaponly") => true,
                Some(word) => return Err(wrong(word, "the option", "leaponly")),
            };
            draft.config.engine.server.smoothing =
                Some(Smoothing { max_frequency, max_wander, leap_only });
            Ok(())
        },
    ),
];

pub(super) const AUTHENTICATION: &[Directive<Draft>] = &[
    Directive::honoured(
        "keyfile",
        "The file of symmetric keys. One that others can read is warned about, as are lines with \
         mistakes; `timeball run` does not start with them.",
        |draft, arguments| {
            draft.config.files.key_file = Some(arguments.path("the file")?);
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsdumpdir",
        "Where keys and cookies of NTS are kept over a restart: the server's keys in `ntskeys`, as \
         chronyd has them, those of sources in a format of our own.",
        nts_directory,
    ),
    Directive::honoured("ntscachedir", "The old name of `ntsdumpdir`.", nts_directory),
    Directive::honoured(
        "ntsaeads",
        "The ciphers for NTS, by their numbers: 30, 15 and 17. Others are passed over; without any there \
         is no NTS.",
        |draft, arguments| {
            let mut ciphers = Vec::new();
            while arguments.count() > 0 && ciphers.len() < arguments.count() {
                let number = arguments.integer("the cipher", 1..=i64::from(u16::MAX))?;
                ciphers.push(u16::try_from(number).unwrap_or_default());
            }
            let known = ciphers.into_iter().filter_map(AeadAlgorithm::from_number);
            draft.config.nts.algorithms = known.collect();
            if draft.config.nts.algorithms.is_empty() {
                draft.report(
                    Diagnostic::warning("there is no cipher left for NTS")
                        .at(arguments.line())
                        .expected("any of 30, 15 and 17"),
                );
            }
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsservercert",
        "A certificate to prove by to clients who answers them; several for several names. A file that \
         changes is read again.",
        |draft, arguments| {
            let line = arguments.line();
            draft.certificates.push((arguments.path("the file")?, line));
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsserverkey",
        "The private key that belongs to the certificate.",
        |draft, arguments| {
            let line = arguments.line();
            draft.certificate_keys.push((arguments.path("the file")?, line));
            Ok(())
        },
    ),
    Directive::honoured("ntsport", "TCP port to give keys on.", |draft, arguments| {
        draft.config.serve.key_establishment.port = arguments.used_port()?;
        Ok(())
    }),
    Directive::honoured(
        "ntsprocesses",
        "0: the daemon gives keys between other things; else one thread of its own does.",
        |draft, arguments| {
            let processes = arguments.integer("the number of processes", 0..=1000)?;
            draft.config.serve.key_establishment.own_thread = processes > 0;
            Ok(())
        },
    ),
    Directive::honoured(
        "maxntsconnections",
        "How many clients may be given keys at once.",
        |draft, arguments| {
            let most = arguments.integer("the number of connections", 1..=i64::from(i32::MAX))?;
            let most = usize::try_from(most).unwrap_or(usize::MAX).min(MOST_NTS_CONNECTIONS);
            draft.config.serve.key_establishment.max_connections = most;
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsntpserver",
        "The server that clients shall ask for the time.",
        |draft, arguments| {
            let word = arguments.word("the server")?;
            if let Err(problem) = crate::native::check_host(word.text) {
                let diagnostic = wrong(word, "the server", "a host name or an address");
                return Err(Box::new(diagnostic.help(problem)));
            }
            draft.config.serve.key_establishment.ntp_server = Some(word.text.to_owned());
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsrotate",
        "How often the keys of cookies change (s); 0: somebody else changes them in `ntskeys`.",
        |draft, arguments| {
            let interval = arguments.count_of("the interval (s)", 0)?;
            draft.config.serve.key_establishment.rotation =
                (interval > 0).then_some(interval as f64);
            Ok(())
        },
    ),
    Directive::honoured(
        "ntsratelimit",
        "Limits how often a client is given keys.",
        |draft, arguments| {
            let unless_said = RateLimit { interval: 64.0, burst: 8, leak: 4, kiss: 0 };
            let limit = rate_limit(arguments, unless_said, &[])?;
            draft.config.serve.key_establishment.rate_limit = Some(limit);
            Ok(())
        },
    ),
];

/// More than there are descriptors.
const MOST_NTS_CONNECTIONS: usize = 100_000;

fn nts_directory(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    draft.config.nts.directory = Some(arguments.path("the directory")?);
    Ok(())
}

pub(super) const NETWORK: &[Directive<Draft>] = &[
    Directive::honoured(
        "hwtimestamp",
        "Timestamps by the network card of requests and their answers; what is served to clients and \
         said to peers is stamped by the kernel. `rxcomp`, `txcomp`, `rxfilter` and `nocrossts` do what \
         they do in chronyd; `minpoll`, `maxpoll`, `minsamples`, `maxsamples` and `precision` are warned \
         about: the card's clock is read with each request and each answer, and how well is measured.",
        hwtimestamp,
    ),
    Directive::unneeded("hwtstimeout", "How long to wait for a card's timestamp is fixed."),
    Directive::unneeded("maxtxbuffers", "A packet waits for its timestamp in any case."),
    Directive::honoured(
        "ptpport",
        "NTP over PTP is not supported yet: any port but 0 is refused.",
        |_, arguments| {
            let line = arguments.line();
            match arguments.port()? {
                0 => Ok(()),
                _ => Err(Box::new(
                    Diagnostic::error("NTP over PTP is not supported")
                        .at(line)
                        .help("ask and serve over port 123: remove the line"),
                )),
            }
        },
    ),
    Directive::unneeded("ptpdomain", "Means something only with `ptpport`."),
];

/// chronyd keeps no more of clients than 16777216 records, of some 100 bytes each.
const LARGEST_CLIENT_LOG: usize = 1 << 31;

/// The options of `local`.
fn local(arguments: &mut Arguments<'_>) -> Outcome<Local> {
    let mut local = Local::default();
    let mut wait_unsynchronised = None;
    while let Some(word) = arguments.next() {
        match word.text.to_ascii_lowercase().as_str() {
            "stratum" => {
                let stratum = arguments.integer("the stratum", 1..=15)?;
                local.stratum = u8::try_from(stratum).unwrap_or_default();
            }
            "orphan" => local.orphan = true,
            "distance" => local.distance = arguments.difference("the distance (s)")?.max(0.0),
            "activate" => local.activate = arguments.difference("the distance (s)")?.max(0.0),
            "waitsynced" => {
                local.wait_synchronised = arguments.difference("the time (s)")?.max(0.0);
            }
            "waitunsynced" => {
                wait_unsynchronised = Some(arguments.difference("the time (s)")?);
            }
            _ => {
                let options = "stratum, orphan, distance, activate, waitsynced or waitunsynced";
                return Err(wrong(word, "the option", options));
            }
        }
    }
    let unsaid = if local.orphan { 300.0 } else { 0.0 };
    local.wait_unsynchronised = wait_unsynchronised.filter(|time| *time >= 0.0).unwrap_or(unsaid);
    Ok(local)
}

/// The options of `ratelimit` and its relatives, powers of two all but `burst`.
pub(super) fn rate_limit(
    arguments: &mut Arguments<'_>,
    mut limit: RateLimit,
    more: &[&str],
) -> Outcome<RateLimit> {
    while let Some(word) = arguments.next() {
        let option = word.text.to_ascii_lowercase();
        let known = matches!(option.as_str(), "interval" | "burst" | "leak");
        if !known && !more.contains(&option.as_str()) {
            let known: Vec<_> = ["interval", "burst", "leak"].iter().chain(more).copied().collect();
            return Err(wrong(word, "the option", format!("one of {}", known.join(", "))));
        }
        let value = arguments.integer("the value", -32..=32)?;
        match option.as_str() {
            "interval" => limit.interval = f64::from(value.clamp(-19, 12) as i32).exp2(),
            "burst" => limit.burst = value.clamp(1, 255) as u32,
            "leak" => limit.leak = 1 << value.clamp(1, 4),
            // One in 2⁰ would be all: 0 is none.
            _ => limit.kiss = if value <= 0 { 0 } else { 1 << value.min(4) },
        }
    }
    Ok(limit)
}

/// `INTERFACE [OPTIONS]`.
fn hwtimestamp(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let mut card = Card::new(arguments.device()?);
    let mut without_effect = Vec::new();
    while let Some(word) = arguments.next() {
        let option = word.text.to_ascii_lowercase();
        match option.as_str() {
            "minpoll" | "maxpoll" => {
                arguments.integer("the poll interval", -32..=32)?;
                without_effect.push(option);
            }
            "minsamples" | "maxsamples" => {
                arguments.count_of("the number of samples", 0)?;
                without_effect.push(option);
            }
            "precision" => {
                arguments.number("the precision (s)", 0.0..=1.0)?;
                without_effect.push(option);
            }
            "nocrossts" => card.cross_timestamps = false,
            "txcomp" => card.transmit_compensation = arguments.difference("the time (s)")?,
            "rxcomp" => card.receive_compensation = arguments.difference("the time (s)")?,
            "rxfilter" => {
                card.receive_filter = arguments.one_of(
                    "the filter",
                    &[
                        ("all", ReceiveFilter::All),
                        ("ntp", ReceiveFilter::Ntp),
                        ("ptp", ReceiveFilter::Ptp),
                        ("none", ReceiveFilter::None),
                    ],
                )?;
            }
            _ => {
                let options = "minpoll, maxpoll, minsamples, maxsamples, nocrossts, precision, \
                               txcomp, rxcomp or rxfilter";
                return Err(wrong(word, "the option", options));
            }
        }
    }
    if !without_effect.is_empty() {
        let (options, line) = (without_effect.join("`, `"), arguments.line());
        draft.report(
            Diagnostic::warning(format!("`{options}` of `hwtimestamp` has no effect")).at(line).help(
                "the card's clock is read with each request and each answer, and how well is measured",
            ),
        );
    }
    draft.stamp_by_hardware();
    draft.config.network.cards.push(card);
    Ok(())
}
