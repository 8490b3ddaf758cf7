//! The table that each language fills in: data and pure functions only. Nothing here reads a file, starts a program or
//! knows an engine.

use std::{collections::BTreeMap, fmt};

/// Everything that differs between languages.
#[derive(Debug)]
pub struct Facts {
    /// The name in manifests, settings, stored revisions and names of images: lowercase letters.
    pub name: &'static str,
    /// The name for people, as in "a version of Python".
    pub title: &'static str,
    /// The versions that exist.
    pub versions: Versions,
    /// The names of handlers, and the files they are in.
    pub handler: HandlerGrammar,
    /// The image that an engine runs functions of this language in.
    pub image: Image,
    /// The program that runs in a sandbox; none where there is no shim, and the platform's helper runs the function's program.
    pub interpreter: Option<Interpreter>,
    /// The way to use the machine's own interpreter in place of an image; none without an interpreter.
    pub host: Option<Host>,
    /// Environment variables that have a meaning to the interpreter.
    pub variables: Variables,
    /// The packages of a function; none where the language has no usual file for them.
    pub dependencies: Option<Dependencies>,
    /// The function that runs build commands. Its event has `command`, a list, `env`, and `packages`, the name of a tree or
    /// nothing; it runs the command in `function/` of the output, a copy of the folder [`BuildProgram::CODE`]. Its result is
    /// `{"code": 0}`, `{"signal": 9}`, `{"refused": "why"}` or, where the program is not found,
    /// `{"missing": {"path": "the PATH", "advice": "what to do"}}`; the advice may be left out. None
    /// where no shim runs it.
    pub command: Option<BuildProgram>,
    /// The way to compile source files ahead of time; none where the interpreter keeps no such files.
    pub bytecode: Option<Bytecode>,
    /// Returns the web application in a folder whose files `read` gives, as far as they tell of one.
    pub web_application: fn(read: Read<'_>) -> Option<WebApplication>,
    /// The command of a web server, as a manifest may have it, to show in errors.
    pub server_example: &'static str,
    /// Programs of packages that are web servers, by the names of their packages.
    pub servers: &'static [&'static str],
    /// The way to run a handler that was written for AWS Lambda; none where no client is known.
    pub lambda_client: Option<LambdaClient>,
    /// The files that `cloudfunc init` writes, with their texts; `function_name` in them is replaced.
    pub template: &'static [(&'static str, &'static str)],
}

/// Gives the text of a file of a folder; none where there is no such file.
pub type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

/// A web application of its author's own, for advice.
#[derive(Debug)]
pub struct WebApplication {
    /// The words for it, after "there is": `app.py with Flask`.
    pub seen: String,
    /// The command that usually starts it.
    pub command: Vec<String>,
    /// Its other needs, as a sentence without a full stop.
    pub needs: String,
}

/// A package that speaks AWS Lambda's runtime API for a handler.
#[derive(Debug)]
pub struct LambdaClient {
    /// Its name.
    pub package: &'static str,
    /// The command that runs it; the handler comes after that.
    pub command: &'static [&'static str],
}

/// The versions of a language, as in `version = "3.12"`.
#[derive(Debug)]
pub struct Versions {
    /// The version for functions that do not name one, on a platform that does not name one either.
    pub default: &'static str,
    /// A version to show in errors.
    pub example: &'static str,
    /// The oldest version there may be, to show in errors; none where the example says enough.
    pub oldest: Option<&'static str>,
    /// Returns whether a manifest may have this text.
    pub accepts: fn(&str) -> bool,
    /// Returns a release as a manifest names it: `3.12` for `3.12.4`. A text that is not a release stays as it is.
    pub of_release: fn(&str) -> &str,
}

/// The form of handlers, and the files they are in.
#[derive(Debug)]
pub struct HandlerGrammar {
    /// The handler of a function that does not name one.
    pub default: &'static str,
    /// The rule in words, after "a handler is".
    pub form: &'static str,
    /// Returns whether a manifest may have this text.
    pub accepts: fn(&str) -> bool,
    /// Returns the files that may hold this handler, relative to the function's folder; the first is the one to name to
    /// people.
    pub files: fn(&str) -> Vec<String>,
    /// The endings of source files, with their dots, the usual one first.
    pub extensions: &'static [&'static str],
    /// Names of source files, without their ending, that hold the handler of a function written for another platform:
    /// the likeliest first.
    pub usual_modules: &'static [&'static str],
    /// Returns whether a source file of this name, without its ending, can hold a handler.
    pub is_module: fn(&str) -> bool,
    /// Returns the handler's text in a manifest, for a function in a module.
    pub named: fn(module: &str, function: &str) -> String,
    /// Returns the usual name of the handler's function in a module of this name.
    pub usual_function: fn(module: &str) -> &'static str,
    /// Returns the function in a module's text that is most likely its handler.
    pub likely_function: fn(text: &str) -> Option<String>,
}

