//! Cuts a stream of output into lines, within a budget.

use super::guest::{Line, MAX_LOG_BYTES};
use crate::model::Stream;

/// A longer line is cut in pieces of this many bytes, so that a guest that never ends a line costs no
/// more memory than this.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// How much output may still be passed on; what is over it is dropped after one line that says so.
pub(super) struct Budget {
    left: usize,
    truncated: bool,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: MAX_LOG_BYTES, truncated: false }
    }

    /// Passes a line on while there is budget, its line ending counted as one byte.
    fn spend(&mut self, stream: Stream, bytes: &[u8], output: &mut dyn FnMut(Line)) {
        if self.truncated {
            return;
        }
        if bytes.len() >= self.left {
            self.truncated = true;
            let text = format!("truncated: output over {} KiB was dropped", MAX_LOG_BYTES / 1024);
            output(Line { stream: Stream::Platform, text });
            return;
        }
        self.left -= bytes.len() + 1;
        output(Line { stream, text: String::from_utf8_lossy(bytes).into_owned() });
    }
}

/// One stream's unfinished line.
pub(super) struct Lines {
    stream: Stream,
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, partial: Vec::new() }
    }

    pub(super) fn push(&mut self, bytes: &[u8], budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) if self.partial.is_empty() && end.len() <= MAX_LINE => {
                    budget.spend(self.stream, without_return(end), output);
                }
                Some(end) => {
                    self.extend(end, budget, output);
                    self.end(budget, output);
                }
                None => self.extend(piece, budget, output),
            }
        }
    }

    /// Ends an unfinished line: what follows on the stream belongs to something else.
    pub(super) fn finish(&mut self, budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        if !self.partial.is_empty() {
            self.end(budget, output);
        }
    }

    fn extend(&mut self, mut bytes: &[u8], budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (head, rest) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(head);
            budget.spend(self.stream, &self.partial, output);
            self.partial.clear();
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn end(&mut self, budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        budget.spend(self.stream, without_return(&self.partial), output);
        self.partial.clear();
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that come of pieces, the last one ended.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut lines = Lines::new(Stream::Stdout);
        let mut budget = Budget::new();
        let mut output = |line: Line| seen.push(line.text);
        for piece in pieces {
            lines.push(piece, &mut budget, &mut output);
        }
        lines.finish(&mut budget, &mut output);
        seen
    }

    #[test]
    fn a_line_is_put_together_from_reads() {
        assert_eq!(lines(&[b"on", b"e\ntw", b"o\r\n\n", b"three"]), ["one", "two", "", "three"]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; MAX_LINE * 2 + 5];
        let seen: Vec<_> = lines(&[&long[..70_000], &long[70_000..]]).iter().map(String::len).collect();
        assert_eq!(seen, [MAX_LINE, MAX_LINE, 5]);
    }

    #[test]
    fn what_is_over_the_budget_is_one_line() {
        let mut seen = Vec::new();
        let mut lines = Lines::new(Stream::Stderr);
        let mut budget = Budget::new();
        for _ in 0..3000 {
            lines.push(&[b'y'; 1023], &mut budget, &mut |line| seen.push(line));
            lines.push(b"\n", &mut budget, &mut |line| seen.push(line));
        }
        assert_eq!(seen.len(), 1025);
        assert_eq!(seen[1024].stream, Stream::Platform);
        assert!(seen[1024].text.starts_with("truncated"));
    }
}
