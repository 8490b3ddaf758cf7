//! Functions with addresses: what `deploy`, `show` and `list` say of them, and requests to them in records and logs.

use std::fs;

use cloudfunc::app::Role;

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform},
    },
};

on_stack! {
    light:
    a_deploy_and_a_rollback_name_the_addresses_and_a_command_that_the_function_answers
    several_deploys_name_the_addresses_of_each
    show_and_list_name_the_addresses
    a_handler_is_sent_a_request_whose_path_and_status_are_seen_afterwards
}

const CODE: &str = "def handler(event):\n    http = event['requestContext']['http']\n    \
                    return {'statusCode': 201, 'body': ' '.join([http['method'], \
                    event['rawPath'], event['pathParameters']['kind'], event['routeKey']])}\n";
const OPEN: &str =
    "[http]\npath = ['/hooks/{kind}', '/hooks']\nmethods = ['POST', 'PUT']\nauth = 'none'\n";
const WITH_A_TOKEN: &str = "[http]\npath = '/users/{id}'\nhost = 'App.Example'\ncors = 'https://app.example'\n\
                            max_body = '1KiB'\n";
const NOTICE: &str = "open: with `auth = \"none\"` everybody who reaches its addresses may call it, and it has to check its \
                      callers itself";

/// Writes the functions `open` and `closed` into a folder.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, manifest) in [("open", OPEN), ("closed", WITH_A_TOKEN)] {
        let of = folder.path().join(name);
        fs::create_dir(&of).unwrap();
        fs::write(of.join("function.py"), CODE).unwrap();
        fs::write(of.join("cloudfunc.toml"), manifest).unwrap();
    }
    folder
}

