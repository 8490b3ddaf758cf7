//! GUARANTEES.md names the test behind a sentence: that test exists, in the tests or beside the code.

use std::{fs, path::Path};

const GUARANTEES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/GUARANTEES.md");

fn sources(folder: &Path, texts: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn each_test_that_the_guarantees_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = String::new();
    for folder in ["src", "tests/it"] {
        sources(&root.join(folder), &mut texts);
    }
    let guarantees = fs::read_to_string(GUARANTEES).unwrap();
    let names: Vec<&str> = guarantees
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|code| code.rsplit("::").next().unwrap())
        // What has that many words is a test's name.
        .filter(|name| name.matches('_').count() >= 4)
        .collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(texts.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}
