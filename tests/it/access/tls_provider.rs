//! A provider of OpenID Connect on loopback that speaks TLS. Its certificate and the one of its authority, in `tls/`, were made
//! for these tests, and end in 2120; the key of the authority was thrown away.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;

use super::signer::Signer;

/// A client that says nothing for this time is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the public key of this signer until the process ends, and returns the issuer.
pub fn serve(signer: &Signer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("https://{}", listener.local_addr().unwrap());
    let description = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string();
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let config = Arc::new(config());
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that does not trust this server hangs up.
            let _ = stream.and_then(|stream| answer(config.clone(), stream, &description, &keys));
        }
    });
    issuer
}

/// Returns the file of the authority that has signed the server's certificate.
pub fn authority() -> PathBuf {
    file("authority.pem")
}

/// Returns the file of an authority that has signed nothing.
pub fn other_authority() -> PathBuf {
    file("other_authority.pem")
}

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/it/access/tls", name].iter().collect()
}

fn config() -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server_key.pem")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

fn answer(
    config: Arc<ServerConfig>,
    stream: TcpStream,
    description: &str,
    keys: &str,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    let mut lines = BufReader::new(&mut tls).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let body = if first.starts_with("GET /keys ") { keys } else { description };
    let length = body.len();
    write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    tls.conn.send_close_notify();
    tls.flush()
}
