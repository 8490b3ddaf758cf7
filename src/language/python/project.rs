//! The packages of a `pyproject.toml`: the dependencies of its project (PEP 621). The project itself is not installed,
//! since its code is packed with the function.

use toml::{Table, Value};

use super::{super::Has, requires_python::allows};

pub(super) const FILE: &str = "pyproject.toml";

const LIST: &str = "requirements.txt";
const POETRY: &str = "poetry export -f requirements.txt -o requirements.txt";
const UV: &str = "uv export --no-dev --no-emit-project -o requirements.txt";
const PDM: &str = "pdm export --prod -f requirements -o requirements.txt";
const PIPENV: &str = "pipenv requirements > requirements.txt";

/// Files that pin versions, and the commands that write them as a list.
const LOCKS: [(&str, &str); 4] =
    [("uv.lock", UV), ("poetry.lock", POETRY), ("pdm.lock", PDM), ("Pipfile.lock", PIPENV)];

/// Names that are taken for the list of packages, in lower case.
const NEARLY_LISTS: [&str; 8] = [
    LIST,
    "requirement.txt",
    "requirments.txt",
    "requirements.text",
    "requirements",
    "requirements.in",
    "reqs.txt",
    "packages.txt",
];

/// Returns the packages of the project.
pub(super) fn packages(text: &str, version: &str, has: Has<'_>) -> Result<Vec<String>, String> {
    let table = parse(text)?;
    let project = table.get("project").and_then(Value::as_table);
    if let Some(requires) = project.and_then(|project| project.get("requires-python")) {
        check_python(requires, version)?;
    }
    let listed = project.and_then(|project| project.get("dependencies"));
    let packages = match listed {
        Some(listed) => texts(listed).ok_or_else(|| {
            format!("{FILE}: `project.dependencies` is a list of packages, for example [\"requests==2.31.0\"]")
        })?,
        None => Vec::new(),
    };
    let is_elsewhere = listed.is_none() && (is_dynamic(&table) || has_poetry(&table));
    if packages.is_empty() && !is_elsewhere {
        return Ok(packages);
    }
    if let Some((lock, export)) = LOCKS.into_iter().find(|(lock, _)| has(lock)) {
        return Err(format!(
            "{FILE}: the versions of its packages are fixed by {lock}, which is not read; {} writes them to a \
             {LIST}, which is. Then deploy again",
            shown(export)
        ));
    }
    if !is_elsewhere {
        return Ok(packages);
    }
    let (why, export) = if has_poetry(&table) {
        ("it names its packages for Poetry alone (`tool.poetry.dependencies`)", POETRY)
    } else {
        (
            "`project.dynamic` leaves the dependencies to a build of the project",
            "uv pip compile pyproject.toml -o requirements.txt",
        )
    };
    let export = shown(export);
    Err(format!("{FILE}: {why}; {export} writes them to a {LIST}, which is read. Then deploy again"))
}

/// Quotes a command, and names what it takes besides its program.
fn shown(export: &str) -> String {
    let plugin = if export == POETRY { " (with the plugin poetry-plugin-export)" } else { "" };
    format!("`{export}`{plugin}")
}

/// Returns whether a project asks for packages, in whatever form.
pub(super) fn asks(text: &str) -> bool {
    let Ok(table) = parse(text) else { return false };
    let listed =
        table.get("project").and_then(|project| project.get("dependencies")).and_then(Value::as_array);
    listed.is_some_and(|listed| !listed.is_empty()) || is_dynamic(&table) || has_poetry(&table)
}

/// Returns what to say of a name that looks like a list of packages and is not read.
pub(super) fn unread(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let read = |of: &str| format!("{name} is not read: the file that lists packages is {of}");
    match lower.as_str() {
        FILE if name != FILE => Some(format!("{}; rename it", read(FILE))),
        "pipfile" => Some(format!("{}; `{PIPENV}` writes it", read(LIST))),
        "requirements.in" => {
            Some(format!("{}; `uv pip compile {name} -o {LIST}` writes it", read(LIST)))
        }
        nearly if name != LIST && NEARLY_LISTS.contains(&nearly) => {
            Some(format!("{}; rename it", read(LIST)))
        }
        _ => None,
    }
}

fn parse(text: &str) -> Result<Table, String> {
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        format!("{FILE}:{line}: {}", error.message())
    })
}

fn check_python(requires: &Value, version: &str) -> Result<(), String> {
    let wrong = |what: &dyn std::fmt::Display, why: &str| {
        Err(format!("{FILE}: `project.requires-python` is {what}, {why}"))
    };
    let Some(text) = requires.as_str() else {
        return wrong(requires, "and not a text, for example \">=3.11\"");
    };
    match allows(text, version) {
        Some(true) => Ok(()),
        Some(false) => wrong(
            requires,
            &format!(
                "and the function has Python {version}; a `version` in cloudfunc.toml that it allows, or another \
                 `requires-python`, is needed"
            ),
        ),
        None => wrong(requires, "which is not understood; it is written as in \">=3.11,<4\""),
    }
}

fn texts(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|one| one.as_str().map(|text| text.trim().to_owned())).collect()
}

fn is_dynamic(table: &Table) -> bool {
    let dynamic = table.get("project").and_then(|project| project.get("dynamic"));
    let names = dynamic.and_then(Value::as_array);
    names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some("dependencies")))
}

