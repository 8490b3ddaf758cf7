//! `cloudfunc.toml`.
