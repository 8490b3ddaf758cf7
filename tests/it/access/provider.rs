//! A provider of OpenID Connect on loopback, which can go away, hang, and answer nonsense.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::signer::Signer;

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Its description, and its keys.
    Well,
    /// 500.
    Away,
    /// Nothing.
    Hangs,
    /// Its keys are said to be elsewhere, by a redirect.
    Redirects,
    /// Its keys are more than 1 MiB.
    Floods,
    /// It describes another issuer.
    IsAnother,
    /// Its keys are said to be at an address that is not its own, without TLS.
    PointsAway,
}

pub struct Provider {
    address: SocketAddr,
    served: Arc<Served>,
    server: JoinHandle<()>,
}

struct Served {
    issuer: String,
    keys: Mutex<Vec<Value>>,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    redirected: AtomicUsize,
}

impl Provider {
    /// Serves the public keys of these.
    pub async fn serve(signers: &[&Signer], mood: Mood) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Served {
            issuer: format!("http://{address}"),
            keys: Mutex::default(),
            mood: Mutex::new(mood),
            asked: AtomicUsize::new(0),
            redirected: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(description))
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere))
            .with_state(served.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let provider = Self { address, served, server };
        provider.rotate(signers);
        provider
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the keys of these from now on.
    pub fn rotate(&self, signers: &[&Signer]) {
        *self.served.keys.lock().unwrap() = signers.iter().map(|signer| signer.jwk()).collect();
    }

    pub fn becomes(&self, mood: Mood) {
        *self.served.mood.lock().unwrap() = mood;
    }

    /// How often somebody began to read its keys.
    pub fn asked(&self) -> usize {
        self.served.asked.load(Ordering::SeqCst)
    }

    /// How often its redirect was followed.
    pub fn redirected(&self) -> usize {
        self.served.redirected.load(Ordering::SeqCst)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn set(&self) -> Json<Value> {
        Json(json!({ "keys": *self.keys.lock().unwrap() }))
    }
}

async fn description(State(served): State<Arc<Served>>) -> Response {
    served.asked.fetch_add(1, Ordering::SeqCst);
    let mut issuer = served.issuer.clone();
    let mut keys = format!("{issuer}/keys");
    match served.mood() {
        Mood::Away => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::IsAnother => issuer.push('/'),
        Mood::PointsAway => keys = "http://id.example/keys".to_owned(),
        Mood::Well | Mood::Redirects | Mood::Floods => {}
    }
    Json(json!({ "issuer": issuer, "jwks_uri": keys, "response_types_supported": ["id_token"] }))
        .into_response()
}

async fn keys(State(served): State<Arc<Served>>) -> Response {
    match served.mood() {
        Mood::Redirects => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
        Mood::Floods => {
            let padding = " ".repeat(1024 * 1024);
            format!("{padding}{}", served.set().0).into_response()
        }
        _ => served.set().into_response(),
    }
}

async fn elsewhere(State(served): State<Arc<Served>>) -> Response {
    served.redirected.fetch_add(1, Ordering::SeqCst);
    served.set().into_response()
}
