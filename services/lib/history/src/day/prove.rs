//! The second step: what was published stands in the archive; read again, and say of every gap what is true now.

use market::Quantity;
use market::chain::Missing;
use store::history::{InstrumentDay, ToldGap};

use super::tell::first_source;
use super::{DayError, Outcome, Work, hold, look};

impl<A> Work<'_, A> {
    /// Reads an instrument's day again, closes the gaps of which nothing is missing any more, opens what is missing and was
    /// not told, and completes its outcome.
    ///
    /// # Errors
    /// [`DayError`] when the archive cannot be read or nothing can be published.
    pub async fn prove(&self, of: InstrumentDay, mut outcome: Outcome) -> Result<Outcome, DayError> {
        let mut seen = look(self.store, self.ledger, of).await?;
        let source =
            seen.told.recoveries.last().map_or(first_source(of.market()), |recovery| recovery.source);
        let mut events = Vec::new();
        for gap in seen.told.gaps.iter_mut().filter(|gap| gap.is_open) {
            let rest: Quantity = rest(gap, &seen.line.missing);
            if rest.is_zero() {
                events.push(self.closed(&of, source, &edges(gap), rest));
                gap.is_open = false;
            } else if rest != edges(gap).volume() && gap.residue != Some(rest) {
                events.push(self.closed(&of, source, &edges(gap), rest));
            }
        }
        for missing in &seen.line.missing {
            let within = |gap: &ToldGap| gap.is_open && hold(gap.after, gap.until, missing);
            if !seen.told.gaps.iter().any(within) {
                // What a broker was asked for in vain is not as if nobody had tried.
                let asked = seen.told.asked_in_vain(missing, self.ledger.end_ns());
                let residue = (!asked.is_empty()).then(|| missing.volume());
                events.push(self.opened(&of, source, missing, residue));
            }
        }
        outcome.open = seen.line.missing.len();
        outcome.open_volume = seen.line.missing_volume().units();
        outcome.off_hours = seen.line.off_hours_volume().units();
        outcome.proven = seen.is_proven();
        outcome.published += self.recorder.publish(events).await?;
        Ok(outcome)
    }
}

/// Shares of a gap that are missing still.
fn rest(gap: &ToldGap, missing: &[Missing]) -> Quantity {
    let within = |missing: &Missing| {
        let (after, until) = (missing.after.max(gap.after), missing.until.min(gap.until));
        until.checked_sub(after).map_or(0, Quantity::units)
    };
    Quantity::from_units(missing.iter().map(within).sum())
}

fn edges(gap: &ToldGap) -> Missing {
    Missing { after: gap.after, until: gap.until, from_ns: Some(gap.from_ns), until_ns: gap.until_ns }
}
