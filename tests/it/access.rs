//! Who may do what: tokens, what their holders see, and the log of what was changed or refused.

mod limited_tokens;
mod rate_limits;
