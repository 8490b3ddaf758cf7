//! The setting `keep_alive`.

/// The time for which idle instances are kept; the manager's `keep_alive.rs` has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlivePolicy {
    /// Idle instances are kept for the `idle_timeout` of their revision; the least recently used one is evicted
    /// first.
    Fixed,
    /// Idle instances are kept for at least that time, and longer if the function's past predicts further
    /// invocations; the least valuable one is evicted first.
    Adaptive,
}

impl KeepAlivePolicy {
    pub const ALL: [Self; 2] = [Self::Fixed, Self::Adaptive];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Adaptive => "adaptive",
        }
    }
}

impl std::str::FromStr for KeepAlivePolicy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        known.ok_or_else(|| "not a keep-alive policy; accepted are fixed and adaptive".to_owned())
    }
}
