//! Builds that get everything through the platform's proxy: it alone knows the names of the sources of packages.

mod server;

use cloudfunc::settings::Platform;

use self::server::HttpProxy;
use super::{
    CODE, deploy,
    fence::own_address,
    node, on, refused,
    registry::greet as npm_greet,
    wheelhouse::{Index, Wheelhouse, greet},
};
use crate::support::platform::{Stack, TestPlatform};

on! {
    light:
    packages_come_through_the_proxy
    a_command_with_a_network_uses_the_proxy
    a_proxy_that_is_away_is_named_without_its_password
    hosts_that_are_named_are_asked_without_the_proxy;
    sqlite_embedded_oci:
    packages_come_through_the_proxy
    a_command_with_a_network_uses_the_proxy;
    postgres_rabbitmq_docker:
    packages_come_through_the_proxy
    a_command_with_a_network_uses_the_proxy;
}

const PACKAGE_JSON: &str = "{\"dependencies\": {\"greet\": \"1\"}}";
const NODE: [(&str, &str); 3] = [
    ("cloudfunc.toml", "language = \"node\"\n"),
    ("function.mjs", "import { hello } from 'greet';\nexport const handler = (name) => hello(name);\n"),
    ("package.json", PACKAGE_JSON),
];
/// Basic authentication of ada:hunter2.
const AUTHORIZATION: &str = "Basic YWRhOmh1bnRlcjI=";

fn through(proxy: &str) -> impl FnOnce(&mut Platform) + use<> {
    let proxy = Some(proxy.parse().unwrap());
    move |platform| {
        platform.builds.index = Some("http://index.invalid/simple".parse().unwrap());
        platform.builds.npm_registry = Some("http://npm.invalid/npm/".parse().unwrap());
        platform.builds.proxy = proxy;
    }
}

async fn packages_come_through_the_proxy(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let ip = own_address().to_string();
    let index = Index::serve(house.path(), &ip).await;
    let registry = node::serve(stack, npm_greet()).await;
    let names = [("index.invalid", index.address), ("npm.invalid", registry.address())];
    let proxy = HttpProxy::serve(&ip, &names).await;
    let change = through(&proxy.url("ada:hunter2@"));
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let python = [("function.py", CODE), ("requirements.txt", "greet\n")];
    for (files, asked) in [
        (&python[..], "GET http://index.invalid/simple/greet/"),
        (&NODE[..], "GET http://npm.invalid/npm/greet"),
    ] {
        let (deployed, told) = deploy(&platform, "f", files).await;
        deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        assert!(!told.iter().any(|line| line.contains("hunter2")), "{told:?}");
        assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
        let heard = proxy.heard();
        assert!(heard.iter().any(|(line, _)| line == asked), "{heard:?}");
        assert!(heard.iter().all(|(_, authorization)| authorization == AUTHORIZATION), "{heard:?}");
    }
    platform.stop().await;
}

/// Asks for a page through a tunnel, and says what it was given.
const MAKE: &str = r#"
import base64, http.client, os
from urllib.parse import urlsplit

print("given", os.environ.get("HTTPS_PROXY"), os.environ.get("GREETING"))
if "HTTPS_PROXY" in os.environ:
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    user = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    connection = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=30)
    connection.set_tunnel("index.invalid", 443, headers={"Proxy-Authorization": f"Basic {user}"})
    connection.request("GET", "/simple/words/")
    print("answered", connection.getresponse().status)
"#;

async fn a_command_with_a_network_uses_the_proxy(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let ip = own_address().to_string();
    let index = Index::serve(house.path(), &ip).await;
    let proxy = HttpProxy::serve(&ip, &[("index.invalid", index.address)]).await;
    let change = through(&proxy.url("ada:hunter2@"));
    let change = |platform: &mut Platform| {
        change(platform);
        platform.builds.variables = "GREETING=Hello".parse().unwrap();
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let code = "import os\ndef handler(event):\n    return [os.environ.get(name) for name in ('HTTPS_PROXY', 'GREETING')]\n";
    // The password is not told; a command without a network has no use of the proxy.
    let with = format!("given {} Hello", proxy.url(""));
    for (network, given, answered) in
        [("egress", with.as_str(), true), ("none", "given None Hello", false)]
    {
        let manifest = format!("[build]\ncommand = ['python3', 'make.py']\nnetwork = '{network}'\n");
        let files = [("function.py", code), ("make.py", MAKE), ("cloudfunc.toml", &manifest)];
        let (deployed, told) = deploy(&platform, "f", &files).await;
        deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
        assert!(told.iter().any(|line| line == given), "{told:?}");
        assert_eq!(told.iter().any(|line| line == "answered 200"), answered, "{told:?}");
    }
    assert_eq!(proxy.heard(), [("CONNECT index.invalid:443".to_owned(), AUTHORIZATION.to_owned())]);
    // Functions have neither.
    assert_eq!(platform.value("f", "{}").await, "[null,null]");
    platform.stop().await;
}

async fn a_proxy_that_is_away_is_named_without_its_password(stack: Stack, test: &str) {
    let change = through("http://ada:hunter2@127.0.0.1:1");
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let problem = refused(&platform, "greet\n").await;
    assert_eq!((problem.status, problem.code.as_str()), (503, "unavailable"), "{problem:?}");
    assert_eq!(
        problem.detail,
        "the build could not be done: the index http://index.invalid/simple (--build-index), through the proxy \
         http://127.0.0.1:1 (--build-proxy) cannot be reached: the proxy gives no connection: Failed to establish a new \
         connection: [Errno 111] Connection refused"
    );
    let problem = node::refused(&platform, &[("package.json", PACKAGE_JSON)]).await;
    assert_eq!(
        (problem.status, problem.detail.as_str()),
        (
            503,
            "the build could not be done: the registry http://npm.invalid/npm/ (--build-npm-registry), through the proxy \
             http://127.0.0.1:1 (--build-proxy) cannot be reached: request to http://npm.invalid/npm/greet failed, reason: \
             connect ECONNREFUSED 127.0.0.1:1"
        )
    );
    assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
    platform.stop().await;
}

async fn hosts_that_are_named_are_asked_without_the_proxy(stack: Stack, test: &str) {
    let house = Wheelhouse::new(&greet());
    let ip = own_address().to_string();
    let index = Index::serve(house.path(), &ip).await;
    let (url, proxy) = (index.url().parse().unwrap(), HttpProxy::serve(&ip, &[]).await);
    let change = through(&proxy.url(""));
    let change = |platform: &mut Platform| {
        change(platform);
        platform.builds.index = Some(url);
        platform.builds.no_proxy = vec![ip];
    };
    let Some(platform) = TestPlatform::start_with(stack, test, change).await else { return };
    let files = [("function.py", CODE), ("requirements.txt", "greet\n")];
    let (deployed, told) = deploy(&platform, "f", &files).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
    assert_eq!(platform.value("f", "\"Ada\"").await, "Good day, Ada");
    let heard = proxy.heard();
    assert!(heard.is_empty(), "{heard:?}");
    platform.stop().await;
}
