//! Commands that do the same to several things, each by its name.

use std::{collections::BTreeSet, fmt::Display};

use serde::Serialize;

use super::{Error, Exit, Output};
use crate::{client, error::Report};

/// Returns the names in their order, each once.
pub fn distinct<N: Clone + Ord>(mut names: Vec<N>) -> Vec<N> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// Returns the names in one line.
pub fn listed<N: Display>(names: &[N]) -> String {
    names.iter().map(N::to_string).collect::<Vec<_>>().join(", ")
}

/// Adds to the failure of a check before anything is done that `nothing` was done, where there are several names.
pub fn before_any<N>(names: &[N], nothing: &str, error: client::Error) -> Error {
    let error = Error::from(error);
    if names.len() == 1 { error } else { error.context(nothing.to_owned()) }
}

/// Does `act` to each, goes on after a failure, and reports each result: a `line`, or with `--json` an `item`. `failed` says
/// what one is not (`was not deleted`). The highest exit code wins; the error of a single one is that of the command.
pub async fn each<N: Display, T, J: Serialize>(
    names: &[N],
    failed: &str,
    out: &Output,
    act: impl AsyncFn(&N) -> Result<T, client::Error>,
    item: impl Fn(&N, Result<&T, Report>) -> J,
    line: impl Fn(&N, &T) -> String,
) -> Result<(), Error> {
    let mut worst = Exit::Ok;
    for name in names {
        let done = act(name).await.map_err(Error::from);
        let done = done.map_err(|error| error.context(format!("{name} {failed}")));
        if out.json() {
            out.json_line(&item(name, done.as_ref().map_err(Error::report)))?;
        }
        match done {
            Err(error) if names.len() == 1 => return Err(error),
            Err(error) => {
                out.error(&error);
                worst = worst.max(error.exit);
            }
            Ok(_) if out.json() => {}
            Ok(done) => out.line(&line(name, &done))?,
        }
    }
    if worst == Exit::Ok { Ok(()) } else { Err(Error::silent(worst)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_counts_once_in_the_order_in_which_they_were_given() {
        let names = distinct(vec!["b", "a", "b", "c", "a"]);
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!(listed(&names), "b, a, c");
    }
}
