//! nginx and Caddy in front of a platform, with TLS: configured as docs/http.md says.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use cloudfunc::settings::Platform;
use reqwest::{Certificate, Client, StatusCode, redirect::Policy};
use serde_json::json;

use super::{bytes, hexadecimal, sha256, start};
use crate::{
    access::tls_provider::authority,
    documents::markdown::page,
    interfaces::free_port,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
        process::Process,
    },
};

/// Answers as its path says.
const FUNCTION: &str = r#"
import base64, hashlib, hmac, json

SECRET = b"it is known to the sender"

def handler(event):
    body = event.get("body", "")
    raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    path = event["rawPath"]
    if path == "/site/hook":
        signed = "sha256=" + hmac.new(SECRET, raw, hashlib.sha256).hexdigest()
        return {"statusCode": 204 if event["headers"].get("x-hub-signature-256") == signed else 401}
    if path == "/site/old":
        return {"statusCode": 301, "headers": {"Location": "/site/new"}}
    if path == "/site/login":
        return {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2; Secure"], "body": "in"}
    forwarded = {name: value for name, value in event["headers"].items() if "forwarded" in name}
    return {"sha256": hashlib.sha256(raw).hexdigest(), "cookies": event.get("cookies"), "host": event["headers"]["host"],
            "forwarded": forwarded, "from": event["requestContext"]["http"]["sourceIp"]}
"#;

const MANIFEST: &str = "[http]\npath = \"/site/{rest+}\"\nauth = \"none\"\n";

/// A proxy that ends TLS on a port of its own, for the public port and for that of the gateway.
struct Proxy {
    _process: Process,
    public: u16,
    gateway: u16,
    _folder: tempfile::TempDir,
}

fn tls(file: &str) -> String {
    format!("{}/tests/it/access/tls/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// The block of docs/http.md that begins like this, with what is another on this machine: each part stands in it once.
fn documented(begins: &str, parts: &[(&str, String)]) -> String {
    let page = page("docs/http.md");
    let blocks: Vec<&str> = page.blocks("text").filter(|block| block.starts_with(begins)).collect();
    let [block] = blocks[..] else { panic!("not one that begins with {begins}: {blocks:?}") };
    parts.iter().fold(block.to_owned(), |block, (part, here)| {
        assert_eq!(block.matches(part).count(), 1, "{part} in:\n{block}");
        block.replace(part, here)
    })
}

fn nginx_server(folder: &Path, port: u16, to: SocketAddr) -> String {
    let key = folder.join("key.pem").display().to_string();
    documented(
        "server {",
        &[
            ("127.0.0.1:8080", to.to_string()),
            ("listen 443 ", format!("listen 127.0.0.1:{port} ")),
            ("/etc/ssl/app.example.com.pem", tls("server.pem")),
            ("/etc/ssl/app.example.com.key", key),
        ],
    )
}

fn nginx(folder: &Path, servers: &str) -> Command {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
        .collect();
    let config = format!(
        "daemon off;\nmaster_process off;\nuser root;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{servers}}}\n",
        folder.display()
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf"));
    command
}

fn caddy_site(folder: &Path, port: u16, to: SocketAddr) -> String {
    let (certificate, key) = (tls("server.pem"), folder.join("key.pem").display().to_string());
    let address = format!("https://127.0.0.1:{port} {{\n    tls {certificate} {key}\n");
    documented(
        "app.example.com {\n",
        &[("127.0.0.1:8080", to.to_string()), ("app.example.com {\n", address)],
    )
}

fn caddy(folder: &Path, sites: &str) -> Command {
    let config = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{sites}");
    fs::write(folder.join("Caddyfile"), config).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}

type Site = fn(&Path, u16, SocketAddr) -> String;
type Start = fn(&Path, &str) -> Command;

fn begin(platform: &TestPlatform, site: Site, start: Start) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
    // Of the repository's file everybody may read; a server wants its key for itself.
    fs::copy(tls("server_key.pem"), folder.path().join("key.pem")).unwrap();
    let (public, gateway) = (free_port(), free_port());
    let addresses = &platform.platform.addresses;
    let sites = site(folder.path(), public, addresses.public.unwrap())
        + &site(folder.path(), gateway, addresses.gateway);
    let process = Process::start(start(folder.path(), &sites), folder.path(), "proxy");
    Proxy { _process: process, public, gateway, _folder: folder }
}

fn client() -> Client {
    let authority = Certificate::from_pem(&fs::read(authority()).unwrap()).unwrap();
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .tls_certs_only([authority])
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

async fn a_site_behind(test: &str, site: Site, begin_with: Start) {
    let change = |platform: &mut Platform| platform.trusted_proxies = "127.0.0.1".parse().unwrap();
    let Some(platform) = start(Stack::LIGHT, test, change).await else { return };
    platform.deploy("site", &[("function.py", FUNCTION), ("cloudfunc.toml", MANIFEST)]).await;
    let proxy = begin(&platform, site, begin_with);
    let (client, base) = (client(), format!("https://127.0.0.1:{}", proxy.public));
    eventually("the proxy answers", || async { client.get(&base).send().await.ok() }).await;
    let url = |path: &str| format!("{base}{path}");

    let body = "{\"zen\": \"Gr\u{fc}\u{df}e\"}";
    let signature = hmac(b"it is known to the sender", body.as_bytes());
    for (signature, status) in [(&*signature, 204), ("sha256=00", 401)] {
        let hook = client.post(url("/site/hook")).header("x-hub-signature-256", signature);
        let answer = hook.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    let old = client.get(url("/site/old")).send().await.unwrap();
    assert_eq!(
        (old.status(), &old.headers()["location"]),
        (StatusCode::MOVED_PERMANENTLY, &"/site/new".parse().unwrap())
    );
    let login = client.get(url("/site/login")).send().await.unwrap();
    let cookies = login.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    assert_eq!(cookies.collect::<Vec<_>>(), ["a=1; Path=/", "b=2; Secure"]);
    // What a client says of other proxies is not believed.
    let forged = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=203.0.113.9"),
    ];
    let upload = client.post(url("/site/upload")).header("content-type", "application/octet-stream");
    let upload = forged.into_iter().fold(upload, |upload, (name, value)| upload.header(name, value));
    let bytes = bytes(5 * 1024 * 1024);
    let upload = upload.header("cookie", "a=1; b=2").body(bytes.clone());
    let seen: serde_json::Value = upload.send().await.unwrap().json().await.unwrap();
    let host = format!("127.0.0.1:{}", proxy.public);
    let forwarded = json!({
        "x-forwarded-for": "127.0.0.1, 127.0.0.1", "x-forwarded-host": host,
        "x-forwarded-port": proxy.public.to_string(), "x-forwarded-proto": "https",
    });
    let expected = json!({
        "sha256": sha256(&bytes), "cookies": ["a=1", "b=2"], "host": host, "forwarded": forwarded, "from": "127.0.0.1",
    });
    assert_eq!(seen, expected);
    the_command_line(&platform, proxy.gateway).await;
    platform.stop().await;
}

/// Deploys, invokes and reads logs through the proxy.
async fn the_command_line(platform: &TestPlatform, port: u16) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("function.py"),
        "def handler(event):\n    print('seen')\n    return event\n",
    )
    .unwrap();
    fs::write(folder.path().join("cloudfunc.toml"), "name = \"echo\"\n").unwrap();
    let home = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cloudfunc"));
        command
            .env_clear()
            .env("HOME", home.path())
            .args(["--url", &format!("https://127.0.0.1:{port}")]);
        command
            .arg("--ca")
            .arg(authority())
            .arg("--token-file")
            .arg(platform.platform.data_dir.join("token"));
        let output = command.args(arguments).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let deployed = run(&["deploy", folder.path().to_str().unwrap()]).await;
    assert_eq!(deployed.0, Some(0), "{deployed:?}");
    let invoked = run(&["invoke", "echo", "--data", "{\"a\":1}"]).await;
    assert_eq!((invoked.0, invoked.1.as_str()), (Some(0), "{\"a\":1}"), "{invoked:?}");
    let logs = run(&["logs", "echo"]).await;
    assert!(logs.1.contains("seen"), "{logs:?}");
}

fn hmac(key: &[u8], body: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    format!("sha256={}", hexadecimal(ring::hmac::sign(&key, body).as_ref()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_works_behind_nginx() {
    a_site_behind("proxies::nginx", nginx_server, nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_works_behind_caddy() {
    a_site_behind("proxies::caddy", caddy_site, caddy).await;
}
