//! The registry's answers to the holder of a token: functions that it reaches, and values only for those who deploy.

use cloudfunc::{app::Role, model::code};
use reqwest::Method;
use serde_json::{Value, json};

use super::{invoker, make, with_token};
use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

on_stack! {
    light:
    the_values_of_a_function_are_shown_to_who_deploys_only
    a_list_has_the_functions_that_a_token_reaches
    a_slip_in_a_name_leads_to_no_function_of_others
}

const CODE: (&str, &str) = ("function.py", "def handler(event):\n    return 1\n");

async fn get(platform: &TestPlatform, token: &str, path: &str) -> (u16, Value) {
    document(with_token(platform.address(Role::Gateway), token, Method::GET, path)).await
}

async fn the_values_of_a_function_are_shown_to_who_deploys_only(platform: &TestPlatform) {
    let manifest = ("cloudfunc.toml", "[env]\nAPI_KEY = \"hunter2\"\n");
    platform.deploy("f", &[CODE, manifest]).await;
    let env = json!({ "API_KEY": "hunter2" });
    for (role, expected) in [("invoke", json!({})), ("deploy", env.clone()), ("admin", env)] {
        let token = make(platform, json!({ "name": role, "role": role })).await;
        let (status, shown) = get(platform, &token, "/v1/functions/f").await;
        assert_eq!((status, &shown["spec"]["env"]), (200, &expected), "{role}");
        assert_eq!(shown["spec"]["handler"], "function.handler", "{role} sees the rest");
        for path in ["/v1/functions", "/v1/functions?limit=1"] {
            let (status, list) = get(platform, &token, path).await;
            assert_eq!((status, &list["items"][0]["spec"]["env"]), (200, &expected), "{role} {path}");
        }
        let (status, revisions) = get(platform, &token, "/v1/functions/f/revisions").await;
        match role {
            "invoke" => assert_eq!(status, 403),
            _ => assert_eq!(revisions["items"][0]["spec"]["env"], expected, "{role}"),
        }
    }
}

async fn a_list_has_the_functions_that_a_token_reaches(platform: &TestPlatform) {
    let all = ["a", "b_1", "b_2", "c", "d", "e_1"];
    for name in all {
        platform.deploy(name, &[CODE]).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|function| function["name"].as_str().unwrap().to_owned()).collect()
    };
    for (name, patterns, reached, pages) in [
        (
            "all",
            vec![],
            all.to_vec(),
            vec![vec!["a", "b_1"], vec!["b_2", "c"], vec!["d", "e_1"], vec![]],
        ),
        ("some", vec!["b_*", "e_1"], vec!["b_1", "b_2", "e_1"], vec![vec!["b_1", "b_2"], vec!["e_1"]]),
        ("one", vec!["d"], vec!["d"], vec![vec!["d"]]),
        ("none", vec!["nothing"], vec![], vec![vec![]]),
    ] {
        let token = make(platform, invoker(name, &patterns)).await;
        let (status, list) = get(platform, &token, "/v1/functions").await;
        assert_eq!(
            (status, names(&list), &list["next"]),
            (200, to_owned(&reached), &Value::Null),
            "{name}"
        );
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/functions?limit=2{cursor}");
            let (status, page) = get(platform, &token, &path).await;
            assert_eq!(status, 200, "{name}");
            // Nothing of it tells of others, the cursor included.
            for other in all.iter().filter(|other| !reached.contains(other)) {
                assert!(!page.to_string().contains(&format!("\"{other}\"")), "{name}: {page}");
            }
            seen.push(names(&page));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        // After a full page there may be an empty one.
        assert_eq!(seen, pages.iter().map(|page| to_owned(page)).collect::<Vec<_>>(), "{name}");
    }
}

fn to_owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn a_slip_in_a_name_leads_to_no_function_of_others(platform: &TestPlatform) {
    for name in ["team_report", "teem_report"] {
        platform.deploy(name, &[CODE]).await;
    }
    let token = make(platform, invoker("caller", &["team_*"])).await;
    let path = "/v1/functions/team_reports";
    let not_found = |hint: &str| {
        let detail = "there is no function 'team_reports'";
        problem(code::FUNCTION_NOT_FOUND, detail, json!({ "hint": hint }))
    };
    let all = not_found("did you mean 'team_report' or 'teem_report'?");
    assert_eq!(document(platform.get(path)).await, all);
    assert_eq!(get(platform, &token, path).await, not_found("did you mean 'team_report'?"));
    let none = not_found("'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one");
    let new = json!({ "name": "deployer", "role": "deploy", "functions": ["team_*"] });
    let deployer = make(platform, new).await;
    for (method, path) in [
        (Method::POST, "/v1/functions/team_reports/invoke"),
        (Method::POST, "/invoke/team_reports"),
        (Method::GET, "/v1/functions/team_reports/logs"),
        (Method::GET, "/v1/invocations?function=team_reports"),
    ] {
        let asked = with_token(platform.address(Role::Gateway), &deployer, method, path);
        assert_eq!(document(asked.json(&json!({}))).await, none, "{path}");
    }
    platform.client.delete(&"team_report".parse().unwrap()).await.unwrap();
    assert_eq!(get(platform, &token, path).await, none);
}
