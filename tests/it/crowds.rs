//! Crowds at every port of a platform that has few files: connections that say nothing, heads and bodies that never end.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use cloudfunc::client::Client;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    home,
    support::{
        eventually_within,
        home::{Home, SOON},
        platform::{function, json},
        process::Process,
    },
};

/// Soft and hard.
const FILES: u64 = 1024;
const IDLE: usize = 1100;
const HALF_HEADS: usize = 500;
const BODIES: usize = 80;
const BODY: usize = 6 * 1024 * 1024;
/// Of a function that everybody may call.
const ADDRESS: &str = "/addressed";

/// What `docs/http.md` says that bodies and connections take at most, of one port in kilobytes: the bodies twice, while one
/// grows, and the buffers of connections.
const MEMORY: u64 = (2 * 128 + 48) * 1024;

/// `up --embedded` that may have this many files open, and never more.
fn up(home: &Home) -> Process {
    let mut up = home.cloudfunc(&["up", "--embedded"]);
    for role in ["gateway", "registry", "scheduler", "manager"] {
        up.args([format!("--{role}-port"), "0".to_owned()]);
    }
    up.args(["--public-listen", "127.0.0.1:0"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" \"$@\"")]);
    shell.arg(up.get_program()).args(up.get_args());
    shell.env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    shell.envs(up.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::start(shell, home.home(), "up")
}

/// The resident memory of a process, in kilobytes.
fn memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

struct Ports {
    gateway: SocketAddr,
    public: SocketAddr,
    /// The addresses of all ports with their names.
    all: Vec<(String, SocketAddr)>,
}

async fn ports(home: &Home) -> Ports {
    let status = home.run(&["status", "--json"]).await.json();
    let address = |url: &serde_json::Value| -> SocketAddr {
        url.as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
    };
    let (gateway, public) = (address(&status["url"]), address(&status["public_url"]));
    let roles = status["roles"].as_array().unwrap().iter();
    let named = roles.map(|role| (role["role"].as_str().unwrap().to_owned(), address(&role["url"])));
    let all = named.chain([("public port".to_owned(), public)]).collect();
    Ports { gateway, public, all }
}

/// A caller that has no connection yet.
fn caller(home: &Home, gateway: SocketAddr) -> Client {
    home.client_at(&format!("http://{gateway}"), &home.data_dir())
}

/// Invokes a function, and calls one at its address, as new callers, who are answered.
async fn is_answered(home: &Home, ports: &Ports, crowd: &str) {
    let invoked = caller(home, ports.gateway);
    let address = format!("http://{}{ADDRESS}", ports.public);
    let called = cloudfunc::http::client().unwrap().post(address).body("{}");
    let both = async {
        let invoked = invoked.invoke(&function("hello_fn"), json("{}")).await;
        invoked.map_err(|error| format!("the invocation: {error}"))?;
        let called = called.send().await.and_then(reqwest::Response::error_for_status);
        called.map_err(|error| format!("the call at an address: {error:?}")).map(drop)
    };
    let answered = tokio::time::timeout(Duration::from_secs(10), both).await;
    let answered = answered.unwrap_or_else(|_| panic!("no answer beside {crowd}"));
    if let Err(error) = answered {
        panic!("beside {crowd}: {error}");
    }
}

/// Connections that stay as they are, as long as the other side lets them.
#[derive(Default)]
struct Crowd(JoinSet<()>);

impl Crowd {
    /// Adds connections, each of which sends this and then holds on. Returns once all have tried to connect: one that has
    /// just come makes room for others that come in the same moment.
    async fn add(&mut self, count: usize, port: SocketAddr, sends: Vec<u8>) {
        let (sends, tried) = (Arc::new(sends), Arc::new(Semaphore::new(0)));
        for _ in 0..count {
            let (sends, tried) = (sends.clone(), tried.clone());
            self.0.spawn(async move {
                let connected = TcpStream::connect(port).await;
                tried.add_permits(1);
                // It is in order to be refused or thrown out.
                let Ok(mut stream) = connected else { return };
                let _ = stream.write_all(&sends).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
        let all = tried.acquire_many(u32::try_from(count).unwrap());
        tokio::time::timeout(SOON, all).await.expect("all have tried to connect").unwrap().forget();
    }
}

fn half_head(length: usize) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(length)).into_bytes()
}

/// A call whose body lacks its last byte: at an address on the public port, an invocation on others.
fn half_body(home: &Home, is_public: bool, length: usize) -> Vec<u8> {
    let token = fs::read_to_string(home.data_dir().join("token")).unwrap();
    let path = if is_public { ADDRESS } else { "/v1/functions/hello_fn/invoke" };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n\"",
        token.trim()
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length - 2, b'a');
    bytes
}

/// This side needs more files than the platform has.
fn raise_own_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn crowds_at_every_port_keep_nobody_from_an_answer_and_take_bounded_memory() {
    let home = home!("embedded");
    raise_own_limit();
    let mut up = up(&home);
    up.says("cloudfunc is ready", SOON).await;
    home.run(&["deploy", "hello_fn"]).await.ok();
    let manifest = format!("[http]\npath = \"{ADDRESS}\"\nauth = \"none\"\n");
    home.deploy("addressed", "def handler(event):\n    return 'hello'\n", &manifest).await.ok();
    let ports = ports(&home).await;
    for _ in 0..20 {
        is_answered(&home, &ports, "nobody").await;
    }
    let before = memory(&up);
    for (name, port) in &ports.all {
        let body = half_body(&home, *port == ports.public, BODY);
        for (what, count, sends) in [
            ("idle connections", IDLE, Vec::new()),
            ("half heads", HALF_HEADS, half_head(300_000)),
            ("bodies", BODIES, body),
        ] {
            let mut crowd = Crowd::default();
            crowd.add(count, *port, sends).await;
            let begun = Instant::now();
            let mut most = 0;
            while begun.elapsed() < Duration::from_millis(1500) {
                is_answered(&home, &ports, &format!("{count} {what} at the {name}")).await;
                most = most.max(memory(&up));
            }
            assert!(most < before + MEMORY, "{count} {what} at the {name}: {before} kB, then {most} kB");
        }
    }
    eventually_within(Duration::from_secs(60), "the memory is given back", async || {
        is_answered(&home, &ports, "nobody").await;
        (memory(&up) <= 2 * before).then_some(())
    })
    .await;
    assert_eq!(home.run(&["status"]).await.code, Some(0));

    let mut crowd = Crowd::default();
    for (_, port) in &ports.all {
        crowd.add(30, *port, Vec::new()).await;
        crowd.add(30, *port, half_head(100)).await;
        crowd.add(10, *port, half_body(&home, *port == ports.public, 100_000)).await;
    }
    is_answered(&home, &ports, "all of them").await;
    let begun = Instant::now();
    up.signal(Signal::TERM);
    assert_eq!(up.ended(SOON).await, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    drop(crowd);
    home.leave().await;
}
