//! Web applications: modules that make an object of a known framework.

use super::super::{Read, WebApplication};

/// Modules that usually hold one, the likeliest first.
const MODULES: [&str; 6] = ["app", "main", "server", "wsgi", "asgi", "application"];
/// The classes of applications, each with the server that usually runs them, and its options.
const FRAMEWORKS: [(&str, &str, &[&str]); 4] = [
    ("Flask", "gunicorn", &[]),
    ("FastAPI", "uvicorn", &["--port", "8080"]),
    ("Starlette", "uvicorn", &["--port", "8080"]),
    ("Quart", "uvicorn", &["--port", "8080"]),
];

/// Returns the application of the first module that has one.
pub fn find(read: Read<'_>) -> Option<WebApplication> {
    MODULES.iter().find_map(|module| {
        let file = format!("{module}.py");
        let text = read(&file)?;
        FRAMEWORKS.iter().find_map(|(class, server, options)| {
            let name = application(&text, class)?;
            let application = format!("{module}:{name}");
            let words = [*server, application.as_str()].into_iter().chain(options.iter().copied());
            Some(WebApplication {
                seen: format!("{file} with {class}"),
                command: words.map(str::to_owned).collect(),
                needs: format!("{server} has to be in requirements.txt"),
            })
        })
    })
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
            "app.py with Flask; gunicorn app:app; gunicorn has to be in requirements.txt"
        );
        assert_eq!(
            found("main.py", "from fastapi import FastAPI\napi = FastAPI(title='x')\n").unwrap(),
            "main.py with FastAPI; uvicorn main:api --port 8080; uvicorn has to be in requirements.txt"
        );
        for code in ["def handler(e):\n    return Flask(1)\n", "app = make(Flask)\n", "app == Flask(1)"]
        {
            assert_eq!(found("app.py", code), None, "{code}");
        }
        assert_eq!(found("other.py", "app = Flask(1)"), None);
    }
}
