//! The name of a source: 256 bytes that end with a zero.

use core::fmt;

use super::layout::{Layout, Reader, Writer};
use crate::writer::BufferTooSmall;

/// The name of a source, as it was configured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; Self::LEN]);

impl Name {
    const LEN: usize = 256;

    /// `None` for a text that does not fit, or has a zero in it.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let is_terminated = text.len() < Self::LEN && !text.as_bytes().contains(&0);
        is_terminated.then_some(Self(bytes))
    }

    /// The name; `None` if it does not end or is not text. A name of a source ends before the last
    /// byte, unless it fills all of them.
    pub fn as_str(&self) -> Option<&str> {
        let len = self.0.iter().position(|byte| *byte == 0)?;
        core::str::from_utf8(self.0.get(..len)?).ok()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(name) => write!(f, "{name:?}"),
            None => f.write_str("(no name)"),
        }
    }
}

impl Layout for Name {
    const LEN: usize = Self::LEN;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.bytes().map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        writer.bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end() {
        assert_eq!(Name::new("ntp.example.net").unwrap().as_str(), Some("ntp.example.net"));
        assert_eq!(Name::new("").unwrap().as_str(), Some(""));
        assert_eq!(Name::new(&"a".repeat(255)).unwrap().as_str().map(str::len), Some(255));
        assert_eq!(Name::new(&"a".repeat(256)), None);
        assert_eq!(Name::new("a\0b"), None);
        assert_eq!(Name([b'a'; 256]).as_str(), None);
        assert_eq!(Name([0xff; 256]).as_str(), None);
    }
}
