//! Cutting a stream of output into lines, within a budget.

use super::line::{Line, MAX_LOG_BYTES};
use crate::model::{LineKind, Stream};

/// The limit of a line, in bytes. A longer one is cut into pieces, so that a guest that never ends a line costs no more
/// memory than this.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The most lines of one invocation: as many as one page of `logs` shows.
pub(super) const MAX_LOG_LINES: usize = 10_000;

/// The amount of output that may still be passed on; output over it is dropped, and one line says so.
pub(super) struct Budget {
    bytes: usize,
    lines: usize,
    dropped: Dropped,
    /// Whether the output has no end at which the dropped lines could be counted.
    endless: bool,
}

#[derive(Default)]
struct Dropped {
    lines: u64,
    bytes: usize,
}

impl Budget {
    /// Returns the budget of output that ends ([`Budget::finish`]): the dropped lines are counted then.
    pub(super) fn new() -> Self {
        let dropped = Dropped::default();
        Self { bytes: MAX_LOG_BYTES, lines: MAX_LOG_LINES, dropped, endless: false }
    }

    /// Returns a budget that is never used up.
    pub(super) fn unlimited() -> Self {
        Self { bytes: usize::MAX, lines: usize::MAX, ..Self::new() }
    }

    /// Returns the budget of the output that an instance prints between invocations.
    pub(super) fn endless() -> Self {
        Self { endless: true, ..Self::new() }
    }

    /// Reports how much was dropped.
    pub(super) fn finish(&mut self, output: &mut dyn FnMut(Line)) {
        let Dropped { lines, bytes } = std::mem::take(&mut self.dropped);
        if lines > 0 && !self.endless {
            output(truncated(&format!(": {lines} lines, {bytes} bytes")));
        }
    }

    /// Passes a line on while there is budget; its line ending counts as one byte.
    fn spend(&mut self, stream: Stream, bytes: &[u8], output: &mut dyn FnMut(Line)) {
        if self.dropped.lines > 0 || self.lines == 0 || bytes.len() >= self.bytes {
            if self.endless && self.dropped.lines == 0 {
                output(truncated(" from here on"));
            }
            self.dropped.lines += 1;
            self.dropped.bytes += bytes.len() + 1;
            return;
        }
        self.bytes -= bytes.len() + 1;
        self.lines -= 1;
        output(Line { stream, text: String::from_utf8_lossy(bytes).into_owned(), kind: None });
    }

    fn is_spent(&self) -> bool {
        self.dropped.lines > 0
    }
}

fn truncated(how_much: &str) -> Line {
    let text = format!(
        "truncated: output over {} KiB or {MAX_LOG_LINES} lines was dropped{how_much}",
        MAX_LOG_BYTES / 1024
    );
    Line { stream: Stream::Platform, text, kind: Some(LineKind::Truncated) }
}

/// One stream's unfinished line.
pub(super) struct Lines {
    stream: Stream,
    partial: Vec<u8>,
    /// The pieces of it that were passed on, and their bytes.
    pieces: usize,
    passed: usize,
}

impl Lines {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, partial: Vec::new(), pieces: 0, passed: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8], budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) if self.pieces == 0 && self.partial.is_empty() && end.len() <= MAX_LINE => {
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

    /// Ends an unfinished line: the stream continues with something else.
    pub(super) fn finish(&mut self, budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        if !self.partial.is_empty() || self.pieces > 0 {
            self.end(budget, output);
        }
    }

