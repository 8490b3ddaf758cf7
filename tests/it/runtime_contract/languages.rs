//! What every language promises: the function that `cloudfunc init` makes runs on every backend.

use super::*;

/// One line per language with a shim: the version that engines have an image of here.
const LANGUAGES: &[(Language, &str)] = &[(Language::Python, "3.11"), (Language::Node, "22")];

/// All languages whose code a shim loads.
pub fn with_shims() -> impl Iterator<Item = &'static Language> {
    Language::ALL.iter().filter(|language| language.facts().interpreter.is_some())
}

#[test]
fn every_language_with_a_shim_has_a_line_here() {
    let here: Vec<Language> = LANGUAGES.iter().map(|(language, _)| *language).collect();
    assert_eq!(here, with_shims().copied().collect::<Vec<_>>());
}

/// A spec with a language's template in place.
fn template(fixture: &Fixture, language: Language, image_version: &str) -> Spec {
    spec_of(fixture, language, image_version, language.facts().template)
}

/// A spec with these files in place. Without images, the version is the machine's.
pub fn spec_of(
    fixture: &Fixture,
    language: Language,
    image_version: &str,
    files: &[(&str, &str)],
) -> Spec {
    let version = match fixture.kind {
        Kind::Oci => cloudfunc::runtime::host_interpreter(language).unwrap().version,
        Kind::Docker | Kind::Process => image_version.to_owned(),
    };
    let mut spec = fixture.spec("");
    spec.image = Image::Language { language, version };
    let task = spec.folder.join("task");
    fs::remove_file(task.join("function.py")).unwrap();
    for (name, text) in files {
        let file = task.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    spec
}

pub async fn a_languages_template_answers_logs_and_fails(fixture: &Fixture) {
    for (language, version) in LANGUAGES {
        let mut instance = fixture.start_spec(&template(fixture, *language, version)).await;
        instance.load_handler(language.facts().handler.default).await.unwrap();
        let answer: serde_json::Value =
            serde_json::from_str(&instance.result(r#"{"name":"Ada"}"#).await).unwrap();
        assert_eq!(answer, serde_json::json!({ "greeting": "Hello Ada!" }), "{language}");
        assert_eq!(instance.output(), [(Stream::Stdout, "greeting Ada")], "{language}");
        let error = instance.error("null").await;
        assert!(!error.kind.is_empty() && error.trace.is_some(), "{language}: {error:?}");
        // It lives on.
        assert!(instance.result(r#"{"name":"Bo"}"#).await.contains("Hello Bo!"), "{language}");
        instance.sandbox.remove().await;
    }
}

pub async fn a_handler_that_is_not_there_fails_the_load_in_every_language(fixture: &Fixture) {
    for (language, version) in LANGUAGES {
        let grammar = &language.facts().handler;
        let module = grammar.default.split('.').next().unwrap();
        let mut instance = fixture.start_spec(&template(fixture, *language, version)).await;
        let failure = instance.load_handler(&(grammar.named)(module, "nowhere")).await.unwrap_err();
        assert!(matches!(failure, LoadFailure::Function(_)), "{language}: {failure:?}");
        instance.sandbox.remove().await;
    }
}
