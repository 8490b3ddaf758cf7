//! `cloudfunc audit-log`

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::{
    Error, Output, Style, escape,
    target::Target,
    text::{exact_moment, parse_since},
};
use crate::{
    client::{AuditQuery, Client},
    model::{AuditEntry, AuditOutcome, TokenName, audit::action},
};

/// The number of entries that are printed unless --tail says otherwise.
const USUAL: u32 = 100;
/// The most entries that one request asks for.
const PAGE: u32 = 1000;
/// The most entries that are printed.
const MOST: u32 = 1_000_000;
/// Callers that are neither tokens nor users, and have plain names.
const NO_TOKENS: [&str; 2] = ["unknown", "internal"];

/// Print who changed something, or was refused, oldest first
///
/// Changes are deploys, rollbacks, deletions, and those of tokens and secrets; calls of functions are not in it. Refused are
/// requests without a valid token, and those that a token may not send; equal ones of a minute are one entry. The last 100
/// entries are printed, or as many as --tail says. With --json, each entry is a line. Control characters are escaped.
/// activate is a rollback, and report-warm a request of the classic API that reported a function as warm or cold.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only entries since then, for example 24h, 2026-01-31 (UTC) or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Only entries of this caller: a token's name, or a caller as the log has it, for example 'token ci' or 'oidc ann'
    #[arg(long, value_name = "NAME", value_parser = parse_caller)]
    caller: Option<String>,
    /// Only entries with this action
    #[arg(long, value_name = "ACTION", value_parser = PossibleValuesParser::new(action::ALL.iter().copied()))]
    action: Option<String>,
    /// Only entries about this function, token or secret
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only what was refused
    #[arg(long, conflicts_with = "done")]
    refused: bool,
    /// Only what was done
    #[arg(long)]
    done: bool,
    /// Number of last entries [default: 100]
    #[arg(long, value_name = "N", value_parser = parse_tail)]
    tail: Option<u32>,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let (entries, has_older) = self.last(&client).await?;
        if entries.is_empty() {
            out.note(self.nothing());
        }
        for entry in &entries {
            match out.json() {
                true => out.json_line(entry)?,
                false => out.line(&line(entry, out))?,
            }
        }
        if has_older && self.tail.is_none() {
            out.notice(&format!("older entries are not shown; --tail {PAGE} shows more of them"));
        }
        out.next(self.next(entries.is_empty()));
        Ok(())
    }

    /// Returns the note for a selection without entries.
    fn nothing(&self) -> &'static str {
        if self.caller.is_some() {
            "no entry matches; callers are tokens (ci), or as the log has them ('token ci', 'oidc ann')"
        } else if self.target.is_some() {
            "no entry matches; targets are the names of functions, tokens and secrets"
        } else if self.is_filtered() {
            "no entry matches"
        } else {
            "nothing was changed or refused yet"
        }
    }

    fn next(&self, is_empty: bool) -> &'static str {
        match (is_empty, self.is_filtered()) {
            (true, true) => "cloudfunc audit-log",
            (true, false) => "cloudfunc list",
            _ if self.refused => "cloudfunc token list",
            _ => "cloudfunc audit-log --refused",
        }
    }

    /// Returns the last entries, oldest first, and whether there are older ones.
    async fn last(&self, client: &Client) -> Result<(Vec<AuditEntry>, bool), Error> {
        let wanted = self.tail.unwrap_or(USUAL);
        let (mut entries, mut cursor) = (Vec::new(), None);
        let has_older = loop {
            let missing = wanted - u32::try_from(entries.len()).unwrap_or(wanted);
            let query =
                AuditQuery { cursor: cursor.take(), limit: Some(missing.min(PAGE)), ..self.query() };
            let page = client.audit_log(&query).await?;
            entries.extend(page.items.into_iter().take(missing as usize));
            match page.next {
                Some(next) if entries.len() < wanted as usize => cursor = Some(next),
                next => break next.is_some(),
            }
        };
        entries.reverse();
        Ok((entries, has_older))
    }

    fn query(&self) -> AuditQuery {
        AuditQuery {
            since: self.since,
            caller: self.caller.clone(),
            action: self.action.clone(),
            target: self.target.clone(),
            outcome: match (self.refused, self.done) {
                (true, _) => Some(AuditOutcome::Refused),
                (_, true) => Some(AuditOutcome::Done),
                (false, false) => None,
            },
            ..AuditQuery::default()
        }
    }

    fn is_filtered(&self) -> bool {
        let Self { since, caller, action, target, refused, done, .. } = self;
        let texts = [caller, action, target];
        since.is_some() || texts.iter().any(|text| text.is_some()) || *refused || *done
    }
}

