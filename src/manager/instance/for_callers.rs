//! A function's errors as callers and logs get them.

use super::advice::advised;
use crate::model::{Digest, FunctionError, FunctionSpec, Revision};

/// Returns an error of the guest as callers and logs get it: with advice, and without the name of the folder that has the
/// function's packages, by which code of other functions would find them.
pub fn for_callers(error: FunctionError, revision: &Revision) -> FunctionError {
    let tree = revision.dependencies.as_ref();
    without_tree(advised(error, &revision.spec, tree.is_some()), tree)
}

/// Adds advice to the error of a handler with `[http]` that was called without a request, if there is none yet: it may have looked
/// for one.
pub fn of_bare_call(error: FunctionError, spec: &FunctionSpec) -> FunctionError {
    let has_addresses = spec.http.is_some() && spec.interface.is_protocol();
    let advice =
        || "this function has addresses: send it an HTTP request with --method and --path".to_owned();
    let hint = error.hint.or_else(|| has_addresses.then(advice));
    FunctionError { hint, ..error }
}

fn without_tree(mut error: FunctionError, tree: Option<&Digest>) -> FunctionError {
    let Some(tree) = tree.map(Digest::as_str) else { return error };
    for text in [Some(&mut error.message), error.trace.as_mut()].into_iter().flatten() {
        if text.contains(tree) {
            // `/opt/packages/greet/__init__.py` says as much.
            *text = text.replace(&format!("{tree}/"), "").replace(tree, "");
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    #[test]
    fn an_error_does_not_name_the_folder_of_packages() {
        let tree = Digest::of(b"tree");
        let line = |path: &str| format!("  File \"/opt/packages/{path}greet/__init__.py\", line 2");
        let error = FunctionError {
            kind: "OSError".to_owned(),
            message: format!("no such file: /opt/packages/{tree}"),
            trace: Some(line(&format!("{tree}/"))),
            hint: None,
        };
        assert_eq!(without_tree(error.clone(), None), error);
        let told = without_tree(error, Some(&tree));
        assert_eq!(told.message, "no such file: /opt/packages/");
        assert_eq!(told.trace.unwrap(), line(""));
    }

    #[test]
    fn the_error_of_a_handler_with_addresses_that_got_no_request_says_how_to_send_one() {
        let hint = |manifest: &str, known: Option<&str>| {
            let spec = manifest::parse(manifest, manifest::FILE, &Defaults::default()).unwrap().spec;
            let error = FunctionError {
                kind: "KeyError".to_owned(),
                message: "'requestContext'".to_owned(),
                trace: None,
                hint: known.map(str::to_owned),
            };
            of_bare_call(error, &spec).hint
        };
        let addresses = "[http]\npath = '/a'\n";
        let told = "this function has addresses: send it an HTTP request with --method and --path";
        assert_eq!(hint(addresses, None).as_deref(), Some(told));
        assert_eq!(hint(addresses, Some("install it")).as_deref(), Some("install it"));
        assert_eq!(hint("", None), None);
    }
}
