//! Platforms with TLS of `cloudfunc up`, and the commands of the same host.

use rustix::process::Signal;

use super::certificates::Pem;
use crate::{
    home, need,
    support::home::{Home, SOON},
};

/// Calls the platform with commands that are told nothing of TLS.
async fn check(home: &Home) {
    let status = home.run(&["status", "--json"]).await.json();
    assert_eq!(status["ready"], true, "{status}");
    let url = status["url"].as_str().unwrap();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let public = status["public_url"].as_str().unwrap();
    assert!(public.starts_with("https://127.0.0.1:") && public != url, "{public}");
    assert_eq!(status["certificate"]["ends_at"], "2120-01-01T00:00:00Z");
    assert!(status["certificate"]["days_left"].as_i64().unwrap() > 30_000);
    let text = home.run(&["status"]).await;
    assert!(text.stdout.contains("the certificate ends in ") && text.stderr.is_empty(), "{text:?}");

    home.run(&["deploy", "hello_fn"]).await.ok();
    assert_eq!(home.run(&["invoke", "hello_fn"]).await.ok(), "Hello World!");
    assert!(home.run(&["--url", url, "list"]).await.ok().contains("hello_fn"));
}

#[tokio::test]
async fn commands_of_the_same_host_need_no_flags() {
    let home = home!("embedded");
    let (pem, files) = pair();
    let [cert, key] = &files;
    let flags = ["--embedded", "--tls-cert", cert, "--tls-key", key, "--public-listen", "127.0.0.1:0"];
    let mut up = home.begin("up", &flags);
    up.says("cloudfunc is ready", SOON).await;
    let said = up.stdout();
    assert!(said.contains("  gateway    https://127.0.0.1:"), "{said}");
    let public = said.lines().find(|line| line.starts_with("  public     https://127.0.0.1:")).unwrap();
    assert!(public.ends_with(", for the addresses of functions alone"), "{said}");
    check(&home).await;
    let doctor = home.run(&["doctor", "--json"]).await;
    assert!(!doctor.stdout.contains("a program with another certificate"), "{doctor:?}");

    // A certificate that is about to end, or has ended, is warned of, and commands go on.
    pem.put("expired");
    let shown = crate::support::eventually("the gateway shows the other certificate", async || {
        let status = home.run(&["status"]).await;
        let warning = "warning: the certificate of the gateway has expired at 2020-02-01T00:00:00Z\n";
        (status.code == Some(0) && status.stderr == warning).then_some(status.stdout)
    })
    .await;
    assert!(
        shown.contains("\ntls        the certificate has expired, at 2020-02-01T00:00:00Z\n"),
        "{shown}"
    );
    assert_eq!(home.run(&["invoke", "hello_fn"]).await.ok(), "Hello World!");
    let doctor = home.run(&["doctor", "--json"]).await;
    let shown = "the certificate that the gateway shows, of ";
    assert!(doctor.stdout.contains(shown), "it runs with flags that doctor is not given: {doctor:?}");

    // A renewal that cannot be used is seen before the certificate ends.
    pem.put_certificate("second");
    let status = home.run(&["status"]).await;
    let kept = "warning: the gateway cannot read its certificate anew, and uses the one that it has: the private key in ";
    assert!(status.stderr.contains(kept), "{status:?}");
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

/// A name that no authority has signed: only the platform's own file can be the reason why it is trusted.
fn pair() -> (Pem, [String; 2]) {
    let pem = Pem::new("named");
    let files = pem.files();
    let text = |path: std::path::PathBuf| path.display().to_string();
    let paths = [text(files.cert), text(files.key)];
    (pem, paths)
}

#[tokio::test]
async fn roles_that_are_processes_are_told_of_tls() {
    let queue = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let home = home!("external");
    let (_pem, [cert, key]) = pair();
    let tls = ["--tls-cert", &cert, "--tls-key", &key, "--public-listen", "127.0.0.1:0"];
    let mut up = home.begin("up", &[&["--store", "sqlite", "--queue", &queue][..], &tls[..]].concat());
    up.says("cloudfunc is ready", SOON).await;
    check(&home).await;
    home.run(&["delete", "hello_fn", "--yes"]).await.ok();
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    home.leave().await;
}

#[tokio::test]
async fn a_gateway_that_cannot_be_safe_is_not_started() {
    let home = home!("embedded");
    let refused = async |flags: &[&str]| {
        let ran = home.run(&[&["up", "--embedded"][..], flags].concat()).await;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        ran.stderr
    };
    assert_eq!(
        refused(&["--gateway-host", "0.0.0.0", "--gateway-port", "0"]).await,
        "error: the gateway would listen on 0.0.0.0:0, which other hosts reach, without TLS: everyone on the way could read \
         tokens and payloads\n\
         hint: give a certificate with --tls-cert FILE and --tls-key FILE; or, where a proxy in front of it speaks TLS or the \
         network is trusted, pass --insecure\n"
    );
    let public = refused(&["--public-listen", "0.0.0.0:8443"]).await;
    assert!(public.starts_with("error: the public port would listen on 0.0.0.0:8443, "), "{public}");
    let (pem, [cert, _]) = pair();
    let missing = refused(&["--tls-cert", &cert, "--tls-key", "/nowhere/key.pem"]).await;
    assert_eq!(
        missing,
        "error: cannot use the key file /nowhere/key.pem: No such file or directory (os error 2)\n\
         hint: name a file that this user can read\n"
    );
    let alone = refused(&["--tls-cert", &cert]).await;
    assert_eq!(alone, "error: --tls-cert is given without --tls-key\nhint: give both, or neither\n");
    pem.put("first");
    pem.put_certificate("second");
    let key = pem.files().key.display().to_string();
    assert_eq!(
        refused(&["--tls-cert", &cert, "--tls-key", &key]).await,
        format!(
            "error: the private key in {key} does not belong to the first certificate in {cert}\n\
             hint: name the certificate that was made for this key; the server's own comes first in its file\n"
        )
    );
    home.leave().await;
}
