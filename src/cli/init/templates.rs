//! The templates of `cloudfunc init`: one for each language, and some for programs behind other interfaces.

use crate::{
    language::{Dependencies, Facts},
    model::Language,
};

/// The files of a new function.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// The name on the command line.
    pub name: &'static str,
    /// The description that `--list` shows.
    pub title: &'static str,
    /// The function's language.
    pub language: Language,
    /// Paths in the function's folder, with their texts; `function_name` in them is replaced. A text that begins with `#!`
    /// is a program.
    pub files: &'static [(&'static str, &'static str)],
    /// The name of its language, where the language's own template has another one.
    pub other_name: Option<&'static str>,
    /// A program among the files that has to run before the function can be deployed.
    pub first: Option<&'static str>,
}

impl Template {
    /// The template of a command that names none.
    pub const DEFAULT: &str = "python";

    /// Returns all of them, in the order in which they are listed.
    pub fn all() -> [Self; 5] {
        let of = |name, title, language: Language| {
            let files = language.facts().template;
            Self { name, title, language, files, other_name: None, first: None }
        };
        let python = of(Self::DEFAULT, "a handler in Python", Language::Python);
        let shell = of("shell", "a shell script", Language::Native);
        [
            python,
            of("node", "a handler in Node", Language::Node),
            Self { other_name: Some("native"), ..shell },
            Self {
                name: "rust",
                title: "a Rust program for AWS Lambda",
                files: RUST,
                first: Some("build.sh"),
                ..shell
            },
            Self { name: "flask", title: "a web server in Flask", files: FLASK, ..python },
        ]
    }

    /// Returns the template of this name; a language's name stands for its own template.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |template: &Self| template.name == name || template.other_name == Some(name);
        Self::all().into_iter().find(is_it)
    }

    /// Returns how its functions get packages.
    pub fn packages(&self) -> String {
        packages(self.language.facts())
    }
}

fn packages(facts: &Facts) -> String {
    match &facts.dependencies {
        Some(Dependencies { file, installer: Some(_), project, .. }) => {
            let or = project.as_ref().map(|project| format!(" or {}", project.file));
            format!("{file}{}, installed by deploy and run", or.unwrap_or_default())
        }
        Some(Dependencies { folder: Some(folder), .. }) => format!("{folder} in the function's folder"),
        _ => "in the function's folder".to_owned(),
    }
}

/// The names in this repository differ from those in a function's folder: cargo would take this one for a package of its
/// own, and `.cloudfuncignore` would be a rule for it.
const RUST: &[(&str, &str)] = &[
    ("src/main.rs", include_str!("../../../templates/rust/main.rs")),
    ("Cargo.toml", include_str!("../../../templates/rust/package.toml")),
    ("build.sh", include_str!("../../../templates/rust/build.sh")),
    ("cloudfunc.toml", include_str!("../../../templates/rust/cloudfunc.toml")),
    (".cloudfuncignore", include_str!("../../../templates/rust/cloudfuncignore")),
];

const FLASK: &[(&str, &str)] = &[
    ("app.py", include_str!("../../../templates/flask/app.py")),
    ("requirements.txt", include_str!("../../../templates/flask/requirements.txt")),
    ("cloudfunc.toml", include_str!("../../../templates/flask/cloudfunc.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_a_template_of_its_own() {
        for language in Language::ALL {
            let template = Template::named(language.name()).unwrap();
            assert_eq!((template.language, template.files), (*language, language.facts().template));
        }
        assert_eq!(Template::named("native").unwrap().name, "shell");
        assert_eq!(Template::named(Template::DEFAULT).unwrap().language, Language::DEFAULT);
        assert!(Template::named("cobol").is_none());
    }

    #[test]
    fn a_template_says_how_its_functions_get_packages() {
        let packages = |name: &str| Template::named(name).unwrap().packages();
        let python = "requirements.txt or pyproject.toml, installed by deploy and run";
        assert_eq!([packages("python"), packages("flask")], [python, python]);
        assert_eq!(packages("node"), "package.json, installed by deploy and run");
        assert_eq!(packages("shell"), "in the function's folder");
    }

    #[test]
    fn a_program_that_has_to_run_first_is_among_the_files() {
        for template in Template::all() {
            let is_there = |program: &str| {
                template.files.iter().any(|(file, text)| *file == program && text.starts_with("#!"))
            };
            assert!(template.first.is_none_or(is_there), "{}", template.name);
        }
    }
}
