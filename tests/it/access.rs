//! Who may do what.

mod oidc;
mod provider;
mod signer;
