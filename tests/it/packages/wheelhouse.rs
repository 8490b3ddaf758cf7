//! Packages that the tests make themselves, as a folder and as an index.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::{Path as Named, State},
    http::StatusCode,
    response::Html,
    routing::get,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A folder of packages, which every user may read.
pub struct Wheelhouse(tempfile::TempDir);

impl Wheelhouse {
    pub fn new(packages: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("cf").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let this = Self(folder);
        this.add(packages);
        this
    }

    pub fn add(&self, packages: &Value) {
        let script = include_str!("wheels.py");
        let mut making = Command::new("python3")
            .args(["-c", script])
            .arg(self.0.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        making.stdin.take().unwrap().write_all(packages.to_string().as_bytes()).unwrap();
        assert!(making.wait().unwrap().success());
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

/// `greet` says hello with the version of `words`, which it requires.
pub fn greet() -> Value {
    json!([
        {"name": "greet", "version": "1.0", "requires": ["words>=1"], "files": {
            "greet/__init__.py": "import words\ndef hello(name): return f'{words.HELLO}, {name}'\n"
        }},
        {"name": "words", "version": "1.0", "files": {"words.py": "HELLO = 'Hello'\n"}},
        {"name": "words", "version": "2.0", "files": {"words.py": "HELLO = 'Good day'\n"}},
    ])
}

/// An index over HTTP, of the packages in a folder.
pub struct Index {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Served {
    folder: PathBuf,
    asked: Arc<AtomicUsize>,
    /// A request for a package is never answered.
    is_silent: bool,
}

impl Index {
    pub async fn serve(folder: PathBuf, ip: &str) -> Self {
        Self::start(folder, ip, false).await
    }

    pub async fn silent(ip: &str) -> Self {
        Self::start(PathBuf::new(), ip, true).await
    }

    async fn start(folder: PathBuf, ip: &str, is_silent: bool) -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let served = Served { folder, asked: asked.clone(), is_silent };
        let routes = Router::new()
            .route("/simple/{name}/", get(links))
            .route("/forbidden/{name}/", get(|| async { StatusCode::FORBIDDEN }))
            .route("/files/{name}", get(file))
            .with_state(served);
        let listener = tokio::net::TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, asked, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/simple", self.address)
    }

    /// How often it was asked for a package.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn links(
    State(served): State<Served>,
    Named(name): Named<String>,
) -> Result<Html<String>, StatusCode> {
    served.asked.fetch_add(1, Ordering::SeqCst);
    if served.is_silent {
        std::future::pending::<()>().await;
    }
    let is_of_it = |file: &String| file.starts_with(&format!("{name}-")) && !file.ends_with(".python");
    let files: Vec<String> = names(&served.folder).into_iter().filter(is_of_it).collect();
    if files.is_empty() {
        return Err(StatusCode::NOT_FOUND);
    }
    let link = |file: &String| {
        let python = fs::read_to_string(served.folder.join(format!("{file}.python")));
        let python = python.map_or_else(
            |_| String::new(),
            |python| {
                format!(" data-requires-python=\"{}\"", python.replace('<', "&lt;").replace('>', "&gt;"))
            },
        );
        format!("<a href=\"/files/{file}\"{python}>{file}</a>\n")
    };
    Ok(Html(files.iter().map(link).collect()))
}

async fn file(State(served): State<Served>, Named(name): Named<String>) -> Vec<u8> {
    fs::read(served.folder.join(name)).unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
