//! Who answers: by what it says of itself, or by what only it does.

use serde::{Deserialize, Serialize};

/// An implementation of NTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// The reference implementation.
    Ntpd,
    /// NTPsec's ntpd.
    Ntpsec,
    /// chronyd.
    Chrony,
    /// Cisco's IOS and its kin.
    Cisco,
    /// Juniper's Junos, which is ntpd inside.
    Junos,
    /// Windows' time service.
    Windows,
    /// It did not say.
    #[default]
    Unknown,
}

impl Implementation {
    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ntpd => "ntpd",
            Self::Ntpsec => "NTPsec",
            Self::Chrony => "chrony",
            Self::Cisco => "Cisco IOS",
            Self::Junos => "Junos",
            Self::Windows => "Windows time service",
            Self::Unknown => "unknown",
        }
    }
}

/// An implementation with its version, if it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Which.
    pub implementation: Implementation,
    /// Its version, without its name.
    pub version: Option<String>,
}

/// By what an implementation is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    /// The variable `version` of mode 6.
    pub version: Option<&'a str>,
    /// The variable `system` of mode 6.
    pub system: Option<&'a str>,
    /// chrony's command protocol is answered.
    pub speaks_chrony: bool,
    /// The first two bytes of the answer to a request for the time in version 4.
    pub time_v4: Option<[u8; 2]>,
}

/// An answer in version 3, whatever was asked in, that is not synchronised; and one of stratum 3 that
/// announces a leap second: nmap's service probes know Windows by these first bytes.
const fn is_windows(time_v4: [u8; 2]) -> bool {
    matches!(time_v4, [0xdc, 0..=15] | [0x5c, 3])
}

impl Software {
    /// By what it says of itself, or else by what it does.
    pub fn recognise(traits: &Traits<'_>) -> Self {
        let Traits { version, system, speaks_chrony, time_v4 } = *traits;
        let system = system.unwrap_or_default();
        let known = |implementation, version: Option<&str>| Self {
            implementation,
            version: version.map(str::to_owned),
        };
        let ntpd = version.and_then(|text| text.strip_prefix("ntpd "));
        let first_word = |text: &str| text.split([' ', '@']).next().map(str::to_owned);
        match ntpd {
            Some(rest) if rest.starts_with("ntpsec-") => {
                let number = rest.strip_prefix("ntpsec-").and_then(first_word);
                known(Implementation::Ntpsec, number.as_deref())
            }
            Some(rest) if system.contains("JUNOS") => {
                known(Implementation::Junos, first_word(rest).as_deref())
            }
            Some(rest) => known(Implementation::Ntpd, first_word(rest).as_deref()),
            None if system.eq_ignore_ascii_case("cisco") => known(Implementation::Cisco, version),
            None if speaks_chrony => known(Implementation::Chrony, None),
            None if version.is_none() && time_v4.is_some_and(is_windows) => {
                known(Implementation::Windows, None)
            }
            None => known(Implementation::Unknown, version),
        }
    }

    /// Whether this is an ntpd older than 4.2.8, which nobody repairs any more.
    pub fn is_abandoned_ntpd(&self) -> bool {
        let is_ntpd = matches!(self.implementation, Implementation::Ntpd | Implementation::Junos);
        let release = self.version.as_deref().and_then(release);
        is_ntpd && release.is_some_and(|release| release < [4, 2, 8])
    }
}

/// The first three numbers of a version such as `4.2.6p5`.
fn release(version: &str) -> Option<[u32; 3]> {
    let mut numbers = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits)?.parse::<u32>().ok()
    });
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(version: &str, system: &str) -> (Implementation, Option<String>) {
        let traits = Traits { version: Some(version), system: Some(system), ..Traits::default() };
        let software = Software::recognise(&traits);
        (software.implementation, software.version)
    }

    #[test]
    fn by_what_it_says() {
        let ntpsec = recognised("ntpd ntpsec-1.2.2", "Linux/6.1.0");
        assert_eq!(ntpsec, (Implementation::Ntpsec, Some("1.2.2".into())));
        let ntpd = recognised("ntpd 4.2.6p5@1.2349-o Tue May  8 (1)", "Linux/3.2.0");
        assert_eq!(ntpd, (Implementation::Ntpd, Some("4.2.6p5".into())));
        let junos = recognised("ntpd 4.2.0-a Fri Sep 20 (1)", "JUNOS12.3R4.6");
        assert_eq!(junos, (Implementation::Junos, Some("4.2.0-a".into())));
        assert_eq!(recognised("4", "cisco"), (Implementation::Cisco, Some("4".into())));
        let other = recognised("something 1", "");
        assert_eq!(other, (Implementation::Unknown, Some("something 1".into())));
    }

    #[test]
    fn by_what_it_does() {
        let by = |traits| Software::recognise(&traits).implementation;
        let nothing = Traits::default();
        assert_eq!(by(Traits { speaks_chrony: true, ..nothing }), Implementation::Chrony);
        for first in [[0xdc, 1], [0xdc, 15], [0x5c, 3]] {
            let windows = Traits { time_v4: Some(first), ..nothing };
            assert_eq!(by(windows), Implementation::Windows, "{first:x?}");
        }
        for first in [[0xe4, 1], [0x1c, 2], [0xdc, 16], [0x5c, 2], [0x64, 3]] {
            let other = Traits { time_v4: Some(first), ..nothing };
            assert_eq!(by(other), Implementation::Unknown, "{first:x?}");
        }
        let talkative = Traits { version: Some("4"), time_v4: Some([0xdc, 1]), ..nothing };
        assert_eq!(by(talkative), Implementation::Unknown);
        assert_eq!(Software::recognise(&nothing), Software::default());
    }

    #[test]
    fn only_ntpd_before_4_2_8_is_abandoned() {
        let abandoned = |implementation, version: &str| {
            Software { implementation, version: Some(version.into()) }.is_abandoned_ntpd()
        };
        for old in ["4.2.6p5", "4.2.0-a", "4.2.7p26", "4.1.1b", "3.5.93e"] {
            assert!(abandoned(Implementation::Ntpd, old), "{old}");
        }
        for new in ["4.2.8p18", "4.2.8", "4.3.0", "5.0.0", "4", "no number"] {
            assert!(!abandoned(Implementation::Ntpd, new), "{new}");
        }
        assert!(!abandoned(Implementation::Ntpsec, "1.2.2"));
    }
}
