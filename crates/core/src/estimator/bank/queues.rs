//! What a hypothesis believes of the time that packets spend in queues, and what a one-way delay
//! then says.
//!
//! A one-way delay is y = u + e: u is what the state predicts, e the rest. Two shapes are held
//! against each other. In the *normal* one, e is normal about 0. In the *queueing* one, e ≥ 0 is
//! exponential with one of two means, j₀ (narrow) and j₁ (wide), the second with probability w, and
//! blurred by a little normal noise σ. Under the latter, θ within the interval that neither way
//! contradicts has a likelihood ∝ exp(θ(1/j_out − 1/j_in)), flat if both ways wait alike: knowledge is
//! the intersection of intervals, which a mean of measurements throws away.

use super::lanes::{LANES, Lanes};
use super::state::{Normal, Site};
use super::truncated::cut;

/// σ as a share of j₀…
const BLUR: f64 = 0.05;
/// …and at least this (s): a nanosecond, the unit of timestamps.
const LEAST_BLUR: f64 = 1e-9;
/// Smallest j₀ (s).
const LEAST_SCALE: f64 = 1e-9;
/// j₁ as a multiple of j₀, before anything is known, and the least it may be.
const WIDER: f64 = 10.0;
const LEAST_WIDER: f64 = 3.0;
/// w before anything is known.
const WIDE: f64 = 0.05;
/// Narrow and wide observations that w is learnt from in addition to those that were made.
const IMAGINED: (f64, f64) = (3.8, 0.2);
/// How much the j₀ of both ways, or their variances, are alike: so many observations' worth.
const ALIKE: f64 = 2.0;
/// The variances more so while measurements are few, from which the clock's own movements could explain
/// one way entirely: this many more, less what `GUESSED` takes away as they come.
const ALIKE_AT_FIRST: f64 = 64.0;
/// What was guessed before anything was known counts as one observation while there are few, and as
/// next to none beyond this many.
const GUESSED: f64 = 8.0;
/// What of the statistics of measurements that left the window is kept with each that follows.
const MEMORY: f64 = 0.98;
/// ½ ln 2π
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_7;
/// Share of a variance that an observation can leave of it, at least and at most.
const LEFT: (f64, f64) = (1e-12, 1.0 - 1e-6);

/// The distribution of e.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Normal, each way its own.
    Normal,
    /// A mixture of two exponentials, each way its own.
    Queueing,
}

/// One way's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Queue {
    /// j₀ (s).
    pub(super) narrow: Lanes,
    /// j₁ (s).
    pub(super) wide: Lanes,
    /// w.
    pub(super) wide_share: Lanes,
    /// Variance of the normal part (s²): σ², or all there is.
    pub(super) variance: Lanes,
    /// ln j₀ and ln j₁, which every one-way delay needs.
    log_scales: [Lanes; 2],
}

impl Queue {
    fn new(narrow: Lanes, wide: Lanes, wide_share: Lanes, variance: Lanes) -> Self {
        let log_scales = [narrow, wide].map(|scale| scale.map(f64::ln));
        Self { narrow, wide, wide_share, variance, log_scales }
    }

    /// Mean time in queues (s).
    pub(super) fn mean_wait(&self, shape: Shape, lane: usize) -> f64 {
        let wide = self.wide_share.0[lane];
        match shape {
            Shape::Normal => 0.0,
            Shape::Queueing => (1.0 - wide) * self.narrow.0[lane] + wide * self.wide.0[lane],
        }
    }

    /// Variance of e (s²): an exponential variable's mean square is twice its squared mean.
    pub(super) fn spread(&self, shape: Shape, lane: usize) -> f64 {
        match shape {
            Shape::Normal => self.variance.0[lane],
            Shape::Queueing => {
                let wide = self.wide_share.0[lane];
                let square = |of: &Lanes| 2.0 * of.0[lane] * of.0[lane];
                let squares = (1.0 - wide) * square(&self.narrow) + wide * square(&self.wide);
                self.variance.0[lane] + squares - self.mean_wait(shape, lane).powi(2)
            }
        }
    }
}

