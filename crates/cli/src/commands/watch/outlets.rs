//! Who is told.

use std::io::{ErrorKind, Write as _};

use timeball_guard::watch::outbox::Outbox;
use timeball_guard::watch::{Alert, plan};
use timeball_host::wake::Waker;
use timeball_wire::Instant;

use super::hook::Hook;
use super::journal::Journal;
use super::text;
use super::webhook::Webhook;
use crate::outcome::Failure;

/// How alerts look on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON for each.
    Json,
    /// For people.
    Text,
}

/// Everybody who is told.
pub(super) struct Outlets {
    form: Form,
    plan: plan::Outlets,
    journal: Option<Journal>,
    hook: Option<Hook>,
    webhook: Option<(Webhook, Outbox)>,
}

impl Outlets {
    /// `undelivered` is what the webhook has not taken in an earlier run.
    pub(super) fn start(
        outlets: &plan::Outlets,
        form: Form,
        undelivered: Vec<Alert>,
        waker: Waker,
    ) -> Result<Self, Failure> {
        let journal = outlets.journal.then(Journal::open).transpose().map_err(|error| {
            Failure::System(format!("cannot write to the journal: {error}; is systemd running?"))
        })?;
        let hook = match outlets.command.as_slice() {
            [] => None,
            command => Some(Hook::start(command.to_vec(), waker.clone())?),
        };
        let webhook = match &outlets.webhook {
            Some(url) => Some((Webhook::start(url.clone(), waker)?, Outbox::new(undelivered))),
            None => None,
        };
        Ok(Self { form, plan: outlets.clone(), journal, hook, webhook })
    }

    /// Tells these from now on. What a webhook has not taken yet goes to the new one.
    pub(super) fn replan(
        &mut self,
        now: Instant,
        outlets: &plan::Outlets,
        waker: Waker,
    ) -> Result<(), Failure> {
        if self.plan == *outlets {
            return Ok(());
        }
        self.settle(now);
        let undelivered = self.outbox().into_iter().flat_map(Outbox::waiting).cloned().collect();
        let new = Self::start(outlets, self.form, undelivered, waker)?;
        let mut old = std::mem::replace(self, new);
        if self.webhook.is_some() {
            old.webhook = None;
        }
        old.end();
        Ok(())
    }

    /// Notes an alert for the webhook.
    pub(super) fn queue(&mut self, alert: &Alert) {
        if let Some((_, outbox)) = &mut self.webhook {
            outbox.push(alert.clone());
        }
    }

    /// Tells everybody but the webhook.
    pub(super) fn tell(&mut self, alert: &Alert) -> Result<(), Failure> {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.write(alert)
        {
            anstream::eprintln!("the journal does not take an alert: {error}");
        }
        if let Some(hook) = &mut self.hook {
            hook.run(alert.clone());
        }
        let line = match self.form {
            Form::Json => serde_json::to_string(alert).map_err(Failure::system)?,
            Form::Text => text::alert(alert),
        };
        let mut out = anstream::stdout();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            // The others are still told.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Failure::system),
        }
    }

    /// Posts what is due.
    pub(super) fn post(&mut self, now: Instant) {
        if let Some((webhook, outbox)) = &mut self.webhook
            && let Some(alert) = outbox.poll(now)
        {
            webhook.post(alert);
        }
    }

    /// Takes what has become of what was posted; true if anything has.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if let Some(hook) = &mut self.hook {
            hook.take();
        }
        let Some((webhook, outbox)) = &mut self.webhook else { return false };
        let deliveries = webhook.deliveries();
        for delivery in &deliveries {
            outbox.handle(now, *delivery);
        }
        !deliveries.is_empty()
    }

    /// Waits a while for the post that is under way: one that arrives and is not known to have would be
    /// posted again.
    pub(super) fn settle(&mut self, now: Instant) {
        self.take(now);
        if let Some((webhook, outbox)) = &mut self.webhook
            && outbox.is_under_way()
            && let Some(delivery) = webhook.last_delivery()
        {
            outbox.handle(now, delivery);
        }
    }

    /// What the webhook has not taken, if there is one.
    pub(super) fn outbox(&self) -> Option<&Outbox> {
        self.webhook.as_ref().map(|(_, outbox)| outbox)
    }

    pub(super) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        self.outbox()?.next_timeout(now)
    }

    pub(super) fn is_everything_delivered(&self) -> bool {
        self.outbox().is_none_or(Outbox::is_empty) && self.hook.as_ref().is_none_or(Hook::is_idle)
    }

    /// Waits for the command to do what it has begun, and says what stays behind.
    pub(super) fn end(&mut self) {
        if let Some(hook) = self.hook.take() {
            hook.end();
        }
        match self.outbox().map_or(0, |outbox| outbox.waiting().len()) {
            0 => {}
            count => anstream::eprintln!("the webhook has not taken {count} of the alerts"),
        }
    }
}
