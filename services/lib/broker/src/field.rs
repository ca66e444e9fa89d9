//! A field that is not what belongs there: the error of every broker's record parsers.

/// A field that is not what belongs there. The record is refused, its neighbours are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} field {number} {name}: {problem}")]
pub struct FieldError {
    /// The kind of record in the broker's words: a TR id of KIS, a real-time type of Kiwoom.
    pub what: &'static str,
    /// The field's number: zero-based place at KIS, FID at Kiwoom.
    pub number: usize,
    /// The field's name in the broker's documents.
    pub name: &'static str,
    /// What is wrong, with the text that was received.
    pub problem: String,
}
