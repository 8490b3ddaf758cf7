//! What callers get wrong, each with the exact text that they are told.

use std::io::Write as _;

use cloudfunc::model::{Fault, ProblemCode, code};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::platform::{TestPlatform, document, problem},
};

/// Each with its path and text.
type Files<'a> = &'a [(&'a str, &'a str)];

const HELLO: &str = "def handler(event):\n    return 'hello'\n";
const NAME_RULE: &str =
    "a name is lower-case letters and digits, joined by single '_' or '-', at most 63 characters";

on_stack! {
    all:
    an_unknown_function_is_404_before_anything_is_stored
    a_payload_above_the_limit_is_refused_with_the_limit
}

mod light_only {
    use super::*;

    on_stack! {
        light:
        invalid_json_is_refused_with_its_place
        names_that_lead_out_are_refused_everywhere
        a_path_that_leads_to_another_route_of_a_role_is_refused
        an_upload_is_refused_with_the_reason
        the_command_line_says_the_same_before_it_uploads
        what_is_larger_than_the_machine_is_refused_when_it_is_deployed
    }
}

async fn what_is_larger_than_the_machine_is_refused_when_it_is_deployed(platform: &TestPlatform) {
    let cores = std::thread::available_parallelism().unwrap();
    let more = cores.get() + 1;
    for (manifest, expected) in [
        (
            format!("cpus = {more}"),
            format!("`cpus` is {more}, and the machine has {cores}; set `cpus` to at most {cores}"),
        ),
        ("memory = \"9000MiB\"".to_owned(), "`memory` is 8.7 GiB, and ".to_owned()),
    ] {
        let files = [("function.py", HELLO), ("cloudfunc.toml", manifest.as_str())];
        let refused = platform.try_deploy("large", &files).await.unwrap_err();
        let cloudfunc::client::Error::Problem(problem) = refused else { panic!("{refused:?}") };
        assert_eq!((problem.code.as_str(), problem.fault), ("invalid_manifest", Fault::Caller));
        assert!(problem.detail.contains(&expected), "{}", problem.detail);
    }
}

async fn an_unknown_function_is_404_before_anything_is_stored(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    let expected = problem(
        code::FUNCTION_NOT_FOUND,
        "there is no function 'helo_fn'",
        json!({ "hint": "did you mean 'hello_fn'?" }),
    );
    for preference in ["respond-async", "wait=5"] {
        let request = platform.post("/v1/functions/helo_fn/invoke").header("prefer", preference);
        assert_eq!(document(request).await, expected, "{preference}");
    }
    for (method, path) in [
        (Method::GET, "/v1/functions/helo_fn"),
        (Method::DELETE, "/v1/functions/helo_fn"),
        (Method::GET, "/v1/functions/helo_fn/instances"),
        (Method::GET, "/v1/functions/helo_fn/logs"),
        (Method::POST, "/invoke/helo_fn"),
    ] {
        let request = platform.request(cloudfunc::app::Role::Gateway, method, path).body("{}");
        assert_eq!(document(request).await, expected, "{path}");
    }
    let stranger = document(platform.post("/v1/functions/billing/invoke")).await;
    let hint = "'cloudfunc list' shows the functions; 'cloudfunc deploy' makes one";
    let detail = "there is no function 'billing'";
    assert_eq!(stranger, problem(code::FUNCTION_NOT_FOUND, detail, json!({ "hint": hint })));

    let nothing = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(platform.get("/v1/invocations")).await, nothing);
    let ran = platform.cli(&["invoke", "helo_fn"]).await;
    let stderr = "error: there is no function 'helo_fn'\nhint: did you mean 'hello_fn'?\n";
    assert_eq!(ran, (2, String::new(), stderr.to_owned()));
}

