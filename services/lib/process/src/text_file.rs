//! A file that a person wrote → its text, or a clear reason.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Reads a file of at most `most` bytes as UTF-8.
///
/// # Errors
/// The path and what is wrong with the file.
pub fn read(path: &Path, most: usize) -> Result<String, String> {
    let named = |problem: String| format!("{}: {problem}", path.display());
    // One byte more than allowed tells too large from just right.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(|e| named(e.to_string()))?;
    opened.take(limit).read_to_end(&mut bytes).map_err(|e| named(e.to_string()))?;
    if bytes.len() > most {
        return Err(named(format!("larger than {most} bytes: split it")));
    }
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let line = e.as_bytes()[..good].split(|byte| *byte == b'\n').count();
        named(format!("not UTF-8 from line {line} on: save it as UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_and_where() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("symbols.txt");
        let with = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("file");
            read(&path, 8)
        };
        assert_eq!(with(b"005930\n").as_deref(), Ok("005930\n"));
        assert!(with(b"005930 more").expect_err("large").contains("larger than 8 bytes"));
        assert!(with(b"a\n\xff\n").expect_err("bytes").contains("not UTF-8 from line 2"));
        assert!(read(&folder.path().join("none"), 8).expect_err("none").contains("none: No such file"));
    }
}
