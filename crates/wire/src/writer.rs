//! Writing a packet into a caller's buffer: header, extension fields, trailer, in this order.

use core::fmt;

use crate::extension_field::ExtensionField;
use crate::header::Header;

/// The buffer has no room for what was to be written, or no length field could say its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall;

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small for the packet")
    }
}

impl core::error::Error for BufferTooSmall {}

/// A packet in the making. Every `finish_*` keeps RFC 7822's rules of length, so that what was
/// written parses as what was meant.
#[derive(Debug)]
pub struct PacketWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
    last_field: Option<usize>,
}

impl<'b> PacketWriter<'b> {
    /// Starts a packet with its header.
    ///
    /// # Errors
    /// [`BufferTooSmall`] for a buffer below 48 bytes.
    pub fn new(header: &Header, buffer: &'b mut [u8]) -> Result<Self, BufferTooSmall> {
        *buffer.first_chunk_mut().ok_or(BufferTooSmall)? = header.to_bytes();
        Ok(Self { buffer, len: Header::LEN, last_field: None })
    }

    /// Appends an extension field, padded.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the packet is as it was before.
    pub fn field(&mut self, field: &ExtensionField<'_>) -> Result<(), BufferTooSmall> {
        let added = field.emit(self.buffer.get_mut(self.len..).ok_or(BufferTooSmall)?)?;
        self.last_field = Some(self.len);
        self.len = self.len.saturating_add(added);
        Ok(())
    }

    /// What has been written so far: the bytes a digest or an NTS authenticator covers.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Ends the packet without a MAC; a last extension field below
    /// [`ExtensionField::MIN_LAST_LEN`] is padded to it.
    ///
    /// # Errors
    /// [`BufferTooSmall`] when there is no room for that padding.
    pub fn finish(mut self) -> Result<&'b [u8], BufferTooSmall> {
        self.pad_last_field()?;
        self.into_written()
    }

    /// Ends the packet with a MAC: the key identifier and the digest of [`written`](Self::written).
    ///
    /// # Errors
    /// [`BufferTooSmall`] when there is no room for it.
    pub fn finish_with_mac(
        mut self,
        key_id: u32,
        digest: &[u8],
    ) -> Result<&'b [u8], BufferTooSmall> {
        self.append(&key_id.to_be_bytes())?;
        self.append(digest)?;
        self.into_written()
    }

    /// Ends a packet without extension fields as a crypto-NAK.
    ///
    /// # Errors
    /// [`BufferTooSmall`] when there is no room for four bytes.
    pub fn finish_with_crypto_nak(self) -> Result<&'b [u8], BufferTooSmall> {
        self.finish_with_mac(0, &[])
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        let room = self.buffer.get_mut(self.len..).ok_or(BufferTooSmall)?;
        room.get_mut(..bytes.len()).ok_or(BufferTooSmall)?.copy_from_slice(bytes);
        self.len = self.len.saturating_add(bytes.len());
        Ok(())
    }

    fn pad_last_field(&mut self) -> Result<(), BufferTooSmall> {
        let Some(start) = self.last_field else { return Ok(()) };
        let missing = ExtensionField::MIN_LAST_LEN.saturating_sub(self.len.saturating_sub(start));
        if missing == 0 {
            return Ok(());
        }
        const PADDING: [u8; ExtensionField::MIN_LAST_LEN] = [0; ExtensionField::MIN_LAST_LEN];
        self.append(PADDING.get(..missing).unwrap_or_default())?;
        let length = self.buffer.get_mut(start.saturating_add(2)..).ok_or(BufferTooSmall)?;
        *length.first_chunk_mut().ok_or(BufferTooSmall)? =
            (ExtensionField::MIN_LAST_LEN as u16).to_be_bytes();
        Ok(())
    }

    fn into_written(self) -> Result<&'b [u8], BufferTooSmall> {
        let buffer: &'b [u8] = self.buffer;
        buffer.get(..self.len).ok_or(BufferTooSmall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension_field::FieldType;
    use crate::packet::{Packet, Trailer};

    fn header() -> Header {
        let mut bytes = [0; Header::LEN];
        bytes[0] = 0x23;
        Header::from_bytes(&bytes)
    }

    const COOKIE: ExtensionField<'_> =
        ExtensionField { field_type: FieldType::NTS_COOKIE, value: &[5; 3] };

    #[test]
    fn a_bare_header_is_a_packet() {
        let mut buffer = [0xff; 64];
        let packet = PacketWriter::new(&header(), &mut buffer).unwrap().finish().unwrap();
        assert_eq!(packet, header().to_bytes());
        assert_eq!(Packet::parse(packet).unwrap().trailer, Trailer::None);
    }

    #[test]
    fn only_the_last_field_without_a_mac_is_padded_to_28_bytes() {
        let mut buffer = [0xff; 128];
        let mut writer = PacketWriter::new(&header(), &mut buffer).unwrap();
        writer.field(&COOKIE).unwrap();
        writer.field(&COOKIE).unwrap();
        assert_eq!(writer.written().len(), 80);
        let packet = writer.finish().unwrap();
        assert_eq!(packet.len(), 92);
        assert_eq!(packet[48..56], [2, 4, 0, 16, 5, 5, 5, 0]);
        assert_eq!(packet[64..72], [2, 4, 0, 28, 5, 5, 5, 0]);
        assert_eq!(packet[72..], [0; 20]);

        let mut writer = PacketWriter::new(&header(), &mut buffer).unwrap();
        writer.field(&COOKIE).unwrap();
        let packet = writer.finish_with_mac(0x0102_0304, &[6; 16]).unwrap();
        assert_eq!(packet.len(), 84);
        assert_eq!(packet[64..70], [1, 2, 3, 4, 6, 6]);
    }

    #[test]
    fn a_crypto_nak_parses_as_one() {
        let mut buffer = [0xff; 64];
        let writer = PacketWriter::new(&header(), &mut buffer).unwrap();
        let packet = writer.finish_with_crypto_nak().unwrap();
        assert_eq!(packet.len(), 52);
        assert_eq!(Packet::parse(packet).unwrap().trailer, Trailer::CryptoNak);
    }

    #[test]
    fn every_part_needs_its_room() {
        assert_eq!(PacketWriter::new(&header(), &mut [0; 47]).unwrap_err(), BufferTooSmall);
        let with_field = |room: usize| {
            let mut buffer = vec![0; room];
            let mut writer = PacketWriter::new(&header(), &mut buffer).unwrap();
            let added = writer.field(&COOKIE);
            (added, writer.written().len())
        };
        assert_eq!(with_field(63), (Err(BufferTooSmall), 48));
        assert_eq!(with_field(64), (Ok(()), 64));
        let finished = |room: usize| {
            let mut buffer = vec![0; room];
            let mut writer = PacketWriter::new(&header(), &mut buffer).unwrap();
            writer.field(&COOKIE).unwrap();
            writer.finish().map(<[u8]>::len)
        };
        assert_eq!(finished(75), Err(BufferTooSmall));
        assert_eq!(finished(76), Ok(76));
        let with_mac = |room: usize| {
            let mut buffer = vec![0; room];
            let writer = PacketWriter::new(&header(), &mut buffer).unwrap();
            writer.finish_with_mac(1, &[0; 20]).map(<[u8]>::len)
        };
        assert_eq!(with_mac(71), Err(BufferTooSmall));
        assert_eq!(with_mac(72), Ok(72));
    }
}