async fn a_payload_above_the_limit_is_refused_with_the_limit(platform: &TestPlatform) {
    platform
        .deploy("size", &[("function.py", "def handler(event):\n    return str(len(event))\n")])
        .await;
    let request = |bytes: usize| {
        let request = platform.post("/v1/functions/size/invoke");
        request.header("content-type", "application/octet-stream").body(vec![7; bytes])
    };
    const LIMIT: usize = 6 * 1024 * 1024;
    let at_limit = request(LIMIT).send().await.unwrap();
    assert_eq!(at_limit.text().await.unwrap(), LIMIT.to_string());
    let hint = "send a reference to the data instead of the data itself";
    let detail = "the payload is larger than the limit of 6 MiB";
    let refused = problem(code::PAYLOAD_TOO_LARGE, detail, json!({ "hint": hint }));
    for above in [LIMIT + 1, 5 * LIMIT] {
        assert_eq!(document(request(above)).await, refused, "{above}");
        assert_eq!(document(request(above).header("prefer", "respond-async")).await, refused);
    }
}

async fn invalid_json_is_refused_with_its_place(platform: &TestPlatform) {
    platform.deploy("hello_fn", &[("function.py", HELLO)]).await;
    for (payload, place) in [
        ("{\"name\":\n  Alice}", "expected a value, found 'A' at line 2 column 3 (byte 11)"),
        ("{\"a\":1} x", "something follows the value at line 1 column 9 (byte 8)"),
        ("[1,", "it ends in the middle of a value at line 1 column 4 (byte 3)"),
    ] {
        let request = platform.post("/v1/functions/hello_fn/invoke");
        let request = request.header("content-type", "application/json").body(payload);
        let detail = format!("the payload is not valid JSON: {place}");
        let hint = json!({ "hint": "send valid JSON, or name another type with Content-Type" });
        assert_eq!(document(request).await, problem(code::INVALID_JSON, &detail, hint));
    }
}

async fn names_that_lead_out_are_refused_everywhere(platform: &TestPlatform) {
    let invalid = |name: &str| {
        let problem = "it has a character that is not allowed";
        format!("invalid function name '{name}': {problem}; {NAME_RULE}")
    };
    for path in [
        "/v1/functions/..%2Fetc/invoke",
        "/v1/functions/..%2Fetc/revisions",
        "/v1/functions/..%2Fetc/instances",
        "/v1/functions/..%2Fetc/logs",
        "/v1/functions/..%2Fetc",
        "/invoke/..%2Fetc",
    ] {
        let method = if path.ends_with("invoke") || path.starts_with("/invoke") {
            Method::POST
        } else {
            Method::GET
        };
        let request = platform.request(cloudfunc::app::Role::Gateway, method, path);
        let expected = problem(code::INVALID_NAME, &invalid("../etc"), json!({}));
        assert_eq!(document(request.body("{}")).await, expected, "{path}");
    }
    let request = platform.post("/deploy").body(r#"{"name":"../etc","image":"x"}"#);
    assert_eq!(document(request).await, problem(code::INVALID_NAME, &invalid("../etc"), json!({})));
    let id = problem(
        code::BAD_REQUEST,
        "'../x' is not an invocation id; give the whole id, or at least 4 digits of its start or end",
        json!({}),
    );
    assert_eq!(document(platform.get("/v1/invocations/..%2Fx/result")).await, id);

    let manifest = "name = \"../etc\"\n";
    let answer = upload(platform, "f", &[("function.py", HELLO), ("cloudfunc.toml", manifest)]).await;
    let detail = format!("cloudfunc.toml:1:8: {}", invalid("../etc"));
    assert_eq!(answer, problem(code::INVALID_MANIFEST, &detail, json!({})));
    let answer = upload(platform, "f", &[("function.py", HELLO), ("../../etc/passwd", "x")]).await;
    let detail = "'../../etc/passwd' leads out of the folder";
    assert_eq!(answer, problem(code::INVALID_UPLOAD, detail, json!({})));
}

/// By hand, since every client resolves `..` before it sends it; so would the gateway's own.
async fn a_path_that_leads_to_another_route_of_a_role_is_refused(platform: &TestPlatform) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let token = std::fs::read_to_string(platform.platform.data_dir.join("token")).unwrap();
    for path in ["/v1/functions/../instances", "/v1/functions/%2e%2e/logs", "/v1/functions/.."] {
        let address = platform.platform.addresses.gateway;
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token.trim()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
        assert!(answer.contains("\"detail\":\"invalid function name '..': "), "{path}: {answer}");
    }
}

