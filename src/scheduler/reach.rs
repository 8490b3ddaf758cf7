//! What a caller may see here: a token for some functions reaches their invocations and logs, and is not told of others.

use super::Scheduler;
use crate::{
    http::{Failure, check_reach},
    model::{Caller, FunctionName, InvocationId, Problem, code},
    store,
};

/// Refuses a question about functions that the caller's token is not for. `functions` are those that the question names;
/// none means all.
pub fn check_functions(caller: &Caller, functions: &[FunctionName]) -> Result<(), Failure> {
    if !caller.is_limited() {
        return Ok(());
    }
    if functions.is_empty() {
        let detail = format!("{}, and this request is about all functions", caller.reach_in_words());
        let hint = "name one that it is for, with ?function=";
        return Err(Problem::new(code::FORBIDDEN, detail).hint(hint).into());
    }
    functions.iter().try_for_each(|function| check_reach(caller, function))
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
        let told = "the token 'ci' is for the functions a_*, b, and this request is about all functions";
        let hint = Some("name one that it is for, with ?function=".to_owned());
        assert_eq!(refusal(&["a_*", "b"], &[]), Some((told.to_owned(), hint)));
        let (told, _) = refusal(&["a_*", "b"], &["a_1", "c", "b"]).unwrap();
        assert_eq!(told, "the token 'ci' is for the functions a_*, b, and not for 'c'");
    }
}
