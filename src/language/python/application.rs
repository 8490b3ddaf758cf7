//! Web applications: modules that make an object of a known framework, or have one by the conventions of WSGI and ASGI.

use super::super::{Read, WebApplication};

/// Modules that usually hold one, the likeliest first.
const MODULES: [&str; 6] = ["app", "main", "server", "wsgi", "asgi", "application"];
/// The classes of applications, each with the server that usually runs them, and its options.
const FRAMEWORKS: [(&str, &str, &[&str]); 4] = [
    ("Flask", "gunicorn", &["--preload"]),
    ("FastAPI", "uvicorn", &["--port", "8080"]),
    ("Starlette", "uvicorn", &["--port", "8080"]),
    ("Quart", "uvicorn", &["--port", "8080"]),
];

/// The modules that these conventions name, each with the server that usually runs them, and its options.
const CONVENTIONS: [(&str, &str, &[&str]); 2] =
    [("wsgi", "gunicorn", &["--preload"]), ("asgi", "uvicorn", &["--port", "8080"])];
/// The variable that Django's `manage.py` sets to the module of the settings.
const DJANGO: &str = "DJANGO_SETTINGS_MODULE";

/// Returns the application of the first module that has one.
pub fn find(read: Read<'_>) -> Option<WebApplication> {
    MODULES
        .iter()
        .find_map(|module| of_framework(read, module))
        .or_else(|| of_convention(read, None))
        .or_else(|| of_convention(read, Some(&django(&read("manage.py")?)?)))
}

fn of_framework(read: Read<'_>, module: &str) -> Option<WebApplication> {
    let file = format!("{module}.py");
    let text = read(&file)?;
    FRAMEWORKS.iter().find_map(|(class, server, options)| {
        let name = application(&text, class)?;
        let seen = format!("{file} with {class}");
        Some(served(seen, server, options, format!("{module}:{name}")))
    })
}

/// Finds a module that the conventions name, in a package or at the top.
fn of_convention(read: Read<'_>, package: Option<&str>) -> Option<WebApplication> {
    CONVENTIONS.iter().find_map(|(module, server, options)| {
        let module =
            package.map_or_else(|| (*module).to_owned(), |package| format!("{package}.{module}"));
        let file = format!("{}.py", module.replace('.', "/"));
        let name = conventional(&read(&file)?)?;
        Some(served(format!("{file} with `{name}`"), server, options, format!("{module}:{name}")))
    })
}

fn served(seen: String, server: &str, options: &[&str], application: String) -> WebApplication {
    let options = options.iter().map(|option| (*option).to_owned());
    let command = std::iter::once(server.to_owned()).chain(options).chain([application]).collect();
    WebApplication { seen, command, needs: format!("{server} has to be in requirements.txt") }
}

/// Returns the name that a module gives to an application, wherever that is from.
fn conventional(text: &str) -> Option<&'static str> {
    let gives = |line: &str, name: &str| {
        let assigned = line.split_once('=').and_then(|(left, _)| left.split(':').next());
        let imported = line
            .split_whitespace()
            .next_back()
            .filter(|_| line.starts_with("from ") && line.contains(" import "));
        let defined = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ");
        assigned.is_some_and(|left| left.trim_end() == name)
            || imported == Some(name)
            || defined.and_then(|rest| rest.split('(').next()) == Some(name)
    };
    ["application", "app"].into_iter().find(|name| text.lines().any(|line| gives(line, name)))
}

/// Returns the package of a project of Django, as its `manage.py` names it.
fn django(text: &str) -> Option<String> {
    let (_, rest) = text.lines().find_map(|line| line.split_once(DJANGO))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.".contains(c);
    let mut parts = rest.split(['"', '\'']);
    let settings = parts.find(|part| part.contains('.') && part.chars().all(is_name))?;
    settings.split('.').next().filter(|package| !package.is_empty()).map(str::to_owned)
}

/// Returns the name that a module gives to its application: `app = Flask(__name__)`.
fn application(text: &str, class: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        // Also `flask.Flask(…)`.
        let made = value.trim_start().split_once('(')?.0;
        let name = name.split(':').next()?.trim_end();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (is_name && made.rsplit('.').next() == Some(class)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, text: &str) -> Option<String> {
        let found = find(&|file| (file == name).then(|| text.to_owned()))?;
        Some(format!("{}; {}; {}", found.seen, found.command.join(" "), found.needs))
    }

    #[test]
    fn an_application_is_known_by_the_class_of_its_object() {
        let code =
            "import flask\n\nif True:\n    x = Flask(1)\napp: flask.Flask = flask.Flask(__name__)\n";
        assert_eq!(
            found("app.py", code).unwrap(),
            "app.py with Flask; gunicorn --preload app:app; gunicorn has to be in requirements.txt"
        );
        assert_eq!(
            found("main.py", "from fastapi import FastAPI\napi = FastAPI(title='x')\n").unwrap(),
            "main.py with FastAPI; uvicorn --port 8080 main:api; uvicorn has to be in requirements.txt"
        );
        for code in ["def handler(e):\n    return Flask(1)\n", "app = make(Flask)\n", "app == Flask(1)"]
        {
            assert_eq!(found("app.py", code), None, "{code}");
        }
        assert_eq!(found("other.py", "app = Flask(1)"), None);
    }

    #[test]
    fn an_application_is_known_by_the_conventions_of_servers() {
        let wsgi = |name: &str| {
            Some(format!(
                "wsgi.py with `{name}`; gunicorn --preload wsgi:{name}; gunicorn has to be in requirements.txt"
            ))
        };
        for (text, name) in [
            ("application = get_wsgi_application()\n", "application"),
            ("from app import app as application\n", "application"),
            ("from shop import app\n", "app"),
            ("def application(environ, start_response):\n    pass\n", "application"),
        ] {
            assert_eq!(found("wsgi.py", text), wsgi(name), "{text}");
        }
        assert_eq!(
            found("asgi.py", "async def app(scope, receive, send):\n    pass\n").unwrap(),
            "asgi.py with `app`; uvicorn --port 8080 asgi:app; uvicorn has to be in requirements.txt"
        );
        for text in ["import app\n", "def handler(event):\n    app = 1\n", "x = application\n"] {
            assert_eq!(found("wsgi.py", text), None, "{text}");
        }
    }

    #[test]
    fn a_project_of_django_is_known_by_its_manage_py() {
        let manage =
            "def main():\n    os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"mysite.settings\")\n";
        let found = find(&|file| match file {
            "manage.py" => Some(manage.to_owned()),
            "mysite/wsgi.py" => Some("application = get_wsgi_application()\n".to_owned()),
            _ => None,
        });
        let found = found.unwrap();
        assert_eq!(found.seen, "mysite/wsgi.py with `application`");
        assert_eq!(found.command, ["gunicorn", "--preload", "mysite.wsgi:application"]);
        assert!(find(&|file| (file == "manage.py").then(|| manage.to_owned())).is_none());
    }
}
