//! All keys that are known.

use crate::key::{Key, KeyId};

/// A table of keys. Made once, then only read.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// In the order of their identifiers.
    keys: Vec<Key>,
}

impl Keys {
    /// Nobody can prove anything.
    pub const NONE: &'static Self = &Self { keys: Vec::new() };

    /// The key of this name.
    pub fn get(&self, id: KeyId) -> Option<&Key> {
        let place = self.keys.binary_search_by_key(&id, Key::id).ok()?;
        self.keys.get(place)
    }

    /// All of them, in the order of their identifiers.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Of several keys of one name the first counts.
impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        let mut keys: Vec<Key> = keys.into_iter().collect();
        keys.sort_by_key(Key::id);
        keys.dedup_by_key(|key| key.id());
        Self { keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;

    #[test]
    fn keys_are_found_by_their_names_and_the_first_of_a_name_counts() {
        let key = |id, secret: &[u8]| {
            Key::new(KeyId::new(id).unwrap(), Algorithm::Sha256, secret).unwrap()
        };
        let keys: Keys = [key(9, b"nine"), key(2, b"two!!"), key(9, b"no")].into_iter().collect();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys.get(KeyId::new(9).unwrap()).map(Key::bits), Some(32));
        assert_eq!(keys.get(KeyId::new(2).unwrap()).map(Key::bits), Some(40));
        assert!(keys.get(KeyId::new(3).unwrap()).is_none());
        assert!(Keys::NONE.get(KeyId::new(1).unwrap()).is_none());
    }
}
