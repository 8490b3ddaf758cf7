//! `dockerfile` and `[build] args`: an image that the engine builds from the function's folder.

use std::collections::BTreeMap;

use super::{MAX_TEXT_BYTES, ManifestError, is_identifier};
use crate::{
    model::{Code, Network},
    toml_document::{Field, Section},
};

/// The limit of names and values of `[build] args` together, in bytes: they are part of a request's address.
const MAX_ARGS_BYTES: usize = 4 * 1024;
const EXAMPLE: &str = "\"Dockerfile\"";

/// Reads the key, with what `[build]` says to it.
pub(super) fn read(root: &Section<'_>, field: &Field<'_>) -> Result<Code, ManifestError> {
    if root.get("image").is_some() {
        return Err(field.key_error(
            "both `image` and `dockerfile` are given; give `image` for an image that exists, or `dockerfile` for one that \
             is built",
        ));
    }
    if root.get("language").is_some() {
        return Err(field.key_error(
            "both `language` and `dockerfile` are given; give `language` for a function that the platform's image runs, \
             or `dockerfile` for an image of your own",
        ));
    }
    for key in ["version", "package"] {
        if let Some(field) = root.get(key) {
            return Err(
                field.key_error(format!("`{key}` belongs to `language`, but `dockerfile` is given"))
            );
        }
    }
    let dockerfile = path(field)?;
    let build = root.get("build").map(|field| field.section()).transpose()?;
    let args = build.as_ref().and_then(|build| build.get("args"));
    let network = build.as_ref().and_then(|build| build.get("network"));
    Ok(Code::Dockerfile {
        dockerfile,
        args: args.map_or_else(|| Ok(BTreeMap::new()), |field| read_args(&field.section()?))?,
        network: network.map_or(Ok(Network::None), |field| {
            field.one_of(&[("none", Network::None), ("egress", Network::Egress)])
        })?,
    })
}

/// Refuses keys of `[build]` that have no effect on this code, or only on another one.
pub(super) fn check(build: &Section<'_>, code: &Code) -> Result<(), ManifestError> {
    let is_dockerfile = matches!(code, Code::Dockerfile { .. });
    if let Some(field) = build.get("args").filter(|_| !is_dockerfile) {
        return Err(field.key_error(
            "`build.args` are the arguments of a Dockerfile, which is not given; name it with `dockerfile`",
        ));
    }
    if let Some(field) = build.get("command").filter(|_| is_dockerfile) {
        return Err(field.key_error(
            "`build.command` belongs to `language`, but `dockerfile` is given; what makes the code is a `RUN` of the \
             Dockerfile",
        ));
    }
    if let Some(field) = build.get("from_source").filter(|_| is_dockerfile)
        && field.boolean()?
    {
        return Err(field.key_error(
            "`build.from_source` has no effect with `dockerfile`: the Dockerfile itself installs the packages",
        ));
    }
    Ok(())
}

/// Returns the path without the parts that lead nowhere.
fn path(field: &Field<'_>) -> Result<String, ManifestError> {
    let text = field.string(EXAMPLE)?;
    let must = "it must be the path of a file in the function's folder, for example \"Dockerfile\"";
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_file = !parts.is_empty() && !text.starts_with('/') && !text.ends_with('/');
    if !is_file
        || parts.contains(&"..")
        || text.chars().any(char::is_control)
        || text.len() > MAX_TEXT_BYTES
    {
        return Err(field.refuse(must));
    }
    Ok(parts.join("/"))
}

