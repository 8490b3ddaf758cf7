//! The message of `up` when everything is ready.

use std::path::Path;

use serde::Serialize;

use crate::{
    app::Role,
    cli::{Error, Output},
    local::probe,
    model::api::Health,
    place::Addresses,
    queue,
    settings::Platform,
    store,
};

/// The document that `up --json` prints once.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    /// The URL of the port for the addresses of functions alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    token_file: &'a Path,
    platform: &'a str,
    data_dir: &'a Path,
    store: String,
    queue: String,
    runtime: &'a str,
    roles: &'a [Health],
}

/// Facts for the message that the roles do not know.
pub struct Said<'s> {
    /// The runtime of functions, in words.
    pub runtime: &'s str,
    /// ` --platform NAME`, if commands need it.
    pub by_name: String,
    pub is_detached: bool,
}

/// Returns the URL of the address on which a role listens, and the one on this host if that stands for all addresses.
fn reached(addresses: &Addresses, role: Role) -> String {
    let (listening, url) = (probe::listening(addresses, role), probe::url(addresses, role));
    if listening == url { url } else { format!("{listening}, on this host {url}") }
}

/// Prints addresses, backends and the next commands; `health` is in the order of [`Role::ALL`].
pub fn show(
    platform: &Platform,
    said: &Said<'_>,
    token_file: &Path,
    health: &[Health],
    out: &Output,
) -> Result<(), Error> {
    let Said { runtime, by_name, is_detached } = said;
    let store = match &platform.store {
        store::Config::Postgres { url } => format!("postgres at {}", url.address()),
        store::Config::Sqlite { path } => format!("sqlite at {}", path.display()),
    };
    let queue = match &platform.queue {
        queue::Config::RabbitMq { url } => format!("rabbitmq at {}", url.address()),
        queue::Config::Embedded => "embedded".to_owned(),
    };
    if out.json() {
        let url = &probe::url(&platform.addresses, Role::Gateway);
        let public_url = probe::public_url(&platform.addresses);
        let (name, data_dir) = (platform.name.as_str(), platform.data_dir.as_path());
        let ready = Ready {
            url,
            public_url,
            token_file,
            platform: name,
            data_dir,
            store,
            queue,
            runtime,
            roles: health,
        };
        return out.document(&ready);
    }
    out.line("cloudfunc is ready")?;
    for role in Role::STOP {
        out.line(&format!("  {:<10} {}", role.as_str(), reached(&platform.addresses, role)))?;
    }
    if let Some(url) = probe::public_listening(&platform.addresses) {
        out.line(&format!("  {:<10} {url}, for the addresses of functions alone", "public"))?;
    }
    out.line(&format!("  {:<10} {store}", "store"))?;
    out.line(&format!("  {:<10} {queue}", "queue"))?;
    out.line(&format!("  {:<10} {runtime}", "runtime"))?;
    out.line(&format!("  {:<10} {}", "token", token_file.display()))?;
    let next = if Path::new("functions/hello_fn").is_dir() {
        "cloudfunc deploy functions/hello_fn"
    } else {
        "cloudfunc init hello"
    };
    match is_detached {
        true => {
            out.line(&format!("next: {next}{by_name}   (`cloudfunc down{by_name}` stops the platform)"))
        }
        false => out.line(&format!(
            "next, in another terminal: {next}{by_name}   (Ctrl-C here stops the platform)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_on_all_addresses_is_shown_with_the_one_on_this_host() {
        let mut addresses = Addresses::default();
        assert_eq!(reached(&addresses, Role::Gateway), "http://127.0.0.1:8000");
        addresses.gateway = "0.0.0.0:8000".parse().unwrap();
        assert_eq!(
            reached(&addresses, Role::Gateway),
            "http://0.0.0.0:8000, on this host http://127.0.0.1:8000"
        );
    }
}
