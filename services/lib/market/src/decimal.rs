//! Decimal text to scaled integers, digit by digit. Nothing here has ever been a float.

use std::fmt;

/// What is wrong with a number, and the text that caused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {text:?}")]
pub struct NumberError {
    /// The text as received, cut after 40 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: NumberProblem,
}

/// The ways in which a text is not the number that belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberProblem {
    /// No digits at all.
    #[error("empty number")]
    Empty,
    /// Something that is neither digit, sign nor point.
    #[error("not a number")]
    NotANumber,
    /// A minus where only zero and more make sense.
    #[error("negative number")]
    Negative,
    /// More decimals than the scale holds: rounding would be guessing.
    #[error("too many decimals")]
    TooManyDecimals,
    /// Does not fit into 64 bits at this scale.
    #[error("number too large")]
    Overflow,
}

impl NumberError {
    fn new(text: &str, problem: NumberProblem) -> Self {
        Self { text: text.chars().take(40).collect(), problem }
    }
}

/// Parses `text` as a decimal with at most `scale` decimals and returns `value * 10^scale`.
///
/// Accepts one leading `+` or `-`. `1234` at scale 4 is `12_340_000`.
///
/// # Errors
/// [`NumberError`] for anything else: empty text, other characters, more decimals than `scale` (even zeros
/// beyond it are refused at scale 0: `1.0` is not a whole number on the wire), or a value outside `i64`.
pub fn parse(text: &str, scale: u32) -> Result<i64, NumberError> {
    let fail = |problem| Err(NumberError::new(text, problem));
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes.first() {
        Some(b'-') => (true, &bytes[1..]),
        Some(b'+') => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return fail(NumberProblem::Empty);
    }
    let mut value: i64 = 0;
    let mut decimals: Option<u32> = None;
    for &byte in digits {
        match (byte, decimals) {
            (b'0'..=b'9', _) => {
                if let Some(seen) = decimals.as_mut() {
                    if *seen == scale {
                        return fail(NumberProblem::TooManyDecimals);
                    }
                    *seen += 1;
                }
                let digit = i64::from(byte - b'0');
                match value.checked_mul(10).and_then(|v| v.checked_sub(digit)) {
                    Some(next) => value = next,
                    None => return fail(NumberProblem::Overflow),
                }
            }
            (b'.', None) if scale > 0 && digits.len() > 1 => decimals = Some(0),
            (b'.', None) if digits.len() > 1 && only_digits_and_point(digits) => {
                return fail(NumberProblem::TooManyDecimals);
            }
            _ => return fail(NumberProblem::NotANumber),
        }
    }
    // Accumulated as a negative number, since i64::MIN has no positive twin.
    let missing = scale - decimals.unwrap_or(0);
    let scaled = 10_i64.checked_pow(missing).and_then(|factor| value.checked_mul(factor));
    match scaled.and_then(|v| if negative { Some(v) } else { v.checked_neg() }) {
        Some(result) => Ok(result),
        None => fail(NumberProblem::Overflow),
    }
}

/// As [`parse`], for values that cannot be below zero.
///
/// # Errors
/// As [`parse`], and [`NumberProblem::Negative`].
pub fn parse_unsigned(text: &str, scale: u32) -> Result<i64, NumberError> {
    match parse(text, scale) {
        Ok(value) if value < 0 => Err(NumberError::new(text, NumberProblem::Negative)),
        other => other,
    }
}

fn only_digits_and_point(digits: &[u8]) -> bool {
    digits.iter().filter(|b| **b == b'.').count() == 1
        && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

/// Writes `value / 10^scale` without trailing zeros: `1_697_850` at scale 4 is `169.785`.
///
/// # Errors
/// Only those of the formatter.
pub fn write(f: &mut fmt::Formatter<'_>, value: i64, scale: u32) -> fmt::Result {
    let factor = 10_u64.pow(scale);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, mut rest) = (magnitude / factor, magnitude % factor);
    if rest == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut width = scale as usize;
    while rest % 10 == 0 {
        rest /= 10;
        width -= 1;
    }
    write!(f, "{sign}{whole}.{rest:0width$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_brokers_send() {
        for (text, scale, value) in [
            ("70000", 4, 700_000_000),
            ("169.7850", 4, 1_697_850),
            ("+0.11", 2, 11),
            ("-1.25", 2, -125),
            ("0", 0, 0),
            ("000123", 0, 123),
            ("605142384800", 4, 6_051_423_848_000_000),
            ("-9223372036854775808", 0, i64::MIN),
            ("5.", 2, 500),
            (".5", 2, 50),
        ] {
            assert_eq!(parse(text, scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_with_its_text() {
        use NumberProblem::*;
        for (text, scale, problem) in [
            ("", 4, Empty),
            ("+", 4, Empty),
            ("(null)", 4, NotANumber),
            ("1e5", 4, NotANumber),
            ("1,000", 4, NotANumber),
            ("--5", 4, NotANumber),
            (" 5", 4, NotANumber),
            ("1.2.3", 4, NotANumber),
            (".", 4, NotANumber),
            ("１", 4, NotANumber),
            ("1.00001", 4, TooManyDecimals),
            ("1.0", 0, TooManyDecimals),
            ("9223372036854775808", 0, Overflow),
            ("922337203685478", 4, Overflow),
            ("99999999999999999999999", 4, Overflow),
        ] {
            let error = parse(text, scale).unwrap_err();
            assert_eq!((error.problem, error.text.as_str()), (problem, text));
        }
        assert_eq!(parse_unsigned("-1", 0).unwrap_err().problem, Negative);
    }

    struct Shown(i64, u32);
    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write(f, self.0, self.1)
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: i64, scale in 0_u32..9) {
            let text = Shown(value, scale).to_string();
            prop_assert_eq!(parse(&text, scale), Ok(value));
        }

        #[test]
        fn never_panics(text in "\\PC{0,30}", scale in 0_u32..9) {
            let _any = parse(&text, scale);
        }
    }
}
