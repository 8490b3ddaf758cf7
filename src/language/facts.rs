//! The table that each language fills in. Data and pure functions only: nothing here reads a file, starts a program
//! or knows an engine.

use std::collections::BTreeMap;

/// Everything of the platform that differs between languages.
#[derive(Debug)]
pub struct Facts {
    /// In manifests, settings, stored revisions and names of images: lowercase letters.
    pub name: &'static str,
    /// For people, as in "a version of Python".
    pub title: &'static str,
    /// Which versions there are.
    pub versions: Versions,
    /// What a handler is called and where it is.
    pub handler: HandlerGrammar,
    /// The image that an engine runs functions of this language in.
    pub image: Image,
    /// What runs in a sandbox.
    pub interpreter: Interpreter,
    /// How the machine's own interpreter takes the place of an image.
    pub host: Host,
    /// Variables that mean something to the interpreter.
    pub variables: Variables,
    /// Packages that a function uses; none where the language has no usual file for them.
    pub dependencies: Option<Dependencies>,
    /// The files that `cloudfunc init` makes, with their texts; `function_name` in them is replaced.
    pub template: &'static [(&'static str, &'static str)],
}

/// The versions of a language, as in `version = "3.12"`.
#[derive(Debug)]
pub struct Versions {
    /// For functions that name none, on a platform that names none.
    pub default: &'static str,
    /// Shown to whoever wrote another form.
    pub example: &'static str,
    /// Whether a manifest may have this text.
    pub accepts: fn(&str) -> bool,
    /// A release as a manifest names it: `3.12` of `3.12.4`. A text that is not a release stays as it is.
    pub of_release: fn(&str) -> &str,
}

/// What handlers look like, and the files they are in.
#[derive(Debug)]
pub struct HandlerGrammar {
    /// The handler of a function that names none.
    pub default: &'static str,
    /// The rule in words, after "a handler is".
    pub form: &'static str,
    /// Whether a manifest may have this text.
    pub accepts: fn(&str) -> bool,
    /// The files that may hold this handler, relative to the function's folder; the first is the one to name to people.
    pub files: fn(&str) -> Vec<String>,
    /// Ending of source files, with its dot.
    pub extension: &'static str,
    /// Names of source files, without their ending, that hold the handler of a function written for another platform:
    /// the likeliest first.
    pub usual_modules: &'static [&'static str],
    /// Whether a source file of this name, without its ending, can hold a handler.
    pub is_module: fn(&str) -> bool,
    /// The text for a manifest of a function in a module.
    pub named: fn(module: &str, function: &str) -> String,
    /// The usual name of the handler's function in a module of this name.
    pub usual_function: fn(module: &str) -> &'static str,
    /// The function of a module's text that most likely is its handler.
    pub likely_function: fn(text: &str) -> Option<String>,
}

/// How a language's image is built on its base image. All files go to [`Image::FOLDER`].
#[derive(Debug)]
pub struct Image {
    /// The base image unless the platform names another one; `{version}` stands for the version.
    pub base: &'static str,
    /// Names and texts of files in [`Image::FOLDER`].
    pub files: &'static [(&'static str, &'static str)],
    /// Commands that the build runs then: program and arguments, without a shell.
    pub steps: &'static [&'static [&'static str]],
    /// Environment variables of the image, over those of its base.
    pub env: &'static [(&'static str, &'static str)],
}

impl Image {
    /// Where images and sandboxes have the files of a language's runtime.
    pub const FOLDER: &str = "/opt/cloudfunc";
}

/// The program in a sandbox that runs the shim: `program options… path-of-the-shim`.
#[derive(Debug)]
pub struct Interpreter {
    /// Its name on the `PATH` of the image.
    pub program: &'static str,
    /// The text of the shim, which speaks the runtime protocol. Compiled in: the binary needs no file of ours beside
    /// it.
    pub shim: &'static str,
    /// The shim's file where its text is to be run as it is.
    pub source_file: &'static str,
    /// The shim's file in [`Image::FOLDER`], where it may have been compiled.
    pub image_file: &'static str,
    /// Options of an interpreter that is started with these variables.
    pub options: fn(&BTreeMap<String, String>) -> &'static [&'static str],
}

impl Interpreter {
    /// The command of a sandbox whose shim is in [`Image::FOLDER`]; `program` is the interpreter's path or name there.
    pub fn command(&self, program: &str, env: &BTreeMap<String, String>) -> Vec<String> {
        let options = (self.options)(env).iter().map(|word| (*word).to_owned());
        let shim = format!("{}/{}", Image::FOLDER, self.image_file);
        std::iter::once(program.to_owned()).chain(options).chain([shim]).collect()
    }

    /// Whether these variables change its options: an image's own command does not do then.
    pub fn heeds(&self, env: &BTreeMap<String, String>) -> bool {
        (self.options)(env) != (self.options)(&BTreeMap::new())
    }
}

/// Interpreters of the machine itself, for a runtime without images.
#[derive(Debug)]
pub struct Host {
    /// Names on the `PATH` under which an interpreter of this version, as in a manifest, may be found, the best first.
    pub names: fn(version: &str) -> Vec<String>,
    /// Names under which an interpreter of any version may be found, the best first.
    pub all_names: fn() -> Vec<String>,
    /// Arguments before those of a call that makes the interpreter describe itself: it prints one JSON object with
    /// `version` (the whole release), `executable`, `prefix` and lists of paths `standard_library`, `shared_library`
    /// and `packages`, all without links. With two more arguments, it also makes of the first one, the shim's text,
    /// the second one, a file that runs as [`Interpreter::image_file`].
    pub describe: &'static [&'static str],
}

/// Environment variables that the interpreter itself reads.
#[derive(Debug)]
pub struct Variables {
    /// Those read when the process starts, beside the C library's; a name ending in `*` stands for all that begin so.
    pub read_at_start: &'static [&'static str],
    /// Those that have no effect in a function, or keep it from starting, and why.
    pub refused: &'static [(&'static str, &'static str)],
}

/// A function's packages.
#[derive(Debug)]
pub struct Dependencies {
    /// The file that lists them.
    pub file: &'static str,
    /// Whether a file of this text asks for any.
    pub asks: fn(text: &str) -> bool,
    /// The command that installs them into the function's folder.
    pub install: &'static str,
    /// A folder of installed packages that is left out of functions in other languages.
    pub folder: Option<&'static str>,
}
