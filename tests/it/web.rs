//! HTTP functions as their callers reach them: browsers, proxies with TLS in front of the platform, and a framework that sends
//! files.

mod browser;
mod flask;
mod proxies;

use cloudfunc::settings::Platform;

use crate::support::platform::{Stack, TestPlatform};

/// A platform with a port for HTTP functions alone.
async fn start(stack: Stack, test: &str, change: impl FnOnce(&mut Platform)) -> Option<TestPlatform> {
    let with_port = |platform: &mut Platform| {
        platform.addresses.public = Some("127.0.0.1:0".parse().unwrap());
        change(platform);
    };
    TestPlatform::start_with(stack, test, with_port).await
}

/// Returns a path below the address of HTTP functions alone.
fn public(platform: &TestPlatform, path: &str) -> String {
    format!("http://{}{path}", platform.platform.addresses.public.expect("it has such a port"))
}

/// So many bytes, not all the same.
fn bytes(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hexadecimal(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
