//! Connections that say nothing, or never come to an end, beside those that are measured.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

/// All have tried to connect within this time; longer is an error.
const CONNECTED: Duration = Duration::from_secs(60);

/// As tests/it/crowds.rs has them. Dropped, it hangs up.
#[derive(Default)]
pub struct Crowd(JoinSet<()>);

impl Crowd {
    /// Adds connections, each of which sends this and then stays, as long as the other side lets it.
    pub async fn add(&mut self, count: usize, to: SocketAddr, sends: Vec<u8>) {
        raise_own_limit();
        let (sends, tried) = (Arc::new(sends), Arc::new(Semaphore::new(0)));
        for _ in 0..count {
            let (sends, tried) = (sends.clone(), tried.clone());
            self.0.spawn(async move {
                let connected = TcpStream::connect(to).await;
                tried.add_permits(1);
                // It is in order to be refused or thrown out.
                let Ok(mut stream) = connected else { return };
                let _ = stream.write_all(&sends).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
        let all = tried.acquire_many(u32::try_from(count).unwrap());
        tokio::time::timeout(CONNECTED, all).await.expect("all have tried to connect").unwrap().forget();
    }
}

/// This side needs more files than the platform has.
fn raise_own_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// The beginning of a head.
pub fn half_head(length: usize) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(length)).into_bytes()
}

/// A request without a token whose body lacks its last byte.
pub fn half_body(path: &str, length: usize) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length - 1, b'a');
    bytes
}