/// Sums that the parameters are estimated from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Observations that were narrow and wide; in the normal shape all are narrow.
    counts: [Lanes; 2],
    /// Times in queues of those (s); in the normal shape squares (s²).
    waits: [Lanes; 2],
}

impl Sums {
    /// An observation, of a packet that cannot have waited longer than this (s): a hypothesis that has
    /// gone astray would learn from its own error otherwise.
    pub(super) fn add(&mut self, shape: Shape, tilted: &Tilted, longest: f64) {
        let most = Lanes::all(match shape {
            Shape::Normal => longest * longest,
            Shape::Queueing => longest,
        });
        for i in 0..2 {
            self.counts[i] += tilted.shares[i];
            self.waits[i] += tilted.shares[i] * tilted.waits[i].min(most);
        }
    }

    fn fade(&mut self) {
        for i in 0..2 {
            self.counts[i] = self.counts[i] * MEMORY;
            self.waits[i] = self.waits[i] * MEMORY;
        }
    }

    fn plus(&self, other: &Self) -> Self {
        let sum = |a: [Lanes; 2], b: [Lanes; 2]| [a[0] + b[0], a[1] + b[1]];
        Self { counts: sum(self.counts, other.counts), waits: sum(self.waits, other.waits) }
    }
}

/// What one observation says, given what everything else says of u.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tilted {
    /// ln of the probability density of the observation (ln 1/s).
    pub(super) log_likelihood: Lanes,
    /// How probable it is that it was narrow and wide.
    pub(super) shares: [Lanes; 2],
    /// Expected time in queues in both cases (s); in the normal shape the square of e (s²).
    waits: [Lanes; 2],
    /// The factor that turns what everything else says into what all say together.
    pub(super) site: Site,
}

/// What is learnt of the queues on both ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queues {
    shape: Shape,
    /// j₀ before anything is known (s).
    initial: Lanes,
    ways: [Queue; 2],
    /// Of measurements that are gone.
    past: [Sums; 2],
    /// The variance of a one-way delay is no less than this (s²), however alike round trips are.
    least: f64,
}

impl Queues {
    /// On a path of which only a typical time in queues (s) is guessed.
    pub(super) fn guessed(shape: Shape, scale: f64) -> Self {
        let initial = Lanes::all(scale.max(LEAST_SCALE));
        let variance = match shape {
            Shape::Normal => initial * initial,
            Shape::Queueing => blur(initial).max(Lanes::all(LEAST_BLUR * LEAST_BLUR)),
        };
        let wide_share = match shape {
            Shape::Normal => Lanes::ZERO,
            Shape::Queueing => Lanes::all(WIDE),
        };
        let queue = Queue::new(initial, initial * WIDER, wide_share, variance);
        Self {
            shape,
            initial,
            ways: [queue; 2],
            past: [Sums::default(); 2],
            least: LEAST_BLUR.powi(2),
        }
    }

    /// The server's timestamps are known to be off by this (s, standard deviation). They may be both by
    /// the same, which is two ways off in opposite directions: its variance must not be halved by taking
    /// them for two.
    pub(super) fn read_to(&mut self, reading: f64) {
        self.least = (2.0 * reading * reading).max(LEAST_BLUR.powi(2));
        for way in &mut self.ways {
            way.variance = way.variance.max(Lanes::all(self.least));
        }
    }

