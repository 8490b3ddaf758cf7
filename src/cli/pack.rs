//! Packing a function's folder for `deploy` and `run`, with all checks that need no platform.

mod below;
mod elsewhere;
mod procfile;
mod programs;

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use self::below::Below;
use super::{Error, Exit, Output};
use crate::{
    bundle::{self, CodeError, Listing, Packed, ProgramError},
    manifest::{self, Defaults, Manifest},
    model::{Code, FunctionName, FunctionSpec, HttpSpec, Interface, Language, SecretName},
};

/// The maximum number of reasons for leaving something out that are shown without `--verbose`.
const MAX_REASONS_TOLD: usize = 10;

/// The command that a folder is packed for, as errors name it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Deploy,
    Run,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Run => "run",
        }
    }
}

/// A function's folder, checked as far as possible without a platform.
pub struct Function {
    pub name: FunctionName,
    /// None for an image from elsewhere.
    pub language: Option<Language>,
    pub interface: Interface,
    /// Its addresses, if it has any.
    pub http: Option<HttpSpec>,
    /// The secrets that it gets.
    pub secrets: Vec<SecretName>,
    /// A gzipped tar.
    pub archive: Bytes,
    pub files: usize,
    /// True where a file names packages.
    pub names_packages: bool,
}

/// Returns the folders of functions that a path means: the folder itself, or its direct subfolders if it is not
/// a function and they are. The others are named, so that nobody takes them for deployed.
pub fn folders(path: &Path, out: &Output) -> Result<Folders, Error> {
    let folder = find(path)?;
    is_a_functions(&folder, Purpose::Deploy)?;
    let below = below::functions(&folder).map_err(|source| {
        let error = Error::new(Exit::Caller, source);
        error.context(format!("cannot read {}", folder.display()))
    })?;
    let Some(Below { functions, others }) = below else { return Ok(Folders::One(folder)) };
    if !others.is_empty() {
        let others = others.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        out.notice(&format!("skipped, because they are not functions: {}", others.join(", ")));
    }
    Ok(Folders::Several(functions))
}

/// The folders that a path means.
pub enum Folders {
    One(PathBuf),
    /// The functions in a folder of functions, in order.
    Several(Vec<PathBuf>),
}

/// Returns the name of the function in a folder, as far as it is known without packing: also of a manifest with mistakes.
pub fn known_name(folder: &Path) -> Option<FunctionName> {
    let table: toml::Table = manifest_text(folder).ok()?.parse().ok()?;
    match table.get("name") {
        Some(name) => name.as_str()?.parse().ok(),
        None => name_of(folder).ok(),
    }
}

/// Like [`known_name`], for a path that may mean anything: only if it is that of one function.
pub fn known_name_at(path: &Path) -> Option<FunctionName> {
    let folder = find(path).ok()?;
    let is_function =
        folder.join(manifest::FILE).is_file() || has_code(&folder, Purpose::Deploy).is_ok();
    known_name(&folder).filter(|_| is_function)
}

/// Finds the folder of a function and packs it for a run.
pub async fn pack(path: &Path, out: &Output) -> Result<Function, Error> {
    let folder = find(path)?;
    is_a_functions(&folder, Purpose::Run)?;
    pack_for(Purpose::Run, &folder, Some(""), out).await
}

/// Packs a folder for a deploy, reports what was left out, and checks the rest. Each line of the report begins with
/// `before`; without that, nothing is reported.
pub async fn pack_folder(folder: &Path, before: Option<&str>, out: &Output) -> Result<Function, Error> {
    pack_for(Purpose::Deploy, folder, before, out).await
}

async fn pack_for(
    purpose: Purpose,
    folder: &Path,
    before: Option<&str>,
    out: &Output,
) -> Result<Function, Error> {
    let language = has_code(folder, purpose)?;
    let progress = out.waiting(&format!("packing {}", folder.display()));
    let packing = folder.to_owned();
    let packed = tokio::task::spawn_blocking(move || bundle::pack(&packing)).await;
    let packed = packed.map_err(anyhow::Error::from)?.map_err(|error| match error {
        // It names the manifest's file and line.
        bundle::Error::Manifest(_) => error.into(),
        _ => cannot(purpose, folder, error),
    })?;
    drop(progress);
    let (name, spec) = check(folder, &packed, purpose)?;
    let FunctionSpec { interface, http, secrets, .. } = spec;
    if let Some(before) = before {
        tell(&packed, before, out);
    }
    let Packed { bytes, listing, .. } = packed;
    let dependencies = language.and_then(|language| language.facts().dependencies.as_ref());
    let names_packages = dependencies.is_some_and(|dependencies| {
        let project = dependencies.project.as_ref().map(|project| project.file);
        listing.has(dependencies.file) || project.is_some_and(|file| listing.has(file))
    });
    let files = listing.paths().len();
    let archive = bytes;
    Ok(Function { name, language, interface, http, secrets, archive, files, names_packages })
}

