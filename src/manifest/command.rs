//! `[build] command`: the program that makes a function's code from what its author has packed.

use super::ManifestError;
use crate::{
    model::{BuildCommand, Code, Network},
    toml_document::{Field, Section},
};

/// The limit of the program and its arguments together, in bytes.
const MAX_BYTES: usize = 16 * 1024;
const EXAMPLE: &str = "[\"make\", \"all\"]";

/// Reads `command` and `network` of the table `[build]`.
pub(super) fn read(build: &Section<'_>, code: &Code) -> Result<Option<BuildCommand>, ManifestError> {
    let network = build.get("network").map_or(Ok(Network::None), |field| {
        field.one_of(&[("none", Network::None), ("egress", Network::Egress)])
    })?;
    // The Dockerfile's; it has no other command.
    if let Code::Dockerfile { .. } = code {
        return Ok(None);
    }
    let Some(list) = build.get("command") else {
        return match build.get("network").filter(|_| network != Network::None) {
            Some(field) => Err(field.key_error(
                "`build.network` is the network of `build.command`, which is not given; packages are installed with \
                 one of their own",
            )),
            None => Ok(None),
        };
    };
    if let Code::Image { .. } = code {
        return Err(list.key_error("`build.command` belongs to `language`, but `image` is given"));
    }
    if let Code::Language { language, version: _, package: _ } = code
        && language.facts().command.is_none()
    {
        return Err(list.key_error(format!(
            "`build.command` is not for `language = \"{language}\"`: build the program before the deploy, or use \
             `dockerfile`, whose base image has the tools"
        )));
    }
    let command = words(&list, "build.command", EXAMPLE)?;
    Ok(Some(BuildCommand { command, network }))
}

/// Reads a program and its arguments, as a list; `key` is the whole key in errors.
pub(super) fn words(list: &Field<'_>, key: &str, example: &str) -> Result<Vec<String>, ManifestError> {
    if let Ok(text) = list.string(example) {
        return Err(list.error(format!(
            "`{key}` is a list of a program and its arguments, and no shell reads it: write {}",
            as_list(text)
        )));
    }
    let items = list.items(example)?;
    let word = |item: &Field<'_>| {
        let text = item.string(example)?;
        match text.contains('\0') {
            true => Err(item.error(format!("`{key}` has a NUL character"))),
            false => Ok(text.to_owned()),
        }
    };
    let words = items.iter().map(word).collect::<Result<Vec<_>, _>>()?;
    if words.first().is_none_or(String::is_empty) {
        return Err(list.error(format!("`{key}` names no program; it looks like {key} = {example}")));
    }
    if words.iter().map(String::len).sum::<usize>() > MAX_BYTES {
        return Err(list.error(format!(
            "`{key}` has more than 16 KiB; put what it does into a file of the function's folder"
        )));
    }
    Ok(words)
}

/// Returns a text of the shell as the list that means the same.
pub fn as_list(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-+=:,./@%".contains(c);
    let words: Vec<&str> = match !text.trim().is_empty() && text.chars().all(is_plain) {
        true => text.split_whitespace().collect(),
        false => vec!["sh", "-c", text],
    };
    list_of(words)
}

/// Returns words as the list that a manifest has.
pub fn list_of<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("{:?}", word.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    fn read(text: &str) -> Result<Option<BuildCommand>, String> {
        let parsed = manifest::parse(text, "cloudfunc.toml", &Defaults::default());
        parsed.map(|manifest| manifest.spec.build_command).map_err(|error| error.to_string())
    }

    #[test]
    fn a_command_is_a_program_with_its_arguments() {
        let command = |network| BuildCommand {
            command: vec!["make".to_owned(), "all".to_owned(), String::new()],
            network,
        };
        let text = "build.command = ['make', 'all', '']";
        assert_eq!(read(text), Ok(Some(command(Network::None))));
        let open = format!("{text}\nbuild.network = 'egress'");
        assert_eq!(read(&open), Ok(Some(command(Network::Egress))));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("build.network = 'none'"), Ok(None), "the default");
    }

    #[test]
    fn a_command_that_cannot_be_meant_is_refused_with_what_would_be() {
        for (text, problem) in [
            (
                "build.command = 'make all'",
                "1:17: `build.command` is a list of a program and its arguments, and no shell reads it: write [\"make\", \
                 \"all\"]",
            ),
            (
                "build.command = 'a && \"b\"'",
                "1:17: `build.command` is a list of a program and its arguments, and no shell reads it: write [\"sh\", \
                 \"-c\", \"a && \\\"b\\\"\"]",
            ),
            (
                "build.command = 1",
                "1:17: `build.command` is 1; it must be a list: build.command = [\"make\", \"all\"]",
            ),
            (
                "build.command = [1]",
                "1:18: `build.command` is 1; it must be a string: build.command = [\"make\", \"all\"]",
            ),
            (
                "build.command = []",
                "1:17: `build.command` names no program; it looks like build.command = [\"make\", \"all\"]",
            ),
            (
                "build.command = ['']",
                "1:17: `build.command` names no program; it looks like build.command = [\"make\", \"all\"]",
            ),
            ("build.command = [\"a\\u0000\"]", "1:18: `build.command` has a NUL character"),
            (
                "build.network = 'egress'",
                "1:7: `build.network` is the network of `build.command`, which is not given; packages are installed with \
                 one of their own",
            ),
            (
                "build.command = ['make']\nbuild.network = 'all'",
                "2:17: `build.network` is 'all'; accepted are \"none\" and \"egress\"",
            ),
            (
                "language = 'native'\nbuild.command = ['make']",
                "2:7: `build.command` is not for `language = \"native\"`: build the program before the deploy, or use \
                 `dockerfile`, whose base image has the tools",
            ),
            (
                "image = 'x'\nbuild.command = ['make']",
                "2:7: `build.command` belongs to `language`, but `image` is given",
            ),
        ] {
            assert_eq!(read(text), Err(format!("cloudfunc.toml:{problem}")), "{text}");
        }
        let long = format!("build.command = ['make', '{}']", "x".repeat(MAX_BYTES));
        assert_eq!(
            read(&long).unwrap_err(),
            "cloudfunc.toml:1:17: `build.command` has more than 16 KiB; put what it does into a file of the function's \
             folder"
        );
    }
}
