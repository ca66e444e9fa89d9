//! Settings: `config/sise.toml`, then the file of the service, then the environment (`SISE__SECTION__KEY`).
//!
//! A service is strict about unknown keys inside the sections it reads (`deny_unknown_fields` in its raw types)
//! and ignores the other services' sections, so that one `.env` serves all. A section that no service of sise
//! has is a slip of the pen and is refused.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// Every section that some service of sise reads.
pub const SECTIONS: &[&str] = &[
    "archiver",
    "clickhouse",
    "clickhouse_embedded",
    "journal",
    "kis",
    "kiwoom",
    "log",
    "metrics",
    "nats",
    "simulator",
    "symbols",
    "gateway",
    "gap_finder",
    "market_guard",
];

/// What is wrong with the settings, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable could not be read as settings.
    #[error("settings: {0}")]
    Read(#[from] config::ConfigError),
    /// A section that nobody has.
    #[error("settings: unknown section `{0}` (known: {known})", known = SECTIONS.join(", "))]
    UnknownSection(String),
    /// Something needed is not there.
    #[error("settings: {0} is missing or empty: set it in .env or the environment")]
    Missing(String),
    /// A value that cannot be meant.
    #[error("settings: {key}: {problem}")]
    Invalid {
        /// The key in dotted form.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl ConfigError {
    /// `variable` is not set.
    #[must_use]
    pub fn missing(variable: &str) -> Self {
        Self::Missing(variable.to_owned())
    }

    /// `key` has a value that cannot be meant.
    pub fn invalid(key: impl Into<String>, problem: impl ToString) -> Self {
        Self::Invalid { key: key.into(), problem: problem.to_string() }
    }
}

/// The files that a service reads, in the order in which the later wins.
#[derive(Debug, Clone)]
pub struct Sources {
    files: Vec<(PathBuf, bool)>,
}

impl Sources {
    /// `given`, or the two files of the folder `config` that may be there.
    #[must_use]
    pub fn new(service: &str, given: &[PathBuf]) -> Self {
        if given.is_empty() {
            let folder = Path::new("config");
            let own = format!("{service}.toml");
            Self { files: vec![(folder.join("sise.toml"), false), (folder.join(own), false)] }
        } else {
            Self { files: given.iter().map(|path| (path.clone(), true)).collect() }
        }
    }

    /// Reads the files and the environment of this process, and the files that its variable `SISE_SECRETS` names
    /// (separated by colons): lines of `SISE__SECTION__KEY=value`, which the environment wins over. So that keys need not
    /// stand in an environment, which whoever may look at a container sees.
    ///
    /// # Errors
    /// [`ConfigError`] with the key and the file or variable it came from.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let files = std::env::var("SISE_SECRETS").unwrap_or_default();
        let mut variables = Vec::new();
        for file in files.split(':').filter(|file| !file.is_empty()) {
            variables.extend(secrets(Path::new(file))?);
        }
        // An empty variable counts as not set: it hides nothing.
        variables.extend(std::env::vars());
        self.load_from(variables)
    }

    /// As [`Sources::load`], with the environment given: a test needs no process of its own.
    ///
    /// # Errors
    /// As [`Sources::load`].
    pub fn load_from<T: DeserializeOwned>(&self, variables: Vec<(String, String)>) -> Result<T, ConfigError> {
        let mut builder = Config::builder();
        for (path, required) in &self.files {
            builder =
                builder.add_source(File::from(path.as_path()).format(FileFormat::Toml).required(*required));
        }
        // Values stay text until a field asks for a number: guessing types would turn the key 0123E5 into 1.23e7.
        let ours =
            variables.into_iter().filter(|(name, value)| name.starts_with("SISE__") && !value.is_empty());
        let environment = Environment::with_prefix("SISE").prefix_separator("__").separator("__");
        builder = builder.add_source(environment.source(Some(ours.collect())));
        let merged = builder.build()?;
        let table = merged.clone().try_deserialize::<config::Map<String, config::Value>>()?;
        if let Some(name) = table.keys().find(|name| !SECTIONS.contains(&name.as_str())) {
            return Err(ConfigError::UnknownSection(name.clone()));
        }
        Ok(merged.try_deserialize()?)
    }
}

