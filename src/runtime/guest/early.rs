//! The output of a sandbox before its guest is connected.

/// The limit of the output kept, in bytes. The newest is kept: an error comes last.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Default)]
pub(in crate::runtime) struct EarlyOutput(Vec<u8>);

impl EarlyOutput {
    pub(in crate::runtime) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let excess = self.0.len().saturating_sub(MAX_BYTES);
        self.0.drain(..excess);
    }

    pub(in crate::runtime) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.0).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_64_kib_are_kept() {
        let mut early = EarlyOutput::default();
        early.push(&[b'a'; MAX_BYTES]);
        early.push(b"the end\n");
        let text = early.into_text();
        assert!(text.ends_with("athe end") && text.len() == MAX_BYTES - 1);
    }
}
