//! Addresses of functions, `[http]`: each belongs to one function, on all hosts.

use cloudfunc::{
    app::Role,
    client::{Client, Error},
    model::{
        Problem, RevisionNumber,
        api::{Deployed, HttpFunctions},
        route,
    },
};
use reqwest::Method;
use serde_json::json;

use crate::{
    on_stack,
    support::{
        beside::SecondHost,
        eventually,
        platform::{Stack, TestPlatform, function, packed},
    },
};

const HELLO: &str = "def handler(event):\n    return 'hello'\n";

on_stack! {
    light:
    a_path_of_another_function_is_refused_before_the_build_and_its_function_is_named
    a_rollback_that_would_collide_is_refused_and_changes_nothing
    the_path_of_a_deleted_function_is_free_at_once
    a_token_for_some_functions_is_not_told_which_other_one_has_the_path
    a_follower_of_the_registry_hears_of_each_change
}

async fn deploy(client: &Client, name: &str, http: &str) -> Result<Deployed, Error> {
    let manifest = format!("[http]\n{http}\n");
    let files = [("function.py", HELLO), ("cloudfunc.toml", &*manifest)];
    client.deploy(&function(name), packed(&files), |_| {}).await
}

async fn deployed(platform: &TestPlatform, name: &str, http: &str) {
    deploy(&platform.client, name, http).await.unwrap();
}

fn has_notice(deployed: &Deployed, line: &str) -> bool {
    deployed.notice.iter().flat_map(|notice| notice.lines()).any(|one| one == line)
}

