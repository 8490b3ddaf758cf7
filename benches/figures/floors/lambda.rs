//! The least that a program for AWS Lambda can be behind: its runtime API, and callers.

use std::{collections::HashMap, process::Stdio, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use bytes::Bytes;
use tokio::{
    net::TcpListener,
    process::Command,
    sync::{Mutex, mpsc, oneshot},
};

use super::until_eof;
use crate::servers::BOOTSTRAP;

type Call = (Bytes, oneshot::Sender<Bytes>);

struct Api {
    calls: mpsc::Sender<Call>,
    waiting: Mutex<mpsc::Receiver<Call>>,
    /// By the ids of those that were handed out.
    answers: Mutex<HashMap<String, oneshot::Sender<Bytes>>>,
}

pub async fn serve(listener: TcpListener) {
    let address = listener.local_addr().unwrap();
    let (calls, waiting) = mpsc::channel(1024);
    let api = Api { calls, waiting: Mutex::new(waiting), answers: Mutex::default() };
    let mut program = Command::new("python3");
    program.args(["-c", BOOTSTRAP]).env("AWS_LAMBDA_RUNTIME_API", address.to_string());
    let _program = program.stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let routes = Router::new()
        .route("/", post(call))
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response));
    until_eof(listener, routes.with_state(Arc::new(api))).await;
}

async fn call(State(api): State<Arc<Api>>, payload: Bytes) -> Bytes {
    let (answer, answered) = oneshot::channel();
    api.calls.send((payload, answer)).await.unwrap();
    answered.await.unwrap()
}

async fn next(State(api): State<Arc<Api>>) -> ([(&'static str, String); 2], Bytes) {
    let (payload, answer) = api.waiting.lock().await.recv().await.unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    api.answers.lock().await.insert(id.clone(), answer);
    let kind = "application/json".to_owned();
    ([("lambda-runtime-aws-request-id", id), ("content-type", kind)], payload)
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let answer = api.answers.lock().await.remove(&id).unwrap();
    let _ = answer.send(body);
    StatusCode::ACCEPTED
}
