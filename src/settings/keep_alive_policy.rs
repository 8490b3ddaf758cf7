//! The setting `keep_alive`.

/// How long idle instances are kept; what that means in full stands in the manager's `keep_alive.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlivePolicy {
    /// For the `idle_timeout` of their revision; the least recently used one is evicted first.
    Fixed,
    /// For at least that, and longer where the function's past says that it will be wanted again; the one
    /// that is worth least is evicted first.
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
