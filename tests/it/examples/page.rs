//! The example of a page: HTML and JSON below one address, cookies and a redirect.

use cloudfunc::app::Role;
use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};

use super::deploy;
use crate::{on_stack, support::platform::TestPlatform};

on_stack! {
    light:
    a_page_remembers_a_name_and_has_it_as_json_too
}

on_stack! {
    real:
    a_page_remembers_a_name_and_has_it_as_json_too
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).unwrap_or_else(|| panic!("no {name}: {headers:?}")).to_str().unwrap()
}

async fn a_page_remembers_a_name_and_has_it_as_json_too(platform: &TestPlatform) {
    deploy(platform, "page").await;
    // Without a token.
    let http = cloudfunc::http::client().unwrap();
    let url = |path: &str| format!("http://{}{path}", platform.address(Role::Gateway));
    let get = async |path: &str, cookie: &str| {
        http.get(url(path)).header("cookie", cookie).send().await.unwrap()
    };
    let json = async |answer: Response| {
        assert_eq!(header(answer.headers(), "content-type"), "application/json");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };

    let page = get("/page", "other=1").await;
    assert_eq!(page.status(), 200);
    assert_eq!(header(page.headers(), "content-type"), "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    assert!(text.contains("<h1>Hello World!</h1>"), "{text}");
    let head = http.head(url("/page")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap()), (200, String::new()));

    let form = http.post(url("/page/name")).body("name=%3CAda%3E");
    let form = form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(form.status(), 303);
    assert_eq!(header(form.headers(), "location"), "/page");
    let cookie = "name=%3CAda%3E; Path=/page; HttpOnly; SameSite=Lax";
    assert_eq!(header(form.headers(), "set-cookie"), cookie);

    let known = "other=1; name=%3CAda%3E";
    let text = get("/page", known).await.text().await.unwrap();
    assert!(text.contains("<h1>Hello &#60;Ada&#62;!</h1>"), "{text}");
    let greeting = json!({ "greeting": "Hello <Ada>!" });
    assert_eq!(json(get("/page/api/greeting", known).await).await, (200, greeting));
    let nothing = json!({ "problem": "there is nothing at /page/api/else" });
    assert_eq!(json(get("/page/api/else", known).await).await, (404, nothing));
    let put = http.put(url("/page/name")).send().await.unwrap();
    assert_eq!(put.status(), 405);
}
