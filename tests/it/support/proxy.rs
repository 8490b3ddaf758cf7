//! A TCP proxy whose connections a test can cut, stop, forget and speak into.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, watch},
};
use tokio_util::sync::DropGuard;

/// Of what a client says, so much is remembered.
const BEGINNING: usize = 4096;

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    accepted: AtomicUsize,
    refuse: AtomicBool,
    cut: broadcast::Sender<()>,
    cut_named: broadcast::Sender<String>,
    forget: broadcast::Sender<()>,
    inject: broadcast::Sender<&'static [u8]>,
    paused: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        Self::start_at("127.0.0.1", target).await
    }

    /// The same for those who reach this address.
    pub async fn start_at(address: &str, target: String) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            accepted: AtomicUsize::new(0),
            refuse: AtomicBool::new(false),
            cut: broadcast::channel(1).0,
            cut_named: broadcast::channel(1).0,
            forget: broadcast::channel(1).0,
            inject: broadcast::channel(4).0,
            paused: watch::channel(false).0,
        });
        let stop = tokio_util::sync::CancellationToken::new();
        let accepting = accept(listener, target, shared.clone());
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(accepting).await });
        Self { port, shared, _stop: stop.drop_guard() }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections that got through so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Ends all connections of now.
    pub fn cut(&self) {
        let _ = self.shared.cut.send(());
    }

    /// Ends those whose clients have said this at their beginning.
    pub fn cut_that_said(&self, text: &str) {
        let _ = self.shared.cut_named.send(text.to_owned());
    }

    /// All connections of now are as if their network were gone: whatever is sent is lost, and no end is
    /// told. New ones work.
    pub fn forget(&self) {
        let _ = self.shared.forget.send(());
    }

    /// New connections end at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse.store(refuse, Ordering::SeqCst);
    }

    /// Nothing passes, and nothing is lost.
    pub fn pause(&self, paused: bool) {
        self.shared.paused.send_replace(paused);
    }

    /// To every client, as if the server had said it; only while the server is silent.
    pub fn inject(&self, bytes: &'static [u8]) {
        let _ = self.shared.inject.send(bytes);
    }
}

async fn accept(listener: TcpListener, target: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.refuse.load(Ordering::SeqCst) {
            continue;
        }
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        let told = [shared.cut.subscribe(), shared.forget.subscribe()];
        tokio::spawn(relay(client, target.clone(), shared.clone(), told));
    }
}

async fn relay(
    client: TcpStream,
    target: String,
    shared: Arc<Shared>,
    [mut cut, mut forget]: [broadcast::Receiver<()>; 2],
) {
    // A client of a server that is away learns it.
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (up, down) = (shared.paused.subscribe(), shared.paused.subscribe());
    // No bytes: only the server's side is spoken into.
    let silence = broadcast::channel(1);
    let said = Arc::new(Mutex::new(Vec::new()));
    let mut cut_named = shared.cut_named.subscribe();
    let is_meant = async {
        while let Ok(text) = cut_named.recv().await {
            let said = said.lock().unwrap();
            if said.windows(text.len()).any(|part| part == text.as_bytes()) {
                return;
            }
        }
        std::future::pending().await
    };
    let copying = async {
        tokio::select! {
            () = copy(from_client, to_server, up, silence.1, Some(&said)) => {}
            () = copy(from_server, to_client, down, shared.inject.subscribe(), None) => {}
        }
    };
    tokio::pin!(copying);
    tokio::select! {
        _ = cut.recv() => {}
        () = is_meant => {}
        () = &mut copying => {}
        _ = forget.recv() => {
            // The streams stay open until the test has ended.
            let _ = cut.recv().await;
        }
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut paused: watch::Receiver<bool>,
    mut inject: broadcast::Receiver<&'static [u8]>,
    said: Option<&Mutex<Vec<u8>>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let bytes = tokio::select! {
            Ok(bytes) = inject.recv() => bytes,
            read = from.read(&mut buffer) => match read {
                Ok(length) if length > 0 => &buffer[..length],
                _ => return,
            },
        };
        if let Some(said) = said {
            let mut said = said.lock().unwrap();
            let room = BEGINNING.saturating_sub(said.len()).min(bytes.len());
            said.extend_from_slice(&bytes[..room]);
        }
        if paused.wait_for(|paused| !paused).await.is_err() || to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
