//! Where a server listens that takes a free port itself, from its log.
//!
//! A port that a test looked for would be anybody's until the server listens, which takes seconds on a busy machine. Read by
//! the tests of archiver, bus and store too.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// The most that a start may take: an engine that starts in half a second takes ten on a busy machine, and what has ended is
/// told at once.
const LIMIT: Duration = Duration::from_secs(180);

/// Waits until `server` has written an address behind `mark` into its log.
pub async fn listening(server: &mut Child, log: &Path, mark: &str) -> SocketAddr {
    let deadline = Instant::now() + LIMIT;
    loop {
        let ended = server.try_wait().expect("status");
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if let Some(address) = address(&said, mark) {
            return address;
        }
        assert!(ended.is_none(), "the server has ended ({}): {said}", log.display());
        assert!(Instant::now() < deadline, "never {mark:?} in {}", log.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The address behind `mark` in the whole lines of a log.
fn address(log: &str, mark: &str) -> Option<SocketAddr> {
    let whole = log.get(..=log.rfind('\n')?)?;
    let (_, behind) = whole.split_once(mark)?;
    let end = behind.find(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ':')?;
    behind.get(..end)?.parse().ok()
}
