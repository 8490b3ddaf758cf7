//! The seed's quick start in our commands, word by word.

use crate::{
    desk,
    support::{
        desk::{Desk, Ran, SOON, id_in},
        eventually,
        platform::function,
    },
};

/// `cold start · 412 ms · id …`, with the number taken out.
pub fn line(ran: &Ran) -> String {
    let id = id_in(&ran.stderr).to_string();
    let text = ran.stderr.trim_end().replace(&id, "ID");
    let words: Vec<&str> = text.split(' ').collect();
    let shown = words.iter().enumerate().map(|(place, word)| {
        let is_number = word.parse::<f64>().is_ok()
            && words.get(place + 1).is_some_and(|unit| *unit == "ms" || *unit == "s");
        if is_number { "N" } else { word }
    });
    shown.collect::<Vec<_>>().join(" ").replace("N s ", "N ms ")
}

#[tokio::test]
async fn the_seeds_quick_start() {
    let desk = desk!();
    let mut up = desk.up().await;
    assert_eq!(up.stdout(), ready(&desk).await);

    greets(&desk).await;
    runs_async(&desk).await;
    shows_what_is_there(&desk).await;
    tells_the_seeds_story(&desk).await;
    forgets(&desk).await;

    up.signal(rustix::process::Signal::INT);
    assert_eq!(up.ended(SOON).await, Some(130), "Ctrl-C is an interruption");
    desk.leave().await;
}

