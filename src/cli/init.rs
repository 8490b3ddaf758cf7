//! `cloudfunc init`

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde_json::json;

use super::{Error, Exit, Output, ask};
use crate::{
    language::Dependencies,
    model::{FunctionName, Language},
};

/// Create a folder for a new function from a template
///
/// Existing files are never overwritten.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder [default: the function's name]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The function's name [default: the folder's name]
    #[arg(long)]
    name: Option<FunctionName>,
    /// The template to start from: a language
    #[arg(long, visible_alias = "language", value_parser = template(), default_value = Language::DEFAULT.name())]
    template: Language,
    /// List the templates, and how each language gets its packages
    #[arg(long, conflicts_with_all = ["folder", "name", "template"])]
    list: bool,
}

/// A line of `--list`.
#[derive(Serialize)]
struct Template {
    template: &'static str,
    /// The version of functions that name none, unless the platform has another default.
    version: &'static str,
    files: Vec<&'static str>,
    packages: String,
}

impl Template {
    fn of(language: Language) -> Self {
        let facts = language.facts();
        let packages = match &facts.dependencies {
            Some(Dependencies { file, installer: Some(_), project, .. }) => {
                let or = project.as_ref().map(|project| format!(" or {}", project.file));
                format!("{file}{}, installed by deploy and run", or.unwrap_or_default())
            }
            Some(Dependencies { folder: Some(folder), .. }) => {
                format!("{folder} in the function's folder")
            }
            _ => "in the function's folder".to_owned(),
        };
        Self {
            template: facts.name,
            version: facts.versions.default,
            files: facts.template.iter().map(|(file, _)| *file).collect(),
            packages,
        }
    }
}

fn list(out: &Output) -> Result<(), Error> {
    let templates: Vec<Template> = Language::ALL.iter().copied().map(Template::of).collect();
    if out.json() {
        return out.document(&templates);
    }
    let row = |one: &Template| {
        let version = one.version.to_owned();
        [one.template.to_owned(), version, one.files.join(", "), one.packages.clone()]
    };
    let rows: Vec<_> = templates.iter().map(row).collect();
    out.table(["TEMPLATE", "VERSION", "FILES", "PACKAGES"], &rows)?;
    out.next("cloudfunc init hello --template NAME");
    Ok(())
}

/// The placeholder for the function's name in the templates.
const PLACEHOLDER: &str = "function_name";

/// Accepts the name of a language: each has a template of that name.
fn template() -> impl TypedValueParser<Value = Language> {
    let names = PossibleValuesParser::new(Language::ALL.iter().map(|language| language.name()));
    names.map(|name| Language::named(&name).expect("one of the possible values"))
}

impl Args {
    pub async fn run(self, out: &Output) -> Result<(), Error> {
        if self.list {
            return list(out);
        }
        let (folder, name) = match (self.folder, self.name) {
            (Some(folder), Some(name)) => (folder, name),
            (None, Some(name)) => (name.as_str().into(), name),
            (Some(folder), None) => {
                let name = name_of(&folder)?;
                (folder, name)
            }
            (None, None) if out.can_ask() => {
                let proposal = FunctionName::from_str("hello").map_err(anyhow::Error::from)?;
                let name = ask::text("Name of the function", proposal).await?;
                (name.as_str().into(), name)
            }
            (None, None) => {
                return Err(Error::usage("no folder given").hint("for example: cloudfunc init hello"));
            }
        };
        let files = self.template.facts().template;
        write(&folder, &name, files)?;
        if out.json() {
            let files: Vec<_> = files.iter().map(|(file, _)| file).collect();
            return out.document(&json!({ "name": name, "folder": folder, "files": files }));
        }
        for (file, _) in files {
            out.line(&format!("made {}", folder.join(file).display()))?;
        }
        out.next(&format!("cloudfunc deploy {}", folder.display()));
        Ok(())
    }
}

/// Derives the function's name from the folder, which need not exist yet.
fn name_of(folder: &Path) -> Result<FunctionName, Error> {
    let absolute = folder.canonicalize().or_else(|_| std::path::absolute(folder));
    let absolute = absolute.unwrap_or_else(|_| folder.to_owned());
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    name.parse().map_err(|error| {
        Error::new(Exit::Caller, error)
            .hint("give the function another name than the folder's with --name")
    })
}

/// Writes all files, or none if one of them exists already.
fn write(folder: &Path, name: &FunctionName, files: &[(&str, &str)]) -> Result<(), Error> {
    let cannot = |what: &Path, error: std::io::Error| {
        Error::new(Exit::Caller, error).context(format!("cannot make {}", what.display()))
    };
    for (file, _) in files {
        let path = folder.join(file);
        if path.symlink_metadata().is_ok() {
            return Err(Error::usage(format!("{} already exists; nothing was written", path.display())));
        }
    }
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    for (file, text) in files {
        let path = folder.join(file);
        let text = text.replace(PLACEHOLDER, name.as_str());
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        made.and_then(|mut made| made.write_all(text.as_bytes()))
            .map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bundle,
        manifest::{self, Defaults},
    };

    #[test]
    fn a_template_says_how_its_language_gets_packages() {
        let python = Template::of(Language::Python);
        assert_eq!(python.files, ["function.py", "cloudfunc.toml"]);
        assert_eq!(python.packages, "requirements.txt or pyproject.toml, installed by deploy and run");
        assert_eq!(Template::of(Language::Node).packages, "package.json, installed by deploy and run");
    }

    #[test]
    fn what_init_makes_can_be_deployed() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &"greeter".parse().unwrap(), language.facts().template).unwrap();
            let listing = bundle::pack(folder.path()).unwrap().listing;
            let defaults = Defaults::default();
            let text = listing.manifest().unwrap();
            let read = manifest::parse(text, manifest::FILE, &defaults).unwrap();
            assert_eq!(read.name.unwrap().as_str(), "greeter");
            bundle::check_code(&listing, &read.spec).unwrap();

            // The template says that its commented lines are the defaults.
            let shown = text.replace("\n# ", "\n").replace("What follows", "# ").replace("[env]", "#");
            let shown: String = shown
                .lines()
                .filter(|line| !line.starts_with("GREETING") && !line.starts_with("version"))
                .map(|line| format!("{line}\n"))
                .collect();
            let spec = manifest::parse(&shown, "shown", &defaults).unwrap().spec;
            assert_eq!(spec, read.spec);
        }
    }
}
