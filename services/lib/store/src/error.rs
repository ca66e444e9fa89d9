//! What ClickHouse or the way to it answered, and what to do about it.

use std::time::Duration;

use clickhouse::error::Error;

/// What an error is about, which decides what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The server, its load or the way to it: wait and repeat the same. Also everything unknown: setting good rows
    /// aside because of an error nobody foresaw would lose them.
    Server,
    /// A table, a right or a setting: repeat too, but it needs a person.
    Setup,
    /// A row that can never be stored: isolate it.
    Row,
}

impl Cause {
    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Setup => "setup",
            Self::Row => "row",
        }
    }
}

/// A query or insert that was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// ClickHouse answered with an error of its own.
    #[error("clickhouse error {code}: {text}")]
    Refused {
        /// ClickHouse's error code.
        code: i32,
        /// Its text, cut after 1,000 characters.
        text: String,
    },
    /// An answer that is none of ClickHouse's: a proxy, a server that is going down.
    #[error("unexpected answer: {text}")]
    Answer {
        /// The answer, cut after 1,000 characters.
        text: String,
    },
    /// No answer in time. The insert may have been stored.
    #[error("no answer within {limit:?}")]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The table is not the one that this version writes.
    #[error("table differs from what this version writes: {text}: run `sise migrate`")]
    Schema {
        /// What differs.
        text: String,
    },
    /// A row that the client cannot encode.
    #[error("row cannot be encoded: {text}")]
    Encode {
        /// Why.
        text: String,
    },
    /// Anything else on the way. The insert may have been stored.
    #[error("clickhouse cannot be reached: {0}")]
    Unreachable(#[source] Error),
}

/// Codes about one value or row: CANNOT_PARSE_TEXT and its family, types, values out of range, constraints.
const ROW_CODES: &[i32] = &[
    6,   // CANNOT_PARSE_TEXT
    7,   // INCORRECT_NUMBER_OF_COLUMNS
    26,  // CANNOT_PARSE_QUOTED_STRING
    27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,  // CANNOT_PARSE_DATE
    41,  // CANNOT_PARSE_DATETIME
    53,  // TYPE_MISMATCH
    69,  // ARGUMENT_OUT_OF_BOUND
    70,  // CANNOT_CONVERT_TYPE
    72,  // CANNOT_PARSE_NUMBER
    117, // INCORRECT_DATA
    130, // CANNOT_READ_ARRAY_FROM_TEXT
    321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    407, // DECIMAL_OVERFLOW
    469, // VIOLATED_CONSTRAINT
    691, // UNKNOWN_ELEMENT_OF_ENUM
];

/// Codes about tables, rights and settings: the same for every row, and nothing that time heals.
const SETUP_CODES: &[i32] = &[
    8,   // THERE_IS_NO_COLUMN
    16,  // NO_SUCH_COLUMN_IN_TABLE
    36,  // BAD_ARGUMENTS
    44,  // ILLEGAL_COLUMN
    47,  // UNKNOWN_IDENTIFIER
    60,  // UNKNOWN_TABLE
    62,  // SYNTAX_ERROR
    81,  // UNKNOWN_DATABASE
    115, // UNKNOWN_SETTING
    164, // READONLY
    192, // UNKNOWN_USER
    193, // WRONG_PASSWORD
    194, // REQUIRED_PASSWORD
    497, // ACCESS_DENIED
    516, // AUTHENTICATION_FAILED
];

impl StoreError {
    /// What the error is about.
    ///
    /// Load and trouble of the server (252 too many parts, 241 memory, 159 timeout, 202 too many queries, 209 and 210
    /// network, 242 read-only table, 243 no space, 999 keeper) are not listed: whatever is not known is the server's.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Refused { code, .. } if ROW_CODES.contains(code) => Cause::Row,
            Self::Refused { code, .. } if SETUP_CODES.contains(code) => Cause::Setup,
            Self::Schema { .. } => Cause::Setup,
            Self::Encode { .. } => Cause::Row,
            Self::Refused { .. } | Self::Answer { .. } | Self::TimedOut { .. } | Self::Unreachable(_) => {
                Cause::Server
            }
        }
    }

    /// Whether the same rows in the same order must be inserted again. What is not retryable is about single rows.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.cause() != Cause::Row
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::BadResponse(text) => match code(&text) {
                Some(code) => Self::Refused { code, text: cut(&text) },
                None => Self::Answer { text: cut(&text) },
            },
            Error::SchemaMismatch(text) => Self::Schema { text: cut(&text) },
            Error::SequenceMustHaveLength
            | Error::InvalidTagEncoding(_)
            | Error::VariantDiscriminatorIsOutOfBound(_)
            | Error::InvalidUtf8Encoding(_) => Self::Encode { text: error.to_string() },
            other => Self::Unreachable(other),
        }
    }
}

/// The code of `Code: 252. DB::Exception: …`, wherever it stands in the text.
fn code(text: &str) -> Option<i32> {
    let digits = text.split_once("Code: ")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn cut(text: &str) -> String {
    text.chars().take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> StoreError {
        Error::BadResponse(text.to_owned()).into()
    }

    #[test]
    fn the_code_is_read_from_the_answer() {
        assert_eq!(code("Code: 252. DB::Exception: Too many parts"), Some(252));
        assert_eq!(code("Code: 469"), Some(469));
        assert_eq!(code("502 Bad Gateway"), None);
        assert_eq!(code("Code: x"), None);
    }

    #[test]
    fn load_network_and_the_unknown_are_repeated() {
        for known in [252, 241, 159, 202, 209, 210, 242, 243, 999, 1_000_000] {
            let error = answer(&format!("Code: {known}. DB::Exception: x"));
            assert_eq!((error.cause(), error.is_retryable()), (Cause::Server, true), "{known}");
        }
        assert_eq!(answer("503 Service Unavailable").cause(), Cause::Server);
        assert_eq!(StoreError::from(Error::TimedOut).cause(), Cause::Server);
        assert_eq!(StoreError::from(Error::Network("reset".into())).cause(), Cause::Server);
        assert_eq!(StoreError::from(Error::Custom("unexpected error".into())).cause(), Cause::Server);
    }

    #[test]
    fn a_row_that_can_never_be_stored_is_not_repeated() {
        for known in [6, 7, 26, 27, 41, 53, 117, 469] {
            let error = answer(&format!("Code: {known}. DB::Exception: x"));
            assert_eq!((error.cause(), error.is_retryable()), (Cause::Row, false), "{known}");
        }
        assert_eq!(StoreError::from(Error::InvalidTagEncoding(3)).cause(), Cause::Row);
    }

    #[test]
    fn a_missing_table_sets_no_row_aside() {
        for known in [16, 60, 81, 497, 516] {
            let error = answer(&format!("Code: {known}. DB::Exception: x"));
            assert_eq!((error.cause(), error.is_retryable()), (Cause::Setup, true), "{known}");
        }
        assert_eq!(StoreError::from(Error::SchemaMismatch("x".into())).cause(), Cause::Setup);
    }
}
