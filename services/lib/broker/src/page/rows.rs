//! What a page of either broker holds, row by row: rows that can be used, and those that cannot with the reason.

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<T> {
    /// The rows that can be used, in the broker's order.
    pub rows: Vec<T>,
    /// Rows that cannot.
    pub refused: Vec<RowError>,
    /// The broker says that there is nothing more: a row of empty texts, or a code for "no data".
    pub ended: bool,
}

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {index} {name}: {problem}")]
pub struct RowError {
    /// Its place in the page, from 0.
    pub index: usize,
    /// The broker's name of the field; `row` when it is no row at all.
    pub name: &'static str,
    /// What is wrong, with the text that was received.
    pub problem: String,
}

/// The field of a row that is not what belongs there, and why.
pub(crate) type Wrong = (&'static str, String);

/// Adds the field's name to an error.
pub(crate) fn wrong<T, E: ToString>(name: &'static str, result: Result<T, E>) -> Result<T, Wrong> {
    result.map_err(|problem| (name, problem.to_string()))
}

/// As [`wrong`], where empty text means that nothing was supplied.
pub(crate) fn if_any<T, E: ToString>(
    name: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Wrong> {
    if text.trim().is_empty() { Ok(None) } else { wrong(name, read(text)).map(Some) }
}

/// Whether a row has fields and all are empty texts.
pub(crate) fn is_blank(raw: &serde_json::value::RawValue) -> bool {
    let fields: Option<std::collections::HashMap<String, String>> = serde_json::from_str(raw.get()).ok();
    fields.is_some_and(|fields| !fields.is_empty() && fields.values().all(|text| text.trim().is_empty()))
}
