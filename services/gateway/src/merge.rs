//! Two brokers' prints and books of one instrument → one line of them. Pure: time is an argument.

pub mod books;
pub mod trades;

#[cfg(test)]
mod tests;

use market::Source;

/// Which brokers may still tell something: all but those whose feed is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive([bool; 2]);

impl Alive {
    /// Both.
    pub const ALL: Self = Self([true, true]);

    /// Whether `source` is.
    pub fn is(self, source: Source) -> bool {
        self.0[index(source)]
    }

    /// As before, with `source` so.
    pub fn with(mut self, source: Source, alive: bool) -> Self {
        self.0[index(source)] = alive;
        self
    }
}

/// The place of a broker in an array of both.
pub const fn index(source: Source) -> usize {
    match source {
        Source::Kis => 0,
        Source::Kiwoom => 1,
    }
}
