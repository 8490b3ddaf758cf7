//! Secrets that are as large as they may be: `load` is longer than any other message to a guest.

use super::*;

/// The largest value of a secret, in bytes.
const LARGEST: usize = cloudfunc::model::MAX_SECRET;

/// As many secrets of the largest size, `S_0` and so on.
fn secrets(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("S_{number}"), "s".repeat(LARGEST))).collect()
}

async fn load(instance: &mut Instance, program: &[&str], count: usize) -> Result<(), LoadFailure> {
    let interface = if program.is_empty() { Interface::Protocol } else { Interface::Command };
    let load = Load {
        revision: RevisionNumber(7),
        function: "contract".to_owned(),
        handler: if program.is_empty() { "function.handler".to_owned() } else { String::new() },
        packages: None,
        concurrency: 1,
        interface,
        command: program.iter().map(|&word| word.to_owned()).collect(),
        env: BTreeMap::new(),
        secrets: secrets(count),
    };
    instance.guest.load(&load, LIMIT, &mut |_| {}).await
}

const PYTHON: &str = "import os\n\ndef handler(event):\n    \
                      return sum(len(value) for name, value in os.environ.items() if name.startswith('S_'))\n";
const NODE: &str = "export const handler = () => Object.entries(process.env)\n  \
                    .filter(([name]) => name.startsWith('S_')).reduce((all, [, value]) => all + value.length, 0);\n";
const PROGRAM: &str = "import os; print(sum(len(value) for name, value in os.environ.items() if name.startswith('S_')), end='')";

pub async fn nearly_a_mebibyte_of_secrets_arrives_in_python_node_and_a_program(fixture: &Fixture) {
    let (count, none): (usize, &[&str]) = (15, &[]);
    let (python, node) = (fixture.spec(PYTHON), node_spec(fixture, &[("function.mjs", NODE)]));
    for (mut instance, program) in [
        (fixture.start_spec(&python).await, none),
        (fixture.start_spec(&node).await, none),
        (fixture.start_helped(&fixture.helper_spec()).await, &["python3", "-c", PROGRAM][..]),
    ] {
        load(&mut instance, program, count).await.unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(instance.result("{}").await, (count * LARGEST).to_string(), "{program:?}");
        instance.sandbox.remove().await;
    }
}

pub async fn more_than_a_mebibyte_of_secrets_fails_the_load_with_the_size_and_the_limit(
    fixture: &Fixture,
) {
    let mut instance = fixture.start(ECHO).await;
    let LoadFailure::Function(error) = load(&mut instance, &[], 16).await.unwrap_err() else {
        panic!("the function can do something about it")
    };
    let beginning = "the variables of [env] and the secrets are too large together: with them the message to the guest has 10";
    assert!(error.message.starts_with(beginning), "{error:?}");
    assert!(error.message.ends_with(" bytes, over the limit of 1048576 (1 MiB)"), "{error:?}");
    assert_eq!(error.kind, "too_large");
    instance.sandbox.remove().await;
}
