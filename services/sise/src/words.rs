//! Numbers and texts as people read them in a terminal.

/// 1234567 as `1,234,567`.
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if count < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text that changes nothing in a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A duration for people: `12 s`, `3 min`, `5 h`.
pub fn duration(ns: i64) -> String {
    let seconds = ns.max(0) / market::time::SECOND;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let texts: Vec<_> = [0, 12, 999, 1_000, 1_234_567, -1_000].map(grouped).into();
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567", "-1,000"]);
    }
}
