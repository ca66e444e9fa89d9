//! ClickHouse's exceptions: the engine's text in, code, message and HTTP status out.
//!
//! Form: `Code: 60. DB::Exception: Unknown table expression identifier 't' … (UNKNOWN_TABLE)`.

use std::fmt;

/// One error as a client of ClickHouse expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// ClickHouse's error code, for example 60.
    pub code: u32,
    /// Its name, for example `UNKNOWN_TABLE`.
    pub name: String,
    /// The message without code and name.
    pub message: String,
}

/// Codes that this server raises itself.
macro_rules! codes {
    ($($function:ident $code:literal $name:literal),* $(,)?) => {
        impl Exception {$(
            #[doc = concat!("Code ", $code, ", `", $name, "`.")]
            pub fn $function(message: impl Into<String>) -> Self {
                Self { code: $code, name: $name.to_owned(), message: message.into() }
            }
        )*}
    };
}

codes! {
    not_implemented 48 "NOT_IMPLEMENTED",
    syntax 62 "SYNTAX_ERROR",
    unknown_type_of_query 78 "UNKNOWN_TYPE_OF_QUERY",
    cannot_read 23 "CANNOT_READ_FROM_ISTREAM",
    no_data 108 "NO_DATA_TO_INSERT",
    readonly 164 "READONLY",
    too_many_queries 202 "TOO_MANY_SIMULTANEOUS_QUERIES",
    checksum 40 "CHECKSUM_DOESNT_MATCH",
    unknown_compression 89 "UNKNOWN_COMPRESSION_METHOD",
    cannot_decompress 271 "CANNOT_DECOMPRESS",
    socket_timeout 209 "SOCKET_TIMEOUT",
    not_enough_space 243 "NOT_ENOUGH_SPACE",
    outfile 358 "INTO_OUTFILE_NOT_ALLOWED",
    session_not_found 372 "SESSION_NOT_FOUND",
    session_locked 373 "SESSION_IS_LOCKED",
    session_timeout 374 "INVALID_SESSION_TIMEOUT",
    access_denied 497 "ACCESS_DENIED",
    authentication 516 "AUTHENTICATION_FAILED",
    unknown 1002 "UNKNOWN_EXCEPTION",
}

impl Exception {
    /// Reads the engine's text. Text in no known form becomes code 1002 with the text as message.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut rest = text.trim();
        let mut code = None;
        // The engine's client wraps the server's text once more: `Code: 107. DB::Exception: Code: 107. …`.
        while let Some((number, message)) = rest.strip_prefix("Code: ").and_then(|rest| rest.split_once(". "))
        {
            let Ok(number) = number.parse::<u32>() else { break };
            code = code.or(Some(number));
            rest = message.split_once("Exception: ").map_or(message, |(_, message)| message);
        }
        let Some(code) = code else { return Self::unknown(rest) };
        let (message, name) = split_name(rest);
        // Inner name and version of the wrapped text, which would stand there twice.
        let message =
            match message.rfind(" (version ").filter(|_| message.ends_with(')') || message.ends_with(").")) {
                Some(at) => split_name(message.get(..at).unwrap_or(message)).0,
                None => message,
            };
        Self { code, name: name.unwrap_or("UNKNOWN_EXCEPTION").to_owned(), message: message.to_owned() }
    }

    /// The HTTP status that ClickHouse's server answers with (`exceptionCodeToHTTPStatus.cpp`), except that too
    /// many queries are 503 here, so that a proxy or client backs off.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code {
            194 => 401,
            192 | 193 | 497 | 512 | 516 => 403,
            6 | 8 | 15 | 25 | 26 | 27 | 36 | 37 | 38 | 41 | 44 | 53 | 62 | 72 | 117 | 123 | 167 | 168
            | 223 | 321 | 376 | 427 | 441 | 675 | 676 => 400,
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 152 | 336 | 511 => 404,
            229 => 413,
            48 => 501,
            76 | 202 | 209 | 439 => 503,
            381 => 411,
            159 => 408,
            _ => 500,
        }
    }
}

/// `message (NAME)` or `message. (NAME)` into its two parts.
fn split_name(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_end();
    let named = |at: usize| {
        let name = text.get(at + 2..text.len().checked_sub(1)?)?;
        let upper = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        (upper && text.ends_with(')')).then_some((text.get(..at)?, Some(name)))
    };
    text.rfind(" (").and_then(named).unwrap_or((text, None))
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code: {}. DB::Exception: {} ({})", self.code, self.message, self.name)
    }
}

impl std::error::Error for Exception {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_code_name_and_message() {
        let exception =
            Exception::parse("Code: 60. DB::Exception: Unknown table 'x' (a, b). (UNKNOWN_TABLE)");
        assert_eq!((exception.code, exception.name.as_str(), exception.status()), (60, "UNKNOWN_TABLE", 404));
        assert_eq!(exception.message, "Unknown table 'x' (a, b).");
        assert_eq!(
            exception.to_string(),
            "Code: 60. DB::Exception: Unknown table 'x' (a, b). (UNKNOWN_TABLE)"
        );
    }

    #[test]
    fn unwraps_the_text_that_stands_there_twice() {
        let text = "Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format Nope. (UNKNOWN_FORMAT) \
                    (version 26.5.1.1). (UNKNOWN_FORMAT)";
        let exception = Exception::parse(text);
        assert_eq!(exception.to_string(), "Code: 73. DB::Exception: Unknown format Nope. (UNKNOWN_FORMAT)");
    }

    #[test]
    fn text_without_code_is_kept() {
        let exception = Exception::parse("std::bad_alloc");
        assert_eq!(
            (exception.code, exception.message.as_str(), exception.status()),
            (1002, "std::bad_alloc", 500)
        );
    }

    #[test]
    fn own_codes_have_the_servers_status() {
        assert_eq!(Exception::authentication("x").status(), 403);
        assert_eq!(Exception::access_denied("x").status(), 403);
        assert_eq!(Exception::syntax("x").status(), 400);
        assert_eq!(Exception::too_many_queries("x").status(), 503);
    }
}
