//! Flask behind an address: files with ranges and conditions, cookies, redirects, an upload.

use cloudfunc::settings::Platform;
use reqwest::{Client, StatusCode, redirect::Policy};

use super::{bytes, public, sha256, start};
use crate::{examples::shop, packages::on, support::platform::Stack};

on! {
    sqlite_embedded_oci: flask_sends_files_by_ranges_and_sets_cookies;
}

const APP: &str = r#"
import hashlib, io
from flask import Flask, make_response, redirect, request, send_file

app = Flask(__name__)
FILE = bytes(range(256)) * 4096

@app.get("/app/file")
def file():
    return send_file(io.BytesIO(FILE), mimetype="application/octet-stream", etag="one", conditional=True)

@app.post("/app/upload")
def upload():
    return {"bytes": len(request.data), "sha256": hashlib.sha256(request.data).hexdigest()}

@app.get("/app/login")
def login():
    answer = make_response(redirect(request.url_root + "app/home"))
    answer.set_cookie("session", "7", httponly=True)
    answer.set_cookie("theme", "dark")
    return answer

@app.get("/app/home")
def home():
    return {"session": request.cookies.get("session"), "theme": request.cookies.get("theme"), "url": request.url}
"#;

const MANIFEST: &str = "interface = \"http\"\ncommand = [\"gunicorn\", \"--preload\", \"app:app\"]\nmemory = \"256MiB\"\n\
                        [http]\npath = \"/app/{rest+}\"\nauth = \"none\"\n";

async fn flask_sends_files_by_ranges_and_sets_cookies(stack: Stack, test: &str) {
    let Some(folder) = shop::packages(stack) else { return };
    let change = |platform: &mut Platform| {
        platform.builds.index = Some("none".parse().unwrap());
        platform.builds.find_links = Some(folder);
    };
    let Some(platform) = start(stack, test, change).await else { return };
    let packages =
        std::fs::read_to_string(format!("{}/shop/requirements.txt", crate::examples::FUNCTIONS));
    let packages = packages.unwrap();
    let files = [("app.py", APP), ("requirements.txt", &*packages), ("cloudfunc.toml", MANIFEST)];
    platform.deploy("app", &files).await;
    let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let url = |path: &str| public(&platform, path);

    let whole = client.get(url("/app/file")).send().await.unwrap();
    assert_eq!(
        (whole.status(), &whole.headers()["etag"]),
        (StatusCode::OK, &"\"one\"".parse().unwrap())
    );
    let file: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    assert_eq!(sha256(&whole.bytes().await.unwrap()), sha256(&file));
    let piece = client.get(url("/app/file")).header("range", "bytes=254-257").send().await.unwrap();
    assert_eq!(piece.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(piece.headers()["content-range"], "bytes 254-257/1048576");
    assert_eq!(&piece.bytes().await.unwrap()[..], [254, 255, 0, 1]);
    let beyond = client.get(url("/app/file")).header("range", "bytes=2000000-").send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let known = client.get(url("/app/file")).header("if-none-match", "\"one\"").send().await.unwrap();
    assert_eq!((known.status(), known.bytes().await.unwrap().len()), (StatusCode::NOT_MODIFIED, 0));
    let head = client.head(url("/app/file")).send().await.unwrap();
    assert_eq!(
        (head.status(), &head.headers()["content-length"]),
        (StatusCode::OK, &"1048576".parse().unwrap())
    );

    let bytes = bytes(5 * 1024 * 1024);
    let sent = client.post(url("/app/upload")).body(bytes.clone()).send().await.unwrap();
    let sent: serde_json::Value = sent.json().await.unwrap();
    assert_eq!(sent, serde_json::json!({ "bytes": bytes.len(), "sha256": sha256(&bytes) }));

    let login = client.get(url("/app/login")).send().await.unwrap();
    assert_eq!(
        (login.status(), &login.headers()["location"]),
        (StatusCode::FOUND, &url("/app/home").parse().unwrap())
    );
    let cookies = login.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    assert_eq!(cookies.collect::<Vec<_>>(), ["session=7; HttpOnly; Path=/", "theme=dark; Path=/"]);
    let home =
        client.get(url("/app/home")).header("cookie", "session=7; theme=dark").send().await.unwrap();
    let home: serde_json::Value = home.json().await.unwrap();
    assert_eq!(home, serde_json::json!({ "session": "7", "theme": "dark", "url": url("/app/home") }));
    platform.stop().await;
}
