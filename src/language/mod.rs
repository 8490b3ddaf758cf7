//! The languages that functions are written in: one file per language, a table of facts.
//!
//! All other code asks the facts and never names a language. So a new language needs: its file here, `mod` and a line
//! of [`languages!`] below, the folder of its runtime and its template in `templates/`, and a line of the contract
//! suite (`tests/it/runtime_contract/languages.rs`).

#![warn(missing_docs)]

mod facts;
mod native;
mod node;
mod python;

pub use self::facts::{
    BuildProgram, Bytecode, Dependencies, Entry, Facts, HandlerGrammar, Has, Host, Image, Index,
    Installer, Interpreter, LambdaClient, Project, Read, Rules, Selected, Variables, Versions,
    WebApplication,
};

/// Makes [`Language`] from one line per language: its name in code, and its table.
macro_rules! languages {
    ($($(#[$about:meta])* $language:ident => $facts:path;)+) => {
        /// A language. Its text form, in manifests, settings and stored revisions, is its name in lower case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        pub enum Language {
            $($(#[$about])* $language,)+
        }

        impl Language {
            /// All languages; a manifest that does not name one means the first.
            pub const ALL: &[Self] = &[$(Self::$language,)+];

            /// Returns everything that is particular to this language.
            pub fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$language => &$facts,)+
                }
            }
        }
    };
}

languages! {
    /// CPython 3.
    Python => python::FACTS;
    /// Node 20 and later.
    Node => node::FACTS;
    /// Programs without an interpreter.
    Native => native::FACTS;
}

impl Language {
    /// The language of a manifest that does not name one.
    pub const DEFAULT: Self = Self::ALL[0];

    /// Returns its text form, as in `language = "…"`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the environment variable that names its base image.
    pub fn image_variable(self) -> String {
        format!("CLOUDFUNC_{}_IMAGE", self.name().to_uppercase())
    }

    /// Returns the language of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.name() == name)
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The limit of a file that lists dependencies, in bytes.
pub const MAX_DEPENDENCY_FILE: u64 = 1024 * 1024;

/// Returns the names of files that list dependencies, for all languages.
pub fn dependency_files() -> impl Iterator<Item = &'static str> {
    Language::ALL.iter().filter_map(|language| Some(language.facts().dependencies.as_ref()?.file))
}

/// Returns whether folders of this name hold bytecode.
pub fn is_bytecode_folder(name: &std::ffi::OsStr) -> bool {
    Language::ALL
        .iter()
        .any(|language| language.facts().bytecode.as_ref().is_some_and(|of| name == of.folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_stored_by_its_name() {
        for language in Language::ALL {
            let name = language.name();
            assert_eq!(serde_json::to_string(language).unwrap(), format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Language>(&format!("\"{name}\"")).unwrap(), *language);
            assert_eq!(Language::named(name), Some(*language));
        }
        assert_eq!(Language::DEFAULT, Language::Python);
    }

    #[test]
    fn the_facts_of_a_language_fit_each_other() {
        for language in Language::ALL {
            let facts = language.facts();
            assert!((facts.versions.accepts)(facts.versions.default), "{language}");
            assert!((facts.versions.accepts)(facts.versions.example), "{language}");
            assert_eq!((facts.versions.of_release)(facts.versions.default), facts.versions.default);
            assert!((facts.handler.accepts)(facts.handler.default), "{language}");
            assert!(facts.template.iter().any(|(name, _)| *name == "cloudfunc.toml"), "{language}");
            assert!(facts.image.base.contains("{version}"), "{language}");
            assert_eq!(facts.interpreter.is_some(), facts.host.is_some(), "{language}");
            // What no shim runs has no handler.
            let Some(interpreter) = &facts.interpreter else { continue };
            let files = (facts.handler.files)(facts.handler.default);
            let template =
                |file: &&String| facts.template.iter().any(|(name, _)| *name == file.as_str());
            assert!(
                files.iter().any(|file| template(&file)),
                "{language}: the template has the handler"
            );
            assert!(facts.image.files.iter().any(|(_, text)| *text == interpreter.shim), "{language}");
        }
    }
}
