//! A folder of one benchmark's own: emptied at the start, removed at the end, also when something went wrong.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::options::Options;

/// The folder.
#[derive(Debug)]
pub struct Fresh(PathBuf);

impl Fresh {
    /// Makes `name` below the folder of the run, empty.
    ///
    /// # Errors
    /// When it cannot be emptied or made.
    pub fn of(options: &Options, name: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&options.folder)
            .with_context(|| format!("make {}", options.folder.display()))?;
        // Servers are told of it, and they need not have the same working folder.
        let folder = options.folder.canonicalize()?.join(name);
        let fresh = Self(folder);
        fresh.empty()?;
        Ok(fresh)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Empties it.
    ///
    /// # Errors
    /// When it cannot be emptied.
    pub fn empty(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("empty {}", self.0.display()));
            }
            _ => {}
        }
        std::fs::create_dir_all(&self.0).with_context(|| format!("make {}", self.0.display()))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.0);
    }
}