fn read_args(section: &Section<'_>) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut args = BTreeMap::new();
    let mut size = 0;
    for (name, field) in section.fields() {
        if !is_identifier(name) {
            return Err(field.key_error(format!(
                "`{name}` is not a name for an argument; use letters, digits and '_', not starting with a digit"
            )));
        }
        let value = field.string("\"…\"")?;
        if value.contains('\0') {
            return Err(field.error(format!("`build.args.{name}` has a NUL character")));
        }
        size += name.len() + value.len();
        if size > MAX_ARGS_BYTES {
            return Err(field.key_error(
                "`build.args` has more than 4 KiB of names and values; put larger ones into a file of the function's \
                 folder",
            ));
        }
        args.insert(name.to_owned(), value.to_owned());
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifest::{self, Defaults},
        model::FunctionSpec,
    };

    fn spec(text: &str) -> Result<FunctionSpec, String> {
        let parsed = manifest::parse(text, "cloudfunc.toml", &Defaults::default());
        parsed.map(|manifest| manifest.spec).map_err(|error| error.to_string())
    }

    #[test]
    fn a_dockerfile_has_arguments_and_a_network() {
        let code = |dockerfile: &str, args: &[(&str, &str)], network| Code::Dockerfile {
            dockerfile: dockerfile.to_owned(),
            args: args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            network,
        };
        for (text, expected) in [
            ("dockerfile = 'Dockerfile'", code("Dockerfile", &[], Network::None)),
            (
                "dockerfile = './docker//web.dockerfile'",
                code("docker/web.dockerfile", &[], Network::None),
            ),
            (
                "dockerfile = 'D'\n[build]\nnetwork = 'egress'\nargs = { A = '1', B_2 = '${x}' }",
                code("D", &[("A", "1"), ("B_2", "${x}")], Network::Egress),
            ),
            (
                "dockerfile = 'D'\nbuild.network = 'none'\nbuild.from_source = false",
                code("D", &[], Network::None),
            ),
        ] {
            let spec = spec(text).unwrap();
            assert_eq!((&spec.code, &spec.build_command), (&expected, &None), "{text}");
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<FunctionSpec>(&json).unwrap(), spec, "{json}");
        }
        let json = serde_json::to_value(spec("dockerfile = 'D'").unwrap().code).unwrap();
        assert_eq!(json, serde_json::json!({"dockerfile": {"dockerfile": "D"}}));
    }

    #[test]
    fn an_image_that_is_built_has_any_interface_and_its_own_entry_point() {
        for interface in ["command", "lambda", "http"] {
            let spec = spec(&format!("dockerfile = 'D'\ninterface = '{interface}'")).unwrap();
            assert_eq!((spec.interface.name(), spec.command.len()), (interface, 0));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let must = "it must be the path of a file in the function's folder, for example \"Dockerfile\"";
        let long = format!("dockerfile = '{}'", "x".repeat(MAX_TEXT_BYTES + 1));
        let large = format!("dockerfile = 'D'\nbuild.args.A = '{}'", "x".repeat(MAX_ARGS_BYTES));
        for (text, problem) in [
            (
                "dockerfile = 'D'\nimage = 'x'",
                "1:1: both `image` and `dockerfile` are given; give `image` for an image that exists, or `dockerfile` for \
                 one that is built"
                    .to_owned(),
            ),
            (
                "language = 'python'\ndockerfile = 'D'",
                "2:1: both `language` and `dockerfile` are given; give `language` for a function that the platform's \
                 image runs, or `dockerfile` for an image of your own"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nversion = '3.12'",
                "2:1: `version` belongs to `language`, but `dockerfile` is given".to_owned(),
            ),
            (
                "dockerfile = 'D'\npackage = 'image'",
                "2:1: `package` belongs to `language`, but `dockerfile` is given".to_owned(),
            ),
            ("dockerfile = ''", format!("1:14: `dockerfile` is ''; {must}")),
            ("dockerfile = '/etc/D'", format!("1:14: `dockerfile` is '/etc/D'; {must}")),
            ("dockerfile = '../D'", format!("1:14: `dockerfile` is '../D'; {must}")),
            ("dockerfile = 'a/../D'", format!("1:14: `dockerfile` is 'a/../D'; {must}")),
            ("dockerfile = 'docker/'", format!("1:14: `dockerfile` is 'docker/'; {must}")),
            (long.as_str(), format!("1:14: `dockerfile` is a long string; {must}")),
            (
                "dockerfile = 1",
                "1:14: `dockerfile` is 1; it must be a string: dockerfile = \"Dockerfile\"".to_owned(),
            ),
            (
                "build.args = { A = '1' }",
                "1:7: `build.args` are the arguments of a Dockerfile, which is not given; name it with `dockerfile`"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.command = ['make']",
                "2:7: `build.command` belongs to `language`, but `dockerfile` is given; what makes the code is a `RUN` \
                 of the Dockerfile"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.from_source = true",
                "2:7: `build.from_source` has no effect with `dockerfile`: the Dockerfile itself installs the packages"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.args.A-B = '1'",
                "2:12: `A-B` is not a name for an argument; use letters, digits and '_', not starting with a digit"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.args.A = 1",
                "2:16: `build.args.A` is 1; it must be a string: build.args.A = \"…\"".to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.args.A = \"a\\u0000\"",
                "2:16: `build.args.A` has a NUL character".to_owned(),
            ),
            (
                large.as_str(),
                "2:12: `build.args` has more than 4 KiB of names and values; put larger ones into a file of the \
                 function's folder"
                    .to_owned(),
            ),
            (
                "dockerfile = 'D'\nbuild.network = 'host'",
                "2:17: `build.network` is 'host'; accepted are \"none\" and \"egress\"".to_owned(),
            ),
        ] {
            assert_eq!(spec(text), Err(format!("cloudfunc.toml:{problem}")), "{text}");
        }
    }
}
