//! Books of one instrument as they come → the book to show, and whose it is.

use market::time::SECOND;
use market::{OrderBook, Source, Stamp};

use super::Alive;

/// A book and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Book {
    /// The frame that brought it.
    pub stamp: Stamp,
    /// The book.
    pub book: OrderBook,
}

/// From whose book to whose, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The broker before.
    pub from: Source,
    /// The broker from now on.
    pub to: Source,
    /// Why, for people.
    pub why: String,
}

/// The book of one instrument.
#[derive(Debug, Clone, Copy, Default)]
pub struct Books {
    told: Option<Book>,
}

impl Books {
    /// The book that is shown.
    pub const fn told(&self) -> Option<&Book> {
        self.told.as_ref()
    }

    /// Takes a book of the one broker that there is. True when it is to be told: copies, and frames read before the last
    /// one, are not.
    pub fn push_alone(&mut self, book: Book) -> bool {
        let newer = self.told.is_none_or(|told| is_newer(&told, &book));
        if newer {
            self.told = Some(book);
        }
        newer
    }

    /// Takes a book of any broker. It is shown when it comes from the broker that is shown, or when that one is dead or
    /// `behind_ns` behind it; never when it is earlier by the exchange.
    pub fn push(&mut self, book: Book, alive: Alive, behind_ns: i64) -> Option<Option<Change>> {
        let Some(told) = self.told else {
            self.told = Some(book);
            return Some(None);
        };
        let ahead = book.book.at.exchange_ns - told.book.at.exchange_ns;
        if ahead < 0 {
            return None;
        }
        let (from, to) = (told.stamp.source, book.stamp.source);
        let change = if from == to {
            if !is_newer(&told, &book) {
                return None;
            }
            None
        } else {
            let why = if !alive.is(from) && alive.is(to) {
                format!("{from} is dead")
            } else if ahead >= behind_ns && alive.is(to) {
                format!("{from} is {} s behind", ahead / SECOND)
            } else {
                return None;
            };
            Some(Change { from, to, why })
        };
        self.told = Some(book);
        Some(change)
    }
}

/// Whether a book of the same broker was read after the one that is shown.
fn is_newer(told: &Book, book: &Book) -> bool {
    let (before, after) = (&told.stamp, &book.stamp);
    let order = |stamp: &Stamp| (stamp.received_ns, stamp.frame_sequence, stamp.record_index);
    if before.connection_id == after.connection_id {
        order(after) > order(before)
    } else {
        after.received_ns >= before.received_ns
    }
}
