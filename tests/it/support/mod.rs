//! What the tests share.

pub mod accepted;
pub mod beside;
pub mod broker;
pub mod desk;
pub mod engine;
pub mod home;
pub mod platform;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod roles;
pub mod terminal;
pub mod waiter;

use std::{io::Write as _, time::Duration};

/// The value of an environment variable that names a server, or `None` after a visible note that the
/// test is skipped. Written past libtest's capture, so that `cargo test` shows it.
pub fn server(variable: &str, test: &str) -> Option<String> {
    if let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        return Some(value);
    }
    assert!(
        std::env::var_os("CLOUDFUNC_TEST_REQUIRE").is_none(),
        "{test} needs {variable}, and CLOUDFUNC_TEST_REQUIRE forbids skipping"
    );
    let note = format!("SKIPPED {test}: needs {variable} (see `tests/run setup`)\n");
    let _ = std::io::stderr().write_all(note.as_bytes());
    None
}

/// `let url = need!("CLOUDFUNC_TEST_POSTGRES_URL");`: returns from the test when it is not set.
#[macro_export]
macro_rules! need {
    ($variable:literal) => {
        match $crate::support::server($variable, {
            fn here() {}
            std::any::type_name_of_val(&here).trim_end_matches("::here")
        }) {
            Some(value) => value,
            None => return,
        }
    };
}

/// The values of several such variables, or `None` when one is not set.
pub fn need_all<const N: usize>(variables: [&str; N], test: &str) -> Option<[String; N]> {
    let values: Option<Vec<String>> = variables.iter().map(|variable| server(variable, test)).collect();
    values?.try_into().ok()
}

/// Makes a test of each property on each stack that is named, with a platform of its own:
/// `on_stack! { all: one_property another_property }`. `all` is every combination of store, queue and
/// runtime that a platform takes (the embedded queue needs a store of its own), `docker` and `oci` those
/// with one runtime; `light` and `real` are single stacks.
#[macro_export]
macro_rules! on_stack {
    (all: $($property:ident)+) => {
        $crate::on_stack! { docker: $($property)+ }
        $crate::on_stack! { oci: $($property)+ }
    };
    (docker: $($property:ident)+) => {
        $crate::on_stack! { real: $($property)+ }
        $crate::on_stack! { @ sqlite_rabbitmq_docker: $($property)+ }
        $crate::on_stack! { @ sqlite_embedded_docker: $($property)+ }
    };
    (oci: $($property:ident)+) => {
        $crate::on_stack! { @ postgres_rabbitmq_oci: $($property)+ }
        $crate::on_stack! { @ sqlite_rabbitmq_oci: $($property)+ }
        $crate::on_stack! { @ sqlite_embedded_oci: $($property)+ }
    };
    (real: $($property:ident)+) => { $crate::on_stack! { @ postgres_rabbitmq_docker: $($property)+ } };
    (light: $($property:ident)+) => { $crate::on_stack! { @ light: $($property)+ } };
    (@ $stack:ident: $($property:ident)+) => {
        mod $stack {
            $(#[tokio::test]
            async fn $property() {
                use $crate::support::platform::{Stack, TestPlatform};
                let test = concat!(module_path!(), "::", stringify!($property));
                let stack = Stack::named(stringify!($stack));
                if let Some(platform) = TestPlatform::start(stack, test).await {
                    super::$property(&platform).await;
                    platform.stop().await;
                }
            })+
        }
    };
}

/// Waits until `check` answers something, asking every 20 ms for at most 30 s: the only waiting that
/// tests do.
pub async fn eventually<T, F>(what: &str, check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    eventually_within(Duration::from_secs(30), what, check).await
}

/// The same with another bound: what the whole stack does on a busy machine may take longer.
pub async fn eventually_within<T, F>(within: Duration, what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + within;
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not within {} s: {what}", within.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
