//! The example in Rust: a program that its author builds, for the runtime API of AWS Lambda.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{FUNCTIONS, markdown::copy};
use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    light:
    an_account_number_is_checked
}

on_stack! {
    @ sqlite_embedded_oci:
    an_account_number_is_checked
}

on_stack! {
    real:
    an_account_number_is_checked
}

/// Makes its program in a copy of the examples, or of this one.
pub fn build(folder: &Path) {
    let built = Command::new(folder.join("build.sh")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

async fn an_account_number_is_checked(platform: &TestPlatform) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("validate");
    copy(&Path::new(FUNCTIONS).join("validate"), &folder);
    build(&folder);
    let (code, _, stderr) = platform.cli(&["deploy", folder.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    for (number, expected) in [
        ("DE89 3704 0044 0532 0130 00", json!({ "valid": true })),
        ("GB82WEST12345698765432", json!({ "valid": true })),
        (
            "DE89 3704 0044 0532 0130 01",
            json!({ "valid": false, "why": "its checksum is wrong: a digit is mistyped" }),
        ),
        ("DE89", json!({ "valid": false, "why": "it has 15 to 34 letters and digits" })),
        (
            "de89 3704 0044 0532 0130 00",
            json!({ "valid": false, "why": "it has only digits and capital letters" }),
        ),
    ] {
        let answer = platform.value("validate", &json!(number).to_string()).await;
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), expected, "{number}");
    }
    let problem = platform.problem("validate", "{\"number\": 7}").await;
    assert_eq!(
        problem.detail,
        "function 'validate' failed: NotAnIban: send the number as a JSON string"
    );
}
