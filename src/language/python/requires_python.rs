//! `requires-python` of a project: whether it allows a version of Python (PEP 440), of which only the first two numbers
//! are known.

/// The highest third number of a release that is thought of.
const MAX_PATCH: u64 = 99;

/// Returns whether any release of a version such as `3.12` is allowed; none where the text is not understood.
pub(super) fn allows(text: &str, version: &str) -> Option<bool> {
    let clauses: Vec<Clause> = text
        .split(',')
        .map(str::trim)
        .filter(|clause| !clause.is_empty())
        .map(clause)
        .collect::<Option<_>>()?;
    let minor = numbers(version)?;
    Some((0..=MAX_PATCH).any(|patch| {
        let release = [minor.as_slice(), &[patch]].concat();
        clauses.iter().all(|clause| clause.allows(&release))
    }))
}

struct Clause<'t> {
    operator: &'t str,
    numbers: Vec<u64>,
    /// It ends in `.*`.
    is_prefix: bool,
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let operators = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];
    let operator = operators.into_iter().find(|operator| text.starts_with(operator))?;
    let version = text[operator.len()..].trim();
    let prefix = version.strip_suffix(".*");
    let numbers = numbers(prefix.unwrap_or(version))?;
    let fits = match operator {
        "==" | "!=" => true,
        "~=" => prefix.is_none() && numbers.len() > 1,
        _ => prefix.is_none(),
    };
    fits.then_some(Clause { operator, numbers, is_prefix: prefix.is_some() })
}

/// Returns the numbers of a final release.
fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

impl Clause<'_> {
    fn allows(&self, release: &[u64]) -> bool {
        let begins = |with: &[u64]| with.iter().zip(padded(release, with.len())).all(|(a, b)| *a == b);
        let length = release.len().max(self.numbers.len());
        let order = padded(release, length).cmp(padded(&self.numbers, length));
        match self.operator {
            "==" | "!=" if self.is_prefix => begins(&self.numbers) == (self.operator == "=="),
            "==" | "===" => order.is_eq(),
            "!=" => order.is_ne(),
            "<=" => order.is_le(),
            ">=" => order.is_ge(),
            "<" => order.is_lt(),
            ">" => order.is_gt(),
            _ => order.is_ge() && begins(&self.numbers[..self.numbers.len() - 1]),
        }
    }
}

/// Returns numbers with zeros behind them, which mean the same.
fn padded(numbers: &[u64], length: usize) -> impl Iterator<Item = u64> {
    numbers.iter().copied().chain(std::iter::repeat(0)).take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_excluded_where_no_release_of_it_is_allowed() {
        for (text, allowed) in [
            (">=3.11", true),
            (">=3.12", true),
            (">=3.12.4", true),
            (">=3.13", false),
            (">3.12", true),
            (">3.12.99", false),
            (" >= 3.8 , < 4 ", true),
            (">=3.8,<3.12", false),
            ("<=3.12", true),
            ("<3.12.1", true),
            ("==3.12.*", true),
            ("==3.11.*", false),
            ("==3.*", true),
            ("!=3.12.*", false),
            ("!=3.12.1", true),
            ("~=3.11", true),
            ("~=3.12.2", true),
            ("~=3.11.2", false),
            ("==3.12", true),
            ("===3.12.7", true),
            ("==3.12.7,!=3.12.7", false),
            (">=2.7,!=3.0.*,!=3.1.*", true),
            ("", true),
        ] {
            assert_eq!(allows(text, "3.12"), Some(allowed), "{text}");
        }
        for text in ["^3.11", "3.12", ">=3.x", "~=3", ">=3.*", "~=3.1.*", ">=3.12rc1", ">= "] {
            assert_eq!(allows(text, "3.12"), None, "{text}");
        }
    }
}
