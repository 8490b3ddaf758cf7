//! The meaning of facts: pure functions, a file per group. Nothing here examines the machine.

pub mod backends;
pub mod cgroups;
pub mod clock;
pub mod compose;
pub mod disk;
pub mod engine;
pub mod limits;
pub mod packages;
pub mod platform;
pub mod ports;
pub mod sandbox;
pub mod secrets;
pub mod system;
pub mod tls;

use super::finding::{Finding, Stops, Wanted};

/// Formats a size, such as `1.5 GiB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

/// Formats a list: `a`, `a and b`, `a, b and c`.
fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", rest.join(", "), last.as_ref())
        }
    }
}

/// Makes a sentence of a hint.
fn sentence(hint: &str) -> String {
    let mut letters = hint.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    match hint.starts_with('`') {
        true => format!("Run {hint}."),
        false => format!("{}{}.", first.unwrap_or_default(), letters.as_str()),
    }
}

/// The parts of findings that tests compare.
#[cfg(test)]
fn shown(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let advice = finding.advice.as_ref().map_or_else(String::new, |advice| format!(" | {advice}"));
        format!("{} {}: {}{advice}", finding.status.as_str(), finding.name, finding.found)
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lists_read_well() {
        assert_eq!(size(512), "512 B");
        assert_eq!(size(1536 << 20), "1.5 GiB");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a"]), "a");
    }
}
