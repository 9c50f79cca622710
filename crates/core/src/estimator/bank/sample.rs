//! A measurement in the form the bank's arithmetic needs, and the window of the newest ones.

use arrayvec::ArrayVec;
use timeball_wire::{Oscillator, Span};

use super::motion::Motion;
use super::state::{Jump, Way};
use crate::estimator::limited;
use crate::measurement::Measurement;

/// Measurements whose sites are kept and revised. What older ones say is one normal distribution.
pub(super) const WINDOW: usize = 32;

/// Smallest round-trip delay (s) that is believed.
const SHORTEST: f64 = 1e-8;

/// A measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Oscillator,
    /// T2 − T1 and T4 − T3 as they came…
    outbound: Span,
    inbound: Span,
    /// …and without the bank's origin (s), which is small enough for doubles.
    delays: [f64; 2],
    /// Time (s) of it that is not believed, because nothing like it was ever seen on this path.
    unheard_of: [f64; 2],
    /// Round trip (s).
    pub(super) delay: f64,
    /// Error of the four timestamps (s).
    pub(super) dispersion: f64,
    /// What each of the server's timestamps is known to be off (s): standard deviation.
    pub(super) reading: f64,
    /// The server's root delay (s).
    pub(super) root_delay: f64,
    /// The server's root dispersion (s).
    pub(super) root_dispersion: f64,
    /// From the measurement before this one.
    pub(super) motion: Motion,
    /// What happened in between.
    pub(super) jump: Jump,
    /// θ as predicted for it, without the origin (s).
    pub(super) foreseen: f64,
    /// The frequency as predicted for it (s/s).
    pub(super) foreseen_rate: f64,
}

impl Sample {
    /// Takes what is not a number for the worst, and limits the rest to what a packet can say.
    pub(super) fn new(measurement: &Measurement, origin: Span) -> Self {
        let dispersion = limited(measurement.dispersion);
        let delay = limited((measurement.outbound + measurement.inbound).seconds());
        // Not from `delay`: whatever the two ways claim to be, their difference must be the offset.
        let offset = measurement.offset();
        let half = Span::from_seconds(delay / 2.0);
        let mut sample = Self {
            at: measurement.at,
            outbound: offset + half,
            inbound: half - offset,
            delays: [0.0; 2],
            unheard_of: [0.0; 2],
            delay: delay.max(dispersion).max(SHORTEST),
            dispersion,
            reading: limited(measurement.reading),
            root_delay: limited(measurement.root_delay),
            root_dispersion: limited(measurement.root_dispersion),
            motion: Motion::none(),
            jump: Jump::default(),
            foreseen: 0.0,
            foreseen_rate: 0.0,
        };
        sample.see_from(origin);
        sample
    }

    /// Counts from another origin.
    pub(super) fn see_from(&mut self, origin: Span) {
        // Integers first, so that fifty years of offset cost no digits.
        self.delays = [(self.outbound - origin).seconds(), (self.inbound + origin).seconds()];
    }

    /// Counts from another origin, what was predicted for it as well.
    pub(super) fn move_origin(&mut self, from: Span, to: Span) {
        self.see_from(to);
        self.foreseen -= (to - from).seconds();
    }

    /// All offsets were too small by this much.
    pub(super) fn shift(&mut self, by: Span) {
        self.outbound += by;
        self.inbound -= by;
    }

    /// The one-way delay, without the origin (s).
    pub(super) const fn on(&self, way: Way) -> f64 {
        self.delays[way.index()]
    }

    /// As much of it as is believed (s).
    pub(super) fn believed_on(&self, way: Way) -> f64 {
        self.delays[way.index()] - self.unheard_of[way.index()]
    }

    /// The round trip, which no origin changes (s).
    pub(super) fn round_trip(&self) -> f64 {
        self.delays[0] + self.delays[1]
    }

    /// As much of it as is believed (s).
    pub(super) fn believed_round_trip(&self) -> f64 {
        self.round_trip() - self.unheard_of()
    }

    /// As much of the delay as is believed (s).
    pub(super) fn believed_delay(&self) -> f64 {
        (self.delay - self.unheard_of()).max(self.dispersion)
    }

    /// Not all of it is believed.
    pub(super) fn is_unheard_of(&self) -> bool {
        self.unheard_of() > 0.0
    }

    fn unheard_of(&self) -> f64 {
        self.unheard_of[0] + self.unheard_of[1]
    }

    /// The packets waited no longer than this (s) on both ways together, beyond a delay of `base` (s)
    /// on each: what the round trip has above that is taken from where it seems to be.
    pub(super) fn limit_queues(&mut self, base: f64, longest: f64) {
        let too_long = self.round_trip() - 2.0 * base - longest;
        if too_long > 0.0 {
            let queue = |way: Way| (self.on(way) - way.sign() * self.foreseen - base).max(0.0);
            let (outbound, inbound) = (queue(Way::Outbound), queue(Way::Inbound));
            let share = outbound / (outbound + inbound);
            self.unheard_of = [share * too_long, (1.0 - share) * too_long];
        }
    }

    /// Everything is believed, since the path is another.
    pub(super) const fn believe(&mut self) {
        self.unheard_of = [0.0; 2];
    }

    /// θ if both ways took equally long, without the origin (s).
    pub(super) fn offset(&self) -> f64 {
        (self.delays[0] - self.delays[1]) / 2.0
    }

    /// The same, with the origin.
    pub(super) fn whole_offset(&self) -> Span {
        self.outbound.half() - self.inbound.half()
    }

    /// The measurement that it was.
    pub(super) const fn measurement(&self) -> Measurement {
        Measurement {
            at: self.at,
            outbound: self.outbound,
            inbound: self.inbound,
            dispersion: self.dispersion,
            reading: self.reading,
            root_delay: self.root_delay,
            root_dispersion: self.root_dispersion,
        }
    }
}

/// The newest measurements, oldest first, in storage that never grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Window(ArrayVec<Sample, WINDOW>);

impl Window {
    /// Adds one, for which there must be room.
    pub(super) fn push(&mut self, sample: Sample) {
        // Who fills it up makes room first.
        let _ = self.0.try_push(sample);
    }

    /// Takes the oldest out.
    pub(super) fn pop_oldest(&mut self) -> Option<Sample> {
        self.0.pop_at(0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn samples(&self) -> &[Sample] {
        &self.0
    }

    pub(super) fn samples_mut(&mut self) -> &mut [Sample] {
        &mut self.0
    }

    pub(super) fn newest(&self) -> Option<&Sample> {
        self.0.last()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Longest time between two successive measurements (s).
    pub(super) fn longest_gap(&self) -> f64 {
        self.0.iter().skip(1).map(|sample| sample.motion.dt).fold(0.0, f64::max)
    }
}
