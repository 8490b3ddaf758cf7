//! The reasons for which a token of a provider is refused, and what its sender is told.

use jiff::Timestamp;

use super::crypto::ACCEPTED;
use crate::model::{Problem, code};

/// The pause that a sender is asked for while the provider does not answer, in seconds.
const AWAY: u64 = 10;
/// The most characters of a token that a message repeats.
const SHOWN: usize = 128;

/// A reason. Texts of the token in it were made fit to be shown by [`shown`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the token of OIDC is longer than 16 KiB")]
    TooLong,
    #[error("the token of OIDC is not a JWT: {0}")]
    NoJwt(&'static str),
    #[error("the token of OIDC is of the type '{0}'; accepted are JWT and at+jwt")]
    Kind(String),
    #[error("the token of OIDC has the header `crit`, and no extension of JWTs is supported")]
    Extension,
    #[error("the token of OIDC is signed with the algorithm '{0}'; accepted are {accepted}", accepted = ACCEPTED)]
    Algorithm(String),
    #[error("the token of OIDC is signed with an algorithm that its key is not for")]
    OtherAlgorithm,
    #[error("the token of OIDC is signed with the key '{0}', which the provider does not have")]
    UnknownKey(String),
    #[error("the token of OIDC names no key (`kid`), and the provider has several")]
    WhichKey,
    #[error("the signature of the token of OIDC is wrong")]
    Signature,
    #[error("the token of OIDC has no claim `{0}`")]
    NoClaim(&'static str),
    #[error("the claim `{name}` of the token of OIDC is not {expected}")]
    ClaimType { name: &'static str, expected: &'static str },
    #[error("the token of OIDC was issued by '{issuer}', and this platform accepts '{accepted}'")]
    Issuer { issuer: String, accepted: String },
    #[error("the token of OIDC is not for the audience of this platform, '{accepted}'")]
    Audience { accepted: String },
    #[error("the token of OIDC expired at {at}, and this host's clock says {now}")]
    Expired { at: String, now: Timestamp },
    #[error(
        "the token of OIDC is valid from {from}, and this host's clock says {now}: check the clocks"
    )]
    TooEarly { from: String, now: Timestamp },
    #[error("no rule of --oidc-roles gives the token of OIDC a role; it has the claims {claims}")]
    NoRole { claims: String },
    #[error("the keys of the OIDC provider are not known: they cannot be read")]
    NoKeys,
    #[error(
        "the token of OIDC is signed with a key that is not known yet, and the keys of the OIDC provider cannot be read"
    )]
    Away,
    #[error("too many requests wait for new keys of the OIDC provider")]
    Crowded,
}

impl Refusal {
    /// Returns the answer to the request.
    pub fn problem(self) -> Problem {
        let (code, hint) = match &self {
            Self::NoRole { .. } => (code::FORBIDDEN, "ask the operator of the platform for a rule"),
            Self::NoKeys | Self::Away | Self::Crowded => (
                code::UNAVAILABLE,
                "tokens of the platform's own work; the gateway's log says what is wrong",
            ),
            Self::Expired { .. } => (code::UNAUTHORIZED, "get another token from the provider"),
            Self::TooEarly { .. } => {
                (code::UNAUTHORIZED, "a token is accepted from 60 s before that time on")
            }
            _ => (code::UNAUTHORIZED, "docs/oidc.md says what is checked"),
        };
        let is_away = code == code::UNAVAILABLE;
        let problem = Problem::new(code, self.to_string()).hint(hint);
        if is_away { problem.retry_after(AWAY) } else { problem }
    }
}

/// Returns a text of a token as a message shows it: cut, and without control characters.
pub fn shown(text: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(SHOWN).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whose_turn_it_is() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (refusal, status, detail) in [
            (
                Refusal::Algorithm("none".to_owned()),
                401,
                "the token of OIDC is signed with the algorithm 'none'; accepted are RS256, RS384, RS512, PS256, PS384, \
                 PS512, ES256, ES384 and EdDSA",
            ),
            (
                Refusal::TooEarly { from: "2027-01-15T08:10:00Z".to_owned(), now },
                401,
                "the token of OIDC is valid from 2027-01-15T08:10:00Z, and this host's clock says \
                 2027-01-15T08:00:00Z: check the clocks",
            ),
            (
                Refusal::NoRole { claims: "iss and sub".to_owned() },
                403,
                "no rule of --oidc-roles gives the token of OIDC a role; it has the claims iss and sub",
            ),
            (Refusal::NoKeys, 503, "the keys of the OIDC provider are not known: they cannot be read"),
        ] {
            let problem = refusal.problem();
            assert_eq!((problem.status, problem.detail.as_str()), (status, detail));
            assert_eq!(problem.retry_after, (status == 503).then_some(10));
            assert!(problem.hint.is_some());
        }
    }

    #[test]
    fn texts_of_a_token_are_cut_and_have_no_control_characters() {
        assert_eq!(shown("a\u{7f}b\n\u{9b}c"), "a\u{fffd}b\u{fffd}\u{fffd}c");
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), 128);
    }
}
