//! Kiwoom's codes: `005930`, `005930_NX`, `005930_AL` turn into a tape and an instrument of the market, and back
//! (kiwoom.md 4).

use crate::market::Market;
use crate::market::catalog;
use crate::market::instrument::Instrument;
use crate::tr::Tape;

/// The code without suffix, and the tape that the suffix means.
#[must_use]
pub fn split(item: &str) -> (&str, Tape) {
    if let Some(code) = item.strip_suffix("_NX") {
        (code, Tape::Nxt)
    } else if let Some(code) = item.strip_suffix("_AL") {
        (code, Tape::All)
    } else {
        (item, Tape::First)
    }
}

/// The suffix of a tape.
#[must_use]
pub fn suffix(tape: Tape) -> &'static str {
    match tape {
        Tape::First => "",
        Tape::Nxt => "_NX",
        Tape::All => "_AL",
    }
}

/// The code as Kiwoom writes it: notes have no `Q`.
#[must_use]
pub fn bare(it: &Instrument) -> &str {
    if it.code.len() == 7 { it.code.trim_start_matches('Q') } else { &it.code }
}

/// The key of a code in the market.
fn key(code: &str) -> String {
    let note = format!("Q{code}");
    if catalog::is_listed(&note) { note } else { code.to_owned() }
}

/// Whether a code has the form of one: six letters and digits.
#[must_use]
pub fn is_plausible(code: &str) -> bool {
    code.len() == 6 && catalog::korean(code).is_ok()
}

/// The instrument of a code, made on first use; none for nonsense. A code that nobody has listed must at least begin
/// with a digit.
pub fn resolve(market: &mut Market, code: &str) -> Option<usize> {
    if !is_plausible(code) {
        return None;
    }
    let key = key(code);
    let known = market.find(&key).is_some() || catalog::is_listed(&key);
    if !known && !code.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    market.resolve(&key, false).ok()
}

/// The instrument of a code that somebody has registered before.
#[must_use]
pub fn find<'a>(market: &'a Market, code: &str) -> Option<&'a Instrument> {
    market.find(&key(code)).and_then(|position| market.instruments.get(position))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn suffixes_name_tapes() {
        assert_eq!(split("005930"), ("005930", Tape::First));
        assert_eq!(split("0155E0_NX"), ("0155E0", Tape::Nxt));
        assert_eq!(split("005930_AL"), ("005930", Tape::All));
    }

    #[test]
    fn nonsense_resolves_to_nothing_and_notes_lose_their_letter() {
        let mut market = Market::new(1, HashMap::new());
        for code in ["XXXXXX", "5930", "", "00593a", "Q500001"] {
            assert_eq!(resolve(&mut market, code), None, "{code}");
        }
        let note = resolve(&mut market, "500001").expect("a note");
        assert_eq!(market.instruments[note].code, "Q500001");
        assert_eq!(bare(&market.instruments[note]), "500001");
        assert!(resolve(&mut market, "123450").is_some());
        assert!(find(&market, "005930").is_none() && find(&market, "500001").is_some());
    }
}
