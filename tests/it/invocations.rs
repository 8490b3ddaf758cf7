//! Invocations end to end over HTTP, each property on both stacks.

use cloudfunc::{
    client::Outcome,
    model::{Start, State},
};

use crate::support::platform::{Stack, TestPlatform};

const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";

/// Instantiates each property on both stacks.
macro_rules! on_both_stacks {
    ($($property:ident)*) => {
        mod light {
            $(#[tokio::test]
            async fn $property() {
                let test = concat!("invocations::light::", stringify!($property));
                if let Some(platform) = super::TestPlatform::start(super::Stack::Light, test).await {
                    super::$property(&platform).await;
                    platform.stop().await;
                }
            })*
        }
        mod real {
            $(#[tokio::test]
            async fn $property() {
                let test = concat!("invocations::real::", stringify!($property));
                if let Some(platform) = super::TestPlatform::start(super::Stack::Real, test).await {
                    super::$property(&platform).await;
                    platform.stop().await;
                }
            })*
        }
    };
}

on_both_stacks! {
    the_first_is_cold_and_the_others_are_warm_on_the_same_instance
    an_async_one_ends_succeeded_with_its_result
}

async fn the_first_is_cold_and_the_others_are_warm_on_the_same_instance(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let mut instances = Vec::new();
    for (payload, expected, start) in [
        (r#"{"name":"Alice"}"#, "Hello Alice!", Start::Cold),
        ("{}", "Hello World!", Start::Warm),
        (r#"{"name":"Bob"}"#, "Hello Bob!", Start::Warm),
        (r#"{"name":"Charlie"}"#, "Hello Charlie!", Start::Warm),
        (r#"{"name":"Diana"}"#, "Hello Diana!", Start::Warm),
    ] {
        let answer = platform.invoke("hello_fn", payload).await;
        let Outcome::Value(body) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(&body.bytes[..], expected.as_bytes());
        assert_eq!(body.content_type, "text/plain; charset=utf-8");
        assert_eq!(answer.start, Some(start), "{payload}");
        instances.push(answer.instance.unwrap());
    }
    assert!(instances.iter().all(|instance| *instance == instances[0]), "{instances:?}");
}

async fn an_async_one_ends_succeeded_with_its_result(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let record = platform.run_async("hello_fn", r#"{"name":"Alice"}"#).await;
    assert_eq!(record.state, State::Succeeded, "{record:?}");
    assert_eq!(record.attempts.len(), 1);
    let result = platform.client.result(record.id).await.unwrap();
    assert_eq!(&result.bytes[..], b"Hello Alice!");
}
