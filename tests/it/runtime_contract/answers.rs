//! Loading code and answering invocations.

use super::*;

pub async fn a_guest_says_hello_loads_and_answers(fixture: &Fixture) {
    let mut instance = fixture.ready("def handler(event):\n    return {'sum': sum(event)}\n").await;
    let (content_type, bytes) = typed(instance.invoke("[1, 2, 3]").await.unwrap());
    assert_eq!((content_type.as_str(), &bytes[..]), ("application/json", &br#"{"sum":6}"#[..]));
    assert!(!fixture.runtime.ping().await.unwrap().is_empty());
    instance.sandbox.remove().await;
    assert_eq!(instance.exit().await, Exit::Removed);
}

pub async fn json_text_and_bytes_go_in_and_come_out(fixture: &Fixture) {
    let mut instance = fixture.ready(ECHO).await;
    for (given, payload, answered) in [
        ("application/json", "{\"a\":[1,null]}".as_bytes(), "application/json"),
        ("application/problem+json; charset=utf-8", "{\"ä\":1}".as_bytes(), "application/json"),
        ("text/plain; charset=utf-8", "grün".as_bytes(), "text/plain; charset=utf-8"),
        ("application/octet-stream", &[0, 255, 10], "application/octet-stream"),
        ("", &[], "application/octet-stream"),
    ] {
        let (content_type, bytes) = typed(instance.invoke_as(given, payload).await.unwrap());
        assert_eq!((content_type.as_str(), &bytes[..]), (answered, payload), "{given}");
    }
    for (given, payload) in [
        ("text/plain; charset=latin-1", &b"gr\xfcn"[..]),
        ("text/plain; x=\"a;charset=undefined\\\"\"; Charset=\"latin\\-1\" ; charset=utf-8", b"gr\xfcn"),
        ("text/plain; x=\"charset=undefined\"", "grün".as_bytes()),
        // Which the door refuses.
        ("text/plain; charset=undefined", "grün".as_bytes()),
        ("text/plain; x=\"", "grün".as_bytes()),
    ] {
        let (_, bytes) = typed(instance.invoke_as(given, payload).await.unwrap());
        assert_eq!(&bytes[..], "grün".as_bytes(), "{given}");
    }
    instance.sandbox.remove().await;
}

pub async fn a_handler_sees_its_context_environment_and_secrets(fixture: &Fixture) {
    let code = r#"
import os
async def handler(event, context):
    return [context.function, context.revision, context.attempt, context.headers["x-request"],
            29000 < context.remaining_ms() <= 30000, context.content_type, context.body.decode(),
            len(context.invocation_id), os.environ["GREETING"], os.environ["API_KEY"], os.getcwd()[-4:]]
"#;
    let mut instance = fixture.ready(code).await;
    assert_eq!(
        instance.result("{}").await,
        r#"["contract",7,2,"r1",true,"application/json","{}",36,"Hello","hunter2","task"]"#
    );
    instance.sandbox.remove().await;
}

pub async fn a_payload_of_6_mib_goes_round(fixture: &Fixture) {
    let mut instance = fixture.ready(ECHO).await;
    let payload: Vec<u8> = (0..6 * MIB).map(|i| (i % 251) as u8).collect();
    let (_, bytes) = typed(instance.invoke_as("application/octet-stream", &payload).await.unwrap());
    assert!(bytes == payload);
    assert_eq!(instance.result("1").await, "1");
    instance.sandbox.remove().await;
}
