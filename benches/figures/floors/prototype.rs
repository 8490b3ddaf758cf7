//! HTTP → channel → Unix socket → guest.

use std::sync::Arc;

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use cloudfunc::model::{Language, Network};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot},
};

use super::until_eof;
use crate::docker::{Container, Engine};

/// Containers of a prototype.
const INSTANCES: usize = 2;

pub async fn instances(engine: &Engine) -> Vec<Container> {
    let mut instances = Vec::with_capacity(INSTANCES);
    for _ in 0..INSTANCES {
        instances.push(engine.start(Network::None).await);
    }
    instances
}

type Call = (Bytes, oneshot::Sender<Bytes>);

pub async fn serve(listener: TcpListener, run: &str) {
    let engine = Engine::connect(run, Language::Python).await;
    let (sender, receiver) = mpsc::channel::<Call>(1024);
    let receiver = Arc::new(Mutex::new(receiver));
    for mut container in instances(&engine).await {
        let receiver = receiver.clone();
        tokio::spawn(async move {
            loop {
                let next = receiver.lock().await.recv().await;
                let Some((payload, answer)) = next else { return };
                let _ = answer.send(container.call(&payload).await);
            }
        });
    }
    let invoke = async |State(sender): State<mpsc::Sender<Call>>, payload: Bytes| {
        let (answer, answered) = oneshot::channel();
        sender.send((payload, answer)).await.unwrap();
        answered.await.unwrap()
    };
    until_eof(listener, Router::new().route("/", post(invoke)).with_state(sender)).await;
}
