//! Which results can be sent while they are made, and how their pieces join.
//!
//! libchdb formats each piece of a streamed result as a document of its own. Formats without header or end join as
//! they are; formats with names (and types) first join when the header of every piece but the first is cut off. All
//! others (JSON, Parquet, Arrow, Pretty…) are made as a whole, within `max_result_bytes`.

use crate::sql::Formatted;

/// What each piece of a format begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// Rows at once.
    None,
    /// So many lines; line ends inside names are escaped.
    Lines(usize),
    /// So many lines; line ends may stand between double quotes.
    QuotedLines(usize),
    /// Number of columns, names, and perhaps types, as `RowBinary` writes them: so many texts a column.
    Binary(usize),
}

/// The header of a format that can be streamed.
#[must_use]
pub fn header(format: &str) -> Option<Header> {
    Some(match format {
        "TabSeparated"
        | "TSV"
        | "TabSeparatedRaw"
        | "TSVRaw"
        | "CSV"
        | "TSKV"
        | "LineAsString"
        | "RawBLOB"
        | "RowBinary"
        | "Native"
        | "JSONEachRow"
        | "JSONLines"
        | "NDJSON"
        | "JSONStringsEachRow"
        | "JSONCompactEachRow"
        | "JSONCompactStringsEachRow" => Header::None,
        "TabSeparatedWithNames" | "TSVWithNames" | "JSONCompactEachRowWithNames" => Header::Lines(1),
        "TabSeparatedWithNamesAndTypes" | "TSVWithNamesAndTypes" | "JSONCompactEachRowWithNamesAndTypes" => {
            Header::Lines(2)
        }
        "CSVWithNames" => Header::QuotedLines(1),
        "CSVWithNamesAndTypes" => Header::QuotedLines(2),
        "RowBinaryWithNames" => Header::Binary(1),
        "RowBinaryWithNamesAndTypes" => Header::Binary(2),
        _ => return None,
    })
}

/// Settings that put something around the rows of every piece.
const AROUND_ROWS: [&str; 2] = ["extremes", "output_format_json_array_of_rows"];

/// The header when this statement's result can be streamed. `settings` are those of the request.
#[must_use]
pub fn plan(statement: &Formatted, format: &str, settings: &[(String, String)]) -> Option<Header> {
    let selects = matches!(statement.keyword.as_str(), "SELECT" | "WITH");
    let around =
        AROUND_ROWS.iter().any(|name| statement.has(&[name]) || settings.iter().any(|(key, _)| key == name));
    let whole = statement.has(&["WITH", "TOTALS"]) || statement.has(&["PARALLEL", "WITH"]) || around;
    header(format).filter(|_| selects && !whole)
}

fn lines(piece: &[u8], count: usize, quotes: bool) -> Option<usize> {
    let (mut left, mut quoted) = (count, false);
    for (at, byte) in piece.iter().enumerate() {
        match byte {
            b'"' if quotes => quoted = !quoted,
            b'\n' if !quoted => left -= 1,
            _ => {}
        }
        if left == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn number(piece: &[u8], at: &mut usize) -> Option<usize> {
    let (mut value, mut shift) = (0_usize, 0);
    loop {
        let byte = *piece.get(*at)?;
        *at += 1;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

/// Length of the header at the beginning of `piece`, `None` when it is not all there.
#[must_use]
pub fn length(header: Header, piece: &[u8]) -> Option<usize> {
    match header {
        Header::None => Some(0),
        Header::Lines(count) => lines(piece, count, false),
        Header::QuotedLines(count) => lines(piece, count, true),
        Header::Binary(texts) => {
            let mut at = 0;
            let columns = number(piece, &mut at)?;
            for _ in 0..columns.checked_mul(texts)? {
                let size = number(piece, &mut at)?;
                at = at.checked_add(size).filter(|end| *end <= piece.len())?;
            }
            Some(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(sql: &str, format: &str, settings: &[(&str, &str)]) -> Option<Header> {
        let settings: Vec<_> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        plan(&Formatted::new(sql.to_owned()), format, &settings)
    }

    #[test]
    fn only_plain_selects_in_row_formats_stream() {
        assert_eq!(planned("SELECT 1", "CSV", &[]), Some(Header::None));
        assert_eq!(planned("SELECT 1", "JSON", &[]), None);
        assert_eq!(planned("SHOW TABLES", "CSV", &[]), None);
        assert_eq!(planned("SELECT a FROM t GROUP BY a WITH TOTALS", "CSV", &[]), None);
        assert_eq!(planned("SELECT 1", "CSV", &[("extremes", "1")]), None);
        assert_eq!(planned("SELECT 1 SETTINGS extremes = 1", "CSV", &[]), None);
    }

    #[test]
    fn headers_are_measured() {
        assert_eq!(length(Header::Lines(2), b"a\tb\nInt8\tInt8\n1\t2\n"), Some(14));
        assert_eq!(length(Header::QuotedLines(1), b"\"a\nb\",\"c\"\n1,2\n"), Some(10));
        assert_eq!(length(Header::Binary(2), b"\x02\x01a\x01b\x04Int8\x04Int8\x07\x08"), Some(15));
        assert_eq!(length(Header::Binary(2), b"\x02\x01a"), None);
        assert_eq!(length(Header::Lines(2), b"a\n"), None);
        assert_eq!(length(Header::None, b"rows"), Some(0));
    }
}
