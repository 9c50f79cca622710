//! What a responder remembers beyond one request: clients, and when answers left.

use super::clients::Clients;
use super::interleaving::TimestampPairs;

/// Both, within a number of bytes.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    limit: usize,
    pub(super) clients: Clients,
    pub(super) pairs: TimestampPairs,
}

impl Memory {
    /// More clients than this nobody looks through (chrony's bound).
    const MOST: usize = 1 << 24;

    /// As many clients as pairs of timestamps, in no more than `limit` bytes; but eight of each.
    pub(super) fn new(limit: usize, hash_key: &[u8; 16]) -> Self {
        let capacity = (limit / (Clients::SIZE + TimestampPairs::SIZE)).min(Self::MOST);
        Self {
            limit,
            clients: Clients::new(capacity, hash_key),
            pairs: TimestampPairs::new(capacity, hash_key),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limit_is_enough_for_4096_clients() {
        let memory = Memory::new(crate::server::ClientLog::default().limit, &[1; 16]);
        assert_eq!(memory.clients.places(), 4096);
    }
}
