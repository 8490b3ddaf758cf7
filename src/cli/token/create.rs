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

/// The longest time for which the old text of a token may be accepted after a rotation.
const LONGEST_KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Make a token and print it
///
/// The token is the one line on stdout, and this is the only time that it is shown: TOKEN=$(cloudfunc token create ci
/// --role deploy) keeps it. Everything else is said on stderr.
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
    #[arg(long = "function", value_name = "PATTERN")]
    functions: Vec<FunctionPattern>,
    /// Time after which it is refused, for example 90d or 12h, or never [default: never]
    #[arg(long, value_name = "DURATION|never", value_parser = parse_expiry)]
    expires: Option<Expiry>,
    /// Most requests in a second, a minute or an hour, of each gateway, for example 100/s [default: no limit]
    #[arg(long, value_name = "RATE")]
    rate_limit: Option<RateLimit>,
}

/// Give a token another text and print it
///
/// Everything else of it stays: name, role, functions and expiry. The new text is the one line on stdout, and this is the
/// only time that it is shown.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The token
    name: TokenName,
    /// Accept the old text for this long, too, for example 1h; at most 7d [default: refuse it from now on]
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
        Ok(seconds) => Ok(Expiry::After(seconds)),
        Err(_) => Err(format!("'{text}' is neither a duration, for example 90d or 12h, nor never")),
    }
}

fn parse_keep(text: &str) -> Result<Duration, String> {
    let keep = parse_duration(text)?;
    if keep > LONGEST_KEEP { Err("an old text is accepted for at most 7d".to_owned()) } else { Ok(keep) }
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
        say_on_interrupt(&self.name, "may have another text now", out);
        let rotation = RotateToken { keep_old_s: whole_seconds(kept) };
        let made = client.rotate_token(&self.name, &rotation).await?;
        out.on_interrupt().clear();
        hand_out(&made, out)?;
        out.note(&match kept.is_zero() {
            true => {
                format!("token '{}' has another text; the old one is refused from now on", self.name)
            }
            false => format!(
                "token '{}' has another text; the old one is accepted for {} more",
                self.name,
                text::setting(kept)
            ),
        });
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

/// What Ctrl-C says while the platform is asked: the text of the token would be lost.
fn say_on_interrupt(name: &TokenName, what: &str, out: &Output) {
    let farewell = Farewell {
        what: format!("token '{name}' {what}, with a text that was not shown"),
        hint: Some(format!(
            "`cloudfunc token list` shows whether it exists; `cloudfunc token rotate {name}` gives it another text"
        )),
        invocation: None,
    };
    out.on_interrupt().set(std::future::ready(Some(farewell)));
}

/// Prints the text of a token. A text that nobody got is an error, also where the reader of a pipe has gone.
fn hand_out(made: &MadeToken, out: &Output) -> Result<(), Error> {
    let printed = if out.json() { out.document(made) } else { out.line(&made.token) };
    printed.map_err(|error| {
        let name = &made.info.name;
        let what = format!("the text of token '{name}' could not be written, and it is not kept");
        let is_said = error.reason.is_some();
        let error = if is_said { error.context(what) } else { Error::usage(what) };
        error.hint(format!("`cloudfunc token rotate {name}` gives it another text"))
    })
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
    out.note("this is the only time that it is shown");
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
        assert_eq!(parse_keep("7d"), Ok(LONGEST_KEEP));
        assert_eq!(parse_keep("8d").unwrap_err(), "an old text is accepted for at most 7d");
    }
}
