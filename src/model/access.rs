//! Who may do what: tokens, their roles, the functions that they are for, and the caller of a request.

use std::{fmt, net::IpAddr, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Digest, FunctionName, TokenName};

/// The rights of a token. Each role has those of the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TokenRole {
    /// Calls functions, and reads what came of it.
    Invoke,
    /// Deploys, reads logs, and sets secrets, too.
    Deploy,
    /// May do everything.
    Admin,
}

impl TokenRole {
    /// All roles, the least one first.
    pub const ALL: [Self; 3] = [Self::Invoke, Self::Deploy, Self::Admin];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Deploy => "deploy",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for TokenRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenRole {
    type Err = InvalidRole;
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| InvalidRole(text.to_owned()))
    }
}

/// An error: the text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a role of a token; accepted are invoke, deploy and admin")]
pub struct InvalidRole(pub String);

/// Functions by their names: a name, in which each `*` stands for any characters, or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FunctionPattern(String);

impl FunctionPattern {
    /// The most characters of a pattern.
    pub const MAX_LENGTH: usize = 63;

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the function is one of them.
    pub fn matches(&self, function: &FunctionName) -> bool {
        matches(&self.0, function.as_str())
    }
}

/// Returns whether `text` is what `pattern` stands for, in which each `*` stands for any characters, or none. It takes
/// no more steps than the product of both lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // The place after the last `*`, and how much of the text that `*` stands for.
    let mut last: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            last = Some((at, read));
        } else if pattern.get(at) == Some(&text[read]) {
            (at, read) = (at + 1, read + 1);
        } else if let Some((after, begun)) = last {
            (at, read) = (after, begun + 1);
            last = Some((after, begun + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl fmt::Display for FunctionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FunctionPattern {
    type Err = InvalidPattern;
    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*".contains(&byte);
        let fits = !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.bytes().all(allowed);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPattern(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for FunctionPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An error: the text is not a pattern for names of functions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a pattern for functions; write a function's name, in which `*` stands for any characters, for example team_*"
)]
pub struct InvalidPattern(pub String);

/// A limit for requests or calls: at most N per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// How many, at least one.
    pub count: NonZeroU32,
    /// The period: a second, a minute or an hour.
    pub per: Duration,
}

/// The periods of rates: in seconds, as they are written, and in words.
const PERIODS: [(u64, &str, &str); 3] =
    [(1, "s", "a second"), (60, "m", "a minute"), (3600, "h", "an hour")];

impl RateLimit {
    /// Returns the limit in words, `100 calls a second` for the noun `call`.
    pub fn in_words(&self, noun: &str) -> String {
        let plural = if self.count.get() == 1 { "" } else { "s" };
        let (_, _, period) = self.period();
        format!("{} {noun}{plural} {period}", self.count)
    }

    fn period(&self) -> (u64, &'static str, &'static str) {
        let per = self.per.as_secs();
        PERIODS.into_iter().find(|(seconds, ..)| *seconds == per).unwrap_or(PERIODS[2])
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, unit, _) = self.period();
        write!(f, "{}/{unit}", self.count)
    }
}

impl FromStr for RateLimit {
    type Err = InvalidRate;
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let (count, unit) = text.split_once('/').ok_or_else(invalid)?;
        let period = PERIODS.into_iter().find(|(_, written, _)| *written == unit);
        let (seconds, ..) = period.ok_or_else(invalid)?;
        let is_plain = count.bytes().all(|byte| byte.is_ascii_digit()) && count.len() <= 7;
        let count = Some(count).filter(|_| is_plain).and_then(|count| count.parse().ok());
        let count: NonZeroU32 = count.ok_or_else(invalid)?;
        Ok(Self { count, per: Duration::from_secs(seconds) })
    }
}

impl Serialize for RateLimit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An error: the text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a rate; write a number from 1 to 9999999 and a period, s, m or h, for example \"100/s\""
)]
pub struct InvalidRate(pub String);

/// The sender of a request, with its rights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The name, as the audit log has it: `token NAME`, `token file of HOST`, or `oidc SUBJECT`.
    pub name: String,
    /// The token's role.
    pub role: TokenRole,
    /// The functions that the token is for; empty for all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionPattern>,
    /// The address that the request came from; none where it came from another role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
}

impl Caller {
    /// Returns the caller of a request that another role, or a program with the internal token, has sent by itself.
    pub fn internal() -> Self {
        Self { name: "internal".to_owned(), role: TokenRole::Admin, functions: Vec::new(), from: None }
    }

