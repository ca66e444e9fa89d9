//! What can be wrong with a question to the calendar, or with a line of its data.

use crate::instrument::Market;
use crate::session::Venue;
use crate::trade_date::TradeDate;

/// An instant the calendar knows nothing about, or data it cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The question is about a date before or after the data. Never answered by guessing.
    #[error("{market} date {date} is outside the calendar, which covers {covered_from} to {covered_through}")]
    OutOfCoverage {
        /// The market asked for.
        market: Market,
        /// The date asked for, or the local date of the instant.
        date: TradeDate,
        /// First date known.
        covered_from: TradeDate,
        /// Last date known.
        covered_through: TradeDate,
    },
    /// A line of a calendar file is wrong.
    #[error("{file}, line {line}: {reason}")]
    Line {
        /// Name of the file as given.
        file: String,
        /// Line in the file, from 1.
        line: usize,
        /// What is wrong with it.
        reason: LineError,
    },
    /// A file lacks a line it must have.
    #[error("{file}: no line that starts with {word:?}")]
    Missing {
        /// Name of the file as given.
        file: String,
        /// First word of the missing line.
        word: &'static str,
    },
    /// A session day on which no phase of an open venue is in force: the effective dates leave a hole.
    #[error("{file}: {venue} has no phase in force on {date}")]
    NoPhases {
        /// Name of the file as given.
        file: String,
        /// The venue.
        venue: Venue,
        /// The first such day.
        date: TradeDate,
    },
    /// The bundled time zone database does not have New York.
    #[error("the bundled time zone database has no America/New_York")]
    NoZone,
}

/// What is wrong with one line of a calendar file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The first word is none of the known ones.
    #[error("unknown word {word:?}: expected market, covered, opens, phase, planned, special or closed")]
    UnknownWord {
        /// The word.
        word: String,
    },
    /// Too few or too many words before the first `;`.
    #[error("wrong number of words: expected {expected:?}")]
    Shape {
        /// The form of such a line.
        expected: &'static str,
    },
    /// No explanation after `;`.
    #[error("the explanation is missing: expected {expected:?}")]
    NoNote {
        /// The form of the end of such a line.
        expected: &'static str,
    },
    /// A text that is no date.
    #[error("not a date (YYYY-MM-DD): {text:?}")]
    Date {
        /// The text.
        text: String,
    },
    /// A text that is no time of day.
    #[error("not a time (HH:MM, HH:MM:SS or prev/HH:MM): {text:?}")]
    Time {
        /// The text.
        text: String,
    },
    /// A text that is neither `kr` nor `us`, or not the market this file is for.
    #[error("expected market {expected}, found {text:?}")]
    Market {
        /// The market the file was given for.
        expected: Market,
        /// The text.
        text: String,
    },
    /// A text that is no venue of the file's market.
    #[error("not a venue of this market: {text:?}")]
    Venue {
        /// The text.
        text: String,
    },
    /// A text that is no phase, or one that no line may set (closed, none, unspecified).
    #[error("not a phase: {text:?}")]
    Phase {
        /// The text.
        text: String,
    },
    /// The same thing was said before.
    #[error("already said in line {first_line}")]
    Twice {
        /// The line that said it first.
        first_line: usize,
    },
    /// A closure or special day on a Saturday or Sunday: most likely a wrong date.
    #[error("{date} is a Saturday or Sunday")]
    Weekend {
        /// The date.
        date: TradeDate,
    },
    /// A closure or special day outside the `covered` line.
    #[error("{date} is outside the covered dates")]
    NotCovered {
        /// The date.
        date: TradeDate,
    },
    /// A special day of a kind that no phase line names.
    #[error("no phase line has the kind {kind:?}")]
    UnknownKind {
        /// The kind.
        kind: String,
    },
    /// A phase line for a kind of day that never occurs: most likely a misspelt kind.
    #[error("no special line has the kind {kind:?}")]
    UnusedKind {
        /// The kind.
        kind: String,
    },
    /// An end that does not follow its start.
    #[error("{end} does not follow {start}")]
    Inverted {
        /// Start as written.
        start: String,
        /// End as written.
        end: String,
    },
    /// More days than a calendar may cover; a mistyped year would fill the memory.
    #[error("{days} covered days, at most {limit} are allowed")]
    TooLong {
        /// Days asked for.
        days: i32,
        /// The bound.
        limit: i32,
    },
    /// Two phases of one venue at the same time.
    #[error("on {date} this phase overlaps that of line {other_line}")]
    Overlap {
        /// First trade date on which they do.
        date: TradeDate,
        /// The line of the earlier phase.
        other_line: usize,
    },
}
