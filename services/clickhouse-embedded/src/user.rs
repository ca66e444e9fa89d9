//! Who may use this server: a name, a password or its hash, and rights.

use std::fmt;

use process::Secret;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// What a user may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rights {
    /// Select.
    #[default]
    Read,
    /// Select and insert: the archiver.
    Insert,
    /// Everything but the files and networks of this machine, and the users: migrations.
    All,
}

/// A password, or what is kept of it. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Plain(Secret),
    /// SHA-256 in hexadecimal, small letters.
    Sha256(String),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "***" })
    }
}

impl From<Secret> for Password {
    fn from(secret: Secret) -> Self {
        Self::Plain(secret)
    }
}

impl Password {
    /// Whether it is the empty one. A hash is one of a password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Plain(secret) if secret.is_empty())
    }

    /// Whether `given` is it, in a time that tells only lengths.
    #[must_use]
    pub fn is(&self, given: &Secret) -> bool {
        match self {
            Self::Plain(secret) => same(secret.expose(), given.expose()),
            Self::Sha256(hash) => same(hash, &format!("{:x}", Sha256::digest(given.expose()))),
        }
    }
}

fn same(left: &str, right: &str) -> bool {
    let differs = left.bytes().zip(right.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    left.len() == right.len() && differs == 0
}

/// One user of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// 1 to 64 letters, digits, `_`, `-`.
    pub name: String,
    /// Empty only on loopback.
    pub password: Password,
    /// What it may do.
    pub rights: Rights,
    /// In which databases; empty = all.
    pub databases: Vec<String>,
    /// In the engine's own words, in place of `rights` and `databases`; from a users file.
    pub grants: Vec<String>,
}

/// Letters, digits and these, 1 to 64.
pub(crate) fn plain(text: &str, also: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}
