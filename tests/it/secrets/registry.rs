//! The routes of secrets.

use std::{fs, path::Path};

use cloudfunc::model::{Problem, code};
use reqwest::Method;
use serde_json::{Value, json};

use super::{newest_key, request, set};
use crate::{
    on_stack,
    support::{
        eventually,
        platform::{TestPlatform, document, packed, problem},
    },
};

const CODE: (&str, &str) = ("function.py", "def handler(event):\n    return 'done'\n");
const ASKS: (&str, &str) = ("cloudfunc.toml", "secrets = [\"API_KEY\"]\n");

on_stack! {
    light:
    what_cannot_be_a_secret_is_refused
    a_secret_is_set_replaced_listed_and_deleted_without_its_value
    a_function_that_asks_for_a_secret_that_is_not_set_is_refused
    a_secret_in_use_is_deleted_with_force_only
    of_two_deletes_at_once_one_leaves_the_function_its_secret
    a_value_with_which_a_function_could_not_be_started_is_refused
    a_token_for_some_functions_has_their_secrets_only
    a_token_for_some_functions_gives_them_no_secret_that_is_for_all
    no_value_is_in_a_file_of_the_platform
}

async fn refused(answer: reqwest::RequestBuilder) -> Problem {
    let answer = answer.send().await.unwrap();
    assert!(!answer.status().is_success(), "{answer:?}");
    answer.json().await.unwrap()
}

async fn what_cannot_be_a_secret_is_refused(platform: &TestPlatform) {
    let put = |path: &str| request(platform, Method::PUT, path);
    let hint = |hint: &str| json!({ "hint": hint });
    let encode = "encode it, as base64 for example, and decode it in the function";
    let empty =
        "`cloudfunc secret set` reads the value from stdin; `cloudfunc secret delete` deletes a secret";
    for (path, value, detail, advice) in [
        ("/v1/secrets/A", &b""[..], "the value of the secret 'A' is empty", empty),
        (
            "/v1/secrets/A?function=shop",
            &b"hunter2\0"[..],
            "the value of the secret 'A' of function 'shop' has a NUL byte, which an environment variable cannot hold",
            encode,
        ),
        ("/v1/secrets/A", &b"hunter2\xff"[..], "the value of the secret 'A' is not UTF-8 text", encode),
    ] {
        let answer = document(put(path).body(value.to_vec())).await;
        assert_eq!(answer, problem(code::INVALID_SECRET, detail, hint(advice)), "{path}");
    }

    let large = document(put("/v1/secrets/A").body("x".repeat(64 * 1024 + 1))).await;
    let detail = "the value of the secret 'A' has more than 64 KiB, the most of a secret";
    let advice = "encrypt larger data, deploy it with the function, and keep its key as the secret";
    assert_eq!(large, problem(code::PAYLOAD_TOO_LARGE, detail, hint(advice)));
    set(platform, "/v1/secrets/LARGEST", &"x".repeat(64 * 1024)).await;

    for (name, wrong) in [
        ("9a", "it starts with a digit"),
        ("api-key", "it has a character that is not allowed"),
        ("CLOUDFUNC_TOKEN", "names that start with CLOUDFUNC_ are reserved"),
    ] {
        let answer = document(put(&format!("/v1/secrets/{name}")).body("x")).await;
        let detail = format!(
            "invalid secret name '{name}': {wrong}; a name is that of an environment variable: letters, digits and '_', not \
             starting with a digit"
        );
        assert_eq!(answer, problem(code::INVALID_NAME, &detail, json!({})));
    }

    let answer = document(put("/v1/secrets/A?existing=true").body("x")).await;
    let advice = "`cloudfunc secret list` shows the secrets, `cloudfunc secret set` sets one";
    assert_eq!(answer, problem(code::SECRET_NOT_FOUND, "there is no secret 'A'", hint(advice)));
    let answer = document(request(platform, Method::DELETE, "/v1/secrets/A?function=shop")).await;
    let detail = "there is no secret 'A' of function 'shop'";
    assert_eq!(answer, problem(code::SECRET_NOT_FOUND, detail, hint(advice)));
    let answer = refused(put("/v1/secrets/A?function=Shop").body("x")).await;
    assert!(answer.status == 400 && answer.detail.contains("'Shop'"), "{answer:?}");
}

