//! Whether a caller may do something: by the row of the route in the table, and by the function that it is about.

use crate::{
    http::Answer,
    model::{Caller, FunctionName, Problem, code, route::Endpoint},
};

/// The beginning of the caller's name for the token of a host's file, followed by the host: no name of a token has a space.
pub const FILE_CALLER: &str = "token file of ";

/// Returns 403 if the caller's role is less than the route asks for, or its token is not for the function. Of a route
/// without a function, the role that answers looks at the caller itself.
pub fn authorise(caller: &Caller, endpoint: &Endpoint, function: Option<&FunctionName>) -> Answer<()> {
    if caller.role < endpoint.needs {
        return Err(wrong_role(caller, endpoint).into());
    }
    let Some(function) = function else { return Ok(()) };
    let check = caller.check_reaches(function);
    check.map_err(|detail| wrong_function(caller, function, detail).into())
}

fn wrong_role(caller: &Caller, endpoint: &Endpoint) -> Problem {
    let (caller_shown, role, needs) = (shown(caller), caller.role, endpoint.needs);
    let detail = format!("{caller_shown} has the role {role}, and this needs {needs}");
    let hint =
        format!("an admin makes a token for it with 'cloudfunc token create NAME --role {needs}'");
    Problem::new(code::FORBIDDEN, detail).hint(hint)
}

fn wrong_function(caller: &Caller, function: &FunctionName, detail: String) -> Problem {
    let role = caller.role;
    let hint = format!(
        "an admin makes a token for it with 'cloudfunc token create NAME --role {role} --function {function}'"
    );
    Problem::new(code::FORBIDDEN, detail).hint(hint)
}

/// A caller in a sentence.
fn shown(caller: &Caller) -> String {
    let name = caller.name.as_str();
    if name.starts_with(FILE_CALLER) {
        return "this host's token file".to_owned();
    }
    match name.strip_prefix("token ") {
        Some(name) => format!("the token '{name}'"),
        None => format!("the caller '{name}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::Failure,
        model::{TokenRole, route},
    };

    fn caller(name: &str, role: TokenRole, functions: &[&str]) -> Caller {
        let functions = functions.iter().map(|pattern| pattern.parse().unwrap()).collect();
        Caller { name: name.to_owned(), role, functions, from: None }
    }

    fn refused(answer: Answer<()>) -> (u16, String, String) {
        let Failure(problem) = answer.unwrap_err();
        (problem.status, problem.detail, problem.hint.unwrap())
    }

    #[test]
    fn every_row_is_open_to_its_role_and_to_those_above_it() {
        for endpoint in route::ALL {
            for role in TokenRole::ALL {
                let allowed = authorise(&caller("token ci", role, &[]), endpoint, None).is_ok();
                assert_eq!(allowed, role >= endpoint.needs, "{role} {}", endpoint.path);
            }
        }
    }

    #[test]
    fn a_role_that_is_too_low_is_told_which_one_it_takes() {
        let ci = caller("token ci", TokenRole::Invoke, &[]);
        let (status, detail, hint) = refused(authorise(&ci, &route::DEPLOY.endpoint, None));
        assert_eq!(
            (status, &*detail),
            (403, "the token 'ci' has the role invoke, and this needs deploy")
        );
        let told = "an admin makes a token for it with 'cloudfunc token create NAME --role deploy'";
        assert_eq!(hint, told);
        let oidc = caller("oidc alice", TokenRole::Deploy, &[]);
        let (_, detail, _) = refused(authorise(&oidc, &route::PRUNE.endpoint, None));
        assert_eq!(detail, "the caller 'oidc alice' has the role deploy, and this needs admin");
        let file = caller("token file of host1", TokenRole::Deploy, &[]);
        let (_, detail, _) = refused(authorise(&file, &route::PRUNE.endpoint, None));
        assert_eq!(detail, "this host's token file has the role deploy, and this needs admin");
        let named_so = caller("token file", TokenRole::Deploy, &[]);
        let (_, detail, _) = refused(authorise(&named_so, &route::PRUNE.endpoint, None));
        assert_eq!(detail, "the token 'file' has the role deploy, and this needs admin");
    }

    #[test]
    fn a_token_for_some_functions_is_refused_at_others() {
        let ci = caller("token ci", TokenRole::Invoke, &["team_*"]);
        let (ours, other): (FunctionName, FunctionName) =
            ("team_a".parse().unwrap(), "hello".parse().unwrap());
        let invoke = &route::INVOKE.endpoint;
        assert!(authorise(&ci, invoke, Some(&ours)).is_ok());
        assert!(authorise(&ci, &route::LIST_FUNCTIONS.endpoint, None).is_ok());
        let (status, detail, hint) = refused(authorise(&ci, invoke, Some(&other)));
        let told = "the token 'ci' is for the functions team_*, and not for 'hello'";
        assert_eq!((status, &*detail), (403, told));
        let told = "an admin makes a token for it with 'cloudfunc token create NAME --role invoke --function hello'";
        assert_eq!(hint, told);
        let two = caller("token two", TokenRole::Deploy, &["team_*", "job"]);
        let (_, detail, _) = refused(authorise(&two, invoke, Some(&other)));
        assert_eq!(detail, "the token 'two' is for the functions team_*, job, and not for 'hello'");
    }
}
