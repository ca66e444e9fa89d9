//! One REST token a key, shared by all who use the key: kept in memory, on disk, and issued by one at a time.
//!
//! Issuing a token may end the life of the one before, so two that issue at once would cut each other off. Inside a
//! process a lock orders them, between processes a locked file beside the token's file; who comes second finds the
//! token of the first.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use twox_hash::XxHash3_64;

use crate::feed::OpenError;

/// A token is renewed when no more than this of its life is left.
const SPARE_NS: i64 = 30 * 60 * 1_000_000_000;
/// Another process issues for at most its HTTP limit; then something is wrong with it.
const LOCK_LIMIT: Duration = Duration::from_secs(30);
/// How often the locked file is looked at.
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// A REST token and the end of its life. Copies share whether it is dead.
#[derive(Clone, Serialize, Deserialize)]
pub struct Token {
    /// The bearer text.
    access_token: String,
    /// End of life, UTC ns.
    pub expires_ns: i64,
    /// A number made of address and key: a token of another key, or of the other world, is not taken from disk.
    #[serde(default)]
    owner: u64,
    #[serde(skip)]
    dead: Arc<AtomicBool>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead = self.is_dead();
        f.debug_struct("Token")
            .field("expires_ns", &self.expires_ns)
            .field("dead", &dead)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// A token as issued; `expires_ns` is UTC.
    #[must_use]
    pub fn new(access_token: String, expires_ns: i64) -> Self {
        Self { access_token, expires_ns, owner: 0, dead: Arc::default() }
    }

    /// The text itself, for the header of a call.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.access_token
    }

    /// The broker does not accept it any more: the next who asks for a token gets another.
    pub fn mark_dead(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Whether the broker was seen to refuse it.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    fn fresh(&self, now_ns: i64) -> bool {
        !self.is_dead() && self.expires_ns.saturating_sub(now_ns) > SPARE_NS
    }
}

/// Hands out the token of one key.
#[derive(Debug)]
pub struct TokenKeeper {
    /// None: kept in memory only.
    file: Option<PathBuf>,
    owner: u64,
    known: Mutex<Option<Token>>,
}

impl TokenKeeper {
    /// For the key called `name` (`kiwoom-main`), kept in `folder` if given. `address` and `app_key` are whose token it
    /// is: others' tokens in the same file are left alone.
    #[must_use]
    pub fn new(folder: Option<&Path>, name: &str, address: &str, app_key: &str) -> Self {
        let file = folder.map(|folder| folder.join(format!("{name}.json")));
        let owner = XxHash3_64::oneshot(format!("{address}\0{app_key}").as_bytes());
        Self { file, owner, known: Mutex::new(None) }
    }

    /// The living token: the known one, else the one on disk, else a new one. `issue` is polled only when a new one is
    /// needed, and by one caller at a time. `now_ns` is UTC.
    ///
    /// # Errors
    /// Those of `issue`, and [`OpenError::Temporary`] when another process holds the lock for too long.
    pub async fn token(
        &self,
        now_ns: i64,
        issue: impl Future<Output = Result<Token, OpenError>> + Send,
    ) -> Result<Token, OpenError> {
        let mut known = self.known.lock().await;
        if let Some(token) = self.found(known.as_ref(), now_ns) {
            return Ok(known.insert(token).clone());
        }
        let _released_at_the_end = self.locked().await?;
        // Perhaps whoever held the lock has just issued one.
        if let Some(token) = self.found(known.as_ref(), now_ns) {
            return Ok(known.insert(token).clone());
        }
        let token = match issue.await {
            Ok(token) => Token { owner: self.owner, ..token },
            // Renewal comes early: while it cannot be had, the old one still serves.
            Err(OpenError::Temporary(problem)) => {
                let old = known.clone().filter(|old| !old.is_dead() && old.expires_ns > now_ns);
                return old.ok_or(OpenError::Temporary(problem));
            }
            Err(refused) => return Err(refused),
        };
        metrics::counter!("sise_broker_tokens_issued_total").increment(1);
        if let Some(file) = &self.file
            && let Err(error) = keep(file, &token)
        {
            // It serves this process all the same; the next start will issue another.
            tracing::error!(file = %file.display(), %error, "token not kept: make its folder writable");
        }
        Ok(known.insert(token).clone())
    }

    /// A fresh token that need not be issued.
    fn found(&self, known: Option<&Token>, now_ns: i64) -> Option<Token> {
        if let Some(token) = known.filter(|token| token.fresh(now_ns)) {
            return Some(token.clone());
        }
        let token = kept(self.file.as_deref()?)?;
        let dead = known.is_some_and(|known| known.is_dead() && known.access_token == token.access_token);
        (token.fresh(now_ns) && token.owner == self.owner && !dead).then_some(token)
    }

    /// The lock between processes; nothing when there is no file to share. It ends with the value, or the process.
    async fn locked(&self) -> Result<Option<File>, OpenError> {
        let Some(file) = &self.file else { return Ok(None) };
        let lock = file.with_extension("lock");
        let fail = |problem: String| OpenError::Temporary(format!("{}: {problem}", lock.display()));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| fail(e.to_string()))?;
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let open = options.open(&lock).map_err(|e| fail(e.to_string()))?;
        let deadline = Instant::now() + LOCK_LIMIT;
        loop {
            match open.try_lock() {
                Ok(()) => return Ok(Some(open)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(LOCK_LOOK).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(fail(format!("held by another process for {} s", LOCK_LIMIT.as_secs())));
                }
                Err(TryLockError::Error(error)) => return Err(fail(error.to_string())),
            }
        }
    }
}

/// `YYYYMMDDHHMMSS` in Korea as UTC ns.
pub(crate) fn korean_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(8)?;
    let date = market::TradeDate::parse(date).ok()?;
    Some(market::time::kst(date, market::time::parse_hhmmss(time).ok()?))
}

fn kept(file: &Path) -> Option<Token> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn keep(file: &Path, token: &Token) -> std::io::Result<()> {
    let new = file.with_extension("new");
    // Readable by us alone, from the first byte.
    let mut options = OpenOptions::new();
    let mut open = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    open.write_all(serde_json::to_string(token)?.as_bytes())?;
    std::fs::rename(new, file)
}

#[cfg(test)]
mod tests;
