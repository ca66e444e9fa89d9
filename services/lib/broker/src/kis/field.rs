//! Reading one field, with an error that says which and why.

use market::decimal::NumberError;
use market::{Price, Quantity, TradeDate, Value};

use super::frame::Record;
use crate::field::FieldError;

/// A record whose fields are read by number and name.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// The TR id, for errors.
    pub tr: &'static str,
    /// The record.
    pub record: Record<'a>,
}

impl<'a> Fields<'a> {
    /// The text of a field.
    #[must_use]
    pub fn text(&self, index: usize) -> &'a str {
        self.record.get(index)
    }

    /// An error about a field.
    pub fn wrong(&self, index: usize, name: &'static str, problem: impl ToString) -> FieldError {
        FieldError { what: self.tr, number: index, name, problem: problem.to_string() }
    }

    fn read<T, E: ToString>(
        &self,
        index: usize,
        name: &'static str,
        read: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Result<T, FieldError> {
        read(self.text(index)).map_err(|error| self.wrong(index, name, error))
    }

    /// A price. `(null)` and empty text are errors.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn price(&self, index: usize, name: &'static str) -> Result<Price, FieldError> {
        self.read(index, name, Price::parse)
    }

    /// Whole shares.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn quantity(&self, index: usize, name: &'static str) -> Result<Quantity, FieldError> {
        self.read(index, name, Quantity::parse)
    }

    /// Money.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn value(&self, index: usize, name: &'static str) -> Result<Value, FieldError> {
        self.read(index, name, Value::parse)
    }

    /// A date.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn date(&self, index: usize, name: &'static str) -> Result<TradeDate, FieldError> {
        self.read(index, name, TradeDate::parse)
    }

    /// A time of day in ns since midnight.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn time(&self, index: usize, name: &'static str) -> Result<i64, FieldError> {
        self.read(index, name, market::time::parse_hhmmss)
    }

    /// As [`Fields::price`], where empty text means that nothing was supplied.
    ///
    /// # Errors
    /// [`FieldError`] with the text.
    pub fn price_if_any(&self, index: usize, name: &'static str) -> Result<Option<Price>, FieldError> {
        self.read(index, name, |text| match text {
            "" => Ok::<_, NumberError>(None),
            text => Ok(Price::parse(text)?.non_zero()),
        })
    }
}