    /// Returns whether the token is for this function.
    pub fn reaches(&self, function: &FunctionName) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|pattern| pattern.matches(function))
    }

    /// Returns whether the token is for some functions only.
    pub fn is_limited(&self) -> bool {
        !self.functions.is_empty()
    }

    /// Returns an error in words if the token is not for this function:
    /// `the token 'ci' is for the functions team_*, and not for 'hello'`.
    pub fn check_reaches(&self, function: &FunctionName) -> Result<(), String> {
        if self.reaches(function) {
            return Ok(());
        }
        Err(format!("{}, and not for '{function}'", self.reach_in_words()))
    }

    /// Returns which functions a limited token is for: `the token 'ci' is for the functions team_*`.
    pub fn reach_in_words(&self) -> String {
        let patterns: Vec<&str> = self.functions.iter().map(FunctionPattern::as_str).collect();
        format!("{} is for the functions {}", self.shown(), patterns.join(", "))
    }

    /// Returns the caller as it is called in a sentence: `the token 'ci'`, or `the caller 'oidc alice'`.
    pub fn shown(&self) -> String {
        match self.name.strip_prefix("token ") {
            Some(name) => format!("the token '{name}'"),
            None => format!("the caller '{}'", self.name),
        }
    }
}

/// A stored token, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Its name, unique on the platform.
    pub name: TokenName,
    /// The SHA-256 of its value.
    pub digest: Digest,
    /// Its role.
    pub role: TokenRole,
    /// The functions that it is for; empty for all of them.
    pub functions: Vec<FunctionPattern>,
    /// The limit of its requests; none where there is none.
    pub rate_limit: Option<RateLimit>,
    /// The name of the caller that made it.
    pub created_by: String,
    /// The time when it was made.
    pub created_at: jiff::Timestamp,
    /// The time when it expires; none if it does not.
    pub expires_at: Option<jiff::Timestamp>,
    /// It has expired, by the store's clock.
    pub expired: bool,
    /// The time of its last use, to about a minute; none if it was never used.
    pub last_used_at: Option<jiff::Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_names_that_it_matches() {
        let cases = [
            ("hello", "hello", true),
            ("hello", "hello2", false),
            ("*", "hello", true),
            ("team_*", "team_a", true),
            ("team_*", "team-a", false),
            ("*_job", "nightly_job", true),
            ("a*b*c", "a-x-b-y-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "x", true),
        ];
        for (pattern, name, expected) in cases {
            let pattern: FunctionPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&name.parse().unwrap()), expected, "{pattern} {name}");
        }
        for text in ["", "Hello", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(text.parse::<FunctionPattern>().is_err(), "{text}");
        }
        let hostile = format!("{}b", "*a".repeat(31));
        let name: FunctionName = "a".repeat(63).parse().unwrap();
        assert!(!hostile.parse::<FunctionPattern>().unwrap().matches(&name));
    }

    #[test]
    fn a_rate_is_shown_as_it_is_read() {
        for text in ["1/s", "100/m", "9999999/h"] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        for text in ["", "0/s", "1", "1/d", "-1/s", "+1/s", "1.5/s", "10000000/s", "1/s/s"] {
            let error = text.parse::<RateLimit>().unwrap_err().to_string();
            assert!(error.contains("for example \"100/s\""), "{text}: {error}");
        }
    }

    #[test]
    fn a_rate_is_told_in_words() {
        for (rate, told) in
            [("100/s", "100 calls a second"), ("1/m", "1 call a minute"), ("60/h", "60 calls an hour")]
        {
            assert_eq!(rate.parse::<RateLimit>().unwrap().in_words("call"), told);
        }
    }

    #[test]
    fn each_role_has_the_rights_of_those_before_it() {
        assert!(TokenRole::Admin > TokenRole::Deploy && TokenRole::Deploy > TokenRole::Invoke);
        for role in TokenRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        let error = "Admin".parse::<TokenRole>().unwrap_err().to_string();
        assert_eq!(error, "'Admin' is not a role of a token; accepted are invoke, deploy and admin");
    }

    #[test]
    fn a_limited_token_reaches_its_functions_only() {
        let name = |text: &str| text.parse::<FunctionName>().unwrap();
        let mut caller = Caller::internal();
        assert!(caller.reaches(&name("any")) && !caller.is_limited());
        caller.functions = vec!["a_*".parse().unwrap(), "b".parse().unwrap()];
        assert!(caller.is_limited());
        assert!(caller.reaches(&name("a_1")) && caller.reaches(&name("b")));
        assert!(!caller.reaches(&name("c")));
    }

    #[test]
    fn a_function_that_is_out_of_reach_is_named_beside_those_that_are_not() {
        let name = |text: &str| text.parse::<FunctionName>().unwrap();
        let functions = vec!["team_*".parse().unwrap(), "job".parse().unwrap()];
        let ci = Caller { name: "token ci".to_owned(), functions, ..Caller::internal() };
        assert_eq!(ci.check_reaches(&name("team_a")), Ok(()));
        let told = "the token 'ci' is for the functions team_*, job, and not for 'hello'";
        assert_eq!(ci.check_reaches(&name("hello")), Err(told.to_owned()));
        let alice = Caller { name: "oidc alice".to_owned(), ..ci };
        let told = "the caller 'oidc alice' is for the functions team_*, job, and not for 'hello'";
        assert_eq!(alice.check_reaches(&name("hello")), Err(told.to_owned()));
        assert_eq!(Caller::internal().check_reaches(&name("hello")), Ok(()));
    }
}
