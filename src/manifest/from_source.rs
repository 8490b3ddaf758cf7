//! `[build] from_source`: packages are built from their sources where they have nothing else.

use super::ManifestError;
use crate::{model::Code, toml_document::Section};

/// Reads the key, which only a language has whose packages have sources to build.
pub(super) fn read(build: &Section<'_>, code: &Code) -> Result<bool, ManifestError> {
    let Some(field) = build.get("from_source") else { return Ok(false) };
    let is_wanted = field.boolean()?;
    let installer = match code {
        Code::Language { language, version: _, package: _ } => {
            let dependencies = language.facts().dependencies.as_ref();
            dependencies.and_then(|all| all.installer.as_ref())
        }
        Code::Image { .. } | Code::Dockerfile { .. } => None,
    };
    if is_wanted && !installer.is_some_and(|installer| installer.builds_sources) {
        return Err(
            field.key_error("`build.from_source` has no effect here: it is for the packages of Python")
        );
    }
    Ok(is_wanted)
}
