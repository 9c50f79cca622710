//! One direction of a network path: how long a datagram takes, and whether it arrives.

use serde::Deserialize;
use timeball_wire::Span;

use crate::noise::Stream;
use crate::scenario::quantity::{seconds, share};
use crate::spells::Spells;
use crate::truth::Moment;

/// What one direction is like. Times are seconds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Delay of a datagram that meets no other.
    #[serde(deserialize_with = "seconds")]
    pub delay: f64,
    /// What comes on top.
    pub jitter: Jitter,
    /// Share of datagrams that are lost.
    #[serde(deserialize_with = "share")]
    pub loss: f64,
    /// Share of datagrams that arrive twice.
    #[serde(deserialize_with = "share")]
    pub duplication: f64,
    /// Datagrams that are held back so that later ones overtake them.
    pub reordering: Reordering,
    /// From these moments on the base delay is another.
    pub routes: Vec<Route>,
    /// While these last, nothing arrives.
    pub outages: Vec<Window>,
    /// While these last, this jitter comes on top.
    pub congestion: Vec<Congestion>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay: 1e-3,
            jitter: Jitter::Exponential(50e-6),
            loss: 0.0,
            duplication: 0.0,
            reordering: Reordering::default(),
            routes: Vec::new(),
            outages: Vec::new(),
            congestion: Vec::new(),
        }
    }
}

/// Delay (s) beyond the base delay.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Jitter {
    /// None.
    None,
    /// Exponential with this mean: a queue.
    #[serde(deserialize_with = "seconds")]
    Exponential(f64),
    /// Normal, cut at zero.
    Normal {
        /// Mean.
        #[serde(deserialize_with = "seconds")]
        mean: f64,
        /// Standard deviation.
        #[serde(deserialize_with = "seconds")]
        sd: f64,
    },
    /// Uniform from zero to this.
    #[serde(deserialize_with = "seconds")]
    Uniform(f64),
    /// Pareto: rare, very long delays.
    Pareto {
        /// The mean is `scale / (shape − 1)`.
        #[serde(deserialize_with = "seconds")]
        scale: f64,
        /// Above 1 for a finite mean; the smaller, the longer the longest delays.
        shape: f64,
    },
    /// Quiet and busy times in turn (Gilbert–Elliott), both exponentially long, each with
    /// exponential jitter.
    #[serde(rename_all = "kebab-case")]
    Bursty {
        /// Mean jitter while quiet.
        #[serde(deserialize_with = "seconds")]
        quiet: f64,
        /// Mean jitter while busy.
        #[serde(deserialize_with = "seconds")]
        busy: f64,
        /// Mean length of a quiet time.
        #[serde(deserialize_with = "seconds")]
        quiet_time: f64,
        /// Mean length of a busy time.
        #[serde(deserialize_with = "seconds")]
        busy_time: f64,
    },
}

/// Datagrams that are held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reordering {
    /// Share of the datagrams.
    #[serde(deserialize_with = "share")]
    pub share: f64,
    /// For how long.
    #[serde(deserialize_with = "seconds")]
    pub hold: f64,
}

/// A route change.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Route {
    /// When.
    #[serde(deserialize_with = "seconds")]
    pub at: f64,
    /// The new base delay.
    #[serde(deserialize_with = "seconds")]
    pub delay: f64,
}

/// A stretch of time, in seconds since the start.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Window {
    /// First second in it.
    #[serde(deserialize_with = "seconds")]
    pub from: f64,
    /// First second after it.
    #[serde(deserialize_with = "seconds")]
    pub to: f64,
}

impl Default for Window {
    /// All the time.
    fn default() -> Self {
        Self { from: 0.0, to: f64::INFINITY }
    }
}

impl Window {
    /// True for moments inside.
    pub fn contains(self, at: Moment) -> bool {
        let seconds = at.seconds();
        self.from <= seconds && seconds < self.to
    }
}

/// Jitter on top: all the time or for a while, of all datagrams or some.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Congestion {
    /// When.
    #[serde(default)]
    pub during: Window,
    /// The share of the datagrams that it meets, each by its own luck.
    #[serde(default = "all", deserialize_with = "share")]
    pub share: f64,
    /// What comes on top.
    pub jitter: Jitter,
}