async fn a_secret_is_set_replaced_listed_and_deleted_without_its_value(platform: &TestPlatform) {
    let put = |path: &str, value: &'static str| request(platform, Method::PUT, path).body(value);
    let own = "/v1/secrets/API_KEY?function=shop";
    let first = document(put("/v1/secrets/API_KEY", "first")).await;
    assert_eq!(first, (201, json!({ "name": "API_KEY", "replaced": false, "used_by": [] })));
    let second = document(put("/v1/secrets/API_KEY?existing=true", " second\n")).await;
    assert_eq!(second, (200, json!({ "name": "API_KEY", "replaced": true, "used_by": [] })));
    let of_shop = document(put(own, "third")).await;
    let expected = json!({ "function": "shop", "name": "API_KEY", "replaced": false, "used_by": [] });
    assert_eq!(of_shop, (201, expected));

    let key = newest_key(platform);
    let item = |function: Option<&str>, set_by: &Value| {
        let mut item = json!({
            "name": "API_KEY", "key": key, "key_is_here": true, "set_by": set_by, "created_at": "<moment>",
            "set_at": "<moment>", "used_by": [],
        });
        item.as_object_mut().unwrap().extend(function.map(|name| ("function".to_owned(), json!(name))));
        item
    };
    let (status, all) = document(request(platform, Method::GET, "/v1/secrets")).await;
    let set_by = all["items"][0]["set_by"].clone();
    assert!(set_by.as_str().is_some_and(|name| name.starts_with("token file")), "{all}");
    let both = json!({ "items": [item(None, &set_by), item(Some("shop"), &set_by)], "next": null });
    assert_eq!((status, all), (200, both));
    let of_shop = document(request(platform, Method::GET, "/v1/secrets?function=shop")).await;
    assert_eq!(of_shop, (200, json!({ "items": [item(Some("shop"), &set_by)], "next": null })));

    let deleted = request(platform, Method::DELETE, own).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(refused(request(platform, Method::DELETE, own)).await.code, "secret_not_found");
    let (_, left) = document(request(platform, Method::GET, "/v1/secrets")).await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");

    let log = request(platform, Method::GET, "/v1/audit-log").send().await.unwrap();
    let log = log.text().await.unwrap();
    let log: Value = serde_json::from_str(&log).unwrap();
    let entries = log["items"].as_array().unwrap().iter();
    let told: Vec<_> =
        entries.map(|entry| (&entry["action"], &entry["target"], &entry["detail"])).collect();
    let (name, of) = (json!("API_KEY"), json!("of function 'shop'"));
    let (is_set, is_deleted, nothing) = (json!("secret-set"), json!("secret-delete"), Value::Null);
    assert_eq!(
        told,
        [
            (&is_deleted, &name, &of),
            (&is_set, &name, &of),
            (&is_set, &name, &nothing),
            (&is_set, &name, &nothing)
        ]
    );
}

async fn a_function_that_asks_for_a_secret_that_is_not_set_is_refused(platform: &TestPlatform) {
    let missing = platform.try_deploy("shop", &[CODE, ASKS]).await.unwrap_err();
    let cloudfunc::client::Error::Problem(missing) = missing else { panic!("{missing:?}") };
    assert_eq!((missing.status, missing.code.as_str()), (422, code::INVALID_MANIFEST.code));
    assert_eq!(missing.detail, "the function asks for the secret 'API_KEY', which is not set");
    let hint = "set it with `cloudfunc secret set API_KEY` (for all functions) or `cloudfunc secret set API_KEY --function shop`";
    assert_eq!(missing.hint.as_deref(), Some(hint));

    set(platform, "/v1/secrets/API_KEY", "a value").await;
    assert_eq!(platform.deploy("shop", &[CODE, ASKS]).await.revision.0, 1);
    assert_eq!(platform.deploy("shop", &[CODE]).await.revision.0, 2);
    let deleted = request(platform, Method::DELETE, "/v1/secrets/API_KEY").send().await.unwrap();
    assert_eq!(deleted.status(), 204, "no active revision gets it");
    let back = request(platform, Method::PUT, "/v1/functions/shop/active-revision");
    let refused = refused(back.json(&json!({ "revision": 1 }))).await;
    assert_eq!((refused.status, refused.detail), (422, missing.detail));
    assert_eq!(refused.hint.as_deref(), Some(hint));
    let (_, shown) = document(platform.get("/v1/functions/shop")).await;
    assert_eq!(shown["active_revision"], 2);
}

