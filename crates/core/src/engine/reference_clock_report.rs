//! Reference clocks in the read model.

use super::reference_clocks::Clock;
use super::reporting::Reading;
use crate::report::{Activity, SourceMode, SourceReport};
use crate::selection::State;

impl Reading<'_> {
    pub(super) fn clock_report(&self, clock: &Clock) -> SourceReport {
        let Clock { id, clock, verdict, standing, label, .. } = clock;
        let settings = clock.settings();
        let statistics = clock.statistics();
        let last = clock.last_measurement();
        SourceReport {
            id: Some(*id),
            name: label.clone(),
            mode: SourceMode::ReferenceClock,
            activity: Activity::Online,
            options: settings.options,
            effective_options: standing.map_or(settings.options, |standing| standing.options),
            score: standing.map_or(1.0, |standing| standing.score),
            state: verdict.state,
            reason: match (verdict.state, clock.failure()) {
                (State::Measuring | State::Unreachable, Some(failure)) => {
                    format!("{}: {failure}", verdict.reason)
                }
                _ => verdict.reason.clone(),
            },
            reach: clock.reachability().register(),
            poll: settings.poll.exponent(),
            next_poll: Some((clock.next_reading() - self.now.monotonic).seconds().max(0.0)),
            last_answer: last.map(|last| (self.timeline.now() - last.measurement.at).seconds()),
            stratum: Some(settings.stratum),
            reference_id: Some(settings.reference_id),
            reference: settings.driver.to_string(),
            leap: clock.leap(),
            sent: statistics.readings,
            received: statistics.samples,
            valid: statistics.good,
            accepted: statistics.measured,
            rejected: statistics.rejected_by_name(),
            ..self.measured(clock.estimator(), last)
        }
    }
}
