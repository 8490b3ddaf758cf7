//! The output of a build, as far as it is told line by line.

/// The most of it that is told, in bytes, as of an invocation: each line is a message.
const MAX_BYTES: usize = 1 << 20;
/// The most lines of it that are told.
const MAX_LINES: usize = 10_000;

/// The output that was told so far.
#[derive(Default)]
pub(super) struct Told {
    bytes: usize,
    lines: usize,
}

impl Told {
    /// Counts a line; returns what is told of it: `further` once, where the limit is passed.
    pub fn shown(&mut self, line: String, further: &str) -> Option<String> {
        let was_told = self.is_told();
        self.bytes += line.len() + 1;
        self.lines += 1;
        match self.is_told() {
            true => Some(line),
            false => was_told.then(|| further.to_owned()),
        }
    }

    fn is_told(&self) -> bool {
        self.bytes <= MAX_BYTES && self.lines <= MAX_LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_output_the_beginning_is_told() {
        let mut told = Told::default();
        for _ in 0..MAX_LINES {
            assert_eq!(told.shown(String::new(), "more").unwrap(), "");
        }
        assert_eq!(told.shown(String::new(), "more").unwrap(), "more");
        assert_eq!(told.shown(String::new(), "more"), None);
        let mut told = Told::default();
        let line = "x".repeat(MAX_BYTES - 1);
        assert_eq!(told.shown(line.clone(), "more"), Some(line));
        assert_eq!(told.shown(String::new(), "more").unwrap(), "more");
        assert_eq!(told.shown(String::new(), "more"), None);
    }
}