    pub(super) const fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) const fn way(&self, way: usize) -> &Queue {
        &self.ways[way]
    }

    /// Typical time in queues (s) without the wide ones: the smaller of both ways'.
    pub(super) fn scale(&self) -> Lanes {
        let scale = |queue: &Queue| match self.shape {
            Shape::Normal => queue.variance.sqrt(),
            Shape::Queueing => queue.narrow,
        };
        scale(&self.ways[0]).min(scale(&self.ways[1]))
    }

    /// What `y` (s), seen on a way, says of u, of which everything else says `cavity`; `wide_odds` is
    /// ln(w/(1−w)) for this very packet.
    #[inline(always)]
    pub(super) fn tilt(&self, way: usize, y: f64, cavity: &Normal, wide_odds: &Lanes) -> Tilted {
        match self.shape {
            Shape::Normal => normal(&self.ways[way], y, cavity),
            Shape::Queueing => queueing(&self.ways[way], y, cavity, wide_odds),
        }
    }

    /// A measurement with this round trip (s) leaves the window; this is what it taught.
    pub(super) fn remember(&mut self, way: usize, tilted: &Tilted, round_trip: f64) {
        self.past[way].fade();
        self.past[way].add(self.shape, tilted, round_trip);
    }

    /// The parameters that explain best what was seen (expectation maximisation's second step;
    /// Dempster, Laird and Rubin 1977), drawn a little to what was expected before, and each way a
    /// little to the other.
    pub(super) fn learn(&mut self, window: &[Sums; 2]) {
        let seen = [window[0].plus(&self.past[0]), window[1].plus(&self.past[1])];
        match self.shape {
            Shape::Normal => {
                let count = seen[0].counts[0] + seen[1].counts[0];
                let guess = weight_of_guess(count);
                let guessed = self.initial * self.initial * guess;
                let common = (seen[0].waits[0] + seen[1].waits[0] + guessed) / (count + guess);
                let alike = guess * ALIKE_AT_FIRST + ALIKE;
                for (way, seen) in self.ways.iter_mut().zip(seen) {
                    let variance = (seen.waits[0] + common * alike) / (seen.counts[0] + alike);
                    way.variance = variance.max(Lanes::all(self.least));
                }
            }
            Shape::Queueing => {
                // Of the narrow ones: what is wide differs from way to way.
                let count = seen[0].counts[0] + seen[1].counts[0];
                let guess = weight_of_guess(count);
                let waits = seen[0].waits[0] + seen[1].waits[0] + self.initial * guess;
                let common = waits / (count + guess);
                for (way, seen) in self.ways.iter_mut().zip(seen) {
                    let ([narrow, wide], [narrow_waits, wide_waits]) = (seen.counts, seen.waits);
                    let share = (wide + IMAGINED.1) / (narrow + wide + (IMAGINED.0 + IMAGINED.1));
                    let narrow = ((narrow_waits + common * ALIKE) / (narrow + ALIKE))
                        .max(Lanes::all(LEAST_SCALE));
                    let wide =
                        ((wide_waits + narrow * WIDER) / (wide + 1.0)).max(narrow * LEAST_WIDER);
                    let variance = blur(narrow).max(Lanes::all(self.least));
                    *way = Queue::new(narrow, wide, share, variance);
                }
            }
        }
    }
}

/// For how many observations the guess counts when there are so many.
fn weight_of_guess(count: Lanes) -> Lanes {
    count.map(|count| (GUESSED / (GUESSED + count)).powi(2))
}

/// σ².
fn blur(narrow: Lanes) -> Lanes {
    narrow * narrow * (BLUR * BLUR)
}

/// y = u + e with a normal e.
#[inline(always)]
fn normal(queue: &Queue, y: f64, cavity: &Normal) -> Tilted {
    let r = queue.variance;
    let sum = cavity.variance + r;
    let z = -cavity.mean + y;
    let log = sum.map(f64::ln) * 0.5 + HALF_LN_TAU;
    // e as all say together: mean r z/(v + r), variance v r/(v + r).
    let mean = r * z / sum;
    let site = Site { precision: Lanes::all(1.0) / r, weighted: Lanes::all(y) / r };
    Tilted {
        log_likelihood: -(z * z / sum * 0.5) - log,
        shares: [Lanes::all(1.0), Lanes::ZERO],
        waits: [mean * mean + cavity.variance * r / sum, Lanes::ZERO],
        site,
    }
}

