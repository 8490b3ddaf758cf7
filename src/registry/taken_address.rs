//! The refusal of a revision one of whose addresses another function has.

use super::Registry;
use crate::{
    http::{Answer, Failure},
    model::{AddressTaken, Caller, FunctionName, FunctionSpec, Problem, code},
    store,
};

impl Registry {
    /// Refuses a revision before it is built, which may take minutes, if another function has one of its addresses. When it is
    /// registered, the store decides.
    pub async fn check_addresses(
        &self,
        caller: &Caller,
        name: &FunctionName,
        spec: &FunctionSpec,
    ) -> Answer<()> {
        let Some(http) = &spec.http else { return Ok(()) };
        match self.store.taken_address(name, http).await? {
            Some(taken) => Err(refused(store::Error::AddressTaken(taken), caller)),
            None => Ok(()),
        }
    }
}

/// Makes the answer for a revision that could not become active: a token for some functions is not told the name of
/// another one that has the address.
pub fn refused(error: store::Error, caller: &Caller) -> Failure {
    match error {
        store::Error::AddressTaken(AddressTaken { function, address }) if !caller.reaches(&function) => {
            let detail = format!("{address} belongs to another function");
            let hint = "choose another path, method or host in [http]; the other function is not among those that this \
                        token is for";
            Problem::new(code::ADDRESS_TAKEN, detail).hint(hint).into()
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_has_the_address_is_named_to_those_that_may_know_of_it() {
        let refused = |patterns: &[&str]| {
            let functions = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            let caller = Caller { functions, ..Caller::internal() };
            let address = "POST at /a/{id} of host h.example".to_owned();
            let function = "other".parse().unwrap();
            let error = store::Error::AddressTaken(AddressTaken { function, address });
            let Failure(problem) = refused(error, &caller);
            assert_eq!((problem.status, problem.code.as_str()), (409, "address_taken"));
            (problem.detail, problem.hint.unwrap())
        };
        let hint = "choose another path, method or host in [http], or delete the other function first";
        let detail = "POST at /a/{id} of host h.example belongs to the function 'other'";
        let naming: [&[&str]; 2] = [&[], &["mine", "oth*"]];
        for patterns in naming {
            assert_eq!(refused(patterns), (detail.to_owned(), hint.to_owned()));
        }
        let hint = "choose another path, method or host in [http]; the other function is not among those that this token is \
                    for";
        let detail = "POST at /a/{id} of host h.example belongs to another function";
        assert_eq!(refused(&["mine", "team_*"]), (detail.to_owned(), hint.to_owned()));
    }
}
