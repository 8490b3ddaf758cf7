//! The roles behind the gateway look at the caller themselves.

use cloudfunc::{
    app::Role,
    http::caller_header,
    model::{
        Caller, TokenRole,
        api::header::CALLER,
        route::{self, AnsweredBy, Endpoint, Method as RouteMethod},
    },
};
use reqwest::{Method, header::HeaderValue};

use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    light:
    registry_and_scheduler_refuse_a_caller_whose_role_is_too_low_or_cannot_be_read
}

/// The role that answers a route of the table, where it is not the gateway alone.
fn behind(endpoint: &Endpoint) -> Option<Role> {
    match endpoint.by {
        AnsweredBy::Registry => Some(Role::Registry),
        AnsweredBy::Scheduler => Some(Role::Scheduler),
        AnsweredBy::Gateway => (*endpoint == route::INVOKE.endpoint).then_some(Role::Scheduler),
    }
}

async fn registry_and_scheduler_refuse_a_caller_whose_role_is_too_low_or_cannot_be_read(
    platform: &TestPlatform,
) {
    let mut asked = 0;
    for endpoint in route::ALL {
        let Some(role) = behind(endpoint) else { continue };
        let method = match endpoint.method {
            RouteMethod::Get => Method::GET,
            RouteMethod::Post => Method::POST,
            RouteMethod::Put => Method::PUT,
            RouteMethod::Delete => Method::DELETE,
        };
        let path = endpoint
            .path
            .replace("{function}", "nobody")
            .replace("{invocation}", "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f")
            .replace("{token}", "nobody")
            .replace("{secret}", "NOT_THERE");
        let status = async |caller: HeaderValue| {
            let request = platform.request(role, method.clone(), &path).header(CALLER, caller);
            request.send().await.unwrap().status().as_u16()
        };
        for of_caller in TokenRole::ALL {
            let caller = caller_header(&Caller { role: of_caller, ..Caller::internal() });
            let is_refused = status(caller).await == 403;
            assert_eq!(is_refused, of_caller < endpoint.needs, "{of_caller} {method} {path}");
        }
        let unreadable = status(HeaderValue::from_static("forged")).await;
        assert_eq!(unreadable, 403, "{method} {path}");
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    let forged = platform.request(Role::Registry, Method::POST, "/functions");
    let invoker = caller_header(&Caller { role: TokenRole::Invoke, ..Caller::internal() });
    let answer = forged.header(CALLER, invoker).json(&serde_json::json!({ "name": "f", "image": "i" }));
    assert_eq!(answer.send().await.unwrap().status(), 403);
}