/// y = u + e + n with a normal n and e exponential with one of two means: moments of each component by
/// the normal distribution cut off at zero, mixed by how well each explains y.
///
/// g = ∂ln p/∂μ (1/s), D = 1 + v ∂²ln p/∂μ² (Minka 2001), s² = v + σ². With e given, u has variance
/// vσ²/s²; e has s²G″ and moves u by v/s² of it: D = (σ² + vG″)/s². Mixing adds v·Σr(g_c − g)².
#[inline(always)]
fn queueing(queue: &Queue, y: f64, cavity: &Normal, wide_odds: &Lanes) -> Tilted {
    let mut tilted = Tilted {
        log_likelihood: Lanes::ZERO,
        shares: [Lanes::ZERO; 2],
        waits: [Lanes::ZERO; 2],
        site: Site::default(),
    };
    let s2 = cavity.variance + queue.variance;
    let s = s2.sqrt();
    let over = (-cavity.mean + y) / s;
    for lane in 0..LANES {
        let (v, blur) = (cavity.variance.0[lane], queue.variance.0[lane]);
        let (s, s2, over) = (s.0[lane], s2.0[lane], over.0[lane]);
        let component = |scale: f64, log_scale: f64| {
            let rate = s / scale;
            let t = over - rate;
            let cut = cut(t);
            // ln p + ln j; the two forms are equal, each free of cancellation where it is used.
            let log = if t > 0.0 {
                rate * (rate / 2.0 - over) + (cut.log_mass - t * t / 2.0)
            } else {
                cut.log_mass - over * over / 2.0
            };
            // s ∂ ln p/∂μ, and what is left of the variance of u (without what mixing adds).
            let slope = rate - (cut.mean - t);
            let left = (blur + v * cut.variance) / s2;
            (log - log_scale, slope, left, s * cut.mean)
        };
        let (narrow_log, narrow_slope, narrow_left, narrow_wait) =
            component(queue.narrow.0[lane], queue.log_scales[0].0[lane]);
        let (wide_log, wide_slope, wide_left, wide_wait) =
            component(queue.wide.0[lane], queue.log_scales[1].0[lane]);
        let odds = (wide_log - narrow_log + wide_odds.0[lane]).clamp(-700.0, 700.0);
        let narrow = 1.0 / (1.0 + odds.exp());
        let wide = 1.0 - narrow;
        let slope = narrow * narrow_slope + wide * wide_slope;
        let apart = narrow_slope - wide_slope;
        let left = narrow * narrow_left + wide * wide_left + v / s2 * narrow * wide * apart * apart;
        let left = left.clamp(LEFT.0, LEFT.1);
        // The factor that leaves mean μ + v g and variance D v: τ = (1−D)/(D v), ν = (g + μ(1−D)/v)/D.
        let taken = (1.0 - left) / v;
        tilted.site.precision.0[lane] = taken / left;
        tilted.site.weighted.0[lane] = (slope / s + cavity.mean.0[lane] * taken) / left;
        tilted.shares[0].0[lane] = narrow;
        tilted.shares[1].0[lane] = wide;
        tilted.waits[0].0[lane] = narrow_wait;
        tilted.waits[1].0[lane] = wide_wait;
        // ln((1−w) p₀ + w p₁) = ln p₀ + ln(1−w) − ln P(narrow)
        let narrow_prior = -(1.0 + wide_odds.0[lane].exp()).ln();
        let likelier = if narrow >= 0.5 {
            narrow_log + narrow_prior - narrow.ln()
        } else {
            wide_log + narrow_prior + wide_odds.0[lane] - wide.ln()
        };
        tilted.log_likelihood.0[lane] = likelier;
    }
    tilted
}

#[cfg(test)]
mod tests {
    use super::super::tests::simpson;
    use super::*;

    fn queue(narrow: f64, wide: f64, share: f64, variance: f64) -> Queue {
        let [narrow, wide, wide_share, variance] = [narrow, wide, share, variance].map(Lanes::all);
        Queue::new(narrow, wide, wide_share, variance)
    }

