use timeball_host::listeners::{Process, Protocol};

use super::*;
use crate::watch::subject::{Expectation, Port};

const START: i64 = 1_800_000_000;

/// A watch in virtual time.
struct World {
    watcher: Watcher,
    /// Seconds since the start.
    now: f64,
}

fn moment(seconds: f64) -> Moment {
    Moment {
        monotonic: Instant::from_nanos(0) + Span::from_seconds(1000.0 + seconds),
        system: Timestamp::from_nanos(START * 1_000_000_000) + Span::from_seconds(seconds),
    }
}

fn schedule() -> Schedule {
    Schedule {
        interval: Span::from_secs(60),
        confirm_interval: Span::from_secs(5),
        confirmations: 3,
        reminder: Some(Span::from_secs(3600)),
    }
}

fn closed(host: &str) -> Subject {
    let port = Port { protocol: Protocol::Udp, number: 123 };
    Subject::Remote { host: host.into(), port, expected: Expectation::Closed }
}

impl World {
    fn new(subjects: Vec<Subject>, extent: Extent) -> Self {
        let watcher = Watcher::new(moment(0.0), subjects, schedule(), extent, BTreeMap::new());
        Self { watcher, now: 0.0 }
    }

    /// The same plan in a new process, so many seconds later.
    fn restarted_after(self, seconds: f64) -> Self {
        let now = self.now + seconds;
        let json = serde_json::to_string(&self.watcher.saved()).unwrap();
        let saved = serde_json::from_str(&json).unwrap();
        let subjects = self.watcher.entries.into_iter().map(|entry| entry.subject).collect();
        let watcher = Watcher::new(moment(now), subjects, schedule(), self.watcher.extent, saved);
        Self { watcher, now }
    }

    /// Looks whenever it is time to, until `seconds` have passed; what it sees depends on the index.
    /// When it looked, and what it told.
    fn run(
        &mut self,
        seconds: f64,
        see: impl Fn(usize) -> Observation,
    ) -> (Vec<f64>, Vec<(f64, Event)>) {
        let (start, end) = (self.now, self.now + seconds);
        let (mut looks, mut told) = (Vec::new(), Vec::new());
        loop {
            let action = self.watcher.poll(moment(self.now));
            while let Some(alert) = self.watcher.poll_alert() {
                told.push((self.now - start, alert.event));
            }
            match action {
                Action::Look(index) => {
                    looks.push(self.now - start);
                    self.watcher.handle(moment(self.now), index, &see(index).into());
                }
                Action::WaitUntil(Some(at)) => {
                    let at = (at - moment(0.0).monotonic).seconds();
                    if at > end {
                        self.now = end;
                        return (looks, told);
                    }
                    self.now = at;
                }
                Action::WaitUntil(None) => panic!("nothing to wait for"),
                Action::Finished => return (looks, told),
            }
        }
    }
}

#[test]
fn it_looks_often_until_it_is_sure_and_then_at_leisure() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    let (looks, told) = world.run(100.0, |_| Observation::Closed);
    assert_eq!(looks, [0.0, 5.0, 10.0, 70.0]);
    assert_eq!(told, []);
    let (looks, told) = world.run(80.0, |_| Observation::Open);
    assert_eq!(looks, [30.0, 35.0, 40.0]);
    assert_eq!(told, [(40.0, Event::Violated)]);
    let (_, told) = world.run(100.0, |_| Observation::Silent);
    assert_eq!(told, [(30.0, Event::Changed)]);
    let (_, told) = world.run(100.0, |_| Observation::Closed);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, Event::Recovered);
    assert!(world.watcher.is_as_expected());
}

#[test]
fn what_flickers_is_told_to_nobody() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    world.run(60.0, |_| Observation::Closed);
    for _ in 0..10 {
        let (_, told) = world.run(8.0, |_| Observation::Open);
        assert_eq!(told, []);
        let (_, told) = world.run(60.0, |_| Observation::Closed);
        assert_eq!(told, []);
    }
}

#[test]
fn a_reminder_comes_as_often_as_asked_for_and_not_after_the_recovery() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    let (_, told) = world.run(8000.0, |_| Observation::Open);
    assert_eq!(
        told,
        [(10.0, Event::Violated), (3610.0, Event::Reminder), (7210.0, Event::Reminder)]
    );
    let (_, told) = world.run(8000.0, |_| Observation::Closed);
    assert_eq!(told.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [Event::Recovered]);
}

#[test]
fn a_restart_tells_nothing_twice_and_forgets_nothing() {
    let mut world = World::new(vec![closed("a"), closed("b")], Extent::Forever);
    let open_a = |index| if index == 0 { Observation::Open } else { Observation::Closed };
    let (_, told) = world.run(1000.0, open_a);
    assert_eq!(told, [(10.0, Event::Violated)]);
    let since = world.watcher.entries[0].standing.confirmed().unwrap().since;

    let mut world = world.restarted_after(500.0);
    let (looks, told) = world.run(1000.0, open_a);
    assert_eq!(looks[..4], [0.0, 0.0, 60.0, 60.0], "it is sure already");
    assert_eq!(told, []);
    assert_eq!(world.watcher.entries[0].standing.confirmed().unwrap().since, since);
    // The first alert was at 10 s, and the restarts have not moved the reminder.
    let mut world = world.restarted_after(100.0);
    let (_, told) = world.run(1500.0, open_a);
    assert_eq!(told, [(1010.0, Event::Reminder)]);

    let mut world = world.restarted_after(0.0);
    let (_, told) = world.run(100.0, |_| Observation::Closed);
    assert_eq!(told, [(10.0, Event::Recovered)]);
    let mut world = world.restarted_after(0.0);
    assert_eq!(world.run(8000.0, |_| Observation::Closed).1, []);
}

