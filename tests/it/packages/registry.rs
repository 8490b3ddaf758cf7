//! A registry of npm packages that the tests make themselves.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Packages over HTTP.
pub struct Registry {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Served {
    address: SocketAddr,
    packages: Arc<Vec<Value>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Serves these packages: each the content of its `package.json`, and `files` with their texts.
    pub async fn serve(packages: Value, ip: &str) -> Self {
        Self::serve_on(tokio::net::TcpListener::bind((ip, 0)).await.unwrap(), packages)
    }

    pub fn serve_on(listener: tokio::net::TcpListener, packages: Value) -> Self {
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let packages = Arc::new(packages.as_array().unwrap().clone());
        let served = Served { address, packages, heard: heard.clone() };
        let routes = Router::new()
            .route("/npm/{name}", get(versions))
            .route("/npm/{name}/-/{file}", get(archive))
            .with_state(served);
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, heard, server }
    }

    pub fn url(&self) -> String {
        self.url_with("")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address with a user and a password, as in `user:password@`.
    pub fn url_with(&self, user: &str) -> String {
        format!("http://{user}{}/npm/", self.address)
    }

    /// What requests had as their authorization, without those that had none.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn versions(
    State(served): State<Served>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        served.heard.lock().unwrap().push(value.to_str().unwrap().to_owned());
    }
    let mut versions = BTreeMap::new();
    for package in served.packages.iter().filter(|package| package["name"] == name.as_str()) {
        let version = package["version"].as_str().unwrap().to_owned();
        let mut about = package_json(package);
        let tarball = format!("http://{}/npm/{name}/-/{name}-{version}.tgz", served.address);
        about["dist"] = json!({ "tarball": tarball });
        about["hasInstallScript"] = package.get("scripts").is_some().into();
        versions.insert(version, about);
    }
    let Some(latest) = versions.keys().next_back().cloned() else {
        return Err((StatusCode::NOT_FOUND, Json(json!({ "error": "Not found" }))));
    };
    Ok(Json(json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions })))
}

async fn archive(
    State(served): State<Served>,
    Path((name, file)): Path<(String, String)>,
) -> Result<Vec<u8>, StatusCode> {
    let is_it = |package: &&Value| {
        package["name"] == name.as_str()
            && format!("{name}-{}.tgz", package["version"].as_str().unwrap()) == file
    };
    let package = served.packages.iter().find(is_it).ok_or(StatusCode::NOT_FOUND)?;
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |path: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("package/{path}"), text.as_bytes()).unwrap();
    };
    add("package.json", &package_json(package).to_string());
    for (path, text) in package["files"].as_object().unwrap() {
        add(path, text.as_str().unwrap());
    }
    Ok(tar.into_inner().unwrap().finish().unwrap())
}

fn package_json(package: &Value) -> Value {
    let mut about = package.clone();
    about.as_object_mut().unwrap().remove("files");
    about
}

/// `greet`, an ES module, says hello with the version of `words`, a CommonJS one, which it requires; `made` is not whole
/// before its script has run, and has a program.
pub fn greet() -> Value {
    json!([
        {"name": "greet", "version": "1.0.0", "type": "module", "exports": "./greet.js", "dependencies": {"words": ">=1"},
         "files": {"greet.js": "import words from 'words';\nexport const hello = (name) => `${words.HELLO}, ${name}`;\n"}},
        {"name": "words", "version": "1.0.0", "files": {"index.js": "exports.HELLO = 'Hello';\n"}},
        {"name": "words", "version": "2.0.0", "files": {"index.js": "exports.HELLO = 'Good day';\n"}},
        {"name": "made", "version": "1.0.0", "bin": {"made": "program.js"}, "scripts": {"install": "node make.js"},
         "files": {
            "make.js": "console.log('making it');\nrequire('fs').writeFileSync('index.js', `module.exports = ${process.versions.modules};`);\n",
            "program.js": "#!/usr/bin/env node\nconsole.log('a program');\n"}},
        {"name": "broken", "version": "1.0.0", "scripts": {"install": "node fail.js"},
         "files": {"fail.js": "console.log('no compiler');\nprocess.exit(3);\n"}},
        {"name": "old", "version": "1.0.0", "peerDependencies": {"words": "^1.0.0"}, "files": {"index.js": ""}},
    ])
}
