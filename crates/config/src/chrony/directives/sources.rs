//! Sources of time and what holds for all of them.

use timeball_core::association::{self, Authentication, NtsServer};
use timeball_core::estimator::{self, Method};
use timeball_core::settings::{SourceKind, SourceSettings};

use super::super::Outcome;
use super::super::arguments::Arguments;
use super::super::draft::{Draft, DraftSource};
use super::super::host;
use super::{Directive, Fate, OPTIONS, reference_clocks};
use crate::config::{ClientPort, InitialCorrection};
use crate::diagnostic::Diagnostic;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured("server", "One server to take time from.", |draft, arguments| {
        add(draft, SourceKind::Server, arguments)
    }),
    Directive::honoured(
        "pool",
        "As many servers out of a name as `maxsources` says.",
        |draft, arguments| add(draft, SourceKind::Pool { count: DEFAULT_POOL_SOURCES }, arguments),
    ),
    Directive::honoured(
        "peer",
        "A symmetric association. `iburst`, `burst`, `presend` and `copy` have no effect on it, as in \
         chronyd.",
        |draft, arguments| add(draft, SourceKind::Peer, arguments),
    ),
    Directive::honoured(
        "refclock",
        "A clock of this machine itself: the drivers `SHM` and `SOCK`. `PPS`, `PHC` and `RTC` are not \
         supported yet, and a file with one of them is not used.",
        reference_clocks::read,
    ),
    Directive::honoured(
        "initstepslew",
        "Measures these servers first and corrects the clock by them.",
        initstepslew,
    ),
    Directive::honoured("manual", "`chronyc settime` may set the time.", |draft, _| {
        draft.config.clock.manual = true;
        Ok(())
    }),
    Directive::honoured(
        "acquisitionport",
        "Local port of requests; 0 is one port, chosen by the system, for all of them.",
        |draft, arguments| {
            draft.config.network.client_port = match arguments.port()? {
                0 => ClientPort::Shared,
                port => ClientPort::Fixed(port),
            };
            Ok(())
        },
    ),
    Directive::honoured(
        "bindacqaddress",
        "Local address of requests, one per family. A name with addresses of both families is asked \
         from the IPv4 address, if there is one.",
        |draft, arguments| {
            draft.defaults.bind.set(arguments.address()?);
            Ok(())
        },
    ),
    Directive::honoured("bindacqdevice", "Interface of requests.", |draft, arguments| {
        draft.defaults.bind_device = Some(arguments.device()?);
        Ok(())
    }),
    Directive::honoured(
        "dscp",
        "Differentiated services code point of sent packets.",
        |draft, arguments| {
            let code = arguments.integer("the code point", 0..=63)?;
            draft.config.network.dscp = u8::try_from(code).unwrap_or_default();
            Ok(())
        },
    ),
    Directive::honoured(
        "dumpdir",
        "Directory in which measurements are kept over a restart.",
        |draft, arguments| {
            draft.config.files.dump_directory = Some(arguments.path("the directory")?);
            Ok(())
        },
    ),
    Directive::honoured(
        "maxsamples",
        "Most measurements to keep of a source; 0 is 64.",
        |draft, arguments| {
            draft.defaults.max_samples = arguments.count_of("the number of samples", 0)?;
            Ok(())
        },
    ),
    Directive::honoured(
        "minsamples",
        "Least measurements to keep of a source.",
        |draft, arguments| {
            draft.defaults.min_samples = arguments.count_of("the number of samples", 0)?;
            Ok(())
        },
    ),
    Directive::warned(
        "refresh",
        "Names are resolved again when a server fails or on `chronyc refresh`, not by a clock.",
    ),
];

/// Sources of a pool that does not say how many.
pub(in crate::chrony) const DEFAULT_POOL_SOURCES: usize = 4;

fn add(draft: &mut Draft, kind: SourceKind, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let source = read_source(kind, arguments, &mut draft.diagnostics)?;
    draft.sources.push(source);
    Ok(())
}

