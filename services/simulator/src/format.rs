//! Values turn into the broker's text: fields joined by `^`, a frame `0|TR|COUNT|…`, and the lines of the tape.
//!
//! Everything is appended to a `String` that the caller uses again: at 50,000 events a second the formatting is
//! most of the work.

pub mod kr;
pub mod tape_line;
pub mod us;

use crate::tr::Tr;

/// Appends a whole number.
pub fn push_int(out: &mut String, value: i64) {
    out.push_str(itoa::Buffer::new().format(value));
}

/// Appends `value` with leading zeros up to `width` digits.
pub fn push_padded(out: &mut String, value: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(digits);
}

/// Appends a number given in `10^-decimals` with all its decimals: 153 hundredths are `1.53`.
pub fn push_decimal(out: &mut String, value: i64, decimals: u32) {
    let scale = 10_u64.pow(decimals);
    if value < 0 {
        out.push('-');
    }
    let magnitude = value.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    out.push_str(buffer.format(magnitude / scale));
    out.push('.');
    let fraction = buffer.format(magnitude % scale + scale);
    // The leading 1 that `+ scale` put before the fraction keeps its zeros; it is left out here.
    out.push_str(&fraction[1..]);
}

/// Starts a frame of `count` records.
pub fn start_frame(out: &mut String, tr: Tr, count: u32) {
    out.clear();
    out.push_str("0|");
    out.push_str(tr.code());
    out.push('|');
    push_padded(out, count, 3);
    out.push('|');
}

/// Appends the fields of one record; the first record of a frame is not preceded by `^`.
#[derive(Debug)]
pub struct Fields<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Fields<'a> {
    /// Fields appended to `out`; `first` for the first record after the frame's head.
    pub fn new(out: &'a mut String, first: bool) -> Self {
        Self { out, first }
    }

    fn next(&mut self) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push('^');
        }
        self.out
    }

    /// A text field.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.next().push_str(text);
        self
    }

    /// A whole number.
    pub fn int(&mut self, value: i64) -> &mut Self {
        push_int(self.next(), value);
        self
    }

    /// Whole numbers.
    pub fn ints(&mut self, values: &[i64]) -> &mut Self {
        for &value in values {
            push_int(self.next(), value);
        }
        self
    }

    /// Two decimals, from hundredths.
    pub fn hundredths(&mut self, value: i64) -> &mut Self {
        push_decimal(self.next(), value, 2);
        self
    }

    /// Four decimals, from 1/10000.
    pub fn price4(&mut self, value: i64) -> &mut Self {
        push_decimal(self.next(), value, 4);
        self
    }

    /// HHMMSS.
    pub fn time(&mut self, value: u32) -> &mut Self {
        push_padded(self.next(), value, 6);
        self
    }

    /// YYYYMMDD.
    pub fn date(&mut self, value: u32) -> &mut Self {
        push_padded(self.next(), value, 8);
        self
    }
}

/// The broker's sign code of a change: 1 upper limit, 2 up, 3 unchanged, 4 lower limit, 5 down.
#[must_use]
pub fn sign(change: i64) -> &'static str {
    match change {
        1.. => "2",
        0 => "3",
        _ => "5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_wire_shows_them() {
        let mut out = String::new();
        Fields::new(&mut out, true).int(-3).hundredths(-5).hundredths(1_550).price4(1_697_850).time(90_003);
        assert_eq!(out, "-3^-0.05^15.50^169.7850^090003");
        start_frame(&mut out, Tr::UsTrade, 2);
        assert_eq!(out, "0|HDFSCNT0|002|");
    }
}
