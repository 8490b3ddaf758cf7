//! The settings of each language: its base image and the version of functions that name none.

use std::collections::BTreeMap;

use crate::{
    model::Language,
    runtime,
    toml_document::{LocatedError, Section},
};

/// The settings that every language has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfLanguage {
    Image,
    Version,
}

impl OfLanguage {
    pub const ALL: [Self; 2] = [Self::Image, Self::Version];

    /// Returns the key in the file's table `[languages.<name>]`, and in the names of flags and variables.
    pub fn key(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Version => "version",
        }
    }

    pub(super) fn value(self) -> &'static str {
        match self {
            Self::Image => "IMAGE",
            Self::Version => "VERSION",
        }
    }

    pub(super) fn help(self, language: Language) -> String {
        let title = language.facts().title;
        match self {
            Self::Image => format!("Base image of {title}; {{version}} stands for the version"),
            Self::Version => format!("Version of {title} for functions that name none"),
        }
    }

    pub(super) fn default(self, language: Language) -> &'static str {
        match self {
            Self::Image => language.facts().image.base,
            Self::Version => language.facts().versions.default,
        }
    }
}

/// The settings of all languages, as far as they are given.
#[derive(Clone, Debug, Default)]
pub struct Languages(BTreeMap<(Language, OfLanguage), String>);

impl Languages {
    /// Returns a setting; `None` if it is not given.
    pub fn get(&self, language: Language, of: OfLanguage) -> Option<&str> {
        self.0.get(&(language, of)).map(String::as_str)
    }

    /// Returns the base image of a language; `{version}` in it stands for the version.
    pub fn image(&self, language: Language) -> &str {
        self.get(language, OfLanguage::Image).unwrap_or(language.facts().image.base)
    }

    /// Returns the version of functions that name none.
    pub fn version(&self, language: Language) -> &str {
        self.get(language, OfLanguage::Version).unwrap_or(language.facts().versions.default)
    }

    /// Returns the base image of functions that name no version.
    pub fn usual_image(&self, language: Language) -> String {
        self.image(language).replace("{version}", self.version(language))
    }

    pub fn set(&mut self, language: Language, of: OfLanguage, value: &str) {
        self.0.insert((language, of), value.to_owned());
    }

    pub(super) fn or(self, mut other: Self) -> Self {
        other.0.extend(self.0);
        other
    }

    /// Fills in all defaults. An image is of any version; a runtime that uses the host's interpreters has the
    /// version that is installed, and reports itself if there is none.
    pub(super) fn with_defaults(mut self, runtime: runtime::Kind) -> Self {
        for &language in Language::ALL {
            for of in OfLanguage::ALL {
                if self.get(language, of).is_some() {
                    continue;
                }
                let host = (of == OfLanguage::Version && runtime == runtime::Kind::Oci)
                    .then(|| runtime::host_interpreter(language).ok())
                    .flatten();
                let version = host.map(|interpreter| interpreter.version);
                self.set(language, of, version.as_deref().unwrap_or(of.default(language)));
            }
        }
        self
    }

    /// Reads the table `[languages]` of the file. Each table in it is a language.
    pub(super) fn read(&mut self, table: &Section<'_>) -> Result<(), LocatedError> {
        let names: Vec<_> = Language::ALL.iter().map(|language| language.name()).collect();
        table.only(&names)?;
        for &language in Language::ALL {
            let Some(field) = table.get(language.name()) else { continue };
            let own = field.section()?;
            own.only(&OfLanguage::ALL.map(OfLanguage::key))?;
            for of in OfLanguage::ALL {
                let Some(field) = own.get(of.key()) else { continue };
                let value = field.string(&format!("{:?}", of.default(language)))?;
                if self.get(language, of).is_some() {
                    let older = format!("platform.{language}_{}", of.key());
                    return Err(
                        field.key_error(format!("`{older}` says the same already; keep one of them"))
                    );
                }
                self.set(language, of, value);
            }
        }
        Ok(())
    }
}
