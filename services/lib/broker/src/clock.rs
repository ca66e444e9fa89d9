//! The clock of this machine, for those with a socket: sessions and parsers take time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, UTC ns.
#[must_use]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Something that differs between two clients that lost the same server, for the jitter of [`crate::backoff`].
#[must_use]
pub fn jitter() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_micros()))
}