    fn extend(&mut self, mut bytes: &[u8], budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (head, rest) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(head);
            let whole = self.partial.len() - begun_character(&self.partial);
            budget.spend(self.stream, &self.partial[..whole], output);
            self.partial.drain(..whole);
            self.pieces += 1;
            self.passed += whole;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn end(&mut self, budget: &mut Budget, output: &mut dyn FnMut(Line)) {
        let (pieces, passed) = (std::mem::take(&mut self.pieces), std::mem::take(&mut self.passed));
        let line = without_return(&self.partial);
        if pieces == 0 || !line.is_empty() {
            budget.spend(self.stream, line, output);
        }
        if pieces > 0 && !budget.is_spent() {
            let (stream, bytes) = (self.stream.as_str(), passed + line.len());
            let pieces = pieces + usize::from(!line.is_empty());
            let text = format!("cut: a line of {stream} with {bytes} bytes is shown in {pieces} pieces");
            output(Line { stream: Stream::Platform, text, kind: Some(LineKind::Cut) });
        }
        self.partial.clear();
    }
}

/// Returns the number of bytes at the end that begin a character of UTF-8 without ending it: they belong to the next
/// piece.
fn begun_character(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|back| bytes[bytes.len() - back] & 0b1100_0000 != 0b1000_0000)
        .filter(|&back| match bytes[bytes.len() - back] {
            0xC2..=0xDF => back < 2,
            0xE0..=0xEF => back < 3,
            0xF0..=0xF4 => back < 4,
            _ => false,
        })
        .unwrap_or(0)
}

/// Merges the output that both streams hold at the same time: a line of each in turn, as they are usually written. A
/// traceback stays in one piece.
#[derive(Default)]
pub(super) struct Turns {
    /// The stream whose turn it is: stdout, 0, or stderr, 1.
    next: usize,
}

impl Turns {
    /// Takes bytes of stdout and stderr, in this order.
    pub(super) fn push(
        &mut self,
        mut chunks: [&[u8]; 2],
        lines: [&mut Lines; 2],
        budget: &mut Budget,
        output: &mut dyn FnMut(Line),
    ) {
        while chunks.iter().all(|chunk| !chunk.is_empty()) {
            let (block, rest) = chunks[self.next].split_at(block(chunks[self.next]));
            lines[self.next].push(block, budget, output);
            chunks[self.next] = rest;
            self.next = 1 - self.next;
        }
        for (stream, chunk) in chunks.into_iter().enumerate().filter(|(_, chunk)| !chunk.is_empty()) {
            lines[stream].push(chunk, budget, output);
            self.next = 1 - stream;
        }
    }
}

