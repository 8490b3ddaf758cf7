//! A function whose runs a test sees begin, and lets end.

use std::path::Path;

use cloudfunc::client::{Error, InvokeAnswer};
use tokio::task::JoinHandle;

use super::{
    eventually,
    platform::{TestPlatform, function, json},
};

/// Says in a file of its own that it has begun, and ends when its file `go` is there.
const WAITER: &str = "import os, pathlib, time\n\n\ndef handler(event):\n    folder = pathlib.Path(event['folder'])\n    \
    with open(folder / f\"begun-{event['n']}\", 'a') as begun:\n        begun.write('VERSION\\n')\n    \
    while not (folder / 'go').exists():\n        time.sleep(0.01)\n    return event['n']\n";

/// Its code; its runs write this version.
pub fn waiter(version: &str) -> String {
    WAITER.replace("VERSION", version)
}

/// Deploys it as `waiter`, with one instance for each manager; its runs write this version.
pub async fn deploy_waiter(platform: &TestPlatform, version: &str) {
    let code = waiter(version);
    let one = "[scaling]\nmax_instances = 1\n";
    platform.deploy("waiter", &[("function.py", &code[..]), ("cloudfunc.toml", one)]).await;
}

pub fn payload(folder: &Path, n: u32) -> String {
    serde_json::json!({ "folder": folder, "n": n }).to_string()
}

/// Calls it as a caller who waits.
pub fn call(platform: &TestPlatform, folder: &Path, n: u32) -> JoinHandle<Result<InvokeAnswer, Error>> {
    let (client, body) = (platform.client.clone(), json(&payload(folder, n)));
    tokio::spawn(async move { client.invoke(&function("waiter"), body).await })
}

/// What the attempts of number `n` have written when they began: one version each.
pub fn begun(folder: &Path, n: u32) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(format!("begun-{n}"))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

pub async fn has_begun(folder: &Path, n: u32) {
    eventually("it runs", async || (!begun(folder, n).is_empty()).then_some(())).await;
}

/// Lets all of them end.
pub fn go(folder: &Path) {
    std::fs::write(folder.join("go"), "").unwrap();
}
