//! Reading one FID of a row, with an error that says which and why; and whose row it is, and of which moment.
//!
//! A required FID that is missing or unusable refuses the row. One that is not required is left out and counted: the
//! print is worth more than its trimmings.

use market::time::{SECOND, kst_nearest, parse_hhmmss};
use market::{Symbol, Tape};

use super::frame::Row;
use super::registration::suffix;
use crate::field::FieldError;

/// So far may the exchange's time be ahead of ours before it cannot be of this day: clocks differ by seconds, a
/// wrong time zone by hours.
const AHEAD_LIMIT: i64 = 3_600 * SECOND;

/// Something out of the ordinary was taken as it was meant.
pub fn tolerated(what: &'static str) {
    metrics::counter!("sise_broker_tolerated_total", "what" => what).increment(1);
}

impl Row<'_> {
    /// An error about a FID of this row; FID 0 is the row's head.
    pub fn wrong(&self, fid: u16, name: &'static str, problem: impl ToString) -> FieldError {
        FieldError { what: self.kind.code, number: fid.into(), name, problem: problem.to_string() }
    }

    /// Reads a FID that may be missing.
    ///
    /// # Errors
    /// [`FieldError`] with the text that is not what belongs there.
    pub fn if_any<T, E: ToString>(
        &self,
        fid: u16,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, FieldError> {
        let text = self.text(fid).map_err(|problem| self.wrong(fid, name, problem))?;
        text.map(read).transpose().map_err(|problem| self.wrong(fid, name, problem))
    }

    /// Reads a FID that must be there.
    ///
    /// # Errors
    /// [`FieldError`] when it is absent, empty, or not what belongs there.
    pub fn required<T, E: ToString>(
        &self,
        fid: u16,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, FieldError> {
        self.if_any(fid, name, read)?.ok_or_else(|| self.wrong(fid, name, "missing"))
    }

    /// Reads a FID that the row can do without: unusable text is counted and left out.
    pub fn optional<T, E: ToString>(
        &self,
        fid: u16,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.if_any(fid, name, read).unwrap_or_else(|_| {
            tolerated("unusable_field");
            None
        })
    }

    /// A FID as text; empty when it is missing.
    #[must_use]
    pub fn code(&self, fid: u16) -> &str {
        self.text(fid).ok().flatten().unwrap_or_default()
    }

    /// Tape and bare symbol of the item: `005930`, `005930_NX`, `005930_AL`.
    ///
    /// # Errors
    /// [`FieldError`] when there is no symbol, or a suffix that nobody knows: it would be another tape.
    pub fn instrument(&self) -> Result<(Tape, Symbol), FieldError> {
        let item = self.item.trim_matches(' ');
        // An item without a suffix is KRX.
        let (tape, code) = [Tape::Nxt, Tape::All]
            .iter()
            .find_map(|tape| Some((*tape, item.strip_suffix(suffix(*tape)?)?)))
            .unwrap_or((Tape::Krx, item));
        // The old terminal wrote an A before stock codes of six characters.
        let bare = match code.strip_prefix('A') {
            Some(bare) if bare.len() == 6 && bare.starts_with(|first: char| first.is_ascii_digit()) => {
                tolerated("leading_a");
                bare
            }
            _ => code,
        };
        Symbol::parse(bare).map(|symbol| (tape, symbol)).map_err(|problem| self.wrong(0, "item", problem))
    }

    /// The exchange's time of a FID with `HHMMSS` in Korea, UTC ns: on the day that brings it nearest to
    /// `received_ns`, since no date comes with it. A frame stamped 23:59:59 may come after midnight.
    ///
    /// # Errors
    /// [`FieldError`] when the time is missing, no time, or more than an hour ahead of us: it is of an earlier day
    /// then, and nothing says of which.
    pub fn exchange_ns(&self, fid: u16, received_ns: i64) -> Result<i64, FieldError> {
        let exchange_ns = kst_nearest(received_ns, self.required(fid, "time", parse_hhmmss)?);
        if exchange_ns.saturating_sub(received_ns) > AHEAD_LIMIT {
            let text = self.code(fid);
            let problem = format!("{text} is more than an hour ahead of the time of receipt: of another day");
            return Err(self.wrong(fid, "time", problem));
        }
        Ok(exchange_ns)
    }
}
