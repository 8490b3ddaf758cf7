//! `cloudfunc init`

mod templates;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde_json::json;

use self::templates::Template;
use super::{Error, Exit, Output, ask};
use crate::model::FunctionName;

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
    /// The template to start from: a language, or a kind of program
    #[arg(long, visible_alias = "language", value_parser = template(), default_value = Template::DEFAULT)]
    template: Template,
    /// List the templates, and how functions made of each get their packages
    #[arg(long, conflicts_with_all = ["folder", "name", "template"])]
    list: bool,
}

/// A line of `--list`.
#[derive(Serialize)]
struct Line {
    template: &'static str,
    title: &'static str,
    language: &'static str,
    /// The version of functions that name none, unless the platform has another default.
    version: &'static str,
    files: Vec<&'static str>,
    packages: String,
}

impl Line {
    fn of(template: Template) -> Self {
        let facts = template.language.facts();
        Self {
            template: template.name,
            title: template.title,
            language: facts.name,
            version: facts.versions.default,
            files: template.files.iter().map(|(file, _)| *file).collect(),
            packages: template.packages(),
        }
    }

    fn cells(&self) -> [String; 5] {
        let language = format!("{} {}", self.language, self.version);
        let files = self.files.join(", ");
        [self.template.to_owned(), self.title.to_owned(), language, files, self.packages.clone()]
    }
}

fn list(out: &Output) -> Result<(), Error> {
    let lines = Template::all().map(Line::of);
    if out.json() {
        return out.document(&lines);
    }
    let rows: Vec<_> = lines.iter().map(Line::cells).collect();
    out.table(["TEMPLATE", "MAKES", "LANGUAGE", "FILES", "PACKAGES"], &rows)?;
    out.next("cloudfunc init hello --template NAME");
    Ok(())
}

/// The placeholder for the function's name in the templates.
const PLACEHOLDER: &str = "function_name";

/// Accepts the name of a template, or of the language that it belongs to.
fn template() -> impl TypedValueParser<Value = Template> {
    let value = |template: Template| PossibleValue::new(template.name).aliases(template.other_name);
    let names = PossibleValuesParser::new(Template::all().map(value));
    names.map(|name| Template::named(&name).expect("one of the possible values"))
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
        let Template { files, first, .. } = self.template;
        write(&folder, &name, files)?;
        if out.json() {
            let files: Vec<_> = files.iter().map(|(file, _)| file).collect();
            return out.document(&json!({ "name": name, "folder": folder, "files": files }));
        }
        for (file, _) in files {
            out.line(&format!("made {}", folder.join(file).display()))?;
        }
        out.next(&next(&folder, first));
        Ok(())
    }
}

/// Returns what to type to deploy it: of a function whose program has to be built, that first.
fn next(folder: &Path, first: Option<&str>) -> String {
    let deploy = format!("cloudfunc deploy {}", folder.display());
    match first {
        // A shell looks a program up by its path if there is a `/` in it.
        Some(program) => format!("{} && {deploy}", folder.join(program).display()),
        None => deploy,
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
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| cannot(parent, error))?;
        let text = text.replace(PLACEHOLDER, name.as_str());
        let mode = if text.starts_with("#!") { 0o777 } else { 0o666 };
        let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        made.and_then(|mut made| made.write_all(text.as_bytes()))
            .map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{
        bundle,
        manifest::{self, Defaults},
    };

    #[test]
    fn what_init_makes_can_be_deployed() {
        for template in Template::all() {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), &"greeter".parse().unwrap(), template.files).unwrap();
            if template.first.is_some() {
                fs::write(folder.path().join("bootstrap"), "#!/bin/sh\n").unwrap();
                let executable = fs::Permissions::from_mode(0o755);
                fs::set_permissions(folder.path().join("bootstrap"), executable).unwrap();
            }
            let listing = bundle::pack(folder.path()).unwrap().listing;
            let defaults = Defaults::default();
            let text = listing.manifest().unwrap();
            let read = manifest::parse(text, manifest::FILE, &defaults).unwrap();
            assert_eq!(read.name.unwrap().as_str(), "greeter");
            bundle::check_code(&listing, &read.spec).unwrap();

            // The template says that its commented lines are the defaults; some only show what could be there.
            let shown = text.replace("\n# ", "\n").replace("What follows", "# ");
            let shown = shown.replace("[env]", "#").replace("[http]", "#");
            let shown: String = shown
                .lines()
                .filter(|line| !["GREETING", "version", "path"].iter().any(|key| line.starts_with(key)))
                .map(|line| format!("{line}\n"))
                .collect();
            let spec = manifest::parse(&shown, "shown", &defaults).unwrap().spec;
            assert_eq!(spec, read.spec, "{}", template.name);
        }
    }

    #[test]
    fn scripts_can_be_run_and_a_program_that_is_built_is_all_that_is_deployed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["shell", "rust"] {
            let files = Template::named(name).unwrap().files;
            write(&folder.path().join(name), &"greeter".parse().unwrap(), files).unwrap();
        }
        let mode = |file: &str| fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_ne!(mode("shell/report.sh") & 0o100, 0);
        assert_ne!(mode("rust/build.sh") & 0o100, 0);
        assert_eq!(mode("shell/cloudfunc.toml") & 0o111, 0);
        let script = fs::read_to_string(folder.path().join("shell/report.sh")).unwrap();
        assert!(script.contains("`cloudfunc logs greeter`"), "{script}");
        fs::write(folder.path().join("rust/bootstrap"), "").unwrap();
        let packed = bundle::pack(&folder.path().join("rust")).unwrap().listing;
        assert_eq!(packed.paths().collect::<Vec<_>>(), ["bootstrap", "cloudfunc.toml"]);
    }

    #[test]
    fn the_script_greets_the_world_where_nobody_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &"greeter".parse().unwrap(), Template::named("shell").unwrap().files)
            .unwrap();
        for (payload, greeting) in
            [("", "Hello World!\n"), ("{}", "Hello World!\n"), ("Ada", "Hello Ada!\n")]
        {
            let input = folder.path().join("payload");
            fs::write(&input, payload).unwrap();
            let mut script = std::process::Command::new("sh");
            script.arg(folder.path().join("report.sh")).stdin(fs::File::open(&input).unwrap());
            let output = script.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), greeting, "{payload}");
        }
    }

    #[test]
    fn what_comes_next_builds_a_program_first() {
        let next = |first| next(Path::new("greeter"), first);
        assert_eq!(next(None), "cloudfunc deploy greeter");
        assert_eq!(next(Some("build.sh")), "greeter/build.sh && cloudfunc deploy greeter");
    }
}
