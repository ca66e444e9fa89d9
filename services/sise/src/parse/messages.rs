//! Lines of input to whole messages: a page of a REST interface may stand over many lines.
//!
//! A line that begins with a brace begins a message; indented lines and the closing brace belong to it.

/// A message longer than this is none: the longest page, a list of all symbols, has a tenth of it.
const LONGEST: usize = 8 << 20;

/// Puts lines together.
#[derive(Default)]
pub struct Messages {
    /// Lines of a message that has not ended, and the number of its first.
    open: String,
    first: usize,
}

impl Messages {
    /// What the line, number `line` from 1, completes: messages, each with the number of its first line.
    pub fn line(&mut self, text: &str, line: usize) -> Vec<(String, usize)> {
        let mut whole = Vec::new();
        if !self.open.is_empty() {
            if !text.starts_with('{') && self.open.len() + text.len() < LONGEST {
                self.open.push('\n');
                self.open.push_str(text);
                return if text.starts_with('}') { self.end() } else { whole };
            }
            whole = self.end();
        }
        if text.starts_with('{') && !text.trim_end().ends_with('}') {
            (self.open, self.first) = (text.to_owned(), line);
        } else {
            whole.push((text.to_owned(), line));
        }
        whole
    }

    /// The message that is open, complete or not.
    pub fn end(&mut self) -> Vec<(String, usize)> {
        let open = std::mem::take(&mut self.open);
        if open.is_empty() { Vec::new() } else { vec![(open, self.first)] }
    }
}
