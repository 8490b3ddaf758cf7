//! A gateway whose scheduler is behind a port, as in `cloudfunc up`.

use cloudfunc::{
    app::{Host, Role},
    shutdown::Shutdown,
};

use super::*;
use crate::support::eventually;

#[tokio::test]
async fn requests_and_responses_pass_between_processes_as_they_came() {
    let test = "http_addresses::behind::requests_and_responses_pass_between_processes_as_they_came";
    let Some(platform) = start(test, "").await else { return };
    deploy_site(&platform).await;
    let mut settings = platform.platform.clone();
    settings.addresses.gateway = "127.0.0.1:0".parse().unwrap();
    settings.addresses.public = Some("127.0.0.1:0".parse().unwrap());
    let host = Host::bind(&[Role::Gateway], &settings).await.unwrap();
    let public = host.platform().addresses.public.unwrap();
    let shutdown = Shutdown::default();
    let running = tokio::spawn(host.run(shutdown.clone()));
    eventually("the second gateway knows the address", || async {
        (sent(get(public, "/site")).await.status() == 200).then_some(())
    })
    .await;

    let request = bare(public, Method::PUT, "/site/%7f%22?q=1")
        .header("authorization", "Basic YTpi")
        .header("prefer", "respond-async")
        .body("body");
    let answer = sent(request).await;
    assert_eq!(
        (header(&answer, "server-timing"), header(&answer, "cloudfunc-start")),
        ("own;dur=1", "")
    );
    let request = json_of(answer).await;
    assert_eq!(
        (request_line(&request), &request["body"]),
        ("PUT /site/%7f%22?q=1".into(), &json!("body"))
    );
    assert_eq!(seen(&request, "authorization"), ["Basic YTpi"]);
    assert_eq!(seen(&request, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen(&request, "host"), [public.to_string()]);
    let head = sent(bare(public, Method::HEAD, "/site/file")).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "10"));
    let failed = refusal(get(public, "/site/exit")).await;
    assert_eq!(failed, (502, json!(["function_crashed", "the function crashed", null])));
    shutdown.soft.cancel();
    running.await.unwrap().unwrap();
    platform.stop().await;
}
