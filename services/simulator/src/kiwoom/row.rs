//! Values turn into the rows of a REAL frame: FIDs as keys, everything as text, signs as Kiwoom has them
//! (kiwoom.md 3.3, 5.1).

use super::item;
use crate::format::{push_decimal, push_int, push_padded};
use crate::market::instrument::Instrument;
use crate::tr::{Kind, Tr};

/// First FID of those that the script adds: far from all that exist.
const UNKNOWN: i64 = 99_001;

/// Begins a row; `first` for the first one of a frame.
pub fn open(out: &mut String, first: bool) {
    if !first {
        out.push(',');
    }
    out.push_str("{\"values\":{");
}

/// Appends the `n`th unknown FID.
pub fn unknown(out: &mut String, n: u64) {
    Values::new(out, 0).int(UNKNOWN + i64::try_from(n).unwrap_or(0), 0);
}

/// Ends a row with its type, the type's name and the item as registered.
pub fn close(out: &mut String, tr: Tr, it: &Instrument) {
    if out.ends_with(',') {
        out.pop();
    }
    let market_wide = tr.kind() == Kind::Status;
    let code = if market_wide { "" } else { item::bare(it) };
    for part in ["},\"type\":\"", tr.type_name(), "\",\"name\":\"", name(tr), "\",\"item\":\"", code] {
        out.push_str(part);
    }
    out.push_str(item::suffix(tr.tape()));
    out.push_str("\"}");
}

fn name(tr: Tr) -> &'static str {
    match tr.kind() {
        Kind::Trade => "주식체결",
        Kind::Book => "주식호가잔량",
        Kind::Expected => "주식예상체결",
        Kind::Status => "장시작시간",
        Kind::Program => "종목별프로그램매매",
        Kind::Silent => "",
    }
}

/// Appends FIDs, each with a comma behind it.
#[derive(Debug)]
pub struct Values<'a> {
    out: &'a mut String,
    base: i64,
}

impl<'a> Values<'a> {
    /// FIDs appended to `out`; prices are signed against `base`, the previous close.
    pub fn new(out: &'a mut String, base: i64) -> Self {
        Self { out, base }
    }

    fn value(&mut self, fid: i64, write: impl FnOnce(&mut String)) -> &mut Self {
        self.out.push('"');
        push_int(self.out, fid);
        self.out.push_str("\":\"");
        write(self.out);
        self.out.push_str("\",");
        self
    }

    /// A text.
    pub fn text(&mut self, fid: i64, text: &str) -> &mut Self {
        self.value(fid, |out| out.push_str(text))
    }

    /// A whole number; a minus where it is below zero.
    pub fn int(&mut self, fid: i64, value: i64) -> &mut Self {
        self.value(fid, |out| push_int(out, value))
    }

    /// A whole number whose sign is arithmetic: `+9000`, `-50`, `0`.
    pub fn signed(&mut self, fid: i64, value: i64) -> &mut Self {
        self.value(fid, |out| push_signed(out, value))
    }

    /// A price: the sign tells on which side of the previous close it is, none = equal or no price.
    pub fn price(&mut self, fid: i64, price: i64) -> &mut Self {
        let base = self.base;
        self.value(fid, |out| push_price(out, price, base))
    }

    /// Two decimals, from hundredths.
    pub fn hundredths(&mut self, fid: i64, value: i64) -> &mut Self {
        self.value(fid, |out| push_decimal(out, value, 2))
    }

    /// Two decimals with a sign: `+0.49`, `-1.57`, `0.00`.
    pub fn signed_hundredths(&mut self, fid: i64, value: i64) -> &mut Self {
        self.value(fid, |out| push_signed_hundredths(out, value))
    }

    /// HHMMSS.
    pub fn time(&mut self, fid: i64, value: u32) -> &mut Self {
        self.value(fid, |out| push_padded(out, value, 6))
    }

    /// A share of a whole in hundredths of a percent, with a sign that tells whether it reaches `half`.
    pub fn against(&mut self, fid: i64, value: i64, half: i64) -> &mut Self {
        self.signed_hundredths(fid, if value < half { -value } else { value })
    }
}

/// Appends a number with its sign; zero has none.
pub fn push_signed(out: &mut String, value: i64) {
    if value > 0 {
        out.push('+');
    }
    push_int(out, value);
}

/// Appends hundredths with their sign.
pub fn push_signed_hundredths(out: &mut String, value: i64) {
    if value > 0 {
        out.push('+');
    }
    push_decimal(out, value, 2);
}

/// Appends a price with its sign against `base`.
pub fn push_price(out: &mut String, price: i64, base: i64) {
    match price.cmp(&base) {
        _ if price == 0 => {}
        std::cmp::Ordering::Greater => out.push('+'),
        std::cmp::Ordering::Less => out.push('-'),
        std::cmp::Ordering::Equal => {}
    }
    push_int(out, price);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_captured() {
        let mut out = String::new();
        Values::new(&mut out, 20_850).price(10, 20_800).price(16, 20_850).price(17, 21_150).price(44, 0);
        Values::new(&mut out, 0).signed(11, -50).signed(15, 82).signed(29, 0).signed_hundredths(12, -24);
        Values::new(&mut out, 0).against(1032, 5_015, 5_000).against(30, 4_385, 10_000).time(20, 90_003);
        assert_eq!(
            out,
            "\"10\":\"-20800\",\"16\":\"20850\",\"17\":\"+21150\",\"44\":\"0\",\"11\":\"-50\",\"15\":\"+82\",\
             \"29\":\"0\",\"12\":\"-0.24\",\"1032\":\"+50.15\",\"30\":\"-43.85\",\"20\":\"090003\","
        );
    }
}
