use std::cmp::Ordering;
use std::fmt;

use sha1::Digest;

/// The name of a content: any string on the wire, by custom the SHA-1 of the content in hexadecimal.
///
/// Forty lower-case hexadecimal digits are kept as the twenty bytes that they spell; anything else is kept as it is.
/// Either way a hash is 24 bytes, and the usual one owns no heap. The order is total and the same everywhere, but it
/// is not that of the strings: all SHA-1 hashes come before all others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Sha1([u8; SHA1_LEN]),
    Text(Box<str>),
}

impl Hash {
    /// The SHA-1 of a content.
    pub fn sha1(body: &[u8]) -> Self {
        Self(Repr::Sha1(sha1::Sha1::digest(body).into()))
    }

    /// A SHA-1 that the caller has computed.
    pub const fn from_sha1(digest: [u8; SHA1_LEN]) -> Self {
        Self(Repr::Sha1(digest))
    }

    /// The hash that has this string on the wire.
    pub fn new(text: &str) -> Self {
        match parse_hex(text.as_bytes()) {
            Some(digest) => Self(Repr::Sha1(digest)),
            None => Self(Repr::Text(text.into())),
        }
    }

    /// The digest, if the hash reads as a SHA-1.
    pub const fn as_sha1(&self) -> Option<&[u8; SHA1_LEN]> {
        match &self.0 {
            Repr::Sha1(digest) => Some(digest),
            Repr::Text(_) => None,
        }
    }

    /// Reads the string as it stands on the wire; `None` if it is not UTF-8.
    #[inline]
    pub(crate) fn from_wire(text: &[u8]) -> Option<Self> {
        match parse_hex(text) {
            Some(digest) => Some(Self(Repr::Sha1(digest))),
            None => Some(Self(Repr::Text(str::from_utf8(text).ok()?.into()))),
        }
    }

    /// Length of the string on the wire, in bytes.
    pub(crate) fn wire_len(&self) -> usize {
        match &self.0 {
            Repr::Sha1(_) => HEX_LEN,
            Repr::Text(text) => text.len(),
        }
    }

    /// Appends the string as it stands on the wire.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Sha1(digest) => out.extend_from_slice(&to_hex(digest)),
            Repr::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
}

// Digests are compared as three numbers, for maps of hashes do little else.
impl Ord for Repr {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Sha1(a), Self::Sha1(b)) => {
                let (a, b) = (words(a), words(b));
                a.cmp(&b)
            }
            (Self::Sha1(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Sha1(_)) => Ordering::Greater,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for Repr {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Hash {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Hash {
    fn from(text: String) -> Self {
        match parse_hex(text.as_bytes()) {
            Some(digest) => Self(Repr::Sha1(digest)),
            None => Self(Repr::Text(text.into())),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sha1(digest) => {
                let hex = to_hex(digest);
                f.pad(str::from_utf8(&hex).expect("hexadecimal digits are ASCII"))
            }
            Repr::Text(text) => f.pad(text),
        }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) const SHA1_LEN: usize = 20;
pub(crate) const HEX_LEN: usize = 2 * SHA1_LEN;

/// The digest as numbers, whose order is that of its bytes.
#[inline]
pub(crate) fn words(digest: &[u8; SHA1_LEN]) -> (u64, u64, u32) {
    let (first, rest) = digest.split_first_chunk().expect(SHA1_IS_20);
    let (second, rest) = rest.split_first_chunk().expect(SHA1_IS_20);
    let third = rest.first_chunk().expect(SHA1_IS_20);
    (
        u64::from_be_bytes(*first),
        u64::from_be_bytes(*second),
        u32::from_be_bytes(*third),
    )
}

const SHA1_IS_20: &str = "a digest has 8 + 8 + 4 bytes";

/// The digit of a nibble. Arithmetic instead of a table, so that the compiler does many at once: hexadecimal is a good
/// part of what a message costs.
const fn digit(nibble: u8) -> u8 {
    nibble + b'0' + if nibble > 9 { b'a' - b'0' - 10 } else { 0 }
}

pub(crate) fn to_hex(digest: &[u8; SHA1_LEN]) -> [u8; HEX_LEN] {
    let mut hex = [0; HEX_LEN];
    for index in 0..SHA1_LEN {
        hex[2 * index] = digit(digest[index] >> 4);
        hex[2 * index + 1] = digit(digest[index] & 15);
    }
    hex
}

/// Reads lower-case digits; upper case is another string, hence another hash.
#[inline]
fn parse_hex(text: &[u8]) -> Option<[u8; SHA1_LEN]> {
    let text: &[u8; HEX_LEN] = text.try_into().ok()?;
    // One test for all keeps the loops flat.
    let mut nibbles = [0; HEX_LEN];
    let mut wrong = 0;
    for (nibble, &digit) in nibbles.iter_mut().zip(text) {
        let (value, other) = parse_digit(digit);
        *nibble = value;
        wrong |= other;
    }
    let mut digest = [0; SHA1_LEN];
    let (pairs, _) = nibbles.as_chunks();
    for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
        *byte = high << 4 | low;
    }
    (wrong == 0).then_some(digest)
}

/// The value of a digit. The second number is not zero if it is none.
const fn parse_digit(byte: u8) -> (u8, u8) {
    let (digit, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    let (is_digit, is_letter) = (digit < 10, letter < 6);
    let value = if is_digit {
        digit
    } else {
        letter.wrapping_add(10)
    };
    (value, !(is_digit | is_letter) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_lower_case_digits_are_twenty_bytes_and_all_else_is_text() {
        let beep = Hash::sha1(b"beep");
        assert_eq!(beep.to_string(), "38d8fe5c3796e1b93ceb59dcdb879c010507e64a");
        assert_eq!(Hash::new(&beep.to_string()), beep);
        assert!(Hash::new(&beep.to_string()).as_sha1().is_some());

        let upper = beep.to_string().to_uppercase();
        for text in ["", "k", "\u{1f4a9}", upper.as_str(), &"g".repeat(40)] {
            assert_eq!(Hash::new(text).as_sha1(), None);
            assert_eq!(Hash::new(text).to_string(), text);
            assert_eq!(Hash::from(text.to_owned()), Hash::new(text));
        }
    }

    #[test]
    fn only_lower_case_digits_are_digits() {
        for byte in 0..=u8::MAX {
            for place in 0..HEX_LEN {
                let mut text = *b"0123456789abcdef0123456789abcdef01234567";
                text[place] = byte;
                let expected = match byte {
                    b'0'..=b'9' => Some(byte - b'0'),
                    b'a'..=b'f' => Some(byte - b'a' + 10),
                    _ => None,
                };
                let found = parse_hex(&text);
                let nibble = found.map(|digest| digest[place / 2] >> (4 * (1 - place % 2)) & 15);
                assert_eq!(nibble, expected, "{byte} at {place}");
                assert!(found.is_none_or(|digest| to_hex(&digest) == text));
            }
        }
    }

    #[test]
    fn digests_are_in_the_order_of_their_bytes() {
        for place in 0..SHA1_LEN {
            let (mut low, mut high) = ([7; SHA1_LEN], [7; SHA1_LEN]);
            low[place] = 0x7f;
            high[place] = 0x80;
            low[place + 1..].fill(0xff);
            let text = Hash::new("");
            assert!(Hash::from_sha1(low) < Hash::from_sha1(high) && Hash::from_sha1(high) < text);
        }
    }

    #[test]
    fn a_hash_is_24_bytes_because_a_node_keeps_millions() {
        assert_eq!(size_of::<Hash>(), 24);
        assert_eq!(size_of::<Option<Hash>>(), 24);
    }
}
