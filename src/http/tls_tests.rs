//! Tests of TLS: a certificate that changes, and clients that do not speak TLS.

use std::{os::unix::fs::PermissionsExt as _, sync::Mutex};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

struct Pem(TempDir);

impl Pem {
    /// Makes a folder with this certificate and its key.
    fn new(name: &str) -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.put(name);
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str) {
        self.put_certificate(name);
        self.put_key(name);
    }

    fn put_certificate(&self, name: &str) {
        self.replace("cert.pem", &format!("{name}.pem"));
    }

    fn put_key(&self, name: &str) {
        self.replace("key.pem", &format!("{name}_key.pem"));
    }

    /// Replaces a file as programs do that renew certificates: by another one of its name.
    fn replace(&self, name: &str, by: &str) {
        let from: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/tls", by].iter().collect();
        let new = self.path("new");
        fs::write(&new, fs::read(from).unwrap()).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    fn load(&self) -> anyhow::Result<Tls> {
        Tls::load(&self.path("cert.pem"), &self.path("key.pem"))
    }
}

fn pem(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/it/tls", name].iter().collect();
    fs::read_to_string(path).unwrap()
}

fn shown(tls: &Tls) -> String {
    to_pem(&[tls.shown().own])
}

#[tokio::test]
async fn a_new_pair_is_shown_from_its_second_file_on_and_announced_before() {
    let files = Pem::new("first");
    let published = Arc::new(Mutex::new(Vec::new()));
    let publish = {
        let published = published.clone();
        move |pem: &str| {
            published.lock().unwrap().push(pem.to_owned());
            Ok(())
        }
    };
    let tls = files.load().unwrap().published(publish).unwrap();
    let mut warned_of = None;
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("first.pem"));
    assert_eq!(*published.lock().unwrap(), [pem("first.pem")]);

    files.put_certificate("second");
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("first.pem"), "its key is not there yet");
    assert!(warned_of.is_some());
    files.put_key("second");
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("second.pem"));
    let both = pem("second.pem") + &pem("first.pem");
    assert_eq!(*published.lock().unwrap(), [pem("first.pem"), both]);
    tls.look(&mut warned_of).await;
    assert_eq!(published.lock().unwrap().len(), 2, "nothing has changed");
}

#[tokio::test]
async fn a_pair_that_is_of_no_use_is_warned_of_once_and_the_old_one_is_kept() {
    let files = Pem::new("first");
    let tls = files.load().unwrap();
    let mut warned_of = None;
    fs::write(files.path("cert.pem"), "no certificate").unwrap();
    tls.look(&mut warned_of).await;
    let first = warned_of;
    assert!(first.is_some());
    tls.look(&mut warned_of).await;
    assert_eq!(warned_of, first);
    fs::remove_file(files.path("key.pem")).unwrap();
    tls.look(&mut warned_of).await;
    assert!(warned_of != first, "the files have changed again");
    assert_eq!(shown(&tls), pem("first.pem"));
    files.put("second");
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("second.pem"));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_announced_is_not_shown() {
    let files = Pem::new("first");
    let fails = Arc::new(Mutex::new(false));
    let publish = {
        let fails = fails.clone();
        move |_: &str| if *fails.lock().unwrap() { anyhow::bail!("the disk is full") } else { Ok(()) }
    };
    let tls = files.load().unwrap().published(publish).unwrap();
    *fails.lock().unwrap() = true;
    files.put("second");
    let mut warned_of = None;
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("first.pem"));
    *fails.lock().unwrap() = false;
    tls.look(&mut warned_of).await;
    assert_eq!(shown(&tls), pem("second.pem"));
}

#[test]
fn the_first_pair_has_to_be_of_use() {
    let files = Pem::new("first");
    files.put_key("second");
    let Err(error) = files.load() else { panic!("the key does not fit") };
    assert!(matches!(error.downcast_ref(), Some(PairError::Mismatch { .. })), "{error}");
}

#[tokio::test]
async fn a_client_without_tls_is_told_to_use_https() {
    let files = Pem::new("first");
    let tls = files.load().unwrap();
    for sent in [b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(), b"get / HTTP/1.1\r\n\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        client.write_all(sent).await.unwrap();
        let told = async {
            let mut told = String::new();
            client.read_to_string(&mut told).await.unwrap();
            drop(client);
            told
        };
        let (accepted, told) = tokio::join!(tls.accept(server), told);
        assert_eq!(accepted.err().unwrap().kind(), io::ErrorKind::InvalidData);
        assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
        let (_, body) = told.split_once("\r\n\r\n").unwrap();
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.code, code::BAD_REQUEST.code);
        assert_eq!(problem.detail, "this port speaks TLS, and the request came without it");
        assert_eq!(problem.hint.as_deref(), Some("use https:// in place of http://"));
    }
}