/// `NAME [OPTIONS]`.
pub(in crate::chrony) fn read_source(
    kind: SourceKind,
    arguments: &mut Arguments<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Outcome<DraftSource> {
    let name = arguments.word("the name or address of a server")?;
    let mut source = DraftSource {
        settings: defaults(kind, host::read(name)?),
        min_samples: None,
        max_samples: None,
        nts: false,
        nts_server: NtsServer::default(),
        line: arguments.line(),
        name: name.span.clone(),
        remarks: Vec::new(),
    };
    while let Some(word) = arguments.next() {
        let Some(option) = OPTIONS.iter().find(|option| word.is(option.name)) else {
            return Err(unknown_option(word, arguments.directive()));
        };
        match option.fate {
            Fate::Honoured | Fate::Unneeded => {}
            Fate::Warned => diagnostics.push(
                Diagnostic::warning(format!("`{}` is not used", option.name))
                    .at(word.span.clone())
                    .help(option.words),
            ),
            Fate::Refused => {
                return Err(Box::new(
                    Diagnostic::error(format!("`{}` is not supported", option.name))
                        .at(word.span.clone())
                        .help(option.words),
                ));
            }
        }
        (option.read)(&mut source, arguments)?;
    }
    diagnostics.append(&mut source.remarks);
    settle(&mut source)?;
    Ok(source)
}

fn defaults(kind: SourceKind, name: String) -> SourceSettings {
    let server = SourceSettings::server(name);
    let method = match kind {
        SourceKind::Server | SourceKind::Pool { .. } => server.estimator.method,
        // Peers in a row each steer by the next one's clock while that is steered itself: no oscillator
        // moves like that, and the line through a few measurements follows it sooner.
        SourceKind::Peer => Method::Classic,
    };
    SourceSettings {
        kind,
        association: association::Settings { iburst: false, ..association::Settings::default() },
        estimator: estimator::Settings { method, ..server.estimator },
        ..server
    }
}

/// What options mean together.
fn settle(source: &mut DraftSource) -> Outcome<()> {
    let settings = &mut source.settings.association;
    settings.maxpoll = settings.maxpoll.max(settings.minpoll);
    if source.settings.kind == SourceKind::Peer {
        settings.iburst = false;
        settings.burst = false;
        settings.presend = None;
        settings.copy = false;
    }
    // A line is drawn off by what waited long, and a burst soon brings another. Without, the bank knows
    // what to make of it: in congestion that lasts it is all there is.
    if source.settings.estimator.method == Method::Classic || settings.burst {
        settings.max_delay_dev_ratio.get_or_insert(10.0);
    }
    if !source.nts {
        return Ok(());
    }
    let refused = |why: &str, help: &str| {
        Err(Box::new(Diagnostic::error(why).at(source.name.clone()).help(help.to_owned())))
    };
    match (settings.authentication, source.settings.kind) {
        (_, SourceKind::Peer) => refused(
            "`nts` cannot be used between peers",
            "give both sides a `key`, or let each ask the other as a `server`",
        ),
        (Authentication::Key(_), _) => {
            refused("a source has either `nts` or `key`", "remove one of the two")
        }
        (Authentication::None | Authentication::Nts(_), _) => {
            settings.authentication = Authentication::Nts(source.nts_server);
            Ok(())
        }
    }
}

fn unknown_option(word: &super::super::line::Word<'_>, directive: &str) -> Box<Diagnostic> {
    let known = OPTIONS.iter().map(|option| option.name);
    let near = crate::native::nearest(word.text, known);
    Box::new(
        Diagnostic::error(format!("`{directive}` has no option `{}`", word.text))
            .at(word.span.clone())
            .help_if(near.map(|near| format!("did you mean `{near}`?"))),
    )
}

/// `THRESHOLD [SERVERS]`.
fn initstepslew(draft: &mut Draft, arguments: &mut Arguments<'_>) -> Outcome<()> {
    let threshold = arguments.seconds("the threshold (s)")?;
    let mut servers = Vec::new();
    while let Some(word) = arguments.next() {
        servers.push(host::read(word)?);
    }
    // Without servers there is nothing to correct the clock by.
    draft.config.clock.initial =
        (!servers.is_empty()).then_some(InitialCorrection { threshold, servers });
    Ok(())
}
