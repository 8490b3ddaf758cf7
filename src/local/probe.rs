//! Asks a role whether it is ready.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, time::Duration};

use crate::{
    app::Role,
    certificates,
    model::{
        PlatformName, Problem,
        api::{Health, NotKept, Page, SecretInfo},
        code, route,
    },
    place::{Addresses, certificate_file, lock::reachable},
    settings::Platform,
};

/// The time limit of an answer. A role answers about itself at once; one that does not is about to end.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The answer of a role about itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Ready(Health),
    /// It runs, but waits for this.
    Waiting(String),
    /// No program listens at the address.
    Down,
    /// Another program answers at the address.
    Stranger(String),
}

#[derive(Clone)]
pub struct Prober {
    client: reqwest::Client,
    addresses: Addresses,
    platform: PlatformName,
    tokens: Option<Tokens>,
}

/// The tokens of the roles of one data folder; `None` if there is no token yet, or if nothing is running.
#[derive(Clone, Default)]
struct Tokens {
    gateway: Option<String>,
    internal: Option<String>,
}

impl Prober {
    pub fn new(platform: &Platform) -> Self {
        let addresses = Addresses { is_tls: platform.tls.is_some(), ..platform.addresses };
        Self::of(platform.name.clone(), addresses, &platform.data_dir)
    }

    /// Asks the roles of the platform of this name. A gateway with TLS has to show a certificate that is in the data folder.
    pub fn of(platform: PlatformName, addresses: Addresses, folder: &Path) -> Self {
        let trusting = certificates::trusting_own(certificate_file(folder));
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        let client = client.tls_backend_preconfigured(trusting).build();
        Self {
            client: client.expect("a client without options that can fail"),
            addresses,
            platform,
            tokens: None,
        }
    }

    /// Accepts only answers of roles that take the tokens of this data folder: any platform may have any name.
    /// If no `up` holds the folder's lock, no token is sent and no answer is accepted: another program may have
    /// the port now.
    pub fn with_tokens_of(self, folder: &Path, is_running: bool) -> Self {
        let read = |name| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
        let tokens = if is_running {
            Tokens { gateway: read("token"), internal: read("internal-token") }
        } else {
            Tokens::default()
        };
        Self { tokens: Some(tokens), ..self }
    }

    pub async fn ask(&self, role: Role) -> Answer {
        let url = format!("{}/readyz", url(&self.addresses, role));
        let response = match self.client.get(url).send().await {
            Ok(response) => response,
            Err(error) if certificates::tls_error(&error).is_some() => {
                return Answer::Stranger("a program with another certificate".to_owned());
            }
            Err(error) if error.is_connect() => return Answer::Down,
            Err(error) if error.is_timeout() => return Answer::Waiting("an answer".to_owned()),
            Err(error) => return Answer::Stranger(error.to_string()),
        };
        let ok = response.status().is_success();
        let Ok(health) = response.json::<Health>().await else {
            return Answer::Stranger("another program".to_owned());
        };
        if health.role != role.as_str() {
            return Answer::Stranger(format!("the {}", health.role));
        }
        if health.platform != self.platform {
            return Answer::Stranger(format!("the {role} of platform '{}'", health.platform));
        }
        match self.is_ours(role).await {
            // It is busy or has just ended: the next check will tell.
            None => Answer::Waiting("an answer".to_owned()),
            Some(false) => {
                Answer::Stranger(format!("the {role} of another platform named '{}'", self.platform))
            }
            Some(true) if ok && health.ready => Answer::Ready(health),
            Some(true) => Answer::Waiting(health.waiting_for.unwrap_or_else(|| "its start".to_owned())),
        }
    }