#[test]
fn a_reminder_that_is_due_waits_for_a_look() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    world.run(100.0, |_| Observation::Open);
    let mut world = world.restarted_after(5000.0);
    let (_, told) = world.run(100.0, |_| Observation::Closed);
    assert_eq!(told, [(10.0, Event::Recovered)], "it was good again by then");

    let mut world = World::new(vec![closed("a")], Extent::UntilSettled);
    world.run(100.0, |_| Observation::Open);
    let mut world = world.restarted_after(5000.0);
    let (looks, told) = world.run(100.0, |_| Observation::Open);
    assert_eq!((looks.len(), told), (1, vec![(0.0, Event::Reminder)]));
}

#[test]
fn a_change_that_is_half_confirmed_outlives_a_restart() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    world.run(60.0, |_| Observation::Closed);
    world.run(16.0, |_| Observation::Open);
    let mut world = world.restarted_after(1.0);
    let (looks, told) = world.run(1.0, |_| Observation::Open);
    assert_eq!((looks.len(), told), (1, vec![(0.0, Event::Violated)]));
}

#[test]
fn once_ends_when_everything_is_clear_and_not_later_than_it_may() {
    let mut world = World::new(vec![closed("a"), closed("b")], Extent::UntilSettled);
    let (looks, told) = world.run(1000.0, |index| match index {
        0 => Observation::Closed,
        _ => Observation::Silent,
    });
    assert_eq!((looks.len(), world.now), (6, 10.0));
    assert_eq!(told, [(10.0, Event::Violated)]);
    assert!(!world.watcher.is_as_expected());

    let mut world = World::new(vec![closed("a")], Extent::UntilSettled);
    let count = std::cell::Cell::new(0);
    let (looks, _) = world.run(1000.0, |_| {
        count.set(count.get() + 1);
        if count.get() % 2 == 0 { Observation::Closed } else { Observation::Open }
    });
    assert_eq!(looks.len(), 12);
    assert!(!world.watcher.is_as_expected(), "nobody knows");
}

#[test]
fn a_look_under_way_is_not_begun_again() {
    let mut world = World::new(vec![closed("a")], Extent::Forever);
    assert_eq!(world.watcher.poll(moment(0.0)), Action::Look(0));
    assert_eq!(world.watcher.poll(moment(500.0)), Action::WaitUntil(None));
    world.watcher.handle(moment(500.0), 0, &Observation::Closed.into());
    assert_eq!(world.watcher.poll(moment(505.0)), Action::Look(0));
    world.watcher.handle(moment(505.0), 7, &Observation::Closed.into());
}

#[test]
fn a_process_is_known_since_it_was_first_seen() {
    let port = Port { protocol: Protocol::Udp, number: 123 };
    let subject = Subject::Local { port, processes: vec!["ntpd".into()] };
    let listener = |pid| Listener {
        address: "[::]:123".parse().unwrap(),
        process: Some(Process { pid, name: "ntpd".into() }),
    };
    let mut world = World::new(vec![subject], Extent::Forever);
    world.run(100.0, |_| Observation::Listeners(vec![listener(7)]));
    let mut world = world.restarted_after(10.0);
    let (_, told) = world.run(100.0, |_| Observation::Listeners(vec![listener(7)]));
    assert_eq!(told, []);
    let first = |world: &World| {
        let seen = &world.watcher.entries[0].listeners;
        assert_eq!(seen.len(), 1);
        seen[0].first_seen.as_second() - START
    };
    assert_eq!(first(&world), 0);
    // Another process of the same name is as expected, and new.
    let (_, told) = world.run(100.0, |_| Observation::Listeners(vec![listener(8)]));
    assert_eq!(told, []);
    assert!(first(&world) > 200, "{}", first(&world));
}

#[test]
fn another_plan_keeps_what_is_known_of_subjects_that_stay() {
    let mut world = World::new(vec![closed("a"), closed("b")], Extent::Forever);
    let (_, told) = world.run(30.0, |_| Observation::Open);
    assert_eq!(told.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [Event::Violated; 2]);
    // One look is under way.
    assert!(matches!(world.watcher.poll(moment(75.0)), Action::Look(0)));
    world.now = 75.0;
    let quicker = Schedule { interval: Span::from_secs(10), ..schedule() };
    world.watcher.replan(moment(world.now), vec![closed("c"), closed("b")], quicker);
    let known: Vec<_> =
        world.watcher.entries().iter().map(|e| (e.subject.name(), e.looks)).collect();
    assert_eq!(known, [("udp:c:123".to_owned(), 0), ("udp:b:123".to_owned(), 3)]);
    // "b" is what it was and nobody hears of it again; "c" has to be confirmed like anything new.
    let (looks, told) = world.run(40.0, |_| Observation::Open);
    assert_eq!(told, [(10.0, Event::Violated)]);
    assert_eq!(looks, [0.0, 0.0, 5.0, 10.0, 10.0, 20.0, 20.0, 30.0, 30.0, 40.0, 40.0]);
    // Who should be open now has recovered.
    let Subject::Remote { host, port, .. } = closed("b") else { panic!("a port elsewhere") };
    let open = Subject::Remote { host, port, expected: Expectation::Open };
    world.watcher.replan(moment(world.now), vec![open], schedule());
    let (_, told) = world.run(30.0, |_| Observation::Open);
    assert_eq!(told, [(10.0, Event::Recovered)]);
}
