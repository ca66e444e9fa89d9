//! The clock of this machine, for processes; libraries take time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, UTC ns since 1970.
#[must_use]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