/// Reports files that are not in the archive, and files in it that will not work.
fn tell(packed: &Packed, before: &str, out: &Output) {
    let groups = &packed.left_out.groups;
    let most = if out.is_verbose() { groups.len() } else { MAX_REASONS_TOLD };
    for group in groups.iter().take(most) {
        out.notice(&format!("{before}{group}"));
    }
    if groups.len() > most {
        out.notice(&format!(
            "{before}more left out by {} other rules; --verbose lists them",
            groups.len() - most
        ));
    }
    if packed.listing.manifest().is_none() && packed.listing.description() == manifest::OF_A_PROGRAM {
        out.notice(&format!(
            "{before}there is no {}: {} is deployed as a native program (`language = \"native\"`, `interface = \
             \"lambda\"`)",
            manifest::FILE,
            manifest::BOOTSTRAP
        ));
    }
    for warning in &packed.warnings {
        out.warn(&format!("{before}{warning}"));
    }
}

/// Refuses folders such as the root or the home folder before anything is read.
fn is_a_functions(folder: &Path, purpose: Purpose) -> Result<(), Error> {
    let Ok(full) = folder.canonicalize() else { return Ok(()) };
    let home = std::env::var_os("HOME").and_then(|home| PathBuf::from(home).canonicalize().ok());
    let what = match () {
        () if full.parent().is_none() => "the root of the file system",
        () if Some(&full) == home.as_ref() && !full.join(manifest::FILE).is_file() => "your home folder",
        () => return Ok(()),
    };
    let why = Error::usage(format!("it is {what}, not the folder of a function"));
    Err(cannot(purpose, folder, why).hint(format!(
        "name the function's own folder: `cloudfunc {} FOLDER`; `cloudfunc init hello` makes a new one",
        purpose.word()
    )))
}

