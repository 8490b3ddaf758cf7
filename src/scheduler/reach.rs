//! What a caller may see here: a token for some functions reaches their invocations and logs, and is not told of others.

use super::Scheduler;
use crate::{
    http::Failure,
    model::{Caller, FunctionName, FunctionPattern, InvocationId, Problem, code},
    store,
};

/// Refuses a question about functions that the caller's token is not for. `functions` are those that the question names;
/// none means all.
pub fn check_functions(caller: &Caller, functions: &[FunctionName]) -> Result<(), Failure> {
    if !caller.is_limited() {
        return Ok(());
    }
    let name = &caller.name;
    let patterns = caller.functions.iter().map(FunctionPattern::as_str).collect::<Vec<_>>().join(", ");
    if functions.is_empty() {
        let detail = format!("{name} is for some functions only, and this request is about all of them");
        let hint = format!("name one that it is for, with ?function=; it is for {patterns}");
        return Err(Problem::new(code::FORBIDDEN, detail).hint(hint).into());
    }
    match functions.iter().find(|function| !caller.reaches(function)) {
        Some(other) => {
            let detail = format!("{name} is not for the function '{other}'");
            Err(Problem::new(code::FORBIDDEN, detail).hint(format!("it is for {patterns}")).into())
        }
        None => Ok(()),
    }
}

impl Scheduler {
    /// Returns whether the caller may be told of an invocation; of one that is not there, only a caller that may be told of
    /// all.
    pub(super) async fn reaches(&self, caller: &Caller, id: InvocationId) -> Result<bool, store::Error> {
        if !caller.is_limited() {
            return Ok(true);
        }
        let record = self.record(id).await?;
        Ok(record.is_some_and(|record| caller.reaches(&record.function)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(functions: &[&str], named: &[&str]) -> Option<(String, Option<String>)> {
        let functions = functions.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let caller = Caller { name: "token ci".to_owned(), functions, ..Caller::internal() };
        let named: Vec<FunctionName> = named.iter().map(|name| name.parse().unwrap()).collect();
        let Failure(problem) = check_functions(&caller, &named).err()?;
        assert_eq!((problem.code.as_str(), problem.status), ("forbidden", 403));
        Some((problem.detail, problem.hint))
    }

    #[test]
    fn a_token_for_some_functions_has_to_name_one_of_them() {
        assert_eq!(refusal(&[], &[]), None);
        assert_eq!(refusal(&[], &["other"]), None);
        assert_eq!(refusal(&["a_*", "b"], &["a_1", "b"]), None);
        assert_eq!(
            refusal(&["a_*", "b"], &[]),
            Some((
                "token ci is for some functions only, and this request is about all of them".to_owned(),
                Some("name one that it is for, with ?function=; it is for a_*, b".to_owned())
            ))
        );
        assert_eq!(
            refusal(&["a_*", "b"], &["a_1", "c", "b"]),
            Some((
                "token ci is not for the function 'c'".to_owned(),
                Some("it is for a_*, b".to_owned())
            ))
        );
    }
}
