//! What may have been meant.

/// Words of chrony.conf and ntp.conf with what says the same in timeball.toml.
const ELSEWHERE: &[(&str, &str)] = &[
    ("driftfile", "write `drift-file` in [files]"),
    ("makestep", "write `step-threshold` and `step-limit` in [clock]"),
    ("maxslewrate", "write `max-slew` in [clock]"),
    ("panic", "write `panic-threshold` in [clock]"),
    ("local", "write a table [serve.local]"),
    ("ratelimit", "write a table [serve.rate-limit]"),
    ("restrict", "write `allow` and `deny` in [serve]"),
    ("minsources", "write `minimum-sources` in [selection]"),
    ("maxdistance", "write `maximum-distance` in [selection]"),
    ("maxjitter", "write `maximum-jitter` in [selection]"),
    ("stratumweight", "write `stratum-weight` in [selection]"),
    ("reselectdist", "write `reselect-distance` in [selection]"),
    ("combinelimit", "write `combine-limit` in [selection]"),
    ("bindaddress", "write `bind-addresses` in [serve]"),
    ("bindacqaddress", "write `bind-address` in [[server]]"),
    ("bindacqdevice", "write `bind-device` in [[server]]"),
    ("binddevice", "write `bind-device` in [serve]"),
    ("bindcmdaddress", "write `socket` or `bind-addresses` in [chronyc]"),
    ("bindcmddevice", "write `bind-device` in [chronyc]"),
    ("cmdallow", "write `allow` in [chronyc]"),
    ("cmddeny", "write `deny` in [chronyc]"),
    ("cmdport", "write `port` in [chronyc]"),
    ("cmdratelimit", "write a table [chronyc.rate-limit]"),
    ("opencommands", "write `open-commands` in [chronyc]"),
    ("hwtimestamp", "write `timestamping = \"hardware\"` in [network]"),
    ("acquisitionport", "write `client-port` in [network]"),
    ("pidfile", "write `pid-file` in [files]"),
    ("dumpdir", "write `dump-directory` in [files]"),
    ("logdir", "write `log-directory` in [files]"),
    ("sourcedir", "write `source-directories` in [files]"),
    ("logchange", "write `change-threshold` in [log]"),
    ("logbanner", "write `banner` in [log]"),
    ("minsamples", "write `min-samples` in [[server]]"),
    ("maxsamples", "write `max-samples` in [[server]]"),
    ("polltarget", "write `poll-target` in [[server]]"),
    ("mindelay", "write `min-delay` in [[server]]"),
    ("maxdelay", "write `max-delay` in [[server]]"),
    ("maxdelayratio", "write `max-delay-ratio` in [[server]]"),
    ("maxdelaydevratio", "write `max-delay-dev-ratio` in [[server]]"),
    ("maxdelayquant", "write `max-delay-quantile` in [[server]]"),
    ("maxunreach", "write `max-unreach` in [[server]]"),
    ("xleave", "write `interleaved = true` in [[server]]"),
    ("extfield", "write `monotonic = true` in [[server]] for extfield F323"),
    ("authselectmode", "write `authentication` in [selection]"),
    ("minstratum", "write `minimum-stratum` in [selection], or `min-stratum` in [[server]]"),
    ("maxstratum", "write `maximum-stratum` in [selection]"),
    ("maxchange", "write a table [clock.max-change]"),
    ("maxupdateskew", "write `max-update-skew` in [clock]"),
    ("maxclockerror", "write `wander` in [clock]"),
    ("maxdrift", "write `max-frequency` in [clock]"),
    ("corrtimeratio", "write `correction-time-ratio` in [clock]"),
    ("fallbackdrift", "write a table [clock.fallback-drift]"),
    ("initstepslew", "write a table [clock.initial]"),
    ("tempcomp", "write a table [clock.temperature]"),
    ("leapsecmode", "write `leap-mode` in [clock]"),
    ("leapsectz", "write `leap-seconds-zone` in [clock]"),
    ("leapseclist", "write `leap-seconds-list` in [clock]"),
    ("leapfile", "write `leap-seconds-list` in [clock]"),
    ("rtcsync", "write `sync-battery-clock` in [clock]"),
    ("clientloglimit", "write `client-log` in [serve]"),
    ("noclientlog", "write `client-log = \"none\"` in [serve]"),
    ("smoothtime", "write a table [serve.smoothing]"),
    ("broadcast", "write a table [[serve.broadcast]]"),
    ("lock_all", "write `lock-memory = true` in [process]"),
    ("sched_priority", "write `priority` in [process]"),
    ("keyfile", "write `key-file` in [files]"),
    ("keys", "write `key-file` in [files], and `key-format = \"ntp\"`"),
    ("ntsdumpdir", "write `directory` in [nts]"),
    ("ntsaeads", "write `algorithms` in [nts]"),
    ("ntsrefresh", "write `refresh` in [nts]"),
    ("ntstrustedcerts", "write a table [[nts.trusted]]"),
    ("nosystemcert", "write `system-certificates = false` in [nts]"),
    ("nocerttimecheck", "write `unchecked-updates` in [nts]"),
    ("ntsservercert", "write a table [[serve.certificate]]"),
    ("ntsserverkey", "write `private-key` in [[serve.certificate]]"),
    ("ntsport", "write `port` in [serve.nts]"),
    ("ntsrotate", "write `rotate-keys` in [serve.nts]"),
    ("ntsratelimit", "write a table [serve.nts-rate-limit]"),
];

/// What says in timeball.toml what `word` says in chrony.conf or ntp.conf.
pub(super) fn elsewhere(word: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(known, _)| *known == word).map(|(_, advice)| *advice)
}

/// The known word most like `word`, if one is like it at all.
pub(crate) fn nearest(
    word: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    let folded = fold(word);
    known
        .into_iter()
        .map(|candidate| (slips(&folded, &fold(candidate)), candidate))
        // One slip in a short word, one in three letters of a long one.
        .filter(|(slips, candidate)| {
            *slips <= (candidate.len().max(word.chars().count()) / 3).max(1)
        })
        // A word of one letter is one slip away from any other.
        .filter(|(slips, candidate)| *slips == 0 || candidate.len() > 1)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters lie between two words. A word that goes on where the other ends, as "warning"
/// after "warn", is the same word.
fn slips(one: &str, other: &str) -> usize {
    let shorter = one.len().min(other.len());
    if shorter >= 4 && (one.starts_with(other) || other.starts_with(one)) {
        return 0;
    }
    strsim::damerau_levenshtein(one, other)
}

/// Case and the kind of dash make no other word.
fn fold(word: &str) -> String {
    // Longer than any key: no use in comparing the rest, which grows with the square.
    word.chars()
        .take(64)
        .filter(|c| !matches!(c, '-' | '_' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_and_strangers_are_not() {
        let known = ["minpoll", "maxpoll", "iburst", "bind-address", "port"];
        assert_eq!(nearest("minpol", known), Some("minpoll"));
        assert_eq!(nearest("bind_address", known), Some("bind-address"));
        assert_eq!(nearest("BindAddress", known), Some("bind-address"));
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("iburst-now", known), Some("iburst"));
        assert_eq!(nearest("elephant", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("x", ["s", "h"]), None);
    }
}
