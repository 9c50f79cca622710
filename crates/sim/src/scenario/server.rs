//! Machines that only answer, honestly or not.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};
use timeball_wire::{KissCode, LeapIndicator, ReferenceId};
use toml::Spanned;

use super::quantity::{frequency, optional_seconds, seconds};
use crate::link::Window;
use crate::oscillator;

/// A server. With nothing but a name it is honest and has perfect time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    /// The resolver knows it by this name.
    pub name: Spanned<String>,
    /// Its address; one of 198.18.1.0/24 if absent.
    pub address: Option<IpAddr>,
    /// Its clock minus true time at the start (s). It knows of this error, and of those of its
    /// oscillator: its root dispersion contains them.
    #[serde(default, deserialize_with = "seconds")]
    pub offset: f64,
    /// What its clock runs on; a perfect one if absent.
    #[serde(default)]
    pub oscillator: oscillator::Settings,
    /// How long it holds a request: mean (s) of an exponential.
    #[serde(default = "hold", deserialize_with = "seconds")]
    pub hold: f64,
    /// Its stratum, as it says.
    #[serde(default = "one")]
    pub stratum: u8,
    /// Its reference ID, as it says: up to four characters, or an address above stratum 1.
    #[serde(default = "gps", deserialize_with = "reference_id")]
    pub reference_id: ReferenceId,
    /// Delay (s) to its reference.
    #[serde(default, deserialize_with = "seconds")]
    pub root_delay: f64,
    /// Dispersion (s) to its reference, beyond the error that it knows of.
    #[serde(default = "dispersion", deserialize_with = "seconds")]
    pub root_dispersion: f64,
    /// Precision of its clock, log₂ seconds.
    #[serde(default = "precision")]
    pub precision: i8,
    /// Its leap indicator; what the world's calendar announces if absent.
    pub leap: Option<LeapIndicator>,
    /// When its time is wrong and it does not say so.
    #[serde(default)]
    pub lies: Vec<Lie>,
    /// When it is dead.
    #[serde(default)]
    pub dead: Vec<Window>,
    /// When it says that it is not synchronised.
    #[serde(default)]
    pub unsynchronised: Vec<Window>,
    /// When it answers with a kiss-o'-death.
    #[serde(default)]
    pub kisses: Vec<Kiss>,
    /// When it repeats an old answer.
    #[serde(default)]
    pub replays: Vec<Replay>,
}

/// Wrong time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lie {
    /// When.
    #[serde(default)]
    pub during: Window,
    /// By how much (s) at the lie's start.
    #[serde(default, deserialize_with = "seconds")]
    pub offset: f64,
    /// How the lie grows (s/s).
    #[serde(default, deserialize_with = "frequency")]
    pub ramp: f64,
}

/// Refusals.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kiss {
    /// When.
    #[serde(default)]
    pub during: Window,
    /// `"RATE"`, `"DENY"`, `"RSTR"` or any four characters.
    #[serde(deserialize_with = "kiss_code")]
    pub code: KissCode,
    /// Only for clients whose last request came less than this (s) before.
    #[serde(default, deserialize_with = "optional_seconds")]
    pub faster_than: Option<f64>,
}

/// Old answers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replay {
    /// When. The answer that is repeated is the last one given before.
    #[serde(default)]
    pub during: Window,
    /// With which origin timestamp.
    pub origin: ReplayOrigin,
}

/// The origin timestamp of a repeated answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayOrigin {
    /// The old one: a replay by somebody in the middle.
    Old,
    /// The right one: a server whose clock stands still.
    Right,
}

const fn hold() -> f64 {
    30e-6
}

const fn one() -> u8 {
    1
}

const fn gps() -> ReferenceId {
    ReferenceId::from_bytes(*b"GPS\0")
}

const fn dispersion() -> f64 {
    10e-6
}

const fn precision() -> i8 {
    -24
}

fn four_characters(text: &str) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(bytes)
}

fn reference_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReferenceId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(ReferenceId::of_address(address));
    }
    four_characters(&text).map(ReferenceId::from_bytes).ok_or_else(|| {
        serde::de::Error::custom(format_args!(
            "`{text}` is neither an address nor up to four characters"
        ))
    })
}

fn kiss_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KissCode, D::Error> {
    let text = String::deserialize(deserializer)?;
    four_characters(&text).map(KissCode::from_bytes).ok_or_else(|| {
        serde::de::Error::custom(format_args!("`{text}` has more than four characters"))
    })
}
