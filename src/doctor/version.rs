//! Versions as programs print them: `1.1.5+ds1`, `v2.29.7`, `1.4.0-rc.3`, `Python 3.12.4`.

/// A version. Versions are ordered; a release candidate comes before its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    numbers: [u32; 3],
    /// The number of the release candidate; `u32::MAX` for a release.
    candidate: u32,
}

impl Version {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { numbers: [major, minor, patch], candidate: u32::MAX }
    }

    pub const fn candidate(self, number: u32) -> Self {
        Self { candidate: number, ..self }
    }

    pub fn major(self) -> u32 {
        self.numbers[0]
    }

    pub fn minor(self) -> u32 {
        self.numbers[1]
    }

    /// Reads the first word that begins with a number, or with `v` and a number. Suffixes of a distribution do
    /// not count; missing numbers are 0.
    pub fn parse(text: &str) -> Option<Self> {
        let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let mut words = text.split_whitespace().map(|word| word.trim_start_matches('v'));
        let word = words.find(is_version)?.split('+').next()?;
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let (numbers, rest) = word.split_at(end);
        let mut parts = numbers.split('.').filter(|part| !part.is_empty()).map(str::parse);
        let mut next = || parts.next().unwrap_or(Ok(0)).ok();
        let version = Self::new(next()?, next()?, next()?);
        // A release candidate: `-rc.3`, `-rc3`, `~rc93`.
        let rest = rest.trim_start_matches(['-', '~']);
        let candidate = rest.strip_prefix("rc").map(|rest| rest.trim_start_matches('.'));
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        Some(candidate.and_then(digits).map_or(version, |number| version.candidate(number)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if self.candidate == u32::MAX { Ok(()) } else { write!(f, "-rc.{}", self.candidate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_write_them() {
        for (text, shown) in [
            ("1.1.5+ds1", "1.1.5"),
            ("1.6.20~ds1-1+deb12u3", "1.6.20"),
            ("v2.29.7", "2.29.7"),
            ("runc version 1.4.0-rc.3", "1.4.0-rc.3"),
            ("1.0.0~rc93+ds1", "1.0.0-rc.93"),
            ("Python 3.12", "3.12.0"),
        ] {
            assert_eq!(Version::parse(text).map(|version| version.to_string()).as_deref(), Some(shown));
        }
        for text in ["", "unknown", "99999999999.1"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_candidate_comes_before_its_release() {
        let of = |text| Version::parse(text).unwrap();
        let sorted = ["1.1.12", "1.2.8", "1.4.0-rc.2", "1.4.0-rc.3", "1.4.0", "1.10.0"].map(of);
        assert!(sorted.is_sorted(), "{sorted:?}");
    }
}
