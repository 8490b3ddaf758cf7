//! TLS of the gateway: clients that trust it and clients that do not, certificates that change, HTTP/2, the public port, and
//! the commands of the same host. The certificates in `tls/` were made for these tests; those of `authority.pem` and `self.pem`
//! end in 2120, and the key of the authority was thrown away.

mod certificates;
mod local;

use std::sync::Arc;

use cloudfunc::{
    app::Role,
    client::{Client, Outcome},
    place::{State, Trust, certificate_file},
};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::{Certificate, Method, tls::TlsInfo};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::Value;
use tokio::net::TcpStream;

use self::certificates::{Pem, authority, file};
use crate::support::{
    eventually,
    platform::{Stack, TestPlatform, function, json},
};

/// A platform on the light stack with this certificate.
async fn start(files: &Pem, test: &str) -> TestPlatform {
    let tls = Some(files.files());
    let started = TestPlatform::start_with(Stack::LIGHT, test, |platform| platform.tls = tls).await;
    started.expect("the light stack needs no server")
}

/// What a command says in `--json` that fails.
async fn failure(platform: &TestPlatform, arguments: &[&str]) -> Value {
    let mut command = platform.command(arguments);
    // The authorities of the system are others in each test environment.
    command.env("SSL_CERT_FILE", file("self.pem")).arg("--json");
    let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[tokio::test]
async fn commands_trust_a_certificate_by_its_authority_its_name_and_its_time() {
    let files = Pem::new("first");
    let platform = start(&files, "tls").await;
    let ca = authority();
    let with_ca = ["--ca", ca.to_str().unwrap(), "list"];
    let (code, _, stderr) = platform.cli(&with_ca).await;
    assert_eq!(code, 0, "{stderr}");
    let url = platform.url();

    let unknown = failure(&platform, &["list"]).await;
    assert_eq!(unknown["code"], "certificate_refused");
    assert_eq!(
        unknown["detail"],
        format!("the certificate of {url} is not signed by an authority that is known here").as_str()
    );
    assert_eq!(
        unknown["hint"],
        "if it is signed by an authority of your own, or by none, name the file with the certificate of that authority, or of \
         the platform: --ca FILE or CLOUDFUNC_CA"
    );

    for (name, detail) in [
        ("named", format!("the certificate of {url} is not for 127.0.0.1, but for faas.example")),
        ("expired", format!("the certificate of {url} has expired at 2020-02-01T00:00:00Z")),
    ] {
        files.put(name);
        eventually("the next certificate is refused", async || {
            let (code, ..) = platform.cli(&with_ca).await;
            (code == 3).then_some(())
        })
        .await;
        eventually(&detail, async || {
            let failed = failure(&platform, &with_ca).await;
            (failed["detail"] == detail.as_str()).then_some(())
        })
        .await;
    }

    // As `openssl req -x509` makes one: it says that it is the certificate of an authority.
    files.put("self");
    let itself = file("self.pem");
    eventually("a certificate that was named itself is accepted", async || {
        let (code, ..) = platform.cli(&["--ca", itself.to_str().unwrap(), "list"]).await;
        (code == 0).then_some(())
    })
    .await;

    let (code, _, stderr) = platform.cli(&["--ca", "/nowhere.pem", "list"]).await;
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with(
            "error: cannot use the file of authorities /nowhere.pem: No such file or directory (os error 2)\n"
        ),
        "{stderr}"
    );
    platform.stop().await;
}

#[tokio::test]
async fn who_speaks_http_to_https_and_https_to_http_is_told_so() {
    let files = Pem::new("first");
    let platform = start(&files, "tls").await;
    let at = |role: Role| platform.address(role);
    let plain = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let answer = plain.get(format!("http://{}/healthz", at(Role::Gateway))).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["detail"], &problem["hint"]),
        (
            &"bad_request".into(),
            &"this port speaks TLS, and the request came without it".into(),
            &"use https:// in place of http://".into()
        )
    );

    // The registry's port, which never speaks TLS.
    let url = format!("https://{}", at(Role::Registry));
    let trust = Trust { ca: Some(authority()), own: None };
    let client = Client::trusting(format!("{url}/").parse().unwrap(), None, &trust).unwrap();
    let error = client.functions(None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{url} does not speak TLS"));
    assert_eq!(error.hint(), Some(format!("for HTTP without TLS, use http://{}", at(Role::Registry))));
    platform.stop().await;
}

