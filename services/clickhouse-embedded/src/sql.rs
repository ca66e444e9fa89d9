//! As much of ClickHouse's lexer as a server needs around the engine: where an `INSERT`'s data begins in a request,
//! and what the engine's own formatter has written about a statement.
//!
//! Nothing here decides what a statement means. The engine's parser does (`formatQuerySingleLine`); its output has
//! keywords in capitals, no comments and one spelling for everything, and that output is what is run.

/// What a token is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Keyword, identifier or number.
    Word,
    /// String, quoted identifier or heredoc.
    Quoted,
    /// Any other single byte.
    Mark(u8),
    /// A quote or comment that does not end in this text.
    Open,
}

#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    kind: Kind,
    text: &'a [u8],
    end: usize,
    depth: usize,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }
}

/// Tokens of a text, comments left out.
struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

fn tokens(text: &[u8]) -> Tokens<'_> {
    Tokens { text, at: 0, depth: 0 }
}

fn find(text: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at + needle.len())
}

impl<'a> Tokens<'a> {
    /// End of the quoted text that begins at `at`, `None` when it is open.
    fn quoted(&self, quote: u8) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            match *self.text.get(at)? {
                b'\\' => at += 2,
                byte if byte == quote => {
                    if self.text.get(at + 1) != Some(&quote) {
                        return Some(at + 1);
                    }
                    at += 2;
                }
                _ => at += 1,
            }
        }
    }

    /// End of a comment or heredoc that begins at `at`: `Some(None)` when it is open, `None` when there is none.
    fn special(&self) -> Option<(Option<usize>, bool)> {
        let rest = self.text.get(self.at..)?;
        if rest.starts_with(b"/*") {
            return Some((find(self.text, self.at + 2, b"*/"), true));
        }
        if [b"--".as_slice(), b"#!", b"# "].iter().any(|start| rest.starts_with(start)) {
            return Some((find(self.text, self.at, b"\n"), true));
        }
        if rest.first() == Some(&b'$') {
            let tag = rest.iter().skip(1).position(|byte| *byte == b'$')? + 2;
            let name = rest.get(..tag)?;
            let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'));
            return plain.then(|| (find(self.text, self.at + tag, name), false));
        }
        None
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let start = self.at;
            let first = *self.text.get(start)?;
            let (kind, end) = if first.is_ascii_whitespace() {
                self.at += 1;
                continue;
            } else if let Some((end, comment)) = self.special() {
                match end {
                    Some(end) if comment => {
                        self.at = end;
                        continue;
                    }
                    Some(end) => (Kind::Quoted, end),
                    None => (Kind::Open, self.text.len()),
                }
            } else if matches!(first, b'\'' | b'"' | b'`') {
                self.quoted(first).map_or((Kind::Open, self.text.len()), |end| (Kind::Quoted, end))
            } else if word(first) {
                let length = self.text.get(start..)?.iter().take_while(|byte| word(**byte)).count();
                (Kind::Word, start + length)
            } else {
                (Kind::Mark(first), start + 1)
            };
            self.at = end;
            if matches!(kind, Kind::Mark(b')' | b']' | b'}')) {
                self.depth = self.depth.saturating_sub(1);
            }
            let token = Token { kind, text: self.text.get(start..end)?, end, depth: self.depth };
            if matches!(kind, Kind::Mark(b'(' | b'[' | b'{')) {
                self.depth += 1;
            }
            return Some(token);
        }
    }
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Whether a request's text is an `INSERT` that brings its data along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The statement ends and the data begins at this byte.
    Data(usize),
    /// The whole text is the statement.
    Statement,
    /// More text is needed to tell.
    Unknown,
}

/// Splits the beginning of a request; `complete` when nothing follows it.
///
/// As ClickHouse does: data begin after `VALUES`, or after the format's name, blanks and one line end.
#[must_use]
pub fn split(text: &[u8], complete: bool) -> Split {
    let open = if complete { Split::Statement } else { Split::Unknown };
    // A text that may go on ends in a token that may go on.
    let mut tokens =
        tokens(text).take_while(|token| token.kind != Kind::Open && (complete || token.end < text.len()));
    match tokens.next() {
        Some(first) if first.is("INSERT") => {}
        Some(_) => return Split::Statement,
        None => return open,
    }
    let mut tokens = tokens.skip_while(|token| token.is("INTO") || token.is("TABLE") || token.is("FUNCTION"));
    // The table's name, which may be any word: `db.table`, `{t:Identifier}`, `format`.
    let mut named = tokens.next();
    while let Some(token) = named {
        if token.depth > 0 || matches!(token.kind, Kind::Mark(b'{')) {
            named = tokens.next();
            continue;
        }
        match tokens.next() {
            Some(dot) if dot.kind == Kind::Mark(b'.') => named = tokens.next(),
            Some(next) => return after_table(next, tokens, text, complete),
            None => return open,
        }
    }
    open
}