    /// Density of y, and mean and variance of u and the wide share after it, by integrating over the
    /// time in queues.
    fn by_quadrature(queue: &Queue, y: f64, mean: f64, variance: f64) -> [f64; 4] {
        let s2 = variance + queue.variance.0[0];
        let (mut mass, mut first, mut second, mut wide) = (0.0, 0.0, 0.0, 0.0);
        for (scale, share) in [
            (queue.narrow.0[0], 1.0 - queue.wide_share.0[0]),
            (queue.wide.0[0], queue.wide_share.0[0]),
        ] {
            // The integrand is a normal one about y − μ, cut off, times an exponential.
            let centre = y - mean - s2 / scale;
            let spread = s2.sqrt().min(scale.max(s2.sqrt() / 50.0));
            let low = (centre - 12.0 * s2.sqrt()).max(0.0);
            let high =
                centre.max(0.0) + 40.0 * spread.max(if centre > 0.0 { s2.sqrt() } else { 0.0 });
            for (e, weight) in simpson::nodes(low, high, 20_000) {
                let z = y - e - mean;
                let density = (-e / scale - z * z / (2.0 * s2)).exp()
                    / scale
                    / (std::f64::consts::TAU * s2).sqrt();
                let p = weight * share * density;
                let u = mean + variance / s2 * z;
                let rest = variance * queue.variance.0[0] / s2;
                mass += p;
                first += p * u;
                second += p * (u * u + rest);
                if scale == queue.wide.0[0] {
                    wide += p;
                }
            }
        }
        let u = first / mass;
        [mass, u, second / mass - u * u, wide / mass]
    }

    #[test]
    fn a_tilted_site_has_the_moments_of_the_integral() {
        for (narrow, wide, share, blur) in
            [(1e-3, 1e-2, 0.05, 2.5e-9), (1e-3, 3e-3, 0.3, 2.5e-9), (1e-3, 1e-2, 0.5, 1e-6)]
        {
            let queue = queue(narrow, wide, share, blur);
            for sd in [1e-4, 1e-3, 5e-3] {
                for y in [-2.0, -0.5, 0.0, 0.3, 1.0, 4.0, 12.0] {
                    let (mean, variance, y) = (2e-3, sd * sd, 2e-3 + y * 1e-3);
                    let cavity = Normal { mean: Lanes::all(mean), variance: Lanes::all(variance) };
                    let odds = Lanes::all((share / (1.0 - share)).ln());
                    let tilted = queueing(&queue, y, &cavity, &odds);
                    let Site { precision, weighted } = tilted.site;
                    let after = 1.0 / (1.0 / variance + precision.0[3]);
                    let u = after * (mean / variance + weighted.0[3]);
                    let [mass, true_u, true_variance, true_wide] =
                        by_quadrature(&queue, y, mean, variance);
                    let case = format!("{queue:?} {y} {sd}");
                    let log = tilted.log_likelihood.0[3];
                    assert!((log - mass.ln()).abs() < 1e-5, "{log} {} {case}", mass.ln());
                    assert!((u - true_u).abs() < 1e-5 * sd, "{u} {true_u} {case}");
                    // What a mixture adds to the variance, a site cannot: it says nothing then.
                    let possible = true_variance.min(variance);
                    assert!((after / possible - 1.0).abs() < 1e-4, "{after} {case}");
                    assert!((tilted.shares[1].0[3] - true_wide).abs() < 1e-5, "{case}");
                }
            }
        }
    }

