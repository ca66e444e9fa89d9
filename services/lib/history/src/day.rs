//! One instrument's day: read, find what is missing, ask for it, publish what came, and prove it by reading again.
//!
//! Two steps. [`Work::recover`] asks and publishes trades, what was asked, and the day's total; [`Work::prove`] reads the
//! archive again when it has them, and says of every gap what is true then. A run that was killed in between is done by the
//! second step of the next one, which has nothing to ask any more.

mod ask;
mod minutes;
mod prove;
mod recover;
mod results;
mod state;
mod tell;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use market::calendar::Day;
use market::chain::{self, Line, Missing, OffHours, Print};
use market::{Quantity, Source};
use store::history::{InstrumentDay, StoredPrint};
use store::{Store, StoreError};

use crate::ledger::{Ledger, Told};
use crate::publish::{RecordError, Recorder};

/// Why nothing more can be done for any instrument.
#[derive(Debug, thiserror::Error)]
pub enum DayError {
    /// The archive cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be published.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What came of one instrument's day, or of all of a market's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Gaps found, those that turned out to be volume without a print left out.
    pub missing: usize,
    /// Their shares.
    pub missing_volume: i64,
    /// Pages asked for.
    pub pages: u32,
    /// Rows that came.
    pub returned: u64,
    /// Trades published.
    pub added: u64,
    /// Their shares.
    pub added_volume: i64,
    /// Gaps that are open at the end.
    pub open: usize,
    /// Shares that no print covers and need one.
    pub open_volume: i64,
    /// Shares without a print, as the broker proves.
    pub off_hours: i64,
    /// Messages published.
    pub published: u64,
    /// Every share of the broker's final total is accounted for.
    pub proven: bool,
    /// What failed and may succeed later.
    pub troubles: Vec<String>,
    /// What would be asked: of a run that only plans.
    pub planned: Vec<String>,
}

/// Texts of a sum that are kept: the rest stands with the instruments.
const TEXTS: usize = 20;

impl Outcome {
    /// Adds what came of another instrument.
    pub fn add(&mut self, other: &Self) {
        self.missing += other.missing;
        self.missing_volume = self.missing_volume.saturating_add(other.missing_volume);
        self.pages = self.pages.saturating_add(other.pages);
        self.returned += other.returned;
        self.added += other.added;
        self.added_volume = self.added_volume.saturating_add(other.added_volume);
        self.open += other.open;
        self.open_volume = self.open_volume.saturating_add(other.open_volume);
        self.off_hours = self.off_hours.saturating_add(other.off_hours);
        self.published += other.published;
        self.proven &= other.proven;
        let room = |texts: &Vec<String>| TEXTS.saturating_sub(texts.len());
        self.troubles.extend(other.troubles.iter().take(room(&self.troubles)).cloned());
        self.planned.extend(other.planned.iter().take(room(&self.planned)).cloned());
    }
}

/// What stands in the archive of an instrument's day.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Whose day.
    pub of: InstrumentDay,
    /// The prints of all sources, by cumulative volume.
    pub prints: Vec<StoredPrint>,
    /// What was said of it.
    pub told: Told,
    /// What the prints, the total and the proven stretches without a print say together.
    pub line: Line,
}

impl Seen {
    /// Whether every share of the broker's final total is accounted for, and no gap stands open.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let total = self.told.final_total().map(|total| total.volume);
        self.line.missing.is_empty()
            && self.line.resets.is_empty()
            && total.is_some_and(|total| self.line.volume <= total)
            && !self.told.gaps.iter().any(|gap| gap.is_open)
    }
}

/// Reads an instrument's day.
///
/// # Errors
/// [`StoreError`] when the archive cannot be read.
pub async fn look(store: &Store, ledger: &Ledger, of: InstrumentDay) -> Result<Seen, StoreError> {
    let prints = store.prints(&of).await?;
    let told = ledger.of(&of);
    let line = line(&known(&prints), told.final_total().map(|total| total.volume), &told.off_hours());
    Ok(Seen { of, prints, told, line })
}

fn known(prints: &[StoredPrint]) -> Vec<Print> {
    let print = |print: &StoredPrint| Print {
        cumulative_volume: print.cumulative_volume,
        quantity: print.quantity,
        exchange_ns: print.exchange_ns,
        price: print.price,
    };
    prints.iter().map(print).collect()
}

/// Whether the shares `(after, until]` hold all that is missing here.
fn hold(after: Quantity, until: Quantity, missing: &Missing) -> bool {
    after <= missing.after && until >= missing.until
}

/// What the counter held before the first print is never taken for off-hours volume unseen: among many symbols the first
/// print is lost often enough. The broker's minutes or rows prove it.
fn line(prints: &[Print], known_volume: Option<Quantity>, off_hours: &[OffHours]) -> Line {
    let day = chain::Day { known_volume, head_expected: false, off_hours };
    chain::line(prints.iter().copied(), &day)
}

/// What all instruments of a run share.
pub struct Work<'a, A> {
    /// Who asks the brokers' cells.
    pub ask: &'a A,
    /// The archive.
    pub store: &'a Store,
    /// Who publishes.
    pub recorder: &'a Recorder,
    /// What was said before.
    pub ledger: &'a Ledger,
    /// The day.
    pub day: &'a Day,
    /// When the run began, UTC ns.
    pub started_ns: i64,
    /// Find and plan; ask and publish nothing.
    pub dry_run: bool,
    /// Brokers whose cell was found absent: nobody waits for it again in this run.
    pub absent: &'a Absent,
    /// Listing markets of US symbols.
    pub listings: &'a Listings,
}

/// Brokers whose cell is not there.
#[derive(Debug, Default)]
pub struct Absent(Mutex<HashSet<Source>>);

impl Absent {
    fn add(&self, source: Source) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source);
    }

    fn has(&self, source: Source) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&source)
    }
}

/// Listing markets (`NAS`, `NYS`, `AMS`) of US symbols, by symbol.
pub type Listings = std::collections::HashMap<market::Symbol, String>;

impl<A> Clone for Work<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Work<'_, A> {}

#[cfg(test)]
mod tests;