/// A client of the authority that tells which certificate it was shown; each request is a connection.
fn with_info() -> reqwest::Client {
    let authority = Certificate::from_pem(&std::fs::read(authority()).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]);
    client.tls_info(true).pool_max_idle_per_host(0).build().unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_no_call_fails_meanwhile() {
    let files = Pem::new("first");
    let platform = start(&files, "tls").await;
    platform.deploy("echo", &[("function.py", "def handler(event):\n    return event\n")]).await;
    let state = State::open(&platform.platform.data_dir).unwrap();
    let own = Trust { ca: None, own: Some(certificate_file(state.folder())) };
    let url: url::Url = format!("{}/", platform.url()).parse().unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let call = |is_new: bool| {
        let (url, own, stop) = (url.clone(), own.clone(), stop.clone());
        let token = state.token().unwrap();
        async move {
            let make = || Client::trusting(url.clone(), Some(token.clone()), &own).unwrap();
            let mut client = make();
            let mut calls = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                if is_new {
                    client = make();
                }
                let answer = client.invoke(&function("echo"), json("7")).await;
                let outcome = answer.expect("no call fails").outcome;
                assert!(matches!(outcome, Outcome::Value(_)), "{outcome:?}");
                calls += 1;
            }
            calls
        }
    };
    let (kept, new) = (tokio::spawn(call(false)), tokio::spawn(call(true)));

    let shown = async || {
        let answer = with_info().get(format!("{}/healthz", platform.url())).send().await.unwrap();
        let info = answer.extensions().get::<TlsInfo>().unwrap();
        info.peer_certificate().unwrap().to_vec()
    };
    assert_eq!(shown().await, certificates::der("first.pem"));
    files.put("second");
    eventually("the new certificate is shown", async || {
        (shown().await == certificates::der("second.pem")).then_some(())
    })
    .await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (kept, new): (u32, u32) = (kept.await.unwrap(), new.await.unwrap());
    assert!(kept > 0 && new > 0, "{kept} calls on one connection, {new} on others");
    platform.stop().await;
}

#[tokio::test]
async fn clients_that_offer_http_2_get_it_and_others_get_http_1() {
    let files = Pem::new("first");
    let platform = start(&files, "tls").await;
    let mut roots = RootCertStore::empty();
    roots.add(certificates::der("authority.pem").into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(platform.address(Role::Gateway)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        let request = hyper::Request::builder()
            .uri(format!("{}/healthz", platform.url()))
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (hyper::StatusCode::OK, hyper::Version::HTTP_2));
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let health: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(health["role"], "gateway");
    }
    drop(sender);
    let _ = connection.await;

    let plain = with_info().get(format!("{}/healthz", platform.url())).send().await.unwrap();
    assert_eq!(plain.version(), reqwest::Version::HTTP_11);
    with_curl(&platform).await;
    platform.stop().await;
}

/// The same with curl, where it is there and speaks HTTP/2.
async fn with_curl(platform: &TestPlatform) {
    let version = tokio::process::Command::new("curl").arg("--version").output().await;
    let has_http2 = version.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("HTTP2"));
    if !has_http2 {
        return;
    }
    for (flag, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let mut curl = tokio::process::Command::new("curl");
        curl.args([
            flag,
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
            "--cacert",
        ])
        .arg(authority())
        .args(["--write-out", "%{http_version} %{http_code}"])
        .arg(format!("{}/healthz", platform.url()));
        let said = curl.output().await.unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(text, format!("{version} 200"), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

#[tokio::test]
async fn the_public_port_speaks_tls_and_says_nothing_of_the_platform() {
    let files = Pem::new("first");
    let tls = Some(files.files());
    let change = |platform: &mut cloudfunc::settings::Platform| {
        platform.tls = tls;
        platform.addresses.public = Some("127.0.0.1:0".parse().unwrap());
    };
    let platform = TestPlatform::start_with(Stack::LIGHT, "tls", change).await.unwrap();
    let public = platform.platform.addresses.public.unwrap();
    assert_ne!(public.port(), 0);
    let client = with_info();
    for path in ["/", "/healthz", "/v1/functions", "/f/echo/", "/hooks/none"] {
        let problem = eventually("the public port knows the functions", async || {
            let request = client.request(Method::GET, format!("https://{public}{path}"));
            let answer = request.send().await.unwrap();
            (answer.status() != 503).then_some(answer)
        })
        .await;
        assert_eq!(problem.status(), 404, "{path}");
        let problem: Value = problem.json().await.unwrap();
        assert_eq!(problem["code"], "route_not_found", "{path}");
    }
    platform.stop().await;
}
