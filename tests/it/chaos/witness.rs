//! A server in a network namespace to which every run of a function tells its begin and its end, past the platform.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::history::Run;
use crate::escape::peer::Peer;

/// What every function of the harness does: tells the witness that it runs, takes its time, tells that it is done, and
/// answers its number. It never fails: what it cannot tell the witness it keeps to itself.
const CODE: &str = r#"
import os
import socket
import time


def tell(connection, text):
    try:
        connection.sendall(text.encode())
    except (AttributeError, OSError):
        pass


def connect():
    for _ in range(3):
        try:
            return socket.create_connection(("ADDRESS", PORT), 3)
        except OSError:
            time.sleep(0.1)


def handler(event, context):
    connection = connect() if event["is_witnessed"] else None
    nonce = os.urandom(6).hex()
    tell(connection, f"begin {event['n']} {context.invocation_id} {context.attempt} {nonce}\n")
    time.sleep(event["seconds"])
    tell(connection, f"end {nonce}\n")
    return event["n"]
"#;

pub struct Witness {
    pub peer: Peer,
    runs: Arc<Mutex<HashMap<String, Run>>>,
    /// What no function of ours says.
    strange: Arc<Mutex<Vec<String>>>,
    _stop: DropGuard,
}

impl Witness {
    /// Times are counted from `start`.
    pub fn plant(start: Instant) -> Self {
        let peer = Peer::plant();
        let listener = peer.listener.try_clone().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (runs, strange, stop) = (Arc::default(), Arc::default(), CancellationToken::new());
        let listening = listen(listener, start, Arc::clone(&runs), Arc::clone(&strange));
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(listening).await });
        Self { peer, runs, strange, _stop: stop.drop_guard() }
    }

    /// `function.py` of the functions that are witnessed here.
    pub fn code(&self) -> String {
        CODE.replace("ADDRESS", &self.peer.public.to_string())
            .replace("PORT", &self.peer.port.to_string())
    }

    pub fn strange(&self) -> Vec<String> {
        self.strange.lock().unwrap().clone()
    }

    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<_> = self.runs.lock().unwrap().values().cloned().collect();
        runs.sort_by(|one, other| one.begun.total_cmp(&other.begun));
        runs
    }
}

async fn listen(
    listener: TcpListener,
    start: Instant,
    runs: Arc<Mutex<HashMap<String, Run>>>,
    strange: Arc<Mutex<Vec<String>>>,
) {
    loop {
        if let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(hear(connection, start, Arc::clone(&runs), Arc::clone(&strange)));
        }
    }
}

async fn hear(
    connection: TcpStream,
    start: Instant,
    runs: Arc<Mutex<HashMap<String, Run>>>,
    strange: Arc<Mutex<Vec<String>>>,
) {
    let mut lines = BufReader::new(connection).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let now = start.elapsed().as_secs_f64();
        let mut runs = runs.lock().unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["begin", number, id, attempt, nonce] => {
                if let (Ok(number), Ok(id), Ok(attempt)) = (number.parse(), id.parse(), attempt.parse())
                {
                    let nonce = nonce.to_owned();
                    runs.insert(
                        nonce.clone(),
                        Run { number, id, attempt, nonce, begun: now, ended: None },
                    );
                }
            }
            ["end", nonce] => {
                if let Some(run) = runs.get_mut(nonce) {
                    run.ended = Some(now);
                }
            }
            _ => strange.lock().unwrap().push(format!("the witness was told {line:?}")),
        }
    }
}
