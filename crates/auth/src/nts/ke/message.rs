//! A message of records, as it comes out of a TLS session in pieces (RFC 8915 §4).

use timeball_wire::BufferTooSmall;
use timeball_wire::nts_ke::{Body, Record, RecordError};
use zeroize::Zeroizing;

/// Most records of a message: one that has more is an attempt to make us work.
const MAX_RECORDS: usize = 64;

/// A message that is still arriving.
#[derive(Debug)]
pub struct Message {
    /// Cookies are nobody's business.
    bytes: Zeroizing<Vec<u8>>,
    max_len: usize,
    /// Bytes of whole records.
    read: usize,
    records: usize,
    complete: bool,
}

/// Why a message is none. Whoever gets it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It has more bytes than a message may have.
    #[error("it is longer than {max_len} bytes")]
    TooLong {
        /// How many it may have.
        max_len: usize,
    },
    /// It has more records than a message may have.
    #[error("it has more than {MAX_RECORDS} records")]
    TooManyRecords,
    /// It goes on after its end.
    #[error("it goes on after its end")]
    AfterEnd,
    /// One of its records is none.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Message {
    /// Nothing has arrived yet of what may have so many bytes.
    pub fn new(max_len: usize) -> Self {
        let bytes = Zeroizing::new(Vec::new());
        Self { bytes, max_len, read: 0, records: 0, complete: false }
    }

    /// These bytes have arrived.
    ///
    /// # Errors
    /// Why what has arrived can be no message any more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), MessageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.complete {
            return Err(MessageError::AfterEnd);
        }
        if self.bytes.len().saturating_add(bytes.len()) > self.max_len {
            return Err(MessageError::TooLong { max_len: self.max_len });
        }
        self.bytes.extend_from_slice(bytes);
        while let Some((record, rest)) = Record::split_from(self.unread())? {
            let (left, is_end) = (rest.len(), record.body == Body::EndOfMessage);
            self.read = self.bytes.len().saturating_sub(left);
            self.records = self.records.saturating_add(1);
            if self.records > MAX_RECORDS {
                return Err(MessageError::TooManyRecords);
            }
            if is_end {
                self.complete = true;
                return if left == 0 { Ok(()) } else { Err(MessageError::AfterEnd) };
            }
        }
        Ok(())
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    /// All of it is there.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The records that are there, in their order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.get(..self.read).unwrap_or_default();
        std::iter::from_fn(move || {
            let (record, after) = Record::split_from(rest).ok()??;
            rest = after;
            Some(record)
        })
    }
}

/// The bytes of a message of these records.
///
/// # Errors
/// [`BufferTooSmall`] for a record whose length cannot be said.
pub fn write_records(records: &[Record<'_>]) -> Result<Vec<u8>, BufferTooSmall> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; Record::HEADER_LEN + usize::from(u16::MAX)];
    for record in records {
        let len = record.emit(&mut buffer)?;
        bytes.extend_from_slice(buffer.get(..len).ok_or(BufferTooSmall)?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize) -> Vec<u8> {
        let cookie = Record::optional(Body::Cookie(&[7; 64]));
        let mut all = vec![cookie; count];
        all.push(Record::critical(Body::EndOfMessage));
        write_records(&all).unwrap()
    }

    #[test]
    fn a_message_is_complete_with_its_last_byte_and_not_before() {
        let bytes = records(8);
        let mut message = Message::new(1024);
        for (index, byte) in bytes.iter().enumerate() {
            assert!(!message.is_complete(), "{index}");
            message.push(std::slice::from_ref(byte)).unwrap();
        }
        assert!(message.is_complete());
        assert_eq!(message.records().count(), 9);
        assert_eq!(message.push(&[]), Ok(()));
        assert_eq!(message.push(&[0]), Err(MessageError::AfterEnd));
    }

    #[test]
    fn a_message_has_its_limits() {
        let bytes = records(8);
        let mut message = Message::new(bytes.len() - 1);
        let too_long = MessageError::TooLong { max_len: bytes.len() - 1 };
        assert_eq!(message.push(&bytes), Err(too_long));
        assert!(!message.is_complete());

        assert_eq!(Message::new(8192).push(&records(MAX_RECORDS - 1)), Ok(()));
        let error = Message::new(8192).push(&records(MAX_RECORDS));
        assert_eq!(error, Err(MessageError::TooManyRecords));

        let longer = [records(1).as_slice(), &[0]].concat();
        assert_eq!(Message::new(8192).push(&longer), Err(MessageError::AfterEnd));

        let error = RecordError::BodyLength { record_type: 7, len: 1 };
        let port = [0x80, 7, 0, 1, 5];
        assert_eq!(Message::new(8192).push(&port), Err(MessageError::Record(error)));
    }
}
