//! The parts of an invocation's time.

use std::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::rounded;

/// The phases of one invocation, in order. Every warm one has three, which need no memory of their own.
pub type Phases = SmallVec<[Phase; 3]>;

/// A part of an invocation's time, in milliseconds since it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phase {
    /// The name.
    pub name: PhaseName,
    /// The time from acceptance to its start, in milliseconds.
    #[serde(serialize_with = "rounded::value")]
    pub start_ms: f64,
    /// Its length in milliseconds.
    #[serde(serialize_with = "rounded::value")]
    pub duration_ms: f64,
}

/// The name of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// It was checked and published.
    Admit,
    /// It waited for a manager and an instance.
    Queue,
    /// The sandbox was started.
    Start,
    /// The code was loaded.
    Load,
    /// The function ran.
    Run,
    /// One that a newer version knows.
    #[serde(other)]
    Other,
}

impl PhaseName {
    /// All that this version knows, in the order in which they happen.
    pub const ALL: [Self; 5] = [Self::Admit, Self::Queue, Self::Start, Self::Load, Self::Run];

    /// Returns the name as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Queue => "queue",
            Self::Start => "start",
            Self::Load => "load",
            Self::Run => "run",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<&str> for PhaseName {
    fn from(text: &str) -> Self {
        Self::ALL.into_iter().find(|name| name.as_str() == text).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_written_and_read_as_it_always_was() {
        let json = r#"[{"name":"admit","start_ms":0.0,"duration_ms":0.021},{"name":"run","start_ms":0.021,"duration_ms":1.5}]"#;
        let phases: Phases = serde_json::from_str(json).unwrap();
        assert_eq!(phases[1], Phase { name: PhaseName::Run, start_ms: 0.021, duration_ms: 1.5 });
        assert_eq!(serde_json::to_string(&phases).unwrap(), json);
        for name in PhaseName::ALL {
            assert_eq!(PhaseName::from(name.as_str()), name);
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        assert!(!phases.spilled());
    }

    #[test]
    fn a_phase_of_a_newer_version_can_be_read() {
        assert_eq!(PhaseName::from("thaw"), PhaseName::Other);
        assert_eq!(serde_json::from_str::<PhaseName>(r#""thaw""#).unwrap(), PhaseName::Other);
    }
}