    #[test]
    fn parameters_are_learnt_from_what_was_seen() {
        let mut queues = Queues::guessed(Shape::Queueing, 1e-3);
        let sums = Sums {
            counts: [Lanes::all(900.0), Lanes::all(100.0)],
            waits: [Lanes::all(900.0 * 2e-4), Lanes::all(100.0 * 5e-3)],
        };
        queues.learn(&[sums; 2]);
        let queue = queues.way(0);
        assert!((queue.narrow.0[0] / 2e-4 - 1.0).abs() < 0.02, "{queue:?}");
        assert!((queue.wide.0[0] / 5e-3 - 1.0).abs() < 0.02, "{queue:?}");
        assert!((queue.wide_share.0[0] - 0.1).abs() < 0.005, "{queue:?}");
        assert!((queue.variance.0[0].sqrt() / 1e-5 - 1.0).abs() < 0.02, "{queue:?}");

        // Long congestion does not make those that waited in no unusual queue any longer.
        let mut queues = Queues::guessed(Shape::Queueing, 1e-3);
        let sums = Sums {
            counts: [Lanes::all(30.0); 2],
            waits: [Lanes::all(30.0 * 2e-4), Lanes::all(30.0 * 5e-3)],
        };
        queues.learn(&[sums; 2]);
        let narrow = queues.way(1).narrow.0[0];
        assert!((narrow / 2e-4 - 1.0).abs() < 0.05, "{narrow}");

        let mut queues = Queues::guessed(Shape::Normal, 1e-3);
        let sums = Sums {
            counts: [Lanes::all(1000.0), Lanes::ZERO],
            waits: [Lanes::all(1000.0 * 4e-10), Lanes::ZERO],
        };
        queues.learn(&[sums; 2]);
        assert!((queues.way(1).variance.0[0] / 4e-10 - 1.0).abs() < 0.01, "{:?}", queues.way(1));
    }

    /// Variances of both ways (s²) after so many observations on each, of 1 and 100 µs.
    fn variances(count: f64) -> [f64; 2] {
        let mut queues = Queues::guessed(Shape::Normal, 1e-4);
        let sums = [1e-12, 1e-8].map(|square| Sums {
            counts: [Lanes::all(count), Lanes::ZERO],
            waits: [Lanes::all(count * square), Lanes::ZERO],
        });
        queues.learn(&sums);
        [0, 1].map(|way| queues.way(way).variance.0[0])
    }

    #[test]
    fn each_way_has_its_own_noise_once_there_is_enough_to_tell() {
        let [quiet, noisy] = variances(10_000.0);
        assert!(quiet < 3e-12 && (noisy / 1e-8 - 1.0).abs() < 0.01, "{quiet:e} {noisy:e}");
        let [quiet, noisy] = variances(4.0);
        assert!(quiet > 0.5 * noisy, "{quiet:e} {noisy:e}");
    }

    #[test]
    fn round_trips_that_are_all_alike_prove_no_timestamp_exact() {
        const READING: f64 = 1e-7;
        for shape in [Shape::Normal, Shape::Queueing] {
            let mut queues = Queues::guessed(shape, 1e-6);
            let sums = Sums {
                counts: [Lanes::all(1000.0), Lanes::ZERO],
                waits: [Lanes::all(1000.0 * 1e-18), Lanes::ZERO],
            };
            queues.read_to(READING);
            queues.learn(&[sums; 2]);
            // Two of these make an offset that is off by one reading.
            let variance = queues.way(0).variance.0[0];
            assert!((variance / (2.0 * READING * READING) - 1.0).abs() < 1e-9, "{variance:e}");
            queues.read_to(0.0);
            queues.learn(&[sums; 2]);
            assert!(queues.way(0).variance.0[0] < 0.1 * variance, "{shape:?}");
        }
    }

    #[test]
    fn nothing_makes_it_anything_but_a_number() {
        for scale in [0.0, 1e-9, 1.0, 1e5] {
            for shape in [Shape::Normal, Shape::Queueing] {
                let queues = Queues::guessed(shape, scale);
                for variance in [1e-30, 1e-9, 1.0, 1e20] {
                    for y in [0.0, -1e9, 1e9, 1e-12] {
                        let cavity = Normal { mean: Lanes::ZERO, variance: Lanes::all(variance) };
                        let odds = Lanes::all(-3.0);
                        let Tilted { log_likelihood, shares, waits, site } =
                            queues.tilt(0, y, &cavity, &odds);
                        let all =
                            [log_likelihood, shares[0], waits[0], site.precision, site.weighted];
                        assert!(
                            all.iter().all(|lanes| lanes.is_finite()),
                            "{scale} {shape:?} {variance} {y}: {all:?}"
                        );
                        assert!(site.precision.0.iter().all(|p| *p >= 0.0));
                    }
                }
            }
        }
    }
}
