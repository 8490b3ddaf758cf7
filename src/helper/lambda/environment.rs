//! The variables that programs for AWS Lambda expect, as its documentation lists them. Each row of `docs/lambda.md` that is
//! present is set here, but for the memory, which the manager knows.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use crate::call::Load;

/// The region where nothing names another: AWS's SDKs refuse to start without one.
const REGION: &str = "us-east-1";
/// The account in names of functions; there is none.
const ACCOUNT: &str = "000000000000";
/// The folder of the code in a sandbox; where there is none, `CLOUDFUNC_TASK` names it.
const TASK: &str = "/var/task";
/// The folder of AWS's own runtimes in their images.
const RUNTIME_DIR: &str = "/var/runtime";

/// The facts about the sandbox.
pub(super) struct Given {
    /// The variables that the program has without this module: those of the image, and the function's own.
    variables: BTreeMap<String, String>,
    /// The folder of the code.
    task: String,
    /// AWS's own runtime is in the image.
    has_runtime: bool,
    /// A number that no other instance has.
    number: String,
}

impl Given {
    /// Looks around, once per instance.
    pub(super) fn of_this_process(load: &Load) -> Self {
        // Names and values that are not UTF-8 are not needed here.
        let own = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut variables: BTreeMap<String, String> = own.collect();
        for (name, value) in load.env.iter().chain(&load.secrets) {
            variables.insert(name.clone(), value.clone());
        }
        let number = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
        let number: String = number.chars().filter(char::is_ascii_hexdigit).collect();
        Self {
            task: variables.get("CLOUDFUNC_TASK").cloned().unwrap_or_else(|| TASK.to_owned()),
            variables,
            has_runtime: Path::new(RUNTIME_DIR).is_dir(),
            number: if number.is_empty() { std::process::id().to_string() } else { number },
        }
    }

    fn region(&self) -> &str {
        let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let named = names.iter().find_map(|name| self.variables.get(*name));
        named.map_or(REGION, String::as_str)
    }
}

/// Returns the function's name as AWS writes it, in the form that its SDKs take apart.
pub(super) fn arn(load: &Load, given: &Given) -> String {
    format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", given.region(), load.function)
}

/// Returns the program's variables besides those that it has.
pub(super) fn variables(load: &Load, api: SocketAddr, given: &Given) -> Vec<(&'static str, String)> {
    let (name, revision, task) = (&load.function, load.revision, &given.task);
    let mut variables = vec![
        ("AWS_LAMBDA_RUNTIME_API", api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", revision.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("[{revision}]{}", given.number)),
    ];
    if !load.handler.is_empty() {
        variables.push(("_HANDLER", load.handler.clone()));
    }
    let mut unless_set = vec![
        ("AWS_REGION", given.region().to_owned()),
        ("AWS_DEFAULT_REGION", given.region().to_owned()),
        ("LAMBDA_TASK_ROOT", task.clone()),
        ("LD_LIBRARY_PATH", format!("{task}:{task}/lib")),
        ("LANG", "C.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ];
    if given.has_runtime {
        unless_set.push(("LAMBDA_RUNTIME_DIR", RUNTIME_DIR.to_owned()));
    }
    unless_set.retain(|(name, _)| !given.variables.contains_key(*name));
    variables.extend(unless_set);
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Interface;

    fn load(handler: &str) -> Load {
        Load {
            revision: 7,
            function: "greeter".to_owned(),
            handler: handler.to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Lambda,
            command: vec!["bootstrap".to_owned()],
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    fn given(variables: &[(&str, &str)]) -> Given {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Given {
            variables: variables.iter().map(owned).collect(),
            task: TASK.to_owned(),
            has_runtime: false,
            number: "0123abcd".to_owned(),
        }
    }

    fn lines(load: &Load, given: &Given) -> Vec<String> {
        let api = "127.0.0.1:9001".parse().unwrap();
        let mut lines: Vec<String> = variables(load, api, given)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_program_has_the_variables_that_aws_documents() {
        let expected = [
            "AWS_DEFAULT_REGION=us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME=greeter",
            "AWS_LAMBDA_FUNCTION_VERSION=7",
            "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/greeter",
            "AWS_LAMBDA_LOG_STREAM_NAME=[7]0123abcd",
            "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001",
            "AWS_REGION=us-east-1",
            "LAMBDA_TASK_ROOT=/var/task",
            "LANG=C.UTF-8",
            "LD_LIBRARY_PATH=/var/task:/var/task/lib",
            "TZ=:UTC",
            "_HANDLER=app.handler",
        ];
        assert_eq!(lines(&load("app.handler"), &given(&[])), expected);
    }

    #[test]
    fn what_the_image_or_the_function_sets_stays() {
        let mut set =
            given(&[("AWS_DEFAULT_REGION", "eu-central-1"), ("TZ", "Europe/Berlin"), ("LANG", "C")]);
        set.has_runtime = true;
        let lines = lines(&load(""), &set);
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        assert!(
            !has("TZ=") && !has("LANG=") && !has("AWS_DEFAULT_REGION=") && !has("_HANDLER="),
            "{lines:?}"
        );
        assert!(has("AWS_REGION=eu-central-1") && has("LAMBDA_RUNTIME_DIR=/var/runtime"), "{lines:?}");
        assert_eq!(arn(&load(""), &set), "arn:aws:lambda:eu-central-1:000000000000:function:greeter");
    }

    #[test]
    fn each_instance_has_a_number_of_its_own() {
        let [one, other] = [(), ()].map(|()| Given::of_this_process(&load("")).number);
        assert_eq!(one.len(), 32, "{one}");
        assert_ne!(one, other);
    }
}
