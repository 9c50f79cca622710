//! Where do most sources agree? (RFC 5905 §11.2.1, after Marzullo.)

use super::candidate::Contender;

/// Where the largest number of sources agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Agreement {
    /// That number.
    pub(super) sources: usize,
    /// Lower end (s) of the points that so many intervals cover.
    pub(super) low: f64,
    /// Upper end (s).
    pub(super) high: f64,
    /// The points between the ends make several separate intervals.
    pub(super) is_split: bool,
}

impl Agreement {
    /// Finds it; `None` without contenders.
    ///
    /// Two separate intervals can be covered by equally many sources: a near server and a liar that
    /// both overlap with a distant one. Nothing tells which of them is right, so the agreement spans
    /// both, and only a source that covers the whole of it is known to be right.
    pub(super) fn find(contenders: &[Contender]) -> Option<Self> {
        // At equal values starts come before ends: intervals that touch overlap.
        let mut edges: Vec<(f64, Edge)> = contenders
            .iter()
            .map(Contender::interval)
            .flat_map(|(low, high)| [(low, Edge::Start), (high, Edge::End)])
            .collect();
        edges.sort_by(|(a, edge_a), (b, edge_b)| a.total_cmp(b).then(edge_a.cmp(edge_b)));

        let mut agreement: Option<Self> = None;
        let mut depth = 0usize;
        for (value, edge) in edges {
            match edge {
                Edge::Start => {
                    depth += 1;
                    match agreement.as_mut() {
                        Some(best) if depth < best.sources => {}
                        Some(best) if depth == best.sources => best.is_split = true,
                        _ => {
                            let (low, high) = (value, value);
                            agreement = Some(Self { sources: depth, low, high, is_split: false });
                        }
                    }
                }
                Edge::End => {
                    if let Some(best) = agreement.as_mut().filter(|best| best.sources == depth) {
                        best.high = value;
                    }
                    depth = depth.saturating_sub(1);
                }
            }
        }
        agreement
    }

    /// True if more than half of `contenders` agree.
    pub(super) fn is_majority_of(&self, contenders: usize) -> bool {
        2 * self.sources > contenders
    }

    /// True if the contender's interval covers all of it.
    pub(super) fn is_covered_by(&self, contender: &Contender) -> bool {
        let (low, high) = contender.interval();
        low <= self.low && high >= self.high
    }

    /// True if `offset` is inside.
    pub(super) fn contains(&self, offset: f64) -> bool {
        (self.low..=self.high).contains(&offset)
    }

    /// Its middle (s).
    pub(super) fn centre(&self) -> f64 {
        self.low + self.half_width()
    }

    /// Half of its width (s).
    pub(super) fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Start,
    End,
}