async fn a_secret_in_use_is_deleted_with_force_only(platform: &TestPlatform) {
    set(platform, "/v1/secrets/API_KEY", "of all").await;
    platform.deploy("shop", &[CODE, ASKS]).await;
    platform.deploy("till", &[CODE, ASKS]).await;
    let used_by = async |path: &str| {
        let (_, all) = document(request(platform, Method::GET, path)).await;
        all["items"].as_array().unwrap().iter().map(|one| one["used_by"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(used_by("/v1/secrets").await, [json!(["shop", "till"])]);
    let delete = |path: &str| request(platform, Method::DELETE, path);
    let hint = "deploy them without it first, or delete it all the same with `--force` (?force=true)";
    let in_use = document(delete("/v1/secrets/API_KEY")).await;
    let detail = "the secret 'API_KEY' is used by 'shop', 'till'";
    assert_eq!(in_use, problem(code::SECRET_IN_USE, detail, json!({ "hint": hint })));

    // A function's own comes first, and without it there is the platform's again.
    let own = "/v1/secrets/API_KEY?function=shop";
    let (_, told) = document(request(platform, Method::PUT, own).body("own")).await;
    assert_eq!(told["used_by"], json!(["shop"]));
    assert_eq!(used_by("/v1/secrets").await, [json!(["till"]), json!(["shop"])]);
    assert_eq!(used_by("/v1/secrets?function=shop").await, [json!(["shop"])]);
    assert_eq!(delete(own).send().await.unwrap().status(), 204);
    assert_eq!(used_by("/v1/secrets").await, [json!(["shop", "till"])]);

    // Its own alone is in use.
    set(platform, own, "own").await;
    let forced = delete("/v1/secrets/API_KEY?force=true").send().await.unwrap();
    assert_eq!(forced.status(), 204);
    let in_use = document(delete(own)).await;
    let detail = "the secret 'API_KEY' of function 'shop' is used by 'shop'";
    assert_eq!(in_use, problem(code::SECRET_IN_USE, detail, json!({ "hint": hint })));
}

async fn of_two_deletes_at_once_one_leaves_the_function_its_secret(platform: &TestPlatform) {
    let (all, own) = ("/v1/secrets/API_KEY", "/v1/secrets/API_KEY?function=shop");
    set(platform, all, "of all").await;
    platform.deploy("shop", &[CODE, ASKS]).await;
    for _ in 0..10 {
        set(platform, all, "of all").await;
        set(platform, own, "own").await;
        let delete =
            async |path| request(platform, Method::DELETE, path).send().await.unwrap().status().as_u16();
        let (of_all, of_shop) = tokio::join!(delete(all), delete(own));
        assert!(matches!((of_all, of_shop), (204, 409) | (409, 204)), "{of_all} {of_shop}");
    }
}

async fn a_value_with_which_a_function_could_not_be_started_is_refused(platform: &TestPlatform) {
    // In JSON a control character has six times its size: two of these fit, three do not.
    let long = "\u{1}".repeat(64 * 1024);
    for name in ["A", "B"] {
        set(platform, &format!("/v1/secrets/{name}"), &long).await;
    }
    set(platform, "/v1/secrets/C", "short").await;
    let asks = ("cloudfunc.toml", "secrets = [\"A\", \"B\", \"C\"]\n");
    platform.deploy("shop", &[CODE, asks]).await;
    let told = refused(request(platform, Method::PUT, "/v1/secrets/C").body(long.clone())).await;
    assert_eq!((told.status, told.code.as_str()), (422, code::INVALID_SECRET.code));
    let begin = "with this value the function 'shop' could not be started: its variables and secrets are too large together: the \
                 message with them needs up to 11";
    let end = " bytes of JSON, and at most 1048576 are accepted";
    assert!(told.detail.starts_with(begin) && told.detail.ends_with(end), "{}", told.detail);
    assert_eq!(platform.value("shop", "{}").await, "done");
    // It is nobody's yet, and then no revision may ask for it.
    set(platform, "/v1/secrets/D", &long).await;
    let asks = ("cloudfunc.toml", "secrets = [\"A\", \"B\", \"D\"]\n");
    let told = platform.try_deploy("shop", &[CODE, asks]).await.unwrap_err();
    let cloudfunc::client::Error::Problem(told) = told else { panic!("{told:?}") };
    assert_eq!((told.status, told.code.as_str()), (422, code::INVALID_MANIFEST.code));
    let begin = "the function's variables and secrets are too large together: the message with them needs up to 11";
    assert!(told.detail.starts_with(begin) && told.detail.ends_with(end), "{}", told.detail);
}

async fn a_token_for_some_functions_gives_them_no_secret_that_is_for_all(platform: &TestPlatform) {
    set(platform, "/v1/secrets/API_KEY", "of all").await;
    set(platform, "/v1/secrets/API_KEY?function=a_1", "its own").await;
    platform.deploy("a_1", &[CODE, ASKS]).await;
    platform.deploy("a_1", &[CODE]).await;
    platform.deploy("a_2", &[CODE, ASKS]).await;
    platform.deploy("a_2", &[CODE]).await;
    let new = json!({ "name": "team-a", "role": "deploy", "functions": ["a_*"] });
    let made: Value = platform.post("/v1/tokens").json(&new).send().await.unwrap().json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    let http = cloudfunc::http::client().unwrap();
    let gateway = platform.address(cloudfunc::app::Role::Gateway);
    let with = |method: Method, path: &str| {
        http.request(method, format!("http://{gateway}{path}")).bearer_auth(token)
    };
    let activate = |function: &str| {
        let request = with(Method::PUT, &format!("/v1/functions/{function}/active-revision"));
        request.json(&json!({ "revision": 1 }))
    };
    let told = refused(activate("a_2")).await;
    let detail =
        "the token 'team-a' is for the functions a_*, and 'a_2' has no secret 'API_KEY' of its own";
    assert_eq!((told.status, told.detail.as_str()), (403, detail));
    let hint = "set it for this function: cloudfunc secret set API_KEY --function a_2";
    assert_eq!(told.hint.as_deref(), Some(hint));
    // A deploy whose steps are told is refused with a status, too, by which the gateway knows of it.
    let deploy = with(Method::POST, "/v1/functions/a_2/revisions")
        .header("accept", "application/x-ndjson")
        .body(packed(&[CODE, ASKS]));
    let told = refused(deploy).await;
    assert_eq!((told.status, told.detail.as_str()), (403, detail));
    let entry = format!("POST /v1/functions/{{function}}/revisions: {detail}");
    eventually("the refused deploy is in the audit log", || async {
        let (_, page) = document(platform.get("/v1/audit-log?outcome=refused&target=a_2")).await;
        let items = page["items"].as_array().unwrap();
        items.iter().any(|item| item["detail"] == entry.as_str()).then_some(())
    })
    .await;
    // Nor by way of its own.
    assert_eq!(activate("a_1").send().await.unwrap().status(), 200);
    let own = "/v1/secrets/API_KEY?function=a_1&force=true";
    let told = refused(with(Method::DELETE, own)).await;
    let detail = "the token 'team-a' is for the functions a_*, and without the secret 'API_KEY' of function 'a_1' it may get one \
                  that is for all functions";
    assert_eq!((told.status, told.detail.as_str()), (403, detail));
    assert_eq!(
        request(platform, Method::DELETE, own).send().await.unwrap().status(),
        204,
        "an admin may"
    );
    // It is not told if there is one for all functions.
    let deleted = request(platform, Method::DELETE, "/v1/secrets/API_KEY?force=true").send().await;
    assert_eq!(deleted.unwrap().status(), 204);
    let told = refused(activate("a_2")).await;
    assert_eq!((told.status, told.hint.as_deref()), (403, Some(hint)));
}

async fn a_token_for_some_functions_has_their_secrets_only(platform: &TestPlatform) {
    let new = json!({ "name": "team-a", "role": "deploy", "functions": ["a_*"] });
    let made: Value = platform.post("/v1/tokens").json(&new).send().await.unwrap().json().await.unwrap();
    let token = made["token"].as_str().unwrap();
    let http = cloudfunc::http::client().unwrap();
    let gateway = platform.address(cloudfunc::app::Role::Gateway);
    let with = |method: Method, path: &str| {
        http.request(method, format!("http://{gateway}{path}")).bearer_auth(token)
    };
    let own = with(Method::PUT, "/v1/secrets/API_KEY?function=a_1").body("x").send().await.unwrap();
    assert_eq!(own.status(), 201, "{}", own.text().await.unwrap());
    let (status, listed) = document(with(Method::GET, "/v1/secrets?function=a_1")).await;
    assert_eq!((status, &listed["items"][0]["name"]), (200, &json!("API_KEY")));
    let others = "the token 'team-a' is for the functions a_*, and not for 'b'";
    let all = "the token 'team-a' is for the functions a_*, and this is about secrets for all functions";
    for (method, path, detail) in [
        (Method::GET, "/v1/secrets", all),
        (Method::PUT, "/v1/secrets/API_KEY", all),
        (Method::DELETE, "/v1/secrets/API_KEY", all),
        (Method::GET, "/v1/secrets?function=b", others),
        (Method::PUT, "/v1/secrets/API_KEY?function=b", others),
        (Method::DELETE, "/v1/secrets/API_KEY?function=b", others),
    ] {
        let refused = refused(with(method, path).body("x")).await;
        assert_eq!((refused.status, refused.detail.as_str()), (403, detail), "{path}");
    }
}

/// The store with its write-ahead log, and everything else.
async fn no_value_is_in_a_file_of_the_platform(platform: &TestPlatform) {
    let folder = platform.platform.data_dir.parent().unwrap();
    let control = format!("planted{}", uuid::Uuid::now_v7().simple());
    let value = format!("secret{}", uuid::Uuid::now_v7().simple());
    platform.deploy("shop", &[("function.py", &format!("{}# {control}\n", CODE.1))]).await;
    set(platform, "/v1/secrets/API_KEY", &value).await;
    set(platform, "/v1/secrets/API_KEY?function=shop", &value).await;
    assert!(holds(folder, b"API_KEY"), "the control: the store has its name");
    assert!(holds(folder, control.as_bytes()), "the control: code is in a file");
    assert!(!holds(folder, value.as_bytes()));
    set(platform, "/v1/secrets/API_KEY", "another").await;
    request(platform, Method::DELETE, "/v1/secrets/API_KEY?function=shop").send().await.unwrap();
    assert!(!holds(folder, value.as_bytes()));
    for path in ["/v1/secrets", "/v1/audit-log", "/v1/functions/shop"] {
        let answer = platform.get(path).send().await.unwrap().text().await.unwrap();
        assert!(!answer.contains(&value), "{path}: {answer}");
    }
}

/// Whether a file below the folder has these bytes. Files come and go meanwhile.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() && !path.is_symlink() {
        true => holds(&path, bytes),
        false => {
            let content = if path.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
            content.windows(bytes.len()).any(|part| part == bytes)
        }
    })
}
