//! Section `[symbols]` and the universe's file: which instruments are followed, and by which brokers.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use market::Source;
use market::ownership::Rules;
use market::universe::{MOST_BYTES, Universe};
use process::{ConfigError, text_file};
use serde::Deserialize;

/// Section `[symbols]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSymbols {
    /// The file of the instruments to follow.
    pub file: PathBuf,
    /// The brokers that run, `kis,kiwoom`; empty = those whose keys this process can see.
    pub carriers: String,
    /// When a group goes to another broker, and when it comes back.
    pub failover: RawFailover,
}

/// Section `[symbols.failover]` as written; what is left out has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFailover {
    /// A feed has to be dead for so long before its group is taken over, in ms.
    pub takeover_ms: Option<u32>,
    /// A group's home has to be healthy for so long before it takes the group back, in ms.
    pub hand_back_ms: Option<u32>,
    /// A cell that has said nothing for so long is gone, in ms.
    pub stale_ms: Option<u32>,
}

/// A cell tells its health every second: it may be late once.
const LEAST_STALE_MS: u32 = 2_000;

impl RawFailover {
    /// The times as they are counted with.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when a living cell would be taken for gone.
    pub fn rules(self) -> Result<Rules, ConfigError> {
        if self.stale_ms.is_some_and(|ms| ms < LEAST_STALE_MS) {
            let problem = format!("must be {LEAST_STALE_MS} or more: health is told every second");
            return Err(ConfigError::invalid("symbols.failover.stale_ms", problem));
        }
        let usual = Rules::default();
        let ns = |ms: Option<u32>, usual| ms.map_or(usual, |ms| i64::from(ms) * 1_000_000);
        Ok(Rules {
            stale_ns: ns(self.stale_ms, usual.stale_ns),
            takeover_ns: ns(self.takeover_ms, usual.takeover_ns),
            hand_back_ns: ns(self.hand_back_ms, usual.hand_back_ns),
        })
    }
}

impl Default for RawSymbols {
    fn default() -> Self {
        Self {
            file: PathBuf::from("config/symbols.yaml"),
            carriers: String::new(),
            failover: RawFailover::default(),
        }
    }
}

impl RawSymbols {
    /// The brokers that run: as written, else those seen.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] for an unknown word, or when `own` is not among them.
    pub fn carriers(&self, own: Source, seen: Vec<Source>) -> Result<Vec<Source>, ConfigError> {
        let written = market::carriers::read(&self.carriers);
        let written = written.map_err(|problem| ConfigError::invalid("symbols.carriers", problem))?;
        let carriers = if written.is_empty() { seen } else { written };
        if carriers.contains(&own) {
            return Ok(carriers);
        }
        let problem =
            format!("{own} is not among them, but its service was started: add it, or leave the key out");
        Err(ConfigError::invalid("symbols.carriers", problem))
    }
}

/// A universe and the files it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniverseFiles {
    /// The universe.
    pub universe: Universe,
    /// The symbols file, then the files it names.
    pub files: Vec<PathBuf>,
}

impl UniverseFiles {
    /// Reads the symbols file and the files that it names, relative ones from its own folder.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(file: &Path) -> Result<Self, String> {
        let files = RefCell::new(vec![file.to_owned()]);
        let text = text_file::read(file, MOST_BYTES)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let universe = Universe::from_yaml_with(&text, &mut |name| {
            let path = folder.join(name);
            files.borrow_mut().push(path.clone());
            text_file::read(&path, MOST_BYTES)
        });
        let universe = universe.map_err(|problem| format!("{}: {problem}", file.display()))?;
        Ok(Self { universe, files: files.into_inner() })
    }

    /// Size and time of each file: differs when a person has saved one.
    #[must_use]
    pub fn state(&self) -> Vec<Option<(u64, SystemTime)>> {
        let state = |path: &PathBuf| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.len(), file.modified().ok()?))
        };
        self.files.iter().map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_those_written_else_those_seen() {
        let with = |text: &str| RawSymbols { carriers: text.to_owned(), ..RawSymbols::default() };
        let both = vec![Source::Kis, Source::Kiwoom];
        assert_eq!(with("").carriers(Source::Kis, vec![Source::Kis]).expect("seen"), [Source::Kis]);
        assert_eq!(with("kis, kiwoom").carriers(Source::Kis, vec![Source::Kis]).expect("written"), both);
        assert!(with("kiwoom").carriers(Source::Kis, both.clone()).is_err());
        assert!(
            with("kis,krx").carriers(Source::Kis, both).expect_err("word").to_string().contains("\"krx\"")
        );
    }

    #[test]
    fn failover_has_defaults_and_a_living_cell_is_never_taken_for_gone() {
        let rules = RawFailover::default().rules().expect("defaults");
        assert_eq!(rules.stale_ns + rules.takeover_ns, 8_000_000_000, "within 10 s of a kill");
        let raw = RawFailover { hand_back_ms: Some(1_500), ..RawFailover::default() };
        assert_eq!(raw.rules().expect("rules").hand_back_ns, 1_500_000_000);
        let raw = RawFailover { stale_ms: Some(1_999), ..RawFailover::default() };
        assert!(raw.rules().expect_err("stale").to_string().contains("symbols.failover.stale_ms"));
    }

    #[test]
    fn files_are_read_from_the_folder_of_the_symbols_file() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("symbols.yaml");
        std::fs::write(&file, "files:\n- {file: more.txt, group: B}\nsymbols:\n- symbol: 005930\n")
            .expect("file");
        assert!(UniverseFiles::read(&file).expect_err("missing").contains("more.txt"));
        std::fs::write(folder.path().join("more.txt"), "000660\n035720\n").expect("file");
        let read = UniverseFiles::read(&file).expect("universe");
        assert_eq!((read.universe.entries.len(), read.files.len()), (3, 2));
        let before = read.state();
        std::fs::write(folder.path().join("more.txt"), "000660\n").expect("file");
        assert_ne!(read.state(), before);
    }
}
