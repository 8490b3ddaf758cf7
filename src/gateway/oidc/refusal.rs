//! The reasons for which a token of a provider is refused, and the answers to its sender.

use jiff::Timestamp;

use super::crypto::ACCEPTED;
use crate::{
    http::Rejected,
    model::{Digest, Problem, code},
};

/// The pause that a sender is asked for while the provider does not answer, in seconds.
const AWAY: u64 = 10;
/// The most characters of a token that a message repeats.
const SHOWN: usize = 128;

/// A reason. Texts of the token in it were made fit to be shown by [`shown`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the OIDC token is longer than 16 KiB")]
    TooLong,
    #[error("the OIDC token is not a JWT: {0}")]
    NoJwt(&'static str),
    #[error("the OIDC token is of the type '{0}'; accepted are JWT and at+jwt")]
    Kind(String),
    #[error("the OIDC token has the header `crit`, and no extension of JWTs is supported")]
    Extension,
    #[error("the OIDC token is signed with the algorithm '{0}'; accepted are {accepted}", accepted = ACCEPTED)]
    Algorithm(String),
    #[error("the OIDC token is signed with an algorithm that its key is not for")]
    OtherAlgorithm,
    #[error("the OIDC token is signed with the key '{0}', which the provider does not have")]
    UnknownKey(String),
    #[error(
        "the OIDC token is signed with the key '{key}', which the provider did not have when its keys were last read; \
         they are read again in {again_in} s at the earliest"
    )]
    NotReadSince { key: String, again_in: u64 },
    #[error("the OIDC token names no key (`kid`), and the provider has several")]
    WhichKey,
    #[error("the signature of the OIDC token is wrong")]
    Signature,
    #[error("the OIDC token has no claim `{0}`")]
    NoClaim(&'static str),
    #[error("the claim `{name}` of the OIDC token is not {expected}")]
    ClaimType { name: &'static str, expected: &'static str },
    #[error("the OIDC token was issued by '{issuer}', and this platform accepts '{accepted}'")]
    Issuer { issuer: String, accepted: String },
    #[error("the OIDC token is not for the audience of this platform, '{accepted}'")]
    Audience { accepted: String },
    #[error("the OIDC token expired at {at}, and this host's clock says {now}")]
    Expired { at: String, now: Timestamp },
    #[error("the OIDC token is valid from {from}, and this host's clock says {now}: check the clocks")]
    TooEarly { from: String, now: Timestamp },
    #[error("no rule of --oidc-roles gives the OIDC token a role; it has the claims {claims}")]
    NoRole {
        /// The name of the caller, who is known, as the signature is right.
        caller: String,
        claims: String,
    },
    #[error("the keys of the OIDC provider are not known: they cannot be read")]
    NoKeys,
    #[error(
        "the OIDC token is signed with a key that is not known yet, and the keys of the OIDC provider cannot be read"
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
            Self::NotReadSince { .. } => {
                (code::UNAVAILABLE, "send it again then: the provider may have changed its keys")
            }
            Self::Expired { .. } => (code::UNAUTHORIZED, "get another token from the provider"),
            Self::TooEarly { .. } => {
                (code::UNAUTHORIZED, "a token is accepted from 60 s before that time on")
            }
            _ => (code::UNAUTHORIZED, "docs/oidc.md says what is checked"),
        };
        let retry_after = match &self {
            Self::NoKeys | Self::Away | Self::Crowded => Some(AWAY),
            Self::NotReadSince { again_in, .. } => Some(*again_in),
            _ => None,
        };
        let problem = Problem::new(code, self.to_string()).hint(hint);
        match retry_after {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        }
    }

    /// Returns the answer to the request, with the name of its caller where that is known.
    pub fn rejected(self) -> Rejected {
        let caller = match &self {
            Self::NoRole { caller, .. } => Some(caller.clone()),
            _ => None,
        };
        Rejected { failure: self.problem().into(), caller }
    }
}

/// Returns a text of a token as a message shows it: cut, and without characters that cannot be printed.
pub fn shown(text: &str) -> String {
    text.chars().take(SHOWN).map(printable).collect()
}

/// Returns the name of the caller with this subject. Each subject has its own: where the text is not shown as it is, a part of
/// its digest is added.
pub fn caller_name(subject: &str) -> String {
    let text = shown(subject);
    // A subject that has the replacement character itself looks like another one, too.
    if text == subject && !text.contains(char::REPLACEMENT_CHARACTER) {
        return format!("oidc {text}");
    }
    format!("oidc {text} (sha256 {})", Digest::of(subject.as_bytes()).short())
}

/// Returns the character, or a sign in place of one that cannot be seen, or changes how others are shown.
fn printable(c: char) -> char {
    // Those that have no other escape than that by their number: quotes and backslashes have their own.
    let is_hidden = matches!(c.escape_debug().nth(1), Some('u' | 'n' | 'r' | 't' | '0'));
    if is_hidden { char::REPLACEMENT_CHARACTER } else { c }
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
                "the OIDC token is signed with the algorithm 'none'; accepted are RS256, RS384, RS512, PS256, PS384, \
                 PS512, ES256, ES384 and EdDSA",
            ),
            (
                Refusal::TooEarly { from: "2027-01-15T08:10:00Z".to_owned(), now },
                401,
                "the OIDC token is valid from 2027-01-15T08:10:00Z, and this host's clock says \
                 2027-01-15T08:00:00Z: check the clocks",
            ),
            (
                Refusal::NoRole { caller: "oidc ann".to_owned(), claims: "iss and sub".to_owned() },
                403,
                "no rule of --oidc-roles gives the OIDC token a role; it has the claims iss and sub",
            ),
            (
                Refusal::NotReadSince { key: "new".to_owned(), again_in: 10 },
                503,
                "the OIDC token is signed with the key 'new', which the provider did not have when its keys were last \
                 read; they are read again in 10 s at the earliest",
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
    fn texts_of_a_token_are_cut_and_can_be_printed() {
        assert_eq!(
            shown("a\u{7f}b\n\u{9b}c\0\r\t"),
            "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(shown("a\u{202e}b\u{200b}c\u{2028}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        let plain = "repo:octo/app:ref:refs/heads/'main' \"ü\" \\ 日本 n u t 0";
        assert_eq!(shown(plain), plain);
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), 128);
    }

    #[test]
    fn two_subjects_are_never_one_caller() {
        assert_eq!(caller_name("repo:octo/app"), "oidc repo:octo/app");
        let same = "x".repeat(128);
        assert_eq!(caller_name(&same), format!("oidc {same}"));
        let cut = format!("oidc {same} (sha256 ");
        let odd = "oidc a\u{fffd} (sha256 ";
        for (one, other, begins) in [
            (format!("{same}a"), format!("{same}b"), cut.as_str()),
            ("a\n".to_owned(), "a\u{200b}".to_owned(), odd),
            ("a\n".to_owned(), "a\u{fffd}".to_owned(), odd),
            ("a\n".to_owned(), caller_name("a\n")["oidc ".len()..].to_owned(), odd),
        ] {
            let (one, other) = (caller_name(&one), caller_name(&other));
            assert_ne!(one, other);
            for name in [one, other] {
                assert!(name.starts_with(begins) && name.ends_with(')'), "{name}");
            }
        }
    }
}