/// Returns the length of the first line with the indented ones below it; in a traceback, also of the line that ends it.
fn block(bytes: &[u8]) -> usize {
    let line =
        |rest: &[u8]| rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
    let mut end = line(bytes);
    while let Some(b' ' | b'\t') = bytes.get(end) {
        end += line(&bytes[end..]);
    }
    if bytes.starts_with(b"Traceback ") {
        end += line(&bytes[end..]);
    }
    end
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lines that pieces make, the last one ended.
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

    /// Returns what is read of both streams at once, in the order in which it is passed on.
    fn in_turn(reads: &[[&str; 2]]) -> String {
        let mut seen = String::new();
        let (mut stdout, mut stderr) = (Lines::new(Stream::Stdout), Lines::new(Stream::Stderr));
        let (mut turns, mut budget) = (Turns::default(), Budget::new());
        for chunks in reads {
            let chunks = chunks.map(str::as_bytes);
            let mut output = |line: Line| seen.push_str(&format!("{} ", line.text));
            turns.push(chunks, [&mut stdout, &mut stderr], &mut budget, &mut output);
        }
        seen
    }

    #[test]
    fn lines_of_both_streams_are_passed_on_in_turn() {
        assert_eq!(in_turn(&[["o1\no2\no3\n", "e1\ne2\n"]]), "o1 e1 o2 e2 o3 ");
        assert_eq!(in_turn(&[["o1\n", ""], ["o2\no3\n", "e1\ne2\n"]]), "o1 e1 o2 e2 o3 ");
        assert_eq!(in_turn(&[["", "e1\n"], ["o1\no2\n", "e2\n"]]), "e1 o1 e2 o2 ");
        assert_eq!(in_turn(&[["o1\nhalf", "e1\n"], [" line\n", "e2\n"]]), "o1 e1 e2 half line ");
    }

    #[test]
    fn a_traceback_stays_in_one_piece() {
        let trace = "Traceback (most recent call last):\n  File\n    raise\nValueError: no\nafter\n";
        assert_eq!(
            in_turn(&[["o1\no2\n", trace]]),
            "o1 Traceback (most recent call last):   File     raise ValueError: no o2 after "
        );
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
    fn a_line_without_end_is_cut_and_the_cut_is_marked() {
        let long = vec![b'x'; MAX_LINE * 2 + 5];
        let seen = lines(&[&long[..70_000], &long[70_000..]]);
        assert_eq!(seen.iter().take(3).map(String::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE, 5]);
        assert_eq!(seen[3..], ["cut: a line of stdout with 131077 bytes is shown in 3 pieces"]);
        let exact = vec![b'x'; MAX_LINE];
        assert_eq!(lines(&[&exact, b"\n", b"next\n"]).len(), 2, "nothing was cut");
    }

    #[test]
    fn a_cut_is_between_characters() {
        for character in ["é", "€", "🦀"] {
            for shift in 0..4 {
                let text = "x".repeat(shift) + &character.repeat(MAX_LINE);
                let seen = lines(&[text.as_bytes(), b"\nnext"]);
                let cut = seen.iter().position(|line| line.starts_with("cut: ")).unwrap();
                assert_eq!(seen[..cut].concat(), text);
                assert!(seen[..cut].iter().all(|piece| piece.len() <= MAX_LINE));
                assert_eq!(seen[cut + 1..], ["next"]);
            }
        }
        // Not UTF-8 in any case.
        assert_eq!(lines(&[&vec![0x80; MAX_LINE + 1]]).len(), 3);
    }

    fn flood(budget: &mut Budget, lines_of: impl Iterator<Item = usize>) -> Vec<Line> {
        let mut seen = Vec::new();
        let mut lines = Lines::new(Stream::Stderr);
        for length in lines_of {
            lines.push(&vec![b'y'; length], budget, &mut |line| seen.push(line));
            lines.push(b"\n", budget, &mut |line| seen.push(line));
        }
        budget.finish(&mut |line| seen.push(line));
        seen
    }

    #[test]
    fn without_a_limit_every_line_is_passed_on() {
        let seen = flood(&mut Budget::unlimited(), (0..MAX_LOG_LINES + 2).map(|_| 200));
        assert_eq!(seen.len(), MAX_LOG_LINES + 2);
        assert!(seen.iter().all(|line| line.kind.is_none()));
    }

    #[test]
    fn what_is_over_the_budget_is_one_line_that_counts_it() {
        let seen = flood(&mut Budget::new(), std::iter::repeat_n(1023, 3000));
        assert_eq!(seen.len(), 1025);
        assert_eq!((seen[1024].stream, seen[1024].kind), (Stream::Platform, Some(LineKind::Truncated)));
        let text =
            "truncated: output over 1024 KiB or 10000 lines was dropped: 1976 lines, 2023424 bytes";
        assert_eq!(seen[1024].text, text);
        assert_eq!(flood(&mut Budget::new(), std::iter::repeat_n(5, 3)).len(), 3);
    }

    #[test]
    fn lines_count_however_short_they_are() {
        let seen = flood(&mut Budget::new(), std::iter::repeat_n(0, 1_000_000));
        assert_eq!(seen.len(), MAX_LOG_LINES + 1);
        assert!(seen.last().unwrap().text.ends_with(": 990000 lines, 990000 bytes"));
    }

    #[test]
    fn output_that_has_no_end_is_said_to_be_dropped_where_it_is() {
        let seen = flood(&mut Budget::endless(), std::iter::repeat_n(0, 20_000));
        assert_eq!(seen.len(), MAX_LOG_LINES + 1);
        assert!(seen.last().unwrap().text.ends_with("was dropped from here on"));
    }
}
