//! Web applications: folders whose `package.json` has a known server among its packages, or a start script.

use super::{
    super::{Read, WebApplication},
    packages::FILE,
};

/// Packages that are web servers.
const SERVERS: [&str; 5] = ["express", "fastify", "koa", "hono", "next"];

/// Files that usually hold an application without a start script, the likeliest first.
const FILES: [&str; 6] = ["server.js", "app.js", "index.js", "server.mjs", "app.mjs", "index.mjs"];
/// The call in such a file that makes it a server.
const LISTENS: &str = ".listen(";

/// Returns the application that the start script runs, or a file that listens.
pub fn find(read: Read<'_>) -> Option<WebApplication> {
    let package: serde_json::Value = serde_json::from_str(&read(FILE)?).ok()?;
    let packages = package.get("dependencies").and_then(|packages| packages.as_object());
    let has = |server: &&&str| packages.is_some_and(|packages| packages.contains_key(**server));
    let server = SERVERS.iter().find(has);
    let start = package.get("scripts").and_then(|scripts| scripts.get("start")?.as_str());
    let listens = |file: &&str| read(file).is_some_and(|text| text.contains(LISTENS));
    let file = || FILES.into_iter().find(listens);
    let (seen, command) = match (server, start) {
        (Some(server), Some(start)) => {
            (format!("{FILE} with {server} and a start script"), words(start))
        }
        (Some(server), None) => (format!("{FILE} with {server}"), vec!["node", file()?]),
        (None, Some(start)) => (format!("{FILE} with a start script, and {}", file()?), words(start)),
        (None, None) => return None,
    };
    Some(WebApplication {
        seen,
        command: command.into_iter().map(str::to_owned).collect(),
        needs: "it has to listen on the port that PORT names".to_owned(),
    })
}

/// Returns a start script as a command: its own words where no shell is needed for them.
fn words(script: &str) -> Vec<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-+:,./@%".contains(c);
    let words: Vec<&str> = script.split_whitespace().collect();
    match words.first() {
        Some(&"node") if script.chars().all(is_plain) => words,
        _ => vec!["npm", "start"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        found_with(text, "")
    }

    /// Finds it in a folder with this `server.js`.
    fn found_with(text: &str, server: &str) -> Option<String> {
        let found = find(&|file| match file {
            FILE => Some(text.to_owned()),
            "server.js" => Some(server.to_owned()),
            _ => None,
        })?;
        Some(format!("{}; {}; {}", found.seen, found.command.join(" "), found.needs))
    }

    #[test]
    fn an_application_is_known_by_its_server_and_start_script() {
        let of = |start: &str| {
            found(&format!(
                "{{\"dependencies\": {{\"express\": \"5\"}}, \"scripts\": {{\"start\": {start:?}}}}}"
            ))
        };
        let shown = |command: &str| {
            Some(format!(
                "package.json with express and a start script; {command}; it has to listen on the port that PORT names"
            ))
        };
        assert_eq!(of("node src/index.js"), shown("node src/index.js"));
        for script in ["node a.js && x", "tsx index.ts"] {
            assert_eq!(of(script), shown("npm start"));
        }
        for package in ["{", "{}", "{\"dependencies\": {\"express\": \"5\"}}"] {
            assert_eq!(found(package), None, "{package}");
        }
    }

    #[test]
    fn without_a_start_script_or_a_known_server_a_file_that_listens_tells() {
        let of = |package: &str| found_with(package, "app.listen(process.env.PORT);\n");
        let rest = "; it has to listen on the port that PORT names";
        assert_eq!(
            of("{\"dependencies\": {\"express\": \"5\"}}").unwrap(),
            format!("package.json with express; node server.js{rest}")
        );
        let start = "{\"scripts\": {\"start\": \"node server.js\"}}";
        assert_eq!(
            of(start).unwrap(),
            format!("package.json with a start script, and server.js; node server.js{rest}")
        );
        assert_eq!(found_with(start, "exports.handler = 1;\n"), None);
        assert_eq!(of("{}"), None);
    }
}
