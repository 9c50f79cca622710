//! The keys that this machine shares with others.

use std::sync::Arc;

use timeball_auth::Keys;

use super::Engine;
use crate::event::{Event, KeyTrouble};

impl Engine {
    /// Signs and verifies with these from now on. All sources are looked at again for what is wrong
    /// with their keys.
    pub(super) fn take_keys(&mut self, keys: Arc<Keys>) {
        self.keys = keys;
        for source in 0..self.sources.len() {
            for member in 0..self.sources[source].members.len() {
                self.look_at_key(source, member);
            }
        }
    }

    /// Tells the log what is wrong with the key of an association.
    pub(super) fn look_at_key(&mut self, source: usize, member: usize) {
        let source = &self.sources[source];
        let Some(id) = source.settings.association.authentication.key() else { return };
        let member = &source.members[member];
        let trouble = match self.keys.get(id) {
            None => Some(KeyTrouble::Missing),
            Some(key) if !key.is_for(member.association.address().ip()) => {
                Some(KeyTrouble::ForOthers)
            }
            Some(key) => key.weakness().map(KeyTrouble::Weak),
        };
        if let Some(trouble) = trouble {
            let name = member.label.clone();
            self.outbox.event(Event::KeyTrouble { name, key: id, trouble });
        }
    }
}
