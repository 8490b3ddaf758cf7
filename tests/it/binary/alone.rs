//! Every role started by hand, in the wrong order, before its store and its queue are there.

use std::net::Ipv4Addr;

use rustix::process::Signal;
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    desk,
    support::{desk::SOON, eventually_within, roles::HostFlags},
};

/// A server that is not there yet: its port is taken, but nobody listens.
struct Later {
    socket: TcpSocket,
    url: String,
}

impl Later {
    fn at(url: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { socket, url: url.to_owned() }
    }

    /// The real server's URL with this one's port.
    fn url(&self) -> String {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_port(Some(self.socket.local_addr().unwrap().port())).unwrap();
        url.into()
    }

    /// Now it is there.
    fn open(self) {
        let real = url::Url::parse(&self.url).unwrap();
        let (host, port) = (real.host_str().unwrap().to_owned(), real.port().unwrap());
        let listener = self.socket.listen(64).unwrap();
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let host = host.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((host, port)).await?;
                    tokio::io::copy_bidirectional(&mut caller, &mut server).await
                });
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_start_alone_in_any_order_and_wait_for_store_and_queue() {
    let desk = desk!();
    let (store, queue) = (Later::at(&desk.database.url()), Later::at(&desk.queue));
    let flags = HostFlags { store: store.url(), queue: queue.url(), ..HostFlags::new(&desk, "host") };

    // None of them knows the others but by their addresses.
    let mut gateway = flags.start(&desk, "gateway");
    gateway.says("gateway ready", SOON).await;
    let token = flags.data_dir.join("token");
    let (url, token) = (flags.gateway(), token.to_str().unwrap());
    let early = desk.run(&["list", "--url", &url, "--token-file", token]).await;
    assert_eq!(early.code, Some(3), "{early:?}");
    assert!(early.stderr.starts_with("error: the registry does not answer\n"), "{early:?}");

    let mut others = ["manager", "scheduler", "registry"].map(|role| flags.start(&desk, role));
    for role in &mut others {
        role.says("waiting for the store error=", SOON).await;
    }
    store.open();
    for role in &mut others {
        role.says("the store answers", SOON).await;
        role.says("waiting for the queue error=", SOON).await;
    }
    queue.open();
    for (role, name) in others.iter_mut().zip(["manager", "scheduler", "registry"]) {
        role.says(&format!("{name} ready"), SOON).await;
        let said = role.stderr();
        for what in ["waiting for the store", "waiting for the queue"] {
            assert_eq!(said.matches(what).count(), 1, "once, not with each try:\n{said}");
        }
    }

    let call = async |arguments: &[&str]| {
        desk.run(&[arguments, &["--url", &url, "--token-file", token]].concat()).await
    };
    let ready = async || (call(&["list"]).await.code == Some(0)).then_some(());
    eventually_within(SOON, "the registry answers", ready).await;
    call(&["deploy", "hello_fn"]).await.ok();
    let hello = call(&["invoke", "hello_fn", "--data", r#"{"name":"Alone"}"#]).await;
    assert_eq!((hello.code, hello.stdout.as_str()), (Some(0), "Hello Alone!"), "{hello:?}");

    let folder = tempfile::tempdir().unwrap();
    let seer = folder.path().join("seer");
    std::fs::create_dir(&seer).unwrap();
    let source = "def handler(event, context):\n    return [event, context.headers]\n";
    std::fs::write(seer.join("function.py"), source).unwrap();
    call(&["deploy", seer.to_str().unwrap()]).await.ok();
    a_call_passes_between_processes_as_it_came(&url, &std::fs::read_to_string(token).unwrap()).await;

    // And they stop alone, too: in the order in which they were started.
    for role in [&mut gateway].into_iter().chain(&mut others) {
        role.signal(Signal::TERM);
        assert_eq!(role.ended(SOON).await, Some(0), "{}", role.stderr());
    }
    desk.leave().await;
}

/// Over the internal ports, too, nothing of a call is lost, and no credential gets on.
async fn a_call_passes_between_processes_as_it_came(url: &str, token: &str) {
    let http = cloudfunc::http::client().unwrap();
    let call = || {
        let request = http.post(format!("{}/v1/functions/seer/invoke", url.trim_end_matches('/')));
        let request = request.bearer_auth(token.trim()).header("accept", "*/*");
        let request = request.header("cookie", "a=1").header("cookie", "b=2").header("x-name", "Zoë");
        request.header("x-tag", "1").header("x-tag", "2").header("content-type", "application/json")
    };
    let answer = call().body("7").send().await.unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let seen: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let host = url.trim_end_matches('/').trim_start_matches("http://");
    let expected = serde_json::json!([7, {
        "accept": "*/*", "content-length": "1", "content-type": "application/json",
        "cookie": "a=1; b=2", "host": host, "x-name": "Zoë", "x-tag": "1, 2",
    }]);
    assert_eq!(seen, expected);

    let large = format!("\"{}\"", "x".repeat(100_000));
    let answer = call().header("accept-encoding", "gzip").body(large).send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert!(answer.bytes().await.unwrap().len() < 5000);
    // As many headers as are let in still get from role to role.
    let many = (0..80).fold(call(), |request, _| request.header("x-many", "1"));
    assert_eq!(many.body("7").send().await.unwrap().status(), 200);
}