async fn deploy(platform: &TestPlatform, name: &str) -> (String, String) {
    let folder = folder();
    let path = folder.path().join(name);
    let (code, stdout, stderr) = platform.cli(&["deploy", path.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{stderr}");
    (stdout, stderr)
}

async fn a_deploy_and_a_rollback_name_the_addresses_and_a_command_that_the_function_answers(
    platform: &TestPlatform,
) {
    let gateway = platform.address(Role::Gateway);
    let (stdout, stderr) = deploy(platform, "open").await;
    assert_eq!(
        stdout,
        format!(
            "deployed open, revision 1\n\
             http://{gateway}/hooks/{{kind}}  POST, PUT, open to everybody\n\
             http://{gateway}/hooks  POST, PUT, open to everybody\n"
        )
    );
    let end = format!("\n{NOTICE}\nnext: curl --data '{{}}' http://{gateway}/hooks\n");
    assert!(stderr.ends_with(&end), "{stderr}");
    let (stdout, stderr) = deploy(platform, "open").await;
    assert!(stdout.starts_with("open is unchanged: revision 1 is active already\nhttp://"), "{stdout}");
    assert!(!stderr.contains(NOTICE), "it is not open since now: {stderr}");

    let (stdout, stderr) = deploy(platform, "closed").await;
    assert_eq!(
        stdout,
        "deployed closed, revision 1\nhttp://app.example/users/{id}  any method, with a token\n"
    );
    let end = "\nnext: cloudfunc invoke closed --method GET --path /users/ID\n";
    assert!(stderr.ends_with(end) && !stderr.contains("auth"), "{stderr}");
    let (_, stdout, stderr) = platform.cli(&["rollback", "closed", "--to", "1"]).await;
    let shown =
        "revision 1 of closed is active\nhttp://app.example/users/{id}  any method, with a token\n";
    assert_eq!((&*stdout, &*stderr), (shown, &end[1..]));
}

async fn several_deploys_name_the_addresses_of_each(platform: &TestPlatform) {
    let (gateway, folder) = (platform.address(Role::Gateway), folder());
    let path = folder.path().to_str().unwrap();
    let (code, _, stderr) = platform.cli(&["deploy", path]).await;
    assert_eq!(code, 0, "{stderr}");
    for said in [
        "deployed closed, revision 1\nhttp://app.example/users/{id}  any".to_owned(),
        format!("http://{gateway}/hooks  POST, PUT, open to everybody\n{NOTICE}\n"),
    ] {
        assert!(stderr.contains(&said), "{stderr}");
    }
}

async fn show_and_list_name_the_addresses(platform: &TestPlatform) {
    platform.deploy("plain", &[("function.py", CODE)]).await;
    let (_, list, _) = platform.cli(&["list"]).await;
    assert!(!list.contains("ADDRESS"), "no function has any: {list}");
    let gateway = platform.address(Role::Gateway);
    deploy(platform, "open").await;
    deploy(platform, "closed").await;
    let (_, list, _) = platform.cli(&["list"]).await;
    assert!(list.lines().next().unwrap().contains("  ADDRESS"), "{list}");
    for address in ["  /hooks/{kind}, /hooks", "  app.example/users/{id}"] {
        assert!(list.contains(address), "{list}");
    }

    let rows = async |name: &str| platform.cli(&["show", name]).await.1;
    let open = rows("open").await;
    for row in [
        format!("address       http://{gateway}/hooks/{{kind}}"),
        format!("address       http://{gateway}/hooks"),
        "methods       POST, PUT".to_owned(),
        "auth          none: open to everybody".to_owned(),
        "max body      6 MiB".to_owned(),
        format!("by name       http://{gateway}/f/open/"),
    ] {
        assert!(open.lines().any(|line| line == row), "{row}\n{open}");
    }
    let closed = rows("closed").await;
    for row in [
        "methods       all",
        "host          app.example",
        "auth          token",
        "cors          https://app.example",
        "max body      1 KiB",
    ] {
        assert!(closed.lines().any(|line| line == row), "{row}\n{closed}");
    }
    let plain = rows("plain").await;
    assert!(!plain.contains("\naddress ") && plain.contains("/f/plain/\n"), "{plain}");
}

async fn a_handler_is_sent_a_request_whose_path_and_status_are_seen_afterwards(platform: &TestPlatform) {
    deploy(platform, "open").await;
    let invoke = ["invoke", "open", "--method", "put", "--path", "/hooks/a?key=secret", "--data", "1"];
    let (code, stdout, stderr) = platform.cli(&invoke).await;
    assert_eq!((code, stdout.as_str()), (0, "PUT /hooks/a a PUT /hooks/{kind}"), "{stderr}");
    let (_, shown, _) = platform.cli(&["invocation", "show", "@last"]).await;
    for row in ["request   PUT /hooks/a?key=secret\n", "response  HTTP 201\n"] {
        assert!(shown.contains(row), "{shown}");
    }
    let (_, list, _) = platform.cli(&["invocation", "list", "--function", "open"]).await;
    assert!(list.lines().next().unwrap().ends_with("  REQUEST"), "{list}");
    assert!(list.lines().nth(1).unwrap().ends_with("  PUT /hooks/a?key=secret 201"), "{list}");
    let end = eventually("its end is in the log", || async {
        let (_, log, _) = platform.cli(&["logs", "open", "--events"]).await;
        log.lines().find(|line| line.contains("END succeeded")).map(str::to_owned)
    })
    .await;
    assert!(end.ends_with(", PUT /hooks/a 201]"), "{end}");
}

#[tokio::test]
async fn addresses_are_at_the_public_port_where_there_is_one() {
    let test = "commands::addresses::addresses_are_at_the_public_port_where_there_is_one";
    let change = |platform: &mut cloudfunc::settings::Platform| {
        platform.addresses.public = Some("127.0.0.1:0".parse().unwrap());
    };
    let Some(platform) = TestPlatform::start_with(Stack::LIGHT, test, change).await else { return };
    let gateway = platform.address(Role::Gateway);
    let public = platform.platform.addresses.public.unwrap();
    let health = cloudfunc::http::client().unwrap().get(format!("http://{gateway}/healthz"));
    let health: serde_json::Value = health.send().await.unwrap().json().await.unwrap();
    assert_eq!(health["public_url"], format!("http://{public}"));

    let (stdout, stderr) = deploy(&platform, "open").await;
    let address = format!("\nhttp://{public}/hooks  POST, PUT, open to everybody\n");
    assert!(stdout.ends_with(&address), "{stdout}");
    let next = format!("\nnext: curl --data '{{}}' http://{public}/hooks\n");
    assert!(stderr.ends_with(&next), "{stderr}");
    let (_, open, _) = platform.cli(&["show", "open"]).await;
    for row in [
        format!("address       http://{public}/hooks"),
        format!("by name       http://{gateway}/f/open/"),
    ] {
        assert!(open.lines().any(|line| line == row), "{row}\n{open}");
    }
    platform.stop().await;
}
