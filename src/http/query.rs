//! Query strings: unknown, repeated and unreadable parameters are refused with what is accepted.

use std::{borrow::Cow, fmt::Display};

use jiff::Timestamp;

use super::{Answer, Failure};
use crate::{
    model::{Problem, code},
    suggest::suggest,
    units::parse_since,
};

/// The parameters of a request, each of a key that the route knows.
pub struct Query<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Query<'q> {
    /// `accepted` are the keys of the route; none: it takes no parameters.
    pub fn read(query: Option<&'q str>, accepted: &[&str]) -> Answer<Self> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
        match pairs.iter().find(|(key, _)| !accepted.contains(&&**key)) {
            Some((key, _)) => Err(unknown(key, accepted)),
            None => Ok(Self { pairs }),
        }
    }

    /// All values of a key that may be repeated.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(name, _)| name == key).map(|(_, value)| &**value)
    }

    /// The value of a key that may be given once, read with `parse`, whose errors name the value.
    pub fn one<T, E: Display>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Answer<Option<T>> {
        let mut values = self.all(key);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(bad(format!("the parameter '{key}' is given more than once")));
        }
        parse(value).map(Some).map_err(|error| bad(error.to_string()))
    }

    /// The value of a key that may be given once, as it is.
    pub fn text(&self, key: &str) -> Answer<Option<&str>> {
        self.one(key, |_| Ok::<_, String>(()))?;
        Ok(self.all(key).next())
    }

    /// `true` or `false`; `usual` where it is not given.
    pub fn flag(&self, key: &str, usual: bool) -> Answer<bool> {
        let parse = |value: &str| match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("{key}={}: must be true or false", shown(value))),
        };
        Ok(self.one(key, parse)?.unwrap_or(usual))
    }

    /// A whole number within bounds.
    pub fn number(&self, key: &str, least: u32, most: u32) -> Answer<Option<u32>> {
        self.one(key, |value| {
            let number = value.parse().ok().filter(|number| (least..=most).contains(number));
            number.ok_or_else(|| {
                format!("{key}={}: must be a whole number from {least} to {most}", shown(value))
            })
        })
    }

    /// How far back: a duration or a moment.
    pub fn since(&self) -> Answer<Option<Timestamp>> {
        self.one("since", |value| {
            parse_since(value).map_err(|error| format!("since={}: {error}", shown(value)))
        })
    }
}

fn unknown(key: &str, accepted: &[&str]) -> Failure {
    let key = shown(key);
    if accepted.is_empty() {
        return bad(format!("unknown parameter '{key}'; this route takes none"));
    }
    let near = suggest(&key, accepted.iter().copied());
    let problem =
        bad(format!("unknown parameter '{key}'; accepted parameters: {}", accepted.join(", ")));
    match near.first() {
        Some(near) => Failure::from(problem.0.hint(format!("did you mean {near}?"))),
        None => problem,
    }
}

/// As much of it as one line has room for.
fn shown(text: &str) -> String {
    const SHOWN: usize = 100;
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn bad(detail: String) -> Failure {
    Problem::new(code::BAD_REQUEST, detail).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(answer: Answer<T>) -> String {
        let Err(Failure(problem)) = answer else { panic!("not refused") };
        match problem.hint {
            Some(hint) => format!("{} ({hint})", problem.detail),
            None => problem.detail,
        }
    }

    #[test]
    fn parameters_are_read() {
        let keys = ["function", "limit", "since", "follow"];
        let text = Some("function=a&limit=7&since=24h&function=b%20c&follow=true");
        let query = Query::read(text, &keys).ok().unwrap();
        assert_eq!(query.all("function").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(query.number("limit", 1, 10).ok().unwrap(), Some(7));
        let since = query.since().ok().unwrap().unwrap();
        let ago = Timestamp::now().duration_since(since);
        assert!((86_400..86_410).contains(&ago.as_secs()), "{ago}");
        assert!(query.flag("follow", false).ok().unwrap());
        assert!(Query::read(None, &[]).is_ok());
        assert!(Query::read(Some(""), &[]).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_what_is_accepted() {
        let keys = ["function", "limit", "since"];
        let near = "unknown parameter 'limits'; accepted parameters: function, limit, since (did you mean 'limit'?)";
        assert_eq!(refused(Query::read(Some("limits=1"), &keys)), near);
        let none = "unknown parameter 'x'; this route takes none";
        assert_eq!(refused(Query::read(Some("x"), &[])), none);
        let read = |text: &'static str| Query::read(Some(text), &keys).ok().unwrap();
        for value in ["0", "11", "-1", "1.5", "many", ""] {
            let query = format!("limit={value}");
            let query = Query::read(Some(&query), &keys).ok().unwrap();
            let expected = format!("limit={value}: must be a whole number from 1 to 10");
            assert_eq!(refused(query.number("limit", 1, 10)), expected);
        }
        let twice = "the parameter 'limit' is given more than once";
        assert_eq!(refused(read("limit=1&limit=2").number("limit", 1, 10)), twice);
        let since = "since=yesterday: write how long ago, for example 10m, or a moment, for example 2026-01-31T12:00:00Z";
        assert_eq!(refused(read("since=yesterday").since()), since);
    }
}