    /// Returns the functions of which the manager cannot start the instances that it is to keep. Only after it has been
    /// seen to be ours; none if it does not answer.
    pub async fn not_kept(&self) -> Vec<NotKept> {
        let Some(Tokens { internal: Some(token), .. }) = &self.tokens else { return Vec::new() };
        let url = format!("{}{}", url(&self.addresses, Role::Manager), route::NOT_KEPT);
        match self.client.get(url).bearer_auth(token).send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// Returns the keys of secrets that the registry's host does not have, with the number of secrets that each encrypts.
    /// Only after the gateway has been seen to be ours; none if it does not answer.
    pub async fn missing_keys(&self) -> BTreeMap<String, usize> {
        let Some(Tokens { gateway: Some(token), .. }) = &self.tokens else { return BTreeMap::new() };
        let gateway = url(&self.addresses, Role::Gateway);
        let url = format!("{gateway}{}", route::LIST_SECRETS.target().path);
        let secrets: Vec<SecretInfo> = match self.client.get(url).bearer_auth(token).send().await {
            Ok(answer) => {
                answer.json().await.map(|page: Page<SecretInfo>| page.items).unwrap_or_default()
            }
            Err(_) => Vec::new(),
        };
        let mut missing = BTreeMap::new();
        for secret in secrets.into_iter().filter(|secret| !secret.key_is_here) {
            *missing.entry(secret.key.to_string()).or_default() += 1;
        }
        missing
    }

    /// Returns whether a program at the role's address answers at all within that time.
    pub async fn answers(&self, role: Role, within: Duration) -> bool {
        let url = format!("{}/healthz", url(&self.addresses, role));
        self.client.get(url).timeout(within).send().await.is_ok()
    }

    /// Returns whether the role takes our token; `None` if it gave no answer. Every route except health requires a
    /// token, even one that does not exist; a role has its own answer for that case.
    async fn is_ours(&self, role: Role) -> Option<bool> {
        let Some(tokens) = &self.tokens else { return Some(true) };
        let token = if role == Role::Gateway { &tokens.gateway } else { &tokens.internal };
        let Some(token) = token else { return Some(false) };
        let url = format!("{}/", url(&self.addresses, role));
        let response = self.client.get(url).bearer_auth(token).send().await.ok()?;
        if response.status().as_u16() != code::ROUTE_NOT_FOUND.status {
            return Some(false);
        }
        let problem = response.json::<Problem>().await;
        Some(problem.is_ok_and(|problem| problem.code == code::ROUTE_NOT_FOUND.code))
    }
}

/// Returns the URL at which a role is reached from this host, without a slash at its end.
pub fn url(addresses: &Addresses, role: Role) -> String {
    let scheme = if role == Role::Gateway { addresses.scheme() } else { "http" };
    format!("{scheme}://{}", reachable(address(addresses, role)))
}

/// Returns the URL of the gateway's public port, as [`url`]; `None` if it has none.
pub fn public_url(addresses: &Addresses) -> Option<String> {
    let address = reachable(addresses.public?);
    Some(format!("{}://{address}", addresses.scheme()))
}

/// Returns the URL of the address on which a role listens, which may stand for all addresses of this host.
pub fn listening(addresses: &Addresses, role: Role) -> String {
    let scheme = if role == Role::Gateway { addresses.scheme() } else { "http" };
    format!("{scheme}://{}", address(addresses, role))
}

/// Returns that of the gateway's public port, as [`listening`]; `None` if it has none.
pub fn public_listening(addresses: &Addresses) -> Option<String> {
    Some(format!("{}://{}", addresses.scheme(), addresses.public?))
}

/// Returns the address on which a role listens.
fn address(addresses: &Addresses, role: Role) -> SocketAddr {
    match role {
        Role::Gateway => addresses.gateway,
        Role::Registry => addresses.registry,
        Role::Scheduler => addresses.scheduler,
        Role::Manager => addresses.manager,
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, http::StatusCode, response::IntoResponse as _, routing::get};

    use super::*;

    async fn serve(status: StatusCode, health: Health) -> Addresses {
        let answer = move || async move { (status, Json(health.clone())) };
        at(Router::new().route("/readyz", get(answer))).await
    }

    async fn at(router: Router) -> Addresses {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Addresses { gateway: address, registry: address, ..Addresses::default() }
    }

    fn ready() -> Health {
        Health {
            platform: "mine".parse().unwrap(),
            role: "gateway".to_owned(),
            version: "0".to_owned(),
            ready: true,
            waiting_for: None,
            backends: vec![],
            dropped: None,
            public_url: None,
        }
    }

    #[test]
    fn the_ports_of_the_gateway_have_the_scheme_that_they_speak() {
        let public = Some("0.0.0.0:8443".parse().unwrap());
        let addresses = Addresses { public, is_tls: true, ..Addresses::default() };
        assert_eq!(url(&addresses, Role::Gateway), "https://127.0.0.1:8000");
        assert_eq!(url(&addresses, Role::Registry), "http://127.0.0.1:7000");
        assert_eq!(public_url(&addresses).unwrap(), "https://127.0.0.1:8443");
        assert_eq!(public_listening(&addresses).unwrap(), "https://0.0.0.0:8443");
        let gateway = "0.0.0.0:8000".parse().unwrap();
        assert_eq!(
            listening(&Addresses { gateway, ..addresses }, Role::Gateway),
            "https://0.0.0.0:8000"
        );
        assert_eq!(url(&Addresses::default(), Role::Gateway), "http://127.0.0.1:8000");
        assert_eq!(public_url(&Addresses::default()), None);
    }

    #[tokio::test]
    async fn a_role_is_believed_when_it_is_the_right_one() {
        let mut health = ready();
        let mine = |addresses| Prober::of("mine".parse().unwrap(), addresses, Path::new("/nowhere"));
        let ready = mine(serve(StatusCode::OK, health.clone()).await);
        assert_eq!(ready.ask(Role::Gateway).await, Answer::Ready(health.clone()));
        assert_eq!(ready.ask(Role::Registry).await, Answer::Stranger("the gateway".to_owned()));
        let addresses = serve(StatusCode::OK, health.clone()).await;
        let other = Prober::of("yours".parse().unwrap(), addresses, Path::new("/nowhere"));
        let stranger = Answer::Stranger("the gateway of platform 'mine'".to_owned());
        assert_eq!(other.ask(Role::Gateway).await, stranger);

        health.ready = false;
        health.waiting_for = Some("the store".to_owned());
        let waiting = mine(serve(StatusCode::SERVICE_UNAVAILABLE, health).await);
        assert_eq!(waiting.ask(Role::Gateway).await, Answer::Waiting("the store".to_owned()));
    }

    #[tokio::test]
    async fn a_port_that_the_platform_has_left_gets_no_token() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("token"), "secret\n").unwrap();
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let listening = |known: bool| {
            let sent = sent.clone();
            let catch = move |headers: axum::http::HeaderMap| async move {
                let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
                sent.send(token).unwrap();
                let problem = Problem::new(code::ROUTE_NOT_FOUND, "GET /");
                (
                    StatusCode::NOT_FOUND,
                    if known { Json(problem).into_response() } else { ().into_response() },
                )
            };
            at(Router::new().route("/readyz", get(async || Json(ready()))).fallback(catch))
        };
        let stranger = Answer::Stranger("the gateway of another platform named 'mine'".to_owned());
        let ask = async |addresses, is_running| {
            let prober = Prober::of("mine".parse().unwrap(), addresses, folder.path());
            prober.with_tokens_of(folder.path(), is_running).ask(Role::Gateway).await
        };
        assert_eq!(ask(listening(true).await, false).await, stranger);
        assert!(received.try_recv().is_err(), "nothing was sent but the question for its health");
        assert_eq!(ask(listening(true).await, true).await, Answer::Ready(ready()));
        assert_eq!(received.try_recv().unwrap().as_deref(), Some("Bearer secret"));
        assert_eq!(ask(listening(false).await, true).await, stranger, "404 of anything else");
    }
}
