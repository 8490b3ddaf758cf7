//! Who may do what: tokens, roles and what is refused.

mod bad_tokens;
mod roles;
mod stored;