const fn all() -> f64 {
    1.0
}

/// One direction of a path between two hosts.
#[derive(Clone, Debug)]
pub struct Link {
    settings: Settings,
    stream: Stream,
    /// The busy times of a bursty link.
    weather: Spells,
}

/// When a datagram arrives (moments), if it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// The datagram.
    pub first: Option<Moment>,
    /// Its double.
    pub second: Option<Moment>,
}

impl Link {
    /// The direction called `label` in the world of `seed`.
    pub fn new(settings: Settings, seed: u64, label: &str) -> Self {
        let stream = Stream::new(seed, label);
        let weather = Spells::new(Stream::new(seed, &format!("{label}/weather")));
        Self { settings, stream, weather }
    }

    /// When a datagram sent at this moment arrives.
    pub fn carry(&mut self, sent: Moment) -> Arrivals {
        let lost = self.stream.chance(self.settings.loss)
            || self.settings.outages.iter().any(|outage| outage.contains(sent));
        if lost {
            return Arrivals::default();
        }
        let first = Some(self.arrival(sent));
        let doubled = self.stream.chance(self.settings.duplication);
        Arrivals { first, second: doubled.then(|| self.arrival(sent)) }
    }

    /// The base delay (s) in force.
    pub fn base_delay(&self, at: Moment) -> f64 {
        let seconds = at.seconds();
        self.settings
            .routes
            .iter()
            .filter(|route| route.at <= seconds)
            .max_by(|a, b| a.at.total_cmp(&b.at))
            .map_or(self.settings.delay, |route| route.delay)
    }

    fn arrival(&mut self, sent: Moment) -> Moment {
        let mut delay = self.base_delay(sent) + self.jitter(self.settings.jitter, sent);
        for index in 0..self.settings.congestion.len() {
            let Congestion { during, share, jitter } = self.settings.congestion[index];
            if during.contains(sent) && self.meets(share) {
                delay += self.jitter(jitter, sent);
            }
        }
        if self.stream.chance(self.settings.reordering.share) {
            delay += self.settings.reordering.hold;
        }
        sent + Span::from_seconds(delay.max(0.0))
    }

    /// What meets every datagram needs no luck.
    fn meets(&mut self, share: f64) -> bool {
        share >= 1.0 || self.stream.chance(share)
    }