/// The way to build a language's image on its base image. All files go to [`Image::FOLDER`].
#[derive(Debug)]
pub struct Image {
    /// The base image, unless the platform names another one; `{version}` stands for the version.
    pub base: &'static str,
    /// Names and texts of files in [`Image::FOLDER`].
    pub files: &'static [(&'static str, &'static str)],
    /// Commands that the build runs next: program and arguments, without a shell.
    pub steps: &'static [&'static [&'static str]],
    /// Environment variables of the image, which override those of its base.
    pub env: &'static [(&'static str, &'static str)],
}

impl Image {
    /// The folder of a language's runtime in images and sandboxes.
    pub const FOLDER: &str = "/opt/cloudfunc";
    /// The folder of links to an interpreter, in a sandbox that has the machine's own.
    pub const LINKS: &str = "/opt/cloudfunc/bin";
    /// The folders of programs in a sandbox, as base images have them.
    pub const PATH: &str =
        "/opt/cloudfunc/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/// The program in a sandbox that runs the shim: `init… program options… path-of-the-shim`.
#[derive(Debug)]
pub struct Interpreter {
    /// The program's name on the `PATH` of the image.
    pub program: &'static str,
    /// The program that is the first process and runs the interpreter, with its arguments; empty where the shim itself
    /// reaps what a function leaves behind, and ends when the host hangs up.
    pub init: &'static [&'static str],
    /// The text of the shim, which speaks the runtime protocol. It is compiled in: the binary needs no other file of
    /// ours.
    pub shim: &'static str,
    /// The name of the shim's file where its text is run as it is.
    pub source_file: &'static str,
    /// The name of the shim's file in [`Image::FOLDER`], where it may have been compiled.
    pub image_file: &'static str,
    /// Returns the options of an interpreter that is started with these variables.
    pub options: fn(&BTreeMap<String, String>) -> &'static [&'static str],
}

impl Interpreter {
    /// Returns the command of a sandbox whose shim is in [`Image::FOLDER`]; `program` is the interpreter's path or name
    /// there.
    pub fn command(&self, program: &str, env: &BTreeMap<String, String>) -> Vec<String> {
        self.command_for(&format!("{}/{}", Image::FOLDER, self.image_file), program, env)
    }

    /// Returns the command that runs a shim at this path.
    pub fn command_for(&self, shim: &str, program: &str, env: &BTreeMap<String, String>) -> Vec<String> {
        let words = [self.init, &[program], (self.options)(env), &[shim]];
        words.into_iter().flatten().map(|word| (*word).to_owned()).collect()
    }

    /// Returns whether these variables change the options, so that an image's own command cannot be used.
    pub fn heeds(&self, env: &BTreeMap<String, String>) -> bool {
        (self.options)(env) != (self.options)(&BTreeMap::new())
    }
}

/// Interpreters of the machine itself, for a runtime without images.
#[derive(Debug)]
pub struct Host {
    /// Returns the names on the `PATH` under which an interpreter of this version, as in a manifest, may be found, the
    /// best first.
    pub names: fn(version: &str) -> Vec<String>,
    /// Returns the names under which an interpreter of any version may be found, the best first.
    pub all_names: fn() -> Vec<String>,
    /// Arguments that make the interpreter describe itself; those of a call come after them. It prints one JSON object
    /// with `version` (the whole release), `executable`, `prefix` and lists of paths `standard_library`,
    /// `shared_library` and `packages`, all without links, and maybe `headers`, which builds of packages see. With two more
    /// arguments, it also turns the first one, the shim's text, into the second one, a file that runs as
    /// [`Interpreter::image_file`].
    pub describe: &'static [&'static str],
}

/// Environment variables that the interpreter itself reads.
#[derive(Debug)]
pub struct Variables {
    /// Variables that it reads when the process starts, in addition to the C library's; a name ending in `*` stands for
    /// all that begin so.
    pub read_at_start: &'static [&'static str],
    /// Variables that have no effect in a function, or keep it from starting, each with the reason.
    pub refused: &'static [(&'static str, &'static str)],
    /// Variables with the values that programs of this language's images get, where their author sets no others. The shim
    /// needs none of them.
    pub of_programs: &'static [(&'static str, &'static str)],
}

/// The packages of a function.
#[derive(Debug)]
pub struct Dependencies {
    /// The file that lists them.
    pub file: &'static str,
    /// Returns whether a file of this text asks for any.
    pub asks: fn(text: &str) -> bool,
    /// The folder that they are in, which is left out of functions in other languages. A function that has it uses it as it
    /// is; for others, a link of this name leads to their installed packages. None where the interpreter is told of them.
    pub folder: Option<&'static str>,
    /// The way a deploy installs them, in a sandbox of its own; none where this version leaves that to authors.
    pub installer: Option<Installer>,
    /// The file that describes a whole project, which is read where the usual file is not there; none where the usual file
    /// is that one.
    pub project: Option<Project>,
}

/// Tells whether a name is in a folder.
pub type Has<'h> = &'h dyn Fn(&str) -> bool;