/// Takes the plain name of a token for the name of its caller.
fn parse_caller(text: &str) -> Result<String, std::convert::Infallible> {
    let is_token = text.parse::<TokenName>().is_ok() && !NO_TOKENS.contains(&text);
    Ok(if is_token { format!("token {text}") } else { text.to_owned() })
}

fn parse_tail(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST).contains(count));
    count.ok_or_else(|| format!("write a number of entries from 1 to {MOST}"))
}

fn line(entry: &AuditEntry, out: &Output) -> String {
    let outcome = format!("{:<7}", entry.entry.outcome.as_str());
    let outcome = match entry.entry.outcome {
        AuditOutcome::Done => outcome,
        AuditOutcome::Refused => out.style(Style::Yellow, &outcome),
    };
    format!("{} {outcome} {}", out.style(Style::Dim, &exact_moment(entry.at)), told(entry))
}

/// Formats an entry without its time and outcome: `deploy hello by token ci (deploy) from 10.0.0.7: revision 3`. Names and
/// details come from callers, and may not begin a line of their own in a pipe either.
fn told(entry: &AuditEntry) -> String {
    let entry = &entry.entry;
    let mut text = escape::line(&entry.action).into_owned();
    if let Some(target) = &entry.target {
        text = format!("{text} {}", escape::line(target));
    }
    text = format!("{text} by {}", escape::line(&entry.caller));
    if let Some(role) = entry.role {
        text = format!("{text} ({role})");
    }
    if let Some(from) = entry.from {
        text = format!("{text} from {from}");
    }
    if let Some(detail) = &entry.detail {
        text = format!("{text}: {}", escape::line(detail));
    }
    if entry.count > 1 { format!("{text} ({} times)", entry.count) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NewAuditEntry, TokenRole};

    #[test]
    fn a_caller_is_a_token_by_its_name_or_any_as_the_log_has_it() {
        let sent = |text| parse_caller(text).unwrap();
        assert_eq!((sent("ci"), sent("token ci")), ("token ci".to_owned(), "token ci".to_owned()));
        for other in ["oidc ann", "token file of host", "unknown", "internal"] {
            assert_eq!(sent(other), other);
        }
    }

    #[test]
    fn an_entry_is_one_line_whatever_its_texts_are() {
        let mut entry = AuditEntry {
            id: 7,
            at: "2026-01-31T12:00:00Z".parse().unwrap(),
            entry: NewAuditEntry {
                caller: "token ci".to_owned(),
                role: Some(TokenRole::Deploy),
                from: Some("10.0.0.7".parse().unwrap()),
                action: action::DEPLOY.to_owned(),
                target: Some("hello".to_owned()),
                outcome: AuditOutcome::Done,
                detail: Some("revision 3".to_owned()),
                count: 1,
                age_ms: 0,
            },
        };
        assert_eq!(told(&entry), "deploy hello by token ci (deploy) from 10.0.0.7: revision 3");
        entry.entry = NewAuditEntry {
            caller: "oidc eve\n2026-01-31T12:00:00Z done \x1b[2K".to_owned(),
            role: None,
            from: None,
            action: action::REQUEST.to_owned(),
            target: None,
            outcome: AuditOutcome::Refused,
            detail: Some("GET /v1/tokens".to_owned()),
            count: 12,
            age_ms: 0,
        };
        assert_eq!(
            told(&entry),
            "request by oidc eve\\n2026-01-31T12:00:00Z done \\x1b[2K: GET /v1/tokens (12 times)"
        );
    }
}
