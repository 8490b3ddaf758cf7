//! The web process of a `Procfile`, as other platforms for web applications run it, in the words of a manifest.

use crate::{language::WebApplication, manifest::DEFAULT_PORT, model::Language};

/// The file's name.
pub const FILE: &str = "Procfile";

const GUNICORN: &str = "gunicorn";

/// A web process.
pub struct WebProcess {
    /// The language of its server, where that is known.
    pub language: Option<Language>,
    pub application: WebApplication,
}

/// Returns the process that a `Procfile` calls `web`.
pub fn web_process(text: &str) -> Option<WebProcess> {
    let line = text.lines().find_map(|line| line.strip_prefix("web:"))?.trim();
    if line.is_empty() {
        return None;
    }
    let server = line.split_whitespace().find_map(server);
    let needs = match server {
        Some((_, server, file)) if server == GUNICORN => {
            format!("{server} has to be in {file}, and takes its port from the variable PORT")
        }
        Some((_, server, file)) => format!("{server} has to be in {file}"),
        None => "it has to listen on the port that PORT names".to_owned(),
    };
    let seen = format!("{FILE} with a web process");
    let application = WebApplication { seen, command: command(line), needs };
    Some(WebProcess { language: server.map(|(language, ..)| language), application })
}

/// Returns the language of a server, its name, and the file that lists its package.
fn server(word: &str) -> Option<(Language, &'static str, &'static str)> {
    Language::ALL.iter().find_map(|language| {
        let facts = language.facts();
        let server = facts.servers.iter().find(|server| **server == word)?;
        Some((*language, *server, facts.dependencies.as_ref()?.file))
    })
}

/// Returns the line as a list: nothing is replaced in a manifest's command, so the port is in it as a number, or left out
/// where the server reads the variable. A line that only a shell can read is given to a shell.
fn command(line: &str) -> Vec<String> {
    let port = DEFAULT_PORT.to_string();
    let filled = with_port(line, &port);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-+=:,./@%".contains(c);
    let first = line.split_whitespace().next().unwrap_or_default();
    if !filled.chars().all(is_plain) || first.contains('=') {
        return ["sh", "-c", line].map(str::to_owned).to_vec();
    }
    match first == GUNICORN {
        true => gunicorn(line, &port),
        false => filled.split_whitespace().map(str::to_owned).collect(),
    }
}

/// Returns the text with the port in place of its variable; a longer name is another variable.
fn with_port(text: &str, port: &str) -> String {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let mut pieces = text.split("$PORT");
    let first = pieces.next().unwrap_or_default().replace("${PORT}", port);
    pieces.fold(first, |text, rest| {
        let name = if goes_on(rest) { "$PORT" } else { port };
        text + name + &rest.replace("${PORT}", port)
    })
}

/// Returns the words without an address, which is that of the variable PORT then, and with the option by which a deploy notices
/// code that does not load.
fn gunicorn(line: &str, port: &str) -> Vec<String> {
    const PRELOAD: &str = "--preload";
    let mut words: Vec<String> = Vec::new();
    let mut all = line.split_whitespace();
    while let Some(word) = all.next() {
        match word {
            "-b" | "--bind" => drop(all.next()),
            word if word.starts_with("--bind=") => {}
            word => words.push(with_port(word, port)),
        }
    }
    if !words.iter().any(|word| word == PRELOAD) {
        words.insert(1, PRELOAD.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::list_of;

    #[test]
    fn the_web_process_is_told_as_a_list_without_variables() {
        for (line, list) in [
            ("gunicorn wsgi:application", "gunicorn --preload wsgi:application"),
            (
                "gunicorn --bind 0.0.0.0:$PORT --workers 2 app:app",
                "gunicorn --preload --workers 2 app:app",
            ),
            ("gunicorn app:app --preload -b :${PORT}", "gunicorn app:app --preload"),
            ("gunicorn --bind=:$PORT app:app", "gunicorn --preload app:app"),
            ("uvicorn main:app --port $PORT", "uvicorn main:app --port 8080"),
            ("node server.js", "node server.js"),
            // Its own default is another one.
            ("gunicorn -b 0.0.0.0:8000 app:app", "gunicorn --preload app:app"),
            ("gunicorn --env PORT=$PORT app:app", "gunicorn --preload --env PORT=8080 app:app"),
        ] {
            assert_eq!(command(line).join(" "), list, "{line}");
        }
        for line in
            ["cd app && gunicorn app:app", "DEBUG=1 gunicorn app:app", "serve ${PORT:-80}", "x $PORTAL"]
        {
            assert_eq!(command(line), ["sh", "-c", line]);
        }
    }

    #[test]
    fn it_is_found_among_other_processes_with_what_it_needs() {
        let found = |text: &str| {
            let WebProcess { language, application } = web_process(text)?;
            Some((language, application.seen, list_of(&application.command), application.needs))
        };
        let (language, seen, list, needs) =
            found("# x\nworker: rq\nweb:  gunicorn shop.wsgi --log-file -\n").unwrap();
        assert_eq!((language, seen.as_str()), (Some(Language::Python), "Procfile with a web process"));
        assert_eq!(list, "[\"gunicorn\", \"--preload\", \"shop.wsgi\", \"--log-file\", \"-\"]");
        assert_eq!(
            needs,
            "gunicorn has to be in requirements.txt, and takes its port from the variable PORT"
        );
        let (language, _, _, needs) = found("web: ./server\n").unwrap();
        assert_eq!((language, needs.as_str()), (None, "it has to listen on the port that PORT names"));
        assert_eq!(found("web: uvicorn a:b").unwrap().3, "uvicorn has to be in requirements.txt");
        for text in ["", "worker: x\n", "web:\n"] {
            assert!(found(text).is_none(), "{text}");
        }
    }
}
