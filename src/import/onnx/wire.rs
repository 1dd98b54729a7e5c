//! The protobuf wire format: fields of a message, one after another, borrowed from the file.

use crate::error::{Error, Result};

/// The payload of one field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Walks the fields of one message.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

fn damaged(what: &str) -> Error {
    Error::model(format!("not an ONNX file, or a damaged one: {what}"))
}

fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or_else(|| damaged("it ends inside a number"))?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("a number is longer than 10 bytes"))
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> Result<&'a [u8]> {
    let count = usize::try_from(count).map_err(|_| damaged("a length is beyond the file"))?;
    let (head, tail) = rest.split_at_checked(count).ok_or_else(|| damaged("a length is beyond the file"))?;
    *rest = tail;
    Ok(head)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or_else(|| damaged("it ends inside a number"))?;
    *rest = tail;
    Ok(*head)
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field's number and payload, or none at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = varint(&mut self.rest)?;
        let wire = match key & 7 {
            0 => Wire::Varint(varint(&mut self.rest)?),
            1 => Wire::Fixed64(array(&mut self.rest)?),
            2 => {
                let length = varint(&mut self.rest)?;
                Wire::Bytes(take(&mut self.rest, length)?)
            }
            5 => Wire::Fixed32(array(&mut self.rest)?),
            other => return Err(damaged(&format!("wire type {other}"))),
        };
        Ok(Some((key >> 3, wire)))
    }
}

impl<'a> Wire<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(damaged("a field is of the wrong type")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a name is not UTF-8"))
    }

    #[expect(
        clippy::cast_possible_wrap,
        reason = "protobuf stores negative numbers as their two's complement"
    )]
    pub(super) fn int(self) -> Result<i64> {
        match self {
            Wire::Varint(value) => Ok(value as i64),
            _ => Err(damaged("a field is of the wrong type")),
        }
    }

    pub(super) fn float(self) -> Result<f32> {
        match self {
            Wire::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(damaged("a field is of the wrong type")),
        }
    }

    /// Appends one integer, or a packed list of them.
    #[expect(
        clippy::cast_possible_wrap,
        reason = "protobuf stores negative numbers as their two's complement"
    )]
    pub(super) fn ints(self, out: &mut Vec<i64>) -> Result<()> {
        match self {
            Wire::Varint(value) => out.push(value as i64),
            Wire::Bytes(mut rest) => {
                while !rest.is_empty() {
                    out.push(varint(&mut rest)? as i64);
                }
            }
            _ => return Err(damaged("a field is of the wrong type")),
        }
        Ok(())
    }

    /// Appends one f32, or a packed list of them.
    pub(super) fn floats(self, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Wire::Fixed32(bytes) => out.push(f32::from_le_bytes(bytes)),
            Wire::Bytes(mut rest) => {
                while !rest.is_empty() {
                    out.push(f32::from_le_bytes(array(&mut rest)?));
                }
            }
            _ => return Err(damaged("a field is of the wrong type")),
        }
        Ok(())
    }

    /// Appends one f64 as f32, or a packed list of them.
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32 in this library")]
    pub(super) fn doubles(self, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Wire::Fixed64(bytes) => out.push(f64::from_le_bytes(bytes) as f32),
            Wire::Bytes(mut rest) => {
                while !rest.is_empty() {
                    out.push(f64::from_le_bytes(array(&mut rest)?) as f32);
                }
            }
            _ => return Err(damaged("a field is of the wrong type")),
        }
        Ok(())
    }
}
