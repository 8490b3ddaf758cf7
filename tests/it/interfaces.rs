//! Functions that do not speak the runtime protocol: the platform's helper is the first process of their sandboxes, and
//! speaks to their programs by input and output, by AWS Lambda's runtime API, or by HTTP.

mod bad_input;
mod command;
mod frameworks;
mod http;
mod lambda;
mod native;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use bytes::Bytes;
use cloudfunc::{
    bundle,
    client::Error,
    model::{InvocationId, Problem, Record},
};
use reqwest::{RequestBuilder, Response};

use crate::support::platform::{TestPlatform, function};

/// Writes files given as (path, text); a text that begins with `#!` is a program.
fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

pub fn packed(files: &[(&str, &str)]) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    bundle::pack(folder.path()).unwrap().bytes
}

async fn deploy(platform: &TestPlatform, name: &str, files: &[(&str, &str)]) {
    let mut told = Vec::new();
    let progress = |line: &str| told.push(line.to_owned());
    let deployed = platform.client.deploy(&function(name), packed(files), progress).await;
    deployed.unwrap_or_else(|error| panic!("{error:?}: {told:?}"));
}

/// The reason why a function is not deployed.
async fn refused(platform: &TestPlatform, files: &[(&str, &str)]) -> Problem {
    match platform.client.deploy(&function("f"), packed(files), |_| {}).await {
        Err(Error::Problem(problem)) => *problem,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// A call as any program makes it.
fn request(platform: &TestPlatform, name: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    platform.post(&format!("/v1/functions/{name}/invoke")).body(body)
}

/// The same, with this method and path.
fn call(platform: &TestPlatform, name: &str, method: &str, path: &str) -> RequestBuilder {
    let request = request(platform, name, "");
    request.header("cloudfunc-http-method", method).header("cloudfunc-http-path", path)
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn record_of(platform: &TestPlatform, response: &Response) -> Record {
    let id = header(response, "cloudfunc-invocation-id").expect("each answer names its invocation");
    platform.client.record(id.parse::<InvocationId>().unwrap(), None).await.unwrap()
}

/// A port of this machine that nobody has: where there are no containers, servers of functions share them.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