/// What `up` prints when everything is ready.
async fn ready(desk: &Desk) -> String {
    let status = desk.run(&["status", "--json"]).await.json();
    assert_eq!((&status["ready"], &status["platform"]), (&true.into(), &desk.name.as_str().into()));
    let mut text = "cloudfunc is ready\n".to_owned();
    let roles = status["roles"].as_array().unwrap();
    for (name, role) in ["gateway", "manager", "scheduler", "registry"].iter().zip(roles) {
        assert_eq!(&role["role"], name);
        text += &format!("  {name:<10} {}\n", role["url"].as_str().unwrap());
    }
    let address = |url: &str| {
        let url = url::Url::parse(url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
    };
    text + &format!("  store      postgres at {}\n", address(&desk.database.url()))
        + &format!("  queue      rabbitmq at {}\n", address(&desk.queue))
        + &format!("  runtime    {}\n", docker(""))
        + &format!("  token      {}\n", desk.data_dir().join("token").display())
        + "next, in another terminal: cloudfunc deploy functions/hello_fn   (Ctrl-C here stops the platform)\n"
}

/// The engine as `up` tells it.
pub fn docker(answers: &str) -> String {
    let version = std::process::Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let address = std::env::var("DOCKER_HOST").ok().filter(|address| !address.is_empty());
    let address = address.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    let version = version.trim().split('+').next().unwrap();
    match answers {
        "" => format!("docker {version} at {address}"),
        answers => format!("docker {version} ({answers} at {address})"),
    }
}

async fn greets(desk: &Desk) {
    let deployed = desk.run(&["deploy", "hello_fn"]).await;
    assert_eq!(deployed.stdout, "deployed hello_fn, revision 1\n", "{deployed:?}");
    assert!(deployed.stderr.ends_with("next: cloudfunc invoke hello_fn\n"), "{deployed:?}");
    let again = desk.run(&["deploy", "functions/hello_fn"]).await;
    assert_eq!(again.stdout, "hello_fn is unchanged: revision 1 is active already\n", "{again:?}");

    for (data, value, start) in [
        (r#"{"name":"Alice"}"#, "Hello Alice!", "cold"),
        ("{}", "Hello World!", "warm"),
        (r#"{"name":"Bob"}"#, "Hello Bob!", "warm"),
        (r#"{"name":"Charlie"}"#, "Hello Charlie!", "warm"),
        (r#"{"name":"Diana"}"#, "Hello Diana!", "warm"),
    ] {
        let ran = desk.run(&["invoke", "hello_fn", "--data", data]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), value), "{ran:?}");
        assert_eq!(line(&ran), format!("{start} start · N ms · id ID"));
    }
    assert_eq!(instances(desk).await.len(), 1, "one container has run all of them");
}

/// The containers of `hello_fn`; the platform has others, which wait for functions.
async fn instances(desk: &Desk) -> Vec<String> {
    let page = desk.client().await.instances(&function("hello_fn"), None).await.unwrap();
    page.items.into_iter().map(|instance| instance.sandbox[..12].to_owned()).collect()
}

async fn runs_async(desk: &Desk) {
    let accepted = desk.run(&["invoke", "hello_fn", "--async", "--data", r#"{"name":"Eve"}"#]).await;
    let id = id_in(&accepted.stdout).to_string();
    assert_eq!(accepted.stdout, format!("{id}\n"));
    assert_eq!(accepted.stderr, "next: cloudfunc invocation wait @last\n");
    let waited = desk.run(&["invocation", "wait", "@last"]).await;
    assert_eq!((waited.code, waited.stdout.as_str()), (Some(0), "Hello Eve!"), "{waited:?}");
    assert_eq!(line(&waited), "warm start · N ms · id ID");

    let shown = desk.run(&["invocation", "show", "@last"]).await.ok();
    for text in [format!("id        {id}\n"), "mode      async\n".into(), "state     succeeded\n".into()]
    {
        assert!(shown.contains(&text), "{shown}");
    }
    let json = desk.run(&["invocation", "show", &id, "--json"]).await.json();
    assert_eq!((&json["state"], &json["attempts"][0]["number"]), (&"succeeded".into(), &1.into()));
    let json = desk.run(&["invoke", "hello_fn", "--json"]).await.json();
    assert_eq!((&json["result"], &json["start"]), (&"Hello World!".into(), &"warm".into()), "{json}");
}

async fn shows_what_is_there(desk: &Desk) {
    let list = desk.run(&["list"]).await.ok();
    let row = list.lines().nth(1).unwrap_or_default();
    assert_eq!(
        row.split_whitespace().take(4).collect::<Vec<_>>(),
        ["hello_fn", "1", "warm", "1"],
        "{list}"
    );
    let json = desk.run(&["list", "--json"]).await.json();
    assert_eq!(
        (&json["items"][0]["name"], &json["items"][0]["is_warm"]),
        (&"hello_fn".into(), &true.into())
    );

    let shown = desk.run(&["show", "hello_fn"]).await.ok();
    let container = &instances(desk).await[0];
    assert!(desk.containers().contains(container), "{container} is no container");
    assert!(shown.contains(container), "the container {container} is missing:\n{shown}");

    let records = desk.run(&["invocation", "list", "--function", "hello_fn", "--json"]).await.json();
    let records = records["items"].as_array().unwrap();
    assert_eq!(records.len(), 7, "five greetings, one async, one --json");
    assert!(records.iter().all(|record| record["state"] == "succeeded"), "{records:?}");
    let cold = records.iter().filter(|record| record["start"] == "cold").count();
    assert_eq!(cold, 1, "{records:?}");
    let listed = desk.run(&["invocation", "list", "--limit", "3"]).await;
    assert_eq!(listed.stdout.lines().count(), 4, "{listed:?}");
}

/// As in the seed's document, in its order; but the payload's size in place of the payload.
async fn tells_the_seeds_story(desk: &Desk) {
    let code = "def handler(event):\n    print('I was told', event['name'])\n    return len(event)\n";
    desk.deploy("talker", code, "").await.ok();
    assert_eq!(desk.run(&["invoke", "talker", "--data", r#"{"name":"Alice"}"#]).await.ok(), "1");
    eventually("its output is in the function's log", async || {
        (desk.run(&["logs", "talker"]).await.ok().contains("I was told Alice")).then_some(())
    })
    .await;
    let log = desk.run(&["logs", "--role", "manager"]).await.ok();
    let mut rest = log.as_str();
    for text in [
        "cold start function=\"talker\" revision=1",
        "container started function=\"talker\" container=",
        "executing function=\"talker\"",
        "payload_bytes=16",
        "function wrote function=\"talker\" stream=\"stdout\" line=\"I was told Alice\"",
        "function output function=\"talker\"",
        "successfully invoked function=\"talker\"",
        "idle, clean-up unless invoked function=\"talker\" after=\"60 s\"",
    ] {
        let found = rest.find(text).unwrap_or_else(|| panic!("'{text}' is not next in:\n{rest}"));
        rest = &rest[found..];
    }
    assert!(!log.contains("{\"name\""), "a payload is in the log:\n{log}");
}

async fn forgets(desk: &Desk) {
    let containers = instances(desk).await;
    let unasked = desk.run(&["delete", "hello_fn"]).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert_eq!(desk.run(&["delete", "talker", "--yes"]).await.ok(), "deleted talker\n");
    assert_eq!(desk.run(&["delete", "hello_fn", "--yes"]).await.ok(), "deleted hello_fn\n");
    let gone = desk.run(&["invoke", "hello_fn"]).await;
    assert_eq!((gone.code, gone.stdout.as_str()), (Some(2), ""), "{gone:?}");
    assert!(gone.stderr.starts_with("error: there is no function 'hello_fn'\n"), "{gone:?}");
    eventually("its container is gone", || {
        let left = desk.containers();
        let is_gone = containers.iter().all(|container| !left.contains(container));
        std::future::ready(is_gone.then_some(()))
    })
    .await;
}
