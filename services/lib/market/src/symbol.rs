//! The bare symbol of an instrument, as text of at most 15 bytes.

use std::fmt;

/// A symbol: 1 to 15 ASCII letters and digits, and `/` inside it: `005930`, `0155E0`, `Q500001`, `BRK/B`.
///
/// A broker's prefix or suffix (`DNAS`, `_NX`) never shows; a dot is written `/`, as KIS does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol {
    bytes: [u8; Self::MAX],
    length: u8,
}

/// A text that is no symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a symbol (1 to 15 letters and digits, `/` inside): {text:?}")]
pub struct SymbolError {
    /// The text as received, cut after 40 characters.
    pub text: String,
}

impl Symbol {
    /// The longest symbol in bytes.
    pub const MAX: usize = 15;

    /// Reads a symbol; `.` inside it becomes `/`.
    ///
    /// # Errors
    /// [`SymbolError`] with the text.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        let fail = || SymbolError { text: text.chars().take(40).collect() };
        let source = text.as_bytes();
        let (Some(first), Some(last)) = (source.first(), source.last()) else { return Err(fail()) };
        if source.len() > Self::MAX || !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
            return Err(fail());
        }
        let mut bytes = [0; Self::MAX];
        for (slot, byte) in bytes.iter_mut().zip(source) {
            *slot = match byte {
                b'.' | b'/' => b'/',
                byte if byte.is_ascii_alphanumeric() => *byte,
                _ => return Err(fail()),
            };
        }
        let length = u8::try_from(source.len()).map_err(|_| fail())?;
        Ok(Self { bytes, length })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII was let in.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_and_a_slash_inside() {
        for text in ["005930", "0155E0", "Q500001", "BRK/B", "A", "TRUE", "12345678"] {
            assert_eq!(Symbol::parse(text).expect("symbol").as_str(), text);
        }
        assert_eq!(Symbol::parse("BRK.B").expect("symbol").as_str(), "BRK/B");
    }

    #[test]
    fn refuses_what_would_break_a_subject() {
        for text in ["", " 005930", "a b", "*", ">", "/A", "A/", "삼성", "1234567890123456", "(null)", "A-B"]
        {
            assert_eq!(Symbol::parse(text).unwrap_err().text, text);
        }
    }
}
