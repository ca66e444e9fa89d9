//! Text that must not be seen: app keys, tokens, passwords.

use std::fmt;

use serde::Deserialize;

use crate::config::ConfigError;

/// A secret text. `Debug` and `Display` print `***`; only [`Secret::expose`] shows it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing but white space was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// The secret, unless it is empty.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] with `variable`, the environment variable to set. An empty secret once cost
    /// the system that sise replaces 48 hours of data: the start must fail, not the login.
    pub fn require(self, variable: &str) -> Result<Self, ConfigError> {
        if self.is_empty() { Err(ConfigError::missing(variable)) } else { Ok(self) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "***" })
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    }

    #[test]
    fn empty_secret_names_the_variable() {
        let error = Secret::new("  ").require("SISE__KIS__KEYS__MAIN__APP_KEY").unwrap_err();
        assert!(error.to_string().contains("SISE__KIS__KEYS__MAIN__APP_KEY"));
    }
}
