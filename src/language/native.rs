//! Programs that need no interpreter: static ones, those that the base image's libraries run, and scripts of its shell.
//! There is no shim: the platform's helper is the first process of their sandboxes.

use super::{Facts, HandlerGrammar, Image, Variables, Versions};

pub(super) const FACTS: Facts = Facts {
    name: "native",
    title: "native programs",
    versions: Versions {
        default: "12",
        example: "12",
        oldest: None,
        accepts: is_version,
        of_release: |release| release,
    },
    handler: HandlerGrammar {
        default: "",
        form: "not a setting of native programs",
        accepts: str::is_empty,
        files: |_| Vec::new(),
        extensions: &[],
        usual_modules: &[],
        is_module: |_| false,
        named: |module, _| module.to_owned(),
        usual_function: |_| "",
        likely_function: |_| None,
    },
    image: Image { base: "debian:{version}-slim", files: &[], steps: &[], env: &[("LANG", "C.UTF-8")] },
    interpreter: None,
    host: None,
    variables: Variables { read_at_start: &[], refused: &[], of_programs: &[] },
    dependencies: None,
    command: None,
    bytecode: None,
    web_application: |_| None,
    server_example: "[\"./server\"]",
    servers: &[],
    lambda_client: None,
    template: &[
        ("cloudfunc.toml", include_str!("../../templates/shell/cloudfunc.toml")),
        ("report.sh", include_str!("../../templates/shell/report.sh")),
    ],
};

/// A release of Debian by its number.
fn is_version(text: &str) -> bool {
    matches!(text.len(), 1..=2) && text.bytes().all(|byte| byte.is_ascii_digit())
}