    fn jitter(&mut self, jitter: Jitter, at: Moment) -> f64 {
        match jitter {
            Jitter::None => 0.0,
            Jitter::Exponential(mean) => self.stream.exponential(mean),
            Jitter::Normal { mean, sd } => (mean + sd * self.stream.normal()).max(0.0),
            Jitter::Uniform(most) => self.stream.uniform(0.0, most),
            Jitter::Pareto { scale, shape } => self.stream.pareto(scale, shape),
            Jitter::Bursty { quiet, busy, quiet_time, busy_time } => {
                let is_busy = self.weather.left(at.seconds(), quiet_time, busy_time).is_some();
                self.stream.exponential(if is_busy { busy } else { quiet })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: i64 = 50_000;

    /// Delays (s) of datagrams sent one second apart.
    fn delays(settings: Settings) -> Vec<f64> {
        let mut link = Link::new(settings, 5, "link");
        (0..SENT)
            .filter_map(|second| {
                let sent = Moment::from_nanos(second * 1_000_000_000);
                link.carry(sent).first.map(|arrived| (arrived - sent).seconds())
            })
            .collect()
    }

    fn with(jitter: Jitter) -> Settings {
        Settings { delay: 0.01, jitter, ..Settings::default() }
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn sd(values: &[f64]) -> f64 {
        let mean = mean(values);
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[track_caller]
    fn close(value: f64, expected: f64, relative: f64) {
        assert!((value / expected - 1.0).abs() < relative, "{value} is not about {expected}");
    }

    #[test]
    fn jitter_has_the_promised_mean_and_never_shortens_the_path() {
        let jitters = [
            (Jitter::Exponential(1e-3), 1e-3),
            (Jitter::Normal { mean: 5e-3, sd: 1e-3 }, 5e-3),
            (Jitter::Uniform(2e-3), 1e-3),
            (Jitter::Pareto { scale: 2e-3, shape: 3.0 }, 1e-3),
        ];
        for (jitter, expected) in jitters {
            let delays = delays(with(jitter));
            assert_eq!(delays.len(), SENT as usize);
            assert!(delays.iter().all(|delay| *delay >= 0.01 - 1e-9), "{jitter:?}");
            close(mean(&delays) - 0.01, expected, 0.04);
        }
        close(sd(&delays(with(Jitter::Normal { mean: 5e-3, sd: 1e-3 }))), 1e-3, 0.02);
        assert!(delays(with(Jitter::None)).iter().all(|delay| *delay == 0.01));
    }

    #[test]
    fn bursts_come_in_stretches_of_the_promised_share() {
        let delays = delays(with(Jitter::Bursty {
            quiet: 1e-6,
            busy: 1e-2,
            quiet_time: 90.0,
            busy_time: 10.0,
        }));
        let busy: Vec<bool> = delays.iter().map(|delay| *delay > 0.01 + 2e-5).collect();
        let share = busy.iter().filter(|busy| **busy).count() as f64 / SENT as f64;
        close(share, 0.1, 0.15);
        // After a busy datagram the next one, a second later, is busy with e^(−0.1 − …) ≈ 0.9.
        let pairs = busy.windows(2).filter(|pair| pair[0] && pair[1]).count() as f64;
        close(pairs / (share * SENT as f64), 0.9, 0.05);
    }

    #[test]
    fn loss_and_duplication_have_their_shares() {
        let settings = Settings { loss: 0.3, duplication: 0.1, ..Settings::default() };
        let mut link = Link::new(settings, 6, "link");
        let (mut arrived, mut doubled) = (0.0, 0.0);
        for second in 0..SENT {
            let arrivals = link.carry(Moment::from_nanos(second * 1_000_000_000));
            arrived += f64::from(u8::from(arrivals.first.is_some()));
            doubled += f64::from(u8::from(arrivals.second.is_some()));
        }
        close(arrived / SENT as f64, 0.7, 0.01);
        close(doubled / arrived, 0.1, 0.05);
    }

    #[test]
    fn congestion_meets_its_share_of_the_datagrams() {
        let jitter = Jitter::Normal { mean: 1.0, sd: 0.0 };
        let congestion = Congestion { during: Window::default(), share: 0.2, jitter };
        let delays = delays(Settings { congestion: vec![congestion], ..with(Jitter::None) });
        let met = delays.iter().filter(|delay| **delay > 1.0).count();
        close(met as f64 / SENT as f64, 0.2, 0.03);
    }

    #[test]
    fn held_back_datagrams_are_overtaken() {
        let reordering = Reordering { share: 0.2, hold: 5.0 };
        let delays = delays(Settings { reordering, ..with(Jitter::None) });
        let held = delays.iter().filter(|delay| **delay > 5.0).count();
        close(held as f64 / SENT as f64, 0.2, 0.03);
    }

    #[test]
    fn routes_outages_and_congestion_last_as_long_as_they_should() {
        let settings = Settings {
            routes: vec![Route { at: 100.0, delay: 0.05 }, Route { at: 200.0, delay: 0.02 }],
            outages: vec![Window { from: 300.0, to: 400.0 }],
            congestion: vec![Congestion {
                during: Window { from: 500.0, to: 600.0 },
                share: 1.0,
                jitter: Jitter::Normal { mean: 1.0, sd: 0.0 },
            }],
            ..with(Jitter::None)
        };
        let mut link = Link::new(settings, 1, "link");
        let mut delay = |seconds: f64| {
            let sent = Moment::from_seconds(seconds);
            link.carry(sent).first.map(|arrived| (arrived - sent).seconds())
        };
        assert_eq!(delay(99.0), Some(0.01));
        assert_eq!(delay(100.0), Some(0.05));
        assert_eq!(delay(250.0), Some(0.02));
        assert_eq!(delay(300.0), None);
        assert_eq!(delay(400.0), Some(0.02));
        assert_eq!(delay(550.0), Some(1.02));
        assert_eq!(delay(600.0), Some(0.02));
    }
}
