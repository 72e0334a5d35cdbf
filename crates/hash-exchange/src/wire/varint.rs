use crate::ProtocolError;

/// No varint is longer: ten groups of seven bits hold 64. Over-long forms are legal up to here.
pub(crate) const MAX_LEN: usize = 10;

/// The value at the front and its length; `None` if the bytes end within it.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Ok(Some((u64::from(byte), 1))),
        Some(_) => read_long(bytes),
        None => Ok(None),
    }
}

/// Takes the value off the front of bytes which must hold it whole.
#[inline]
pub(crate) fn take(bytes: &mut &[u8]) -> Result<u64, ProtocolError> {
    if let [byte @ ..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    take_long(bytes)
}

/// Length of the shortest form.
#[inline]
pub(crate) const fn len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends the shortest form.
#[inline]
pub(crate) fn write(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cold]
fn take_long(bytes: &mut &[u8]) -> Result<u64, ProtocolError> {
    let (value, len) = read(bytes)?.ok_or(ProtocolError::Truncated)?;
    *bytes = &bytes[len..];
    Ok(value)
}

fn read_long(bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        if index == MAX_LEN - 1 && byte > 1 {
            return Err(ProtocolError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn over_long_forms_are_read_and_more_than_64_bits_are_not() {
        assert_eq!(read(&[0x8d, 0x80, 0x00]), Ok(Some((13, 3))));
        assert_eq!(read(&[0x8d, 0x80]), Ok(None));
        let mut most = [0xff; MAX_LEN];
        most[9] = 1;
        assert_eq!(read(&most), Ok(Some((u64::MAX, 10))));
        most[9] = 2;
        assert_eq!(read(&most), Err(ProtocolError::Varint));
        assert_eq!(read(&[0x80; 11]), Err(ProtocolError::Varint));
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_is_written_is_read(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            write(value, &mut out);
            prop_assert_eq!(out.len(), len(value));
            prop_assert_eq!(read(&out), Ok(Some((value, out.len()))));
            prop_assert_eq!(read(&out[..out.len() - 1]), Ok(None));
        }
    }
}
