//! `cloudfunc token create` and `token rotate`: the two commands that print a token, as the one line of stdout.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::listed;
use crate::{
    cli::{Error, Output, interrupt::Farewell, target::Target, text},
    model::{
        FunctionPattern, RateLimit, TokenName, TokenRole,
        api::{MadeToken, NewToken, RotateToken, TokenInfo},
    },
    units::parse_duration,
};

/// The longest time for which the previous value of a token may be accepted after a rotation.
const LONGEST_KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest life of a token that ends by itself, in seconds: ten years, as the platform has it.
const LONGEST_LIFE: u64 = 10 * 365 * 24 * 3600;

/// Make a token and print it
///
/// The token is the one line on stdout, and is not shown again: TOKEN=$(cloudfunc token create ci --role deploy) keeps it.
/// Everything else is said on stderr.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Name of the token, by which it is listed and revoked, and under which the audit log has what it did
    name: TokenName,
    /// What it may do: invoke calls functions and reads their results, deploy also deploys, reads logs and sets secrets,
    /// admin may do everything
    #[arg(long, value_name = "ROLE", value_parser = role_parser())]
    role: TokenRole,
    /// Only for functions whose names match: a name, in which each * stands for any characters; may be repeated [default:
    /// all functions]
    #[arg(long = "function", value_name = "PATTERN", value_parser = parse_pattern)]
    functions: Vec<FunctionPattern>,
    /// Time after which it is refused, for example 90d or 12h, or never [default: never]
    #[arg(long, value_name = "DURATION|never", value_parser = parse_expiry)]
    expires: Option<Expiry>,
    /// Most requests in a second, a minute or an hour, of each gateway, for example 100/s [default: no limit]
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<RateLimit>,
}

/// Give a token a new value and print it
///
/// Everything else of it stays: name, role, functions and expiry. The new value is the one line on stdout, and is not shown
/// again.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The token
    name: TokenName,
    /// Accept the previous value for this long, too, for example 1h; at most 7d. Values before that one are refused from now
    /// on, also if an earlier rotation kept them [default: refuse it from now on]
    #[arg(long, value_name = "DURATION", value_parser = parse_keep)]
    keep_old: Option<Duration>,
}

/// The end of a token, as the command line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    Never,
    /// After this many seconds.
    After(u64),
}

fn role_parser() -> impl TypedValueParser<Value = TokenRole> {
    let names = PossibleValuesParser::new(TokenRole::ALL.map(TokenRole::as_str));
    names.map(|name| name.parse::<TokenRole>().expect("one of the names of roles"))
}

fn parse_expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        return Ok(Expiry::Never);
    }
    match parse_duration(text).map(whole_seconds) {
        Ok(0) => Err("a token lasts for at least a second".to_owned()),
        Ok(seconds) if seconds > LONGEST_LIFE => {
            Err("a token lasts for at most 3650d, or with never for all time".to_owned())
        }
        Ok(seconds) => Ok(Expiry::After(seconds)),
        Err(_) => Err(format!("'{text}' is neither a duration, for example 90d or 12h, nor never")),
    }
}

fn parse_keep(text: &str) -> Result<Duration, String> {
    let keep = parse_duration(text)?;
    if keep > LONGEST_KEEP {
        Err("the previous value is accepted for at most 7d".to_owned())
    } else {
        Ok(keep)
    }
}

/// Parses a pattern, and says so where only the case of its letters is wrong.
fn parse_pattern(text: &str) -> Result<FunctionPattern, String> {
    let parsed = text.parse::<FunctionPattern>();
    parsed.map_err(|error| match text.to_ascii_lowercase().parse::<FunctionPattern>() {
        Ok(lower) => {
            format!("'{text}' has an upper-case letter, which no function's name has; write {lower}")
        }
        Err(_) => error.to_string(),
    })
}

/// Returns the seconds of a duration; a part of one counts as a whole one.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl Create {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        if self.role == TokenRole::Admin && !self.functions.is_empty() {
            return Err(Error::usage("a token with the role admin is for all functions")
                .hint("leave out --function, or choose --role deploy or --role invoke"));
        }
        let client = target.client(out)?;
        let new = NewToken {
            name: self.name,
            role: self.role,
            functions: self.functions,
            expires_in_s: match self.expires {
                Some(Expiry::After(seconds)) => Some(seconds),
                Some(Expiry::Never) | None => None,
            },
            rate_limit: self.rate_limit,
        };
        say_on_interrupt(&new.name, "may have been made", out);
        let made = client.create_token(&new).await?;
        out.on_interrupt().clear();
        hand_out(&made, out)?;
        out.note(&described(&made.info));
        if made.info.expires_at.is_none() && self.expires.is_none() {
            out.note("it does not expire; with --expires 90d a token ends by itself");
        }
        finish(out);
        Ok(())
    }
}

impl Rotate {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let kept = self.keep_old.unwrap_or_default();
        say_on_interrupt(&self.name, "may have a new value now", out);
        let rotation = RotateToken { keep_old_s: whole_seconds(kept) };
        let made = client.rotate_token(&self.name, &rotation).await?;
        out.on_interrupt().clear();
        hand_out(&made, out)?;
        out.note(&rotated(&self.name, kept));
        if made.info.expired {
            out.warn(&format!(
                "token '{}' has expired, and a rotation does not change that: revoke it and make another one",
                self.name
            ));
        }
        finish(out);
        Ok(())
    }
}