fn after_table<'a>(
    first: Token<'a>,
    rest: impl Iterator<Item = Token<'a>>,
    text: &[u8],
    complete: bool,
) -> Split {
    let mut rest = std::iter::once(first).chain(rest).filter(|token| token.depth == 0);
    while let Some(token) = rest.next() {
        if token.is("SELECT") || token.is("WITH") || token.is("INFILE") {
            return Split::Statement;
        }
        if token.is("VALUES") {
            return Split::Data(token.end);
        }
        if token.is("FORMAT") {
            return match rest.next() {
                Some(name) => data_start(text, name.end, complete),
                None if complete => Split::Statement,
                None => Split::Unknown,
            };
        }
    }
    if complete { Split::Statement } else { Split::Unknown }
}

fn data_start(text: &[u8], from: usize, complete: bool) -> Split {
    let byte = |at: usize| text.get(at).copied();
    let mut at = from;
    while matches!(byte(at), Some(b' ' | b'\t' | 0x0c)) {
        at += 1;
    }
    if byte(at) == Some(b'\r') {
        at += 1;
    }
    match byte(at) {
        Some(b'\n') => Split::Data(at + 1),
        Some(_) => Split::Data(at),
        None if complete => Split::Data(at),
        None => Split::Unknown,
    }
}

/// What the engine's formatter wrote about one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The statement in the engine's spelling, without comments.
    pub sql: String,
    /// First keyword, for example `SELECT`.
    pub keyword: String,
    /// The format that the statement itself names.
    pub format: Option<String>,
    /// The engines of tables and databases that it makes, as written (with quotes, if it has some).
    pub engines: Vec<String>,
    tokens: Vec<(String, usize)>,
}

impl Formatted {
    /// Takes the formatter's output.
    #[must_use]
    pub fn new(sql: String) -> Self {
        let list: Vec<Token<'_>> = tokens(sql.as_bytes()).collect();
        let text = |token: &Token<'_>| String::from_utf8_lossy(token.text).into_owned();
        let words = |token: &&Token<'_>| token.kind == Kind::Word || matches!(token.kind, Kind::Mark(_));
        let keyword = list.iter().find(|token| token.kind == Kind::Word).map(text).unwrap_or_default();
        let format = list
            .windows(2)
            .rev()
            .find(|pair| pair.first().is_some_and(|token| token.depth == 0 && token.text == b"FORMAT"))
            .and_then(|pair| pair.get(1))
            .filter(|name| name.kind == Kind::Word)
            .map(text);
        let makes = matches!(keyword.as_str(), "CREATE" | "ATTACH" | "REPLACE");
        let engines = list
            .windows(3)
            .filter_map(|window| match window {
                [engine, equals, name] if makes && engine.text == b"ENGINE" && equals.text == b"=" => {
                    Some(text(name))
                }
                _ => None,
            })
            .collect();
        let tokens = list.iter().filter(words).map(|token| (text(token), token.depth)).collect();
        Self { sql, keyword, format, engines, tokens }
    }

    /// Whether the words stand side by side anywhere outside quotes.
    #[must_use]
    pub fn has(&self, words: &[&str]) -> bool {
        self.tokens
            .windows(words.len())
            .any(|window| window.iter().zip(words).all(|((text, _), word)| text == word))
    }

    /// Whether this statement reads and nothing else; `GET` may send no other.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        const READS: [&str; 7] = ["SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS", "CHECK"];
        READS.contains(&self.keyword.as_str()) && !self.has(&["PARALLEL", "WITH"])
    }

    /// An `INSERT … FORMAT x` that takes its data from the file `path` instead.
    #[must_use]
    pub fn taking_infile(&self, path: &str) -> String {
        let cut = tokens(self.sql.as_bytes())
            .find(|token| token.depth == 0 && (token.text == b"SETTINGS" || token.text == b"FORMAT"))
            .map_or(self.sql.len(), |token| token.end - token.text.len());
        let (head, tail) = self.sql.split_at_checked(cut).unwrap_or((&self.sql, ""));
        format!("{head} FROM INFILE {} COMPRESSION 'none' {tail}", quote(path))
    }
}

/// A text as SQL string.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name as SQL identifier.
#[must_use]
pub fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

/// A text as value of a `{name:String}` parameter, which the engine reads in TabSeparated form.
#[must_use]
pub fn escape_parameter(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\0', "\\0")
}

#[cfg(test)]
mod tests;