/// Largest file of secrets, bytes: a key takes a few hundred.
const MOST_SECRETS: usize = 1 << 16;

/// Reads a file of `SISE__SECTION__KEY=value` lines. What is wrong is told by its line, never by what stands there.
fn secrets(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let fail = |problem: String| ConfigError::invalid("SISE_SECRETS", problem);
    let text = crate::text_file::read(path, MOST_SECRETS).map_err(fail)?;
    let mut variables = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1_u32..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if name.starts_with("SISE__") => {
                variables.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => {
                let wanted = "not SISE__SECTION__KEY=value";
                return Err(fail(format!("{}, line {number}: {wanted}", path.display())));
            }
        }
    }
    Ok(variables)
}

/// Reads a section of a struct that is itself flattened into another: `#[serde(deserialize_with = "…")]`. Flattening
/// takes from the values of the environment, which are text, that a number may be asked of them; here they get it back.
///
/// # Errors
/// As reading the section without this.
pub fn section<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    config::Value::deserialize(deserializer)?.try_deserialize().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Raw {
        nats: Nats,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nats {
        url: String,
        #[serde(default)]
        window: u32,
    }

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Raw, ConfigError> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("s.toml");
        std::fs::write(&path, file).expect("file");
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Sources::new("x", &[path]).load_from(variables)
    }

    #[test]
    fn environment_wins_and_stays_text() {
        let raw = load("[nats]\nurl = 'a'\n", &[("SISE__NATS__URL", "0123E5"), ("SISE__NATS__WINDOW", "7")]);
        let raw = raw.expect("settings");
        assert_eq!((raw.nats.url.as_str(), raw.nats.window), ("0123E5", 7));
    }

    #[test]
    fn a_flattened_section_takes_numbers_from_the_environment() {
        #[derive(Debug, Deserialize)]
        struct Outer {
            #[serde(flatten)]
            inner: Inner,
        }
        #[derive(Debug, Deserialize)]
        struct Inner {
            #[serde(deserialize_with = "super::section")]
            nats: Nats,
        }
        let load = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Sources { files: Vec::new() }.load_from::<Outer>(variables)
        };
        let url = ("SISE__NATS__URL", "0123E5");
        let nats = load(&[url, ("SISE__NATS__WINDOW", "7")]).expect("settings").inner.nats;
        assert_eq!((nats.url.as_str(), nats.window), ("0123E5", 7));
        let error = load(&[url, ("SISE__NATS__WINDWO", "7")]).expect_err("unknown key").to_string();
        assert!(error.contains("windwo"), "{error}");
    }

    #[test]
    fn unknown_key_in_our_section_is_refused() {
        let error = load("[nats]\nurl = 'a'\nwindwo = 7\n", &[]).unwrap_err().to_string();
        assert!(error.contains("windwo"), "{error}");
    }

    #[test]
    fn other_services_sections_are_ignored_but_not_unknown_ones() {
        assert!(load("[nats]\nurl = 'a'\n[kiwoom]\nx = 1\n", &[]).is_ok());
        let error = load("[nats]\nurl = 'a'\n[natz]\nx = 1\n", &[]).unwrap_err().to_string();
        assert!(error.contains("natz"), "{error}");
    }

    #[test]
    fn secrets_come_from_a_file_and_are_never_told() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("kis.env");
        let with = |text: &str| {
            std::fs::write(&path, text).expect("file");
            secrets(&path)
        };
        let read = with("# a comment\n\nSISE__NATS__URL= a=b \nSISE__NATS__WINDOW=\n").expect("read");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read, [pair("SISE__NATS__URL", "a=b"), pair("SISE__NATS__WINDOW", "")]);
        for text in ["SISE__A__B=1\nhunter2\n", "SISE__A__B=1\nHUNTER2=x\n"] {
            let error = with(text).expect_err("refused").to_string();
            assert!(
                error.contains("kis.env, line 2") && !error.to_lowercase().contains("hunter2"),
                "{error}"
            );
        }
        assert!(secrets(&folder.path().join("none")).is_err());
    }

    #[test]
    fn a_given_file_must_exist() {
        let missing = PathBuf::from("/nonexistent/sise.toml");
        assert!(Sources::new("x", &[missing]).load_from::<Raw>(Vec::new()).is_err());
    }
}
