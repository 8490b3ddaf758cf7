//! What an instance writes while its code is loaded.

use jiff::Timestamp;

use super::sink::Sink;
use crate::runtime::Line;

/// Output of an instance while its code was loaded, with the times: it belongs to the invocation that waited
/// for that, which is known afterwards. No more than one exchange's bound.
#[derive(Default)]
pub struct LoadOutput(Vec<(Timestamp, Line)>);

/// Limit of the last output in an error's message.
const TAIL_LINES: usize = 5;
const TAIL_CHARACTERS: usize = 500;

impl LoadOutput {
    /// Keeps a line that was written at `ts`.
    pub fn push(&mut self, ts: Timestamp, line: Line) {
        self.0.push((ts, line));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers how many lines there were.
    pub fn write(self, mut sink: Sink<'_>) -> u64 {
        for (ts, line) in self.0 {
            sink.write_at(ts, line);
        }
        sink.lines
    }

    /// All of it, a line each.
    pub fn text(&self) -> String {
        self.0.iter().map(|(_, line)| format!("{}\n", line.text)).collect()
    }

    /// The last lines in one, for an error's message.
    pub fn tail(&self) -> Option<String> {
        let texts = self.0.iter().map(|(_, line)| line.text.trim()).filter(|text| !text.is_empty());
        let last: Vec<&str> = texts.rev().take(TAIL_LINES).collect();
        let tail = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        let excess = tail.chars().count().saturating_sub(TAIL_CHARACTERS);
        match excess {
            0 => Some(tail).filter(|tail| !tail.is_empty()),
            _ => Some(tail.chars().skip(excess).fold("…".to_owned(), |mut cut, next| {
                cut.push(next);
                cut
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stream;

    #[test]
    fn the_tail_of_a_load_is_its_last_lines_within_a_bound() {
        let mut output = LoadOutput::default();
        assert_eq!(output.tail(), None);
        for text in ["1", "2", "", "3", "4", "5", "6 "] {
            output.push(
                Timestamp::UNIX_EPOCH,
                Line { stream: Stream::Stderr, text: text.to_owned(), kind: None },
            );
        }
        assert_eq!(output.tail().unwrap(), "2 / 3 / 4 / 5 / 6");
        output.push(
            Timestamp::UNIX_EPOCH,
            Line { stream: Stream::Stderr, text: "x".repeat(10_000), kind: None },
        );
        let tail = output.tail().unwrap();
        assert_eq!((tail.chars().count(), tail.starts_with("…x")), (TAIL_CHARACTERS + 1, true));
    }
}