async fn an_upload_is_refused_with_the_reason(platform: &TestPlatform) {
    let unknown_key = "name = \"f\"\n\n[scaling]\n  max_instance = 3\n";
    let cases: [(Files<'_>, ProblemCode, &str); 3] = [
        (&[("notes.md", "")], code::INVALID_UPLOAD, NO_FUNCTION),
        (
            &[("function.py", HELLO), ("cloudfunc.toml", unknown_key)],
            code::INVALID_MANIFEST,
            UNKNOWN_KEY,
        ),
        (
            &[("function.py", HELLO), ("cloudfunc.toml", "name = \"other\"\n")],
            code::INVALID_MANIFEST,
            "the manifest names the function 'other', the address names it 'f'",
        ),
    ];
    for (files, code, detail) in cases {
        assert_eq!(upload(platform, "f", files).await, problem(code, detail, json!({})));
    }
    let request = platform.post("/v1/functions/f/revisions").body("this is no archive");
    let detail = "the archive is not a gzipped tar, or is cut off: invalid gzip header";
    assert_eq!(document(request).await, problem(code::INVALID_UPLOAD, detail, json!({})));
    for (file, hint) in [
        (
            "lambda_function.py",
            "there is lambda_function.py: name the handler in cloudfunc.toml, for example `handler = \
             \"lambda_function.lambda_handler\"`",
        ),
        (
            "f/function.py",
            "everything in the archive lies in the folder 'f': pack what is in it, with `tar -C f -czf \
             function.tgz .`",
        ),
    ] {
        let answer = upload(platform, "f", &[(file, HELLO)]).await;
        let expected = problem(code::INVALID_UPLOAD, NO_FUNCTION, json!({ "hint": hint }));
        assert_eq!(answer, expected);
    }
    let none = (200, json!({ "items": [], "next": null }));
    assert_eq!(document(platform.get("/v1/functions")).await, none);
}

const NO_FUNCTION: &str = "no function.py in the folder: the handler \"function.handler\" needs it";
const UNKNOWN_KEY: &str = "cloudfunc.toml:4:3: unknown key `scaling.max_instance`; did you mean \
                           `scaling.max_instances`?";

async fn the_command_line_says_the_same_before_it_uploads(platform: &TestPlatform) {
    let unknown_key = "name = \"f\"\n\n[scaling]\n  max_instance = 3\n";
    let cases: [(Files<'_>, &str); 3] = [
        (
            &[("notes.md", "")],
            "cannot deploy FOLDER: no function.py in the folder: the handler \"function.handler\" needs it\n\
             hint: a function is a folder with function.py or cloudfunc.toml: `cloudfunc init FOLDER/hello` makes one \
             there",
        ),
        (&[("function.py", HELLO), ("cloudfunc.toml", unknown_key)], "FOLDER/UNKNOWN_KEY"),
        (
            &[("function.py", HELLO), ("cloudfunc.toml", "name = \"../etc\"\n")],
            "FOLDER/cloudfunc.toml:1:8: invalid function name '../etc': it has a character that is \
             not allowed; NAME_RULE",
        ),
    ];
    for (files, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        let path = folder.path().to_str().unwrap();
        let expected = expected
            .replace("FOLDER", path)
            .replace("UNKNOWN_KEY", UNKNOWN_KEY)
            .replace("NAME_RULE", NAME_RULE);
        let ran = platform.cli(&["deploy", path]).await;
        assert_eq!(ran, (2, String::new(), format!("error: {expected}\n")));
    }
}

/// Uploads files as no client of ours would pack them.
async fn upload(platform: &TestPlatform, name: &str, files: Files<'_>) -> (u16, Value) {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        // The builder's own way would refuse a path that leads out.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    let tar = archive.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let path = format!("/v1/functions/{name}/revisions");
    document(platform.post(&path).body(gzip.finish().unwrap())).await
}