/// Poetry's own table has the version of Python among the packages.
fn has_poetry(table: &Table) -> bool {
    let tool = table.get("tool").and_then(|tool| tool.get("poetry"));
    let listed = tool.and_then(|poetry| poetry.get("dependencies")).and_then(Value::as_table);
    let is_project = table.get("project").is_some_and(|project| project.get("dependencies").is_some());
    !is_project && listed.is_some_and(|listed| listed.keys().any(|name| name != "python"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<String>, String> {
        packages(text, "3.12", &|_| false)
    }

    #[test]
    fn the_dependencies_of_the_project_are_asked_for() {
        let text = "[project]\nname = 'a'\nrequires-python = '>=3.11'\ndependencies = [\n  'b[c]>=1 ; os_name == \"posix\"',\n  ' d ',\n]\n[project.optional-dependencies]\nx = ['y']\n[dependency-groups]\ndev = ['z']\n";
        assert_eq!(of(text).unwrap(), ["b[c]>=1 ; os_name == \"posix\"", "d"]);
        assert!(asks(text));
    }

    #[test]
    fn a_file_that_configures_tools_asks_for_nothing() {
        for text in [
            "",
            "[tool.ruff]\nline-length = 100\n",
            "[project]\nname = 'a'\ndynamic = ['version']\n",
            "[project]\nname = 'a'\ndependencies = []\n",
            "[tool.poetry.dependencies]\npython = '^3.11'\n",
        ] {
            let found = packages(text, "3.12", &|name| name == "uv.lock");
            assert_eq!((found, asks(text)), (Ok(Vec::new()), false), "{text}");
        }
    }

    #[test]
    fn a_project_that_cannot_be_followed_names_the_command_that_writes_a_list() {
        for (text, has, told) in [
            (
                "[project]\ndependencies = ['a']",
                "uv.lock",
                "pyproject.toml: the versions of its packages are fixed by uv.lock, which is not read; `uv export --no-dev \
                 --no-emit-project -o requirements.txt` writes them to a requirements.txt, which is. Then deploy again",
            ),
            (
                "[project]\ndependencies = ['a']",
                "pdm.lock",
                "pyproject.toml: the versions of its packages are fixed by pdm.lock, which is not read; `pdm export --prod \
                 -f requirements -o requirements.txt` writes them to a requirements.txt, which is. Then deploy again",
            ),
            (
                "[project]\ndependencies = ['a']",
                "Pipfile.lock",
                "pyproject.toml: the versions of its packages are fixed by Pipfile.lock, which is not read; `pipenv \
                 requirements > requirements.txt` writes them to a requirements.txt, which is. Then deploy again",
            ),
            (
                "[tool.poetry.dependencies]\na = '1'",
                "poetry.lock",
                "pyproject.toml: the versions of its packages are fixed by poetry.lock, which is not read; `poetry export \
                 -f requirements.txt -o requirements.txt` (with the plugin poetry-plugin-export) writes them to a \
                 requirements.txt, which is. Then deploy again",
            ),
            (
                "[tool.poetry.dependencies]\na = '1'",
                "",
                "pyproject.toml: it names its packages for Poetry alone (`tool.poetry.dependencies`); `poetry export -f \
                 requirements.txt -o requirements.txt` (with the plugin poetry-plugin-export) writes them to a \
                 requirements.txt, which is read. Then deploy again",
            ),
            (
                "[project]\ndynamic = ['dependencies']",
                "",
                "pyproject.toml: `project.dynamic` leaves the dependencies to a build of the project; `uv pip compile \
                 pyproject.toml -o requirements.txt` writes them to a requirements.txt, which is read. Then deploy again",
            ),
            (
                "[project]\ndependencies = 'a'",
                "",
                "pyproject.toml: `project.dependencies` is a list of packages, for example [\"requests==2.31.0\"]",
            ),
            (
                "[project]\nrequires-python = '>=3.13'",
                "",
                "pyproject.toml: `project.requires-python` is \">=3.13\", and the function has Python 3.12; a `version` in \
                 cloudfunc.toml that it allows, or another `requires-python`, is needed",
            ),
            (
                "[project]\nrequires-python = '^3.11'",
                "",
                "pyproject.toml: `project.requires-python` is \"^3.11\", which is not understood; it is written as in \
                 \">=3.11,<4\"",
            ),
            (
                "[project]\nrequires-python = 3",
                "",
                "pyproject.toml: `project.requires-python` is 3, and not a text, for example \">=3.11\"",
            ),
        ] {
            assert_eq!(packages(text, "3.12", &|name| name == has).unwrap_err(), told, "{text}");
        }
        assert!(of("[project]\n\na = \n").unwrap_err().starts_with("pyproject.toml:3: "));
    }

    #[test]
    fn a_name_that_is_nearly_right_is_told() {
        for (name, told) in [
            (
                "Requirements.txt",
                "Requirements.txt is not read: the file that lists packages is requirements.txt; rename it",
            ),
            (
                "requirement.txt",
                "requirement.txt is not read: the file that lists packages is requirements.txt; rename it",
            ),
            (
                "PyProject.toml",
                "PyProject.toml is not read: the file that lists packages is pyproject.toml; rename it",
            ),
            (
                "Pipfile",
                "Pipfile is not read: the file that lists packages is requirements.txt; `pipenv requirements > \
                 requirements.txt` writes it",
            ),
            (
                "requirements.in",
                "requirements.in is not read: the file that lists packages is requirements.txt; `uv pip compile \
                 requirements.in -o requirements.txt` writes it",
            ),
        ] {
            assert_eq!(unread(name).as_deref(), Some(told));
        }
        for name in ["requirements.txt", "pyproject.toml", "requirements-dev.txt", "function.py"] {
            assert_eq!(unread(name), None, "{name}");
        }
    }
}
