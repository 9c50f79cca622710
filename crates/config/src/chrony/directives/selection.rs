//! Which sources to believe.

use timeball_core::selection::AuthenticationPolicy;

use super::super::draft::Draft;
use super::Directive;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured(
        "authselectmode",
        "What becomes of sources that are not authenticated.",
        |draft, arguments| {
            let policy = arguments.one_of(
                "the mode",
                &[
                    ("require", AuthenticationPolicy::Require),
                    ("prefer", AuthenticationPolicy::Prefer),
                    ("mix", AuthenticationPolicy::Mix),
                    ("ignore", AuthenticationPolicy::Ignore),
                ],
            )?;
            draft.config.engine.selection.authentication = policy;
            Ok(())
        },
    ),
    Directive::honoured(
        "combinelimit",
        "Sources further away than so many times the best one are not combined.",
        |draft, arguments| {
            draft.config.engine.selection.combine_limit = arguments.ratio("the limit")?;
            Ok(())
        },
    ),
    Directive::honoured(
        "maxdistance",
        "Largest root distance of a usable source (s).",
        |draft, arguments| {
            draft.config.engine.selection.maximum_distance =
                arguments.seconds("the distance (s)")?.min(YEAR);
            Ok(())
        },
    ),
    Directive::honoured(
        "maxjitter",
        "Largest jitter of a usable source (s).",
        |draft, arguments| {
            draft.config.engine.selection.maximum_jitter =
                arguments.seconds("the jitter (s)")?.min(YEAR);
            Ok(())
        },
    ),
    Directive::honoured("maxstratum", "Largest stratum of a usable source.", |draft, arguments| {
        let stratum = arguments.integer("the stratum", 0..=16)?.min(15);
        draft.config.engine.selection.maximum_stratum = u8::try_from(stratum).unwrap_or_default();
        Ok(())
    }),
    Directive::honoured("minstratum", "Least stratum of a usable source.", |draft, arguments| {
        let stratum = arguments.integer("the stratum", 0..=16)?.min(15);
        draft.config.engine.selection.minimum_stratum = u8::try_from(stratum).unwrap_or_default();
        Ok(())
    }),
    Directive::honoured(
        "minsources",
        "Sources that must agree before the clock is touched.",
        |draft, arguments| {
            let sources = arguments.count_of("the number of sources", 1)?;
            draft.config.engine.selection.minimum_sources =
                usize::try_from(sources).unwrap_or(usize::MAX).min(MOST_SOURCES);
            Ok(())
        },
    ),
    Directive::honoured(
        "reselectdist",
        "Distance by which another source must be better to be followed (s).",
        |draft, arguments| {
            draft.config.engine.selection.reselect_distance =
                arguments.seconds("the distance (s)")?.min(YEAR);
            Ok(())
        },
    ),
    Directive::honoured(
        "stratumweight",
        "Distance that one stratum is worth (s).",
        |draft, arguments| {
            draft.config.engine.selection.stratum_weight =
                arguments.seconds("the distance (s)")?.min(YEAR);
            Ok(())
        },
    ),
];

/// No source that far away, or that unsteady, tells the time (s).
const YEAR: f64 = 365.0 * 86400.0;
/// More than anybody configures.
const MOST_SOURCES: usize = 64;