/// Returns the text of a folder's manifest; if it has none, what such a folder means.
fn manifest_text(folder: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if let Ok(opened) = File::open(folder.join(manifest::FILE)) {
        opened.take(manifest::MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    } else if bundle::is_programs(folder) {
        text.push_str(manifest::OF_A_PROGRAM);
    }
    Ok(text)
}

/// Looks for the manifest and the file of the handler or program, so that a folder that is not a function is not packed.
/// Returns the code's language; none for an image from elsewhere.
fn has_code(folder: &Path, purpose: Purpose) -> Result<Option<Language>, Error> {
    let file = folder.join(manifest::FILE);
    let text = manifest_text(folder).map_err(|source| {
        cannot(
            purpose,
            folder,
            Error::new(Exit::Caller, source).context(format!("cannot read {}", file.display())),
        )
    })?;
    let Manifest { spec, include, .. } =
        manifest::parse(&text, &file.display().to_string(), &Defaults::default())?;
    if let Code::Dockerfile { dockerfile, .. } = &spec.code
        && folder.join(dockerfile).symlink_metadata().is_err()
        && !include.iter().any(|include| Path::new(dockerfile).starts_with(&include.name))
    {
        return Err(cannot(purpose, folder, CodeError::NoDockerfile { file: dockerfile.clone() }));
    }
    let Code::Language { language, version: _, package: _ } = spec.code else { return Ok(None) };
    // A handler in an included folder is looked for once that is packed.
    let is_included =
        |file: &str| include.iter().any(|include| Path::new(file).starts_with(&include.name));
    let is_there = |file: &str| folder.join(file).symlink_metadata().is_ok() || is_included(file);
    // A build command may make what is not there yet.
    if spec.build_command.is_some() {
        return Ok(Some(language));
    }
    if !spec.interface.is_protocol() {
        let missing = bundle::program_file(&spec).filter(|file| !is_there(file));
        return match missing {
            Some(file) => {
                let hint = elsewhere::program_hint(folder, &spec, &file);
                let error = CodeError::from(ProgramError::missing(&spec, file, hint));
                Err(cannot(purpose, folder, error))
            }
            None => Ok(Some(language)),
        };
    }
    let files = (language.facts().handler.files)(&spec.handler);
    if files.iter().any(|file| is_there(file)) {
        return Ok(Some(language));
    }
    let hint = elsewhere::hint(folder, language, &spec.handler);
    let file = files.into_iter().next().unwrap_or_default();
    let error = CodeError::NoModule { file, handler: spec.handler, hint };
    Err(cannot(purpose, folder, error))
}

/// Returns the folder itself, or the one of that name in `./functions`.
fn find(path: &Path) -> Result<PathBuf, Error> {
    let example = Path::new("functions").join(path);
    if path.is_dir() {
        Ok(path.to_owned())
    } else if path.is_relative() && example.is_dir() {
        Ok(example)
    } else if path.exists() {
        Err(Error::usage(format!("{} is not a folder", path.display()))
            .hint("a function is deployed as the folder that holds it"))
    } else if path.to_string_lossy().starts_with(['{', '[', '"']) {
        Err(Error::usage(format!("{} is not a folder", path.display()))
            .hint("a payload comes after the folder: cloudfunc run . '{…}', or --data '{…}'"))
    } else {
        let or = if path.is_relative() { format!(" or {}", example.display()) } else { String::new() };
        Err(Error::usage(format!("there is no folder {}{or}", path.display()))
            .hint("`cloudfunc init hello` makes a new function"))
    }
}

/// Checks the folder as far as possible without the platform, which checks everything again. Returns the
/// function's name and what its manifest says.
fn check(
    folder: &Path,
    packed: &Packed,
    purpose: Purpose,
) -> Result<(FunctionName, FunctionSpec), Error> {
    let listing = &packed.listing;
    let file = folder.join(manifest::FILE);
    if file.exists() && !listing.has(manifest::FILE) {
        return Err(left_out(folder, manifest::FILE, packed));
    }
    if let Some(program) = lost_program(folder, listing) {
        return Err(left_out(folder, &program, packed));
    }
    // The version does not matter here: the platform applies its own default.
    let defaults = Defaults::default();
    let text = listing.description();
    let Manifest { name, spec, .. } = manifest::parse(text, &file.display().to_string(), &defaults)?;
    if let Err(error) = bundle::check_code(listing, &spec) {
        return Err(match error.missing_file() {
            Some(file) if folder.join(file).is_file() => left_out(folder, file, packed),
            _ => cannot(purpose, folder, error),
        });
    }
    Ok((name.map_or_else(|| name_of(folder), Ok)?, spec))
}

/// Returns the file of a native program without a manifest that is not packed: the folder would be taken for another one's.
/// A link to it may be packed alone.
fn lost_program(folder: &Path, listing: &Listing) -> Option<String> {
    if !bundle::is_programs(folder) || listing.description() == manifest::OF_A_PROGRAM {
        return None;
    }
    let (top, program) = (folder.canonicalize().ok()?, folder.join(manifest::BOOTSTRAP));
    let file = match listing.has(manifest::BOOTSTRAP) {
        true => program.canonicalize().ok()?.strip_prefix(top).ok()?.to_str()?.to_owned(),
        false => manifest::BOOTSTRAP.to_owned(),
    };
    Some(file)
}

fn left_out(folder: &Path, file: &str, packed: &Packed) -> Error {
    let why = packed.left_out.why(file).map_or_else(String::new, |reason| format!(" by {reason}"));
    Error::usage(format!("{} is left out{why}", folder.join(file).display()))
        .hint("a line `!<file>` in .cloudfuncignore takes a file back in")
}

/// Returns the name for a manifest that has none: that of the folder.
fn name_of(folder: &Path) -> Result<FunctionName, Error> {
    let absolute = folder.canonicalize().map_err(|error| {
        Error::new(Exit::Caller, error).context(format!("cannot resolve {}", folder.display()))
    })?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    name.parse().map_err(|error| {
        let hint = format!("give the function a `name` in {}", folder.join(manifest::FILE).display());
        Error::new(Exit::Caller, error).hint(hint)
    })
}

fn cannot(purpose: Purpose, folder: &Path, why: impl Into<Error>) -> Error {
    why.into().context(format!("cannot {} {}", purpose.word(), folder.display()))
}
