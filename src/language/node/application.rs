//! Web applications: folders whose `package.json` has a known server among its packages, and a start script.

use super::{
    super::{Read, WebApplication},
    packages::FILE,
};

/// Packages that are web servers.
const SERVERS: [&str; 5] = ["express", "fastify", "koa", "hono", "next"];

/// Returns the application that the start script runs.
pub fn find(read: Read<'_>) -> Option<WebApplication> {
    let package: serde_json::Value = serde_json::from_str(&read(FILE)?).ok()?;
    let packages = package.get("dependencies")?.as_object()?;
    let server = SERVERS.iter().find(|server| packages.contains_key(**server))?;
    let start = package.get("scripts")?.get("start")?.as_str()?;
    Some(WebApplication {
        seen: format!("{FILE} with {server} and a start script"),
        command: words(start).into_iter().map(str::to_owned).collect(),
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
        let found = find(&|file| (file == FILE).then(|| text.to_owned()))?;
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
}
