//! TLS of the gateway's ports: the certificate, read again when its files change, and handshakes.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{net::TcpStream, task::spawn_blocking};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::raw_answer;
use crate::{
    certificates::{Pair, PairError, Validity, to_pem},
    model::{Problem, code},
};

/// The interval at which the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// HTTP/2 and HTTP/1.1, by their names in ALPN, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Passes on in PEM form the certificates that the server may show from now on.
type Publish = Box<dyn Fn(&str) -> anyhow::Result<()> + Send + Sync>;

/// A certificate with its private key, for the ports of a server.
pub struct Tls {
    files: Files,
    shown: RwLock<Shown>,
    publish: Option<Publish>,
}

#[derive(Clone)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// The certificate that new connections get, with its settings.
#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    own: CertificateDer<'static>,
    state: FilesState,
}

/// Tells whether the files are those that were read: size, inode and time of the last change of both; `None` for one that
/// cannot be looked at.
type FilesState = [Option<(u64, u64, i64, i64)>; 2];

impl Tls {
    /// Reads the certificate and the key. The error says which file is wrong, and is a [`PairError`]. A certificate that has
    /// expired is used, and warned of.
    pub fn load(cert: &Path, key: &Path) -> anyhow::Result<Self> {
        let files = Files { cert: cert.to_owned(), key: key.to_owned() };
        let shown = files.read()?;
        files.warn(&shown.own);
        Ok(Self { files, shown: RwLock::new(shown), publish: None })
    }

    /// Passes on the certificate, in PEM form, before it is shown to anybody: now, and whenever it changes, then together with
    /// the one before, which connections that are being made may still get.
    pub fn published(
        self,
        publish: impl Fn(&str) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        publish(&to_pem(&[self.shown().own]))?;
        Ok(Self { publish: Some(Box::new(publish)), ..self })
    }

    /// Looks at the files every few seconds, and reads them when they have changed: new connections get the new certificate.
    /// As long as the files do not fit each other the old one is kept. Never returns.
    pub async fn keep_up_to_date(&self) {
        let mut warned_of = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(&mut warned_of).await;
        }
    }

    /// Reads the files if they have changed; a state of theirs that is of no use is warned of once.
    async fn look(&self, warned_of: &mut Option<FilesState>) {
        let (files, old) = (self.files.clone(), self.shown());
        let read = spawn_blocking(move || match files.state() {
            state if state == old.state => None,
            state => Some((state, files.read())),
        });
        let Ok(Some((state, read))) = read.await else { return };
        let problem = match read {
            Ok(new) => match self.show(new) {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error.into(),
        };
        if *warned_of != Some(state) {
            tracing::warn!(
                "the TLS certificate is not replaced, and the old one is used on: {problem:#}"
            );
            *warned_of = Some(state);
        }
    }

    /// Shows another certificate from now on.
    fn show(&self, new: Shown) -> anyhow::Result<()> {
        let old = self.shown();
        if let Some(publish) = &self.publish {
            publish(&to_pem(&[new.own.clone(), old.own.clone()]))?;
        }
        let is_other = new.own != old.own;
        if is_other {
            self.files.warn(&new.own);
        }
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = new;
        if is_other {
            tracing::info!(file = %self.files.cert.display(), "new connections get the new TLS certificate");
        }
        Ok(())
    }

    fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the TLS connection. A client that speaks plain HTTP is told to use https. Waits for the client without a bound.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        // A handshake begins with the byte 22, and an HTTP request with the name of its method.
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic() {
            raw_answer::write(stream, &without_tls()).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
        }
        TlsAcceptor::from(self.shown().config).accept(stream).await
    }

    /// Returns whether both ends have agreed on HTTP/2.
    pub(super) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
        stream.get_ref().1.alpn_protocol() == Some(PROTOCOLS[0])
    }
}

/// Returns what is answered to a request that came without TLS, whatever it is.
fn without_tls() -> Problem {
    Problem::new(code::BAD_REQUEST, "this port speaks TLS, and the request came without it")
        .hint("use https:// in place of http://")
}

impl Files {
    fn state(&self) -> FilesState {
        [&self.cert, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.size(), found.ino(), found.mtime(), found.mtime_nsec()))
        })
    }

    /// Reads both files. Their state is looked at first, so that a change meanwhile is seen afterwards.
    fn read(&self) -> Result<Shown, PairError> {
        let state = self.state();
        let pair = Pair::read(&self.cert, &self.key)?;
        let own = pair.own().clone();
        Ok(Shown { config: Arc::new(pair.server_config(&PROTOCOLS)?), own, state })
    }

    /// Warns of a certificate that is not valid now, or not for long.
    fn warn(&self, certificate: &CertificateDer<'_>) {
        let trouble = Validity::of(certificate).and_then(|valid| valid.trouble(Timestamp::now()));
        if let Some(trouble) = trouble {
            tracing::warn!(file = %self.cert.display(), "the TLS certificate {trouble}");
        }
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