/// A file that describes a project, its packages among other things.
#[derive(Debug)]
pub struct Project {
    /// Its name.
    pub file: &'static str,
    /// Returns the packages that it asks for, in the order of the file; the error is its author's. `version` is the
    /// function's version of the language, `has` tells whether a name is in the folder.
    pub packages: fn(text: &str, version: &str, has: Has<'_>) -> Result<Vec<String>, String>,
    /// Returns whether it asks for packages, in whatever form.
    pub asks: fn(text: &str) -> bool,
    /// Returns what to say of a name in the folder that looks like one of these files, and is not read.
    pub unread: fn(name: &str) -> Option<String>,
}

/// The way to install packages in a sandbox of the language's image.
#[derive(Debug)]
pub struct Installer {
    /// The program that installs packages, for people, and the name of its folder in a sandbox.
    pub tool: &'static str,
    /// Debian's package of it.
    pub debian: &'static str,
    /// Arguments that make the machine's interpreter print the folder of the program.
    pub find: &'static [&'static str],
    /// Names and texts of the files of a function that installs. Its event is `{"do": "describe"}` or `{"do": "install", …}`.
    pub program: &'static [(&'static str, &'static str)],
    /// Its handler.
    pub handler: &'static str,
    /// The number of the form that packages are installed in: those of another form are installed anew.
    pub form: u8,
    /// Returns the entries of a file's text.
    pub entries: fn(text: &str, rules: Rules) -> Vec<Entry>,
    /// Returns the form of a file's text that stays the same where nothing changes for the program: without comments, say.
    pub normal: fn(text: &str) -> String,
    /// Packages can be built from their sources.
    pub builds_sources: bool,
    /// The kind of index that packages come from.
    pub index: Index,
    /// Files of the function's folder that count beside the first one, where they are there.
    pub beside: &'static [&'static str],
    /// Returns what packages are installed from, of the files that were found; an error is the author's. `has_index` says
    /// that the platform names the index.
    pub select: fn(files: &BTreeMap<String, String>, has_index: bool) -> Result<Selected, String>,
}

/// The kinds of indexes of packages; a platform has a setting for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// One of Python's.
    Python,
    /// A registry of npm's.
    Npm,
}

impl Index {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Python, Self::Npm];
}

/// The sources of an installation.
#[derive(Clone, Default)]
pub struct Selected {
    /// Texts by path, in one form for everything that makes no difference.
    pub texts: BTreeMap<String, String>,
    /// Texts that only the installer sees.
    pub secrets: BTreeMap<String, String>,
    /// Lines for people who deploy.
    pub notices: Vec<String>,
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = self.secrets.keys();
        f.debug_tuple("Selected").field(&self.texts).field(&secrets).field(&self.notices).finish()
    }
}

/// The facts by which an entry is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// The platform names the index of packages.
    pub has_index: bool,
    /// The function has packages built from their sources.
    pub from_source: bool,
}

/// A function of the platform's own, which runs in a sandbox of a build.
#[derive(Debug)]
pub struct BuildProgram {
    /// Its text.
    pub text: &'static str,
    /// The name of its file, in place of a function's code.
    pub file: &'static str,
    /// Its handler.
    pub handler: &'static str,
    /// It passes on the program that installs packages, where that is there.
    pub calls_installer: bool,
}

impl BuildProgram {
    /// The folder with a function's code, beside the program.
    pub const CODE: &str = "code";
}

/// The way to compile source files to what the interpreter loads sooner, in a sandbox of the language's image.
#[derive(Debug)]
pub struct Bytecode {
    /// The ending of source files, with its dot.
    pub extension: &'static str,
    /// The name of the folders beside source files that the interpreter looks into.
    pub folder: &'static str,
    /// The function that compiles the files of [`BuildProgram::CODE`] that the JSON list in [`Bytecode::SOURCES`] names,
    /// each to a file of the output whose name is its number in the list. Its event is `{"seconds": 60}`; its result has a
    /// `tag`.
    pub program: BuildProgram,
    /// Returns the name of a source's bytecode in [`Bytecode::folder`]; none for a tag that no interpreter has.
    pub compiled: fn(source: &str, tag: &str) -> Option<String>,
    /// Returns whether a file of these first bytes is bytecode that is used whatever the times of its source are.
    pub is_usable: fn(start: &[u8; 16]) -> bool,
    /// The command that compiles the code of a function in an image that is made of it, program and arguments, without a
    /// shell. What cannot be compiled stays as it is.
    pub in_image: &'static [&'static str],
}

impl Bytecode {
    /// The file beside the program that lists source files.
    pub const SOURCES: &str = "sources.json";
}

/// An entry of a file that lists packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its first line.
    pub line: usize,
    /// Its text, without comments.
    pub text: String,
    /// The files that it includes, relative to its own, or the reason why it is refused.
    pub includes: Result<Vec<String>, &'static str>,
    /// The package that it asks for, without options; none where it is an address, or no package.
    pub package: Option<String>,
    /// It names an index of packages.
    pub names_index: bool,
}