/// The problem that a deploy or a rollback is answered.
fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    match result {
        Err(Error::Problem(problem)) => {
            assert_eq!((problem.status, problem.code.as_str()), (409, "address_taken"), "{problem:?}");
            *problem
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// The functions with addresses, as a registry tells a gateway that knows none.
async fn told(registry: &TestPlatform) -> HttpFunctions {
    let request = registry.request(Role::Registry, Method::GET, route::HTTP_FUNCTIONS);
    request.send().await.unwrap().json().await.unwrap()
}

/// Their names, and the first path of each.
fn paths(functions: &HttpFunctions) -> Vec<String> {
    let functions = functions.functions.as_ref().expect("all are told");
    functions.iter().map(|one| format!("{} {}", one.name, one.http.paths[0].as_str())).collect()
}

async fn a_path_of_another_function_is_refused_before_the_build_and_its_function_is_named(
    platform: &TestPlatform,
) {
    deployed(platform, "one", "path = '/hooks/{id}'\nmethods = ['POST']\nhost = 'h.example'").await;
    // It could not be built: that is not tried.
    let manifest = "[http]\npath = '/hooks/{name}'\nmethods = ['GET', 'POST']\nhost = 'h.example'\n";
    let files = [("function.py", "import missing\n"), ("cloudfunc.toml", manifest)];
    let problem = refused(platform.try_deploy("two", &files).await);
    assert_eq!(problem.title, "another function has the address");
    assert_eq!(problem.detail, "POST at /hooks/{name} of host h.example belongs to the function 'one'");
    let hint = "choose another path, method or host in [http], or delete the other function first";
    assert_eq!(problem.hint.as_deref(), Some(hint));
    let shown = platform.get("/v1/functions/two").send().await.unwrap();
    assert_eq!(shown.status(), 404, "it was not created");
    deployed(platform, "two", "path = '/hooks/{name}'\nmethods = ['GET']\nhost = 'h.example'").await;
}

async fn a_rollback_that_would_collide_is_refused_and_changes_nothing(platform: &TestPlatform) {
    deployed(platform, "f", "path = '/old'").await;
    let moved = deploy(&platform.client, "f", "path = '/new'").await.unwrap();
    assert!(has_notice(&moved, "/old is no address of 'f' any more"), "{moved:?}");
    deployed(platform, "g", "path = '/old'").await;
    let problem = refused(platform.client.activate(&function("f"), RevisionNumber(1)).await);
    assert_eq!(problem.detail, "every method at /old belongs to the function 'g'");
    assert_eq!(paths(&told(platform).await), ["f /new", "g /old"]);
    deployed(platform, "g", "path = '/other'").await;
    platform.client.activate(&function("f"), RevisionNumber(1)).await.unwrap();
    assert_eq!(paths(&told(platform).await), ["f /old", "g /other"]);
}

async fn the_path_of_a_deleted_function_is_free_at_once(platform: &TestPlatform) {
    deployed(platform, "one", "path = '/'").await;
    refused(deploy(&platform.client, "two", "path = '/'").await);
    platform.client.delete(&function("one")).await.unwrap();
    deployed(platform, "two", "path = '/'").await;
    assert_eq!(paths(&told(platform).await), ["two /"]);
}

async fn a_token_for_some_functions_is_not_told_which_other_one_has_the_path(platform: &TestPlatform) {
    deployed(platform, "theirs", "path = '/a'").await;
    let new = json!({ "name": "ci", "role": "deploy", "functions": ["mine_*"] });
    let made = platform.post("/v1/tokens").json(&new).send().await.unwrap();
    let made: serde_json::Value = made.json().await.unwrap();
    let files = [("function.py", HELLO), ("cloudfunc.toml", "[http]\npath = '/a'\n")];
    let url = format!("http://{}/v1/functions/mine_one/revisions", platform.address(Role::Gateway));
    let request = cloudfunc::http::client().unwrap().post(&url).body(packed(&files));
    let answer = request.bearer_auth(made["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 409);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("theirs"), "{text}");
    let problem: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(problem.detail, "every method at /a belongs to another function");
    // A method of it is free.
    let manifest = ("cloudfunc.toml", "[http]\npath = '/a'\nmethods = ['GET']\n");
    let files = [("function.py", HELLO), manifest];
    let request = cloudfunc::http::client().unwrap().post(&url).body(packed(&files));
    let answer = request.bearer_auth(made["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let text = answer.text().await.unwrap();
    assert!(!text.contains("theirs"), "{text}");
    let divided = deploy(&platform.client, "third", "path = '/a'\nmethods = ['PUT']").await.unwrap();
    let told = "'third' takes PUT of /a, and 'theirs' only the other methods of it";
    assert!(has_notice(&divided, told), "{divided:?}");
}

async fn a_follower_of_the_registry_hears_of_each_change(platform: &TestPlatform) {
    let first = told(platform).await;
    assert_eq!(paths(&first), Vec::<String>::new());
    let next = async |known: &HttpFunctions| -> HttpFunctions {
        let HttpFunctions { process, generation, .. } = known;
        let path = format!("{}?process={process}&generation={generation}", route::HTTP_FUNCTIONS);
        let request = platform.request(Role::Registry, Method::GET, &path);
        request.send().await.unwrap().json().await.unwrap()
    };
    let (second, ()) = tokio::join!(next(&first), deployed(platform, "one", "path = '/a'"));
    assert_eq!(paths(&second), ["one /a"]);
    assert_eq!(second.process, first.process);
    assert!(second.generation > first.generation);
    // A function without addresses is no change.
    platform.deploy("plain", &[("function.py", HELLO)]).await;
    assert_eq!(told(platform).await, second);
    platform.client.delete(&function("one")).await.unwrap();
    let third = next(&second).await;
    assert_eq!(paths(&third), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_functions_that_claim_a_path_on_two_hosts_at_once_one_is_refused() {
    let test = "addresses::of_two_functions_that_claim_a_path_on_two_hosts_at_once_one_is_refused";
    let stack = Stack::named("postgres_rabbitmq_process");
    let Some(platform) = TestPlatform::start(stack, test).await else { return };
    let second = SecondHost::start(&platform, &[Role::Registry, Role::Scheduler, Role::Gateway]).await;
    for round in 0..3 {
        let http = format!("path = '/{round}/{{id}}'");
        let names = [format!("here_{round}"), format!("there_{round}")];
        let (here, there) = tokio::join!(
            deploy(&platform.client, &names[0], &http),
            deploy(&second.client, &names[1], &http),
        );
        let (winner, refused) = match (here, there) {
            (Ok(_), there) => (&names[0], refused(there)),
            (here, Ok(_)) => (&names[1], refused(here)),
            neither => panic!("none has got it: {neither:?}"),
        };
        let told = format!("every method at /{round}/{{id}} belongs to the function '{winner}'");
        assert_eq!(refused.detail, told);
    }
    // Both registries tell their gateways of the same functions.
    let all: Vec<_> = {
        let store = platform.store().await;
        let functions = store.http_functions().await.unwrap();
        store.close().await;
        functions.into_iter().map(|active| active.function.name).collect()
    };
    assert_eq!(all.len(), 3);
    let internal = cloudfunc::place::state::State::open(&second.platform.data_dir).unwrap();
    let internal = internal.internal_token().unwrap();
    let url = format!("http://{}{}", second.platform.addresses.registry, route::HTTP_FUNCTIONS);
    eventually("the second host has heard of all", || async {
        let request = cloudfunc::http::client().unwrap().get(&url).bearer_auth(internal.expose());
        let there: HttpFunctions = request.send().await.unwrap().json().await.unwrap();
        let there = there.functions.unwrap().into_iter().map(|one| one.name).collect::<Vec<_>>();
        (there == all).then_some(())
    })
    .await;
    eventually("and the first one, too", || async {
        let here = told(&platform).await.functions.unwrap().into_iter().map(|one| one.name);
        (here.collect::<Vec<_>>() == all).then_some(())
    })
    .await;
    second.stop().await;
    platform.stop().await;
}