/// Sets the note of Ctrl-C for the time in which the platform is asked: the value of the token would be lost.
fn say_on_interrupt(name: &TokenName, what: &str, out: &Output) {
    let farewell = Farewell {
        what: format!("token '{name}' {what}, with a value that was not shown"),
        hint: Some(format!(
            "`cloudfunc token list` shows whether it exists; `cloudfunc token rotate {name}` gives it a new value"
        )),
        invocation: None,
    };
    out.on_interrupt().set(std::future::ready(Some(farewell)));
}

/// Prints the value of a token. A value that nobody got is an error, also where the reader of a pipe has gone.
fn hand_out(made: &MadeToken, out: &Output) -> Result<(), Error> {
    let printed = if out.json() { out.document(made) } else { out.line(&made.token) };
    printed.map_err(|error| {
        let name = &made.info.name;
        let what = format!("the value of token '{name}' could not be written, and it is not kept");
        let is_said = error.reason.is_some();
        let error = if is_said { error.context(what) } else { Error::usage(what) };
        error.hint(format!("`cloudfunc token rotate {name}` gives it a new value"))
    })
}

/// Says which values of a token are accepted after a rotation.
fn rotated(name: &TokenName, kept: Duration) -> String {
    match kept.is_zero() {
        true => format!("token '{name}' has a new value; earlier ones are refused from now on"),
        false => format!(
            "token '{name}' has a new value; the previous one is accepted for {} more, and values before that one are refused \
             from now on",
            text::setting(kept)
        ),
    }
}

/// Says what a token is good for.
fn described(token: &TokenInfo) -> String {
    let may = match token.role {
        TokenRole::Invoke => "call functions and read their results",
        TokenRole::Deploy => "deploy and call functions, read logs and set secrets",
        TokenRole::Admin => "do everything",
    };
    let mut text = format!("made token '{}' (role {}): it may {may}", token.name, token.role);
    if !token.functions.is_empty() {
        text += &format!("; only functions {}", listed(&token.functions));
    }
    if let Some(rate) = token.rate_limit {
        text += &format!("; at most {rate}");
    }
    if let Some(at) = token.expires_at {
        text += &format!("; until {}", text::moment(at));
    }
    text
}

fn finish(out: &Output) {
    out.note("the token is not shown again");
    out.next("CLOUDFUNC_TOKEN=… cloudfunc list");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(role: TokenRole) -> TokenInfo {
        TokenInfo {
            name: "ci".parse().unwrap(),
            role,
            functions: Vec::new(),
            rate_limit: None,
            created_by: "token file".to_owned(),
            created_at: "2026-01-31T12:00:00Z".parse().unwrap(),
            expires_at: None,
            expired: false,
            last_used_at: None,
        }
    }

    #[test]
    fn what_a_token_is_good_for_is_said_in_one_line() {
        let mut one = token(TokenRole::Deploy);
        let start =
            "made token 'ci' (role deploy): it may deploy and call functions, read logs and set secrets";
        assert_eq!(described(&one), start);
        one.functions = vec!["team_*".parse().unwrap(), "shop".parse().unwrap()];
        one.rate_limit = Some("100/s".parse().unwrap());
        one.expires_at = Some("2026-05-01T12:00:00Z".parse().unwrap());
        assert_eq!(
            described(&one),
            format!("{start}; only functions team_*, shop; at most 100/s; until 2026-05-01T12:00:00Z")
        );
        assert!(described(&token(TokenRole::Admin)).ends_with("it may do everything"));
    }

    #[test]
    fn an_expiry_is_a_duration_or_never() {
        assert_eq!(parse_expiry("never"), Ok(Expiry::Never));
        assert_eq!(parse_expiry("90d"), Ok(Expiry::After(90 * 24 * 3600)));
        assert_eq!(parse_expiry("1500ms"), Ok(Expiry::After(2)));
        assert_eq!(parse_expiry("0s").unwrap_err(), "a token lasts for at least a second");
        assert_eq!(
            parse_expiry("90").unwrap_err(),
            "'90' is neither a duration, for example 90d or 12h, nor never"
        );
        assert_eq!(parse_expiry("3650d"), Ok(Expiry::After(LONGEST_LIFE)));
        assert_eq!(
            parse_expiry("3651d").unwrap_err(),
            "a token lasts for at most 3650d, or with never for all time"
        );
        assert_eq!(parse_keep("7d"), Ok(LONGEST_KEEP));
        assert_eq!(parse_keep("8d").unwrap_err(), "the previous value is accepted for at most 7d");
    }
    #[test]
    fn a_rotation_says_which_values_are_refused() {
        let name = "ci".parse().unwrap();
        assert_eq!(
            rotated(&name, Duration::ZERO),
            "token 'ci' has a new value; earlier ones are refused from now on"
        );
        assert_eq!(
            rotated(&name, Duration::from_secs(3600)),
            "token 'ci' has a new value; the previous one is accepted for 1h more, and values before that one are refused \
             from now on"
        );
    }

    #[test]
    fn a_pattern_with_capitals_is_told_so() {
        assert_eq!(parse_pattern("team_*").unwrap().as_str(), "team_*");
        assert_eq!(
            parse_pattern("Team_*").unwrap_err(),
            "'Team_*' has an upper-case letter, which no function's name has; write team_*"
        );
        assert!(
            parse_pattern("Team!").unwrap_err().starts_with("'Team!' is not a pattern for functions; ")
        );
    }
}
