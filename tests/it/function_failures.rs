//! Functions that fail, each way with all that their callers are told.

use cloudfunc::{
    client::Outcome,
    model::{State, code},
};
use serde_json::{Value, json};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, problem},
    },
};

on_stack! {
    all:
    one_that_raises_is_answered_with_its_own_trace
    one_that_exits_is_a_crash_with_its_code
    a_result_that_is_not_json_is_named
    one_that_never_returns_is_killed_and_nothing_else
    code_that_cannot_be_loaded_answers_each_call_with_its_trace
    an_exit_while_loading_says_why_and_its_output_is_the_invocations
    a_failure_says_where_and_how_long_it_ran
    an_async_one_that_fails_ends_failed_after_one_attempt
    an_exception_class_of_any_name_is_the_functions_own
    one_that_takes_too_much_memory_is_told_its_limit
}

const RAISES: &str = "def handler(event):\n    deeper(event)\n\n\ndef deeper(event):\n    \
                      raise ValueError('no ' + event['what'])\n";

/// Traces name the file as the function sees it; the light stack's folders are different each time.
fn trace_of_raise(platform: &TestPlatform, trace: &str) {
    let file = file_in(platform, trace);
    let expected = format!(
        "Traceback (most recent call last):\n  File \"{file}\", line 2, in handler\n    deeper(event)\n  \
         File \"{file}\", line 6, in deeper\n    raise ValueError('no ' + event['what'])\n\
         ValueError: no luck"
    );
    assert_eq!(trace, expected);
}

fn file_in(platform: &TestPlatform, trace: &str) -> String {
    if platform.stack.has_containers() {
        return "/var/task/function.py".to_owned();
    }
    trace.split('"').find(|part| part.ends_with("/task/function.py")).expect("its file").to_owned()
}

/// The answer to a failing call without its trace, and the trace.
async fn call(platform: &TestPlatform, name: &str, payload: &str) -> ((u16, Value), String) {
    let path = format!("/v1/functions/{name}/invoke");
    let request = platform.post(&path).header("content-type", "application/json");
    let (status, mut value) = document(request.body(payload.to_owned())).await;
    let trace = value.as_object_mut().unwrap().remove("trace");
    ((status, value), trace.map_or_else(String::new, |trace| trace.as_str().unwrap().to_owned()))
}

fn of_function(code: cloudfunc::model::ProblemCode, detail: &str, kind: &str) -> (u16, Value) {
    problem(code, detail, json!({ "invocation_id": "<id>", "error_type": kind }))
}

async fn one_that_raises_is_answered_with_its_own_trace(platform: &TestPlatform) {
    platform.deploy("raiser", &[("function.py", RAISES)]).await;
    let (answer, trace) = call(platform, "raiser", r#"{"what":"luck"}"#).await;
    let detail = "function 'raiser' failed: ValueError: no luck";
    assert_eq!(answer, of_function(code::FUNCTION_FAILED, detail, "ValueError"));
    trace_of_raise(platform, &trace);
    // It lives on.
    let Outcome::Failed(_) = platform.invoke("raiser", r#"{"what":"luck"}"#).await.outcome else {
        panic!("it raises again");
    };

    let ran = platform.cli(&["invoke", "raiser", "--data", r#"{"what":"luck"}"#]).await;
    let (exit, stdout, stderr) = ran;
    assert_eq!((exit, stdout.as_str()), (1, ""), "{stderr}");
    let (shown, line) = stderr.split_once("\nfailed · warm start · ").expect("the line of the run");
    trace_of_raise(platform, shown);
    assert!(line.ends_with(&format!("\nerror: {detail}\n")), "{line}");
}

async fn one_that_exits_is_a_crash_with_its_code(platform: &TestPlatform) {
    for (name, exit) in [("exits", "sys.exit(3)"), ("exits_hard", "os._exit(3)")] {
        let code = format!("import os, sys\n\ndef handler(event):\n    {exit}\n");
        platform.deploy(name, &[("function.py", &code)]).await;
        for _ in 0..2 {
            let (answer, trace) = call(platform, name, "{}").await;
            let detail = format!("function '{name}' crashed: the function's process exited with code 3");
            assert_eq!(answer, of_function(code::FUNCTION_CRASHED, &detail, "exit"), "{exit}");
            assert_eq!(trace, "");
        }
    }
}

async fn a_result_that_is_not_json_is_named(platform: &TestPlatform) {
    for (name, value, problem) in [
        ("a_set", "{1}", "a set that is not JSON: Object of type set is not JSON serializable"),
        (
            "not_a_number",
            "float('nan')",
            "a float that is not JSON: Out of range float values are not JSON compliant",
        ),
    ] {
        let code = format!("def handler(event):\n    return {value}\n");
        platform.deploy(name, &[("function.py", &code)]).await;
        let (answer, _) = call(platform, name, "{}").await;
        let kind = "ResultNotSerializable";
        let detail = format!("function '{name}' failed: {kind}: the handler returned {problem}");
        assert_eq!(answer, of_function(code::FUNCTION_FAILED, &detail, kind));
    }
}

async fn one_that_never_returns_is_killed_and_nothing_else(platform: &TestPlatform) {
    const STUCK: &str =
        "import time\n\ndef handler(event):\n    while event['stuck']:\n        time.sleep(1)\n";
    let timeout = ("cloudfunc.toml", "timeout = \"1s\"\n");
    platform.deploy("stuck", &[("function.py", STUCK), timeout]).await;
    platform.deploy("other", &[("function.py", "def handler(event):\n    return 1\n")]).await;
    platform.invoke("other", "{}").await;
    platform.invoke("stuck", r#"{"stuck":false}"#).await;
    let both = eventually("both are warm", || async {
        let (other, stuck) = (platform.sandboxes("other").await, platform.sandboxes("stuck").await);
        (other.len() == 1 && stuck.len() == 1).then_some((other, stuck))
    });
    let (other, stuck) = both.await;

    let (answer, _) = call(platform, "stuck", r#"{"stuck":true}"#).await;
    let detail = "function 'stuck' timed out: the function did not answer within its timeout of 1 s and was stopped";
    assert_eq!(answer, of_function(code::FUNCTION_TIMED_OUT, detail, "timeout"));
    eventually("the stuck one is gone", || async {
        platform.sandboxes("stuck").await.is_disjoint(&stuck).then_some(())
    })
    .await;
    assert_eq!(platform.sandboxes("other").await, other);
    if platform.stack.has_containers() {
        eventually("only the other one's container is left", || async {
            (platform.containers().await == other).then_some(())
        })
        .await;
    }
    let warm = platform.invoke("other", "{}").await.start;
    assert_eq!(warm, Some(cloudfunc::model::Start::Warm));
    assert_eq!(platform.cli(&["invoke", "stuck", "--data", r#"{"stuck":true}"#]).await.0, 4);
}

async fn code_that_cannot_be_loaded_answers_each_call_with_its_trace(platform: &TestPlatform) {
    platform.deploy_unchecked("broken", &[("function.py", "def handler(event)\n    return 1\n")]).await;
    let calls = (0..3).map(|_| call(platform, "broken", "{}"));
    for (answer, trace) in futures_util::future::join_all(calls).await {
        let message = "expected ':' (function.py, line 1)";
        let detail = format!("function 'broken' failed: SyntaxError: {message}");
        assert_eq!(answer, of_function(code::FUNCTION_FAILED, &detail, "SyntaxError"));
        let file = file_in(platform, &trace);
        let expected = format!(
            "  File \"{file}\", line 1\n    def handler(event)\n                      ^\nSyntaxError: expected ':'"
        );
        assert_eq!(trace, expected);
    }
    let problem = platform.problem("broken", "{}").await;
    let record = platform.client.record(problem.invocation_id.unwrap(), None).await.unwrap();
    assert_eq!(record.state, State::Failed);
    let error = record.attempts[0].error.clone().expect("the record has the error too");
    assert_eq!((error.kind.as_str(), record.start), ("SyntaxError", None));
}

async fn an_exit_while_loading_says_why_and_its_output_is_the_invocations(platform: &TestPlatform) {
    for (name, end, how) in [
        ("silent", "os._exit(4)", "code 4 while its code was loaded"),
        (
            "words",
            "print('checking')\nsys.exit('no licence file')",
            "code 1 while its code was loaded; its last output: checking / no licence file",
        ),
        (
            "segv",
            "print('going')\nos.kill(os.getpid(), 11)",
            "code 139 (signal SIGSEGV) while its code was loaded; its last output: going",
        ),
        ("abrt", "os.abort()", "code 134 (signal SIGABRT) while its code was loaded"),
    ] {
        platform.deploy_unchecked(name, &[("function.py", &format!("import os, sys\n{end}\n"))]).await;
        let (answer, _) = call(platform, name, "{}").await;
        let detail = format!("function '{name}' crashed: the function's process exited with {how}");
        assert_eq!(answer, of_function(code::FUNCTION_CRASHED, &detail, "exit"), "{name}");
    }
    let id = platform.problem("words", "{}").await.invocation_id.unwrap().to_string();
    eventually("the lines of the load are the invocation's", || async {
        let (_, out, _) = platform.cli(&["logs", "words", "--invocation", &id]).await;
        (out.contains("checking") && out.contains("no licence file")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn code_that_does_not_load_in_time_has_failed() {
    let test = "function_failures::code_that_does_not_load_in_time_has_failed";
    let Some(platform) = TestPlatform::start(Stack::LIGHT, test).await else { return };
    let limit = ("cloudfunc.toml", "load_timeout = \"1s\"\n");
    let slow = [("function.py", "import time\ntime.sleep(3600)\n"), limit];
    let Err(cloudfunc::client::Error::Problem(problem)) = platform.try_deploy("slow", &slow).await
    else {
        panic!("it was deployed");
    };
    let words = "the function's code did not load within its load_timeout of 1 s";
    assert_eq!(problem.detail, format!("the code of 'slow' cannot be loaded: {words}"));
    platform.deploy_unchecked("slow", &slow).await;
    let (answer, _) = call(&platform, "slow", "{}").await;
    let detail = format!("function 'slow' failed: load: {words}");
    assert_eq!(answer, of_function(code::FUNCTION_FAILED, &detail, "load"));
    platform.stop().await;
}

/// Longer than a call waits for an instance: it has one, which is still loading.
#[tokio::test]
async fn a_caller_waits_for_code_that_takes_long_to_load() {
    let test = "function_failures::a_caller_waits_for_code_that_takes_long_to_load";
    let change = |platform: &mut cloudfunc::settings::Platform| {
        platform.limits.queue_wait = std::time::Duration::from_millis(300);
    };
    let Some(platform) = TestPlatform::start_with(Stack::LIGHT, test, change).await else { return };
    let code = "import time\ntime.sleep(3.5)\n\ndef handler(event):\n    return 'there'\n";
    platform.deploy_unchecked("slow", &[("function.py", code)]).await;
    assert_eq!(platform.value("slow", "{}").await, "there");
    platform.stop().await;
}

async fn one_that_takes_too_much_memory_is_told_its_limit(platform: &TestPlatform) {
    const EATS: &str = "def handler(event):\n    return len(bytearray(200 << 20))\n";
    let memory = ("cloudfunc.toml", "memory = \"64MiB\"\n");
    platform.deploy("eater", &[("function.py", EATS), memory]).await;
    let (answer, _) = call(platform, "eater", "{}").await;
    let detail = "function 'eater' crashed: the function used more than its memory limit of 64 MiB";
    assert_eq!(answer, of_function(code::FUNCTION_CRASHED, detail, "out_of_memory"));
}

async fn a_failure_says_where_and_how_long_it_ran(platform: &TestPlatform) {
    platform.deploy("raiser", &[("function.py", RAISES)]).await;
    for (start, phases) in [
        ("cold", &["admit", "queue", "start", "load", "run"][..]),
        ("warm", &["admit", "queue", "run"][..]),
    ] {
        let response = platform.post("/v1/functions/raiser/invoke").send().await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((response.status().as_u16(), header("cloudfunc-start").as_str()), (500, start));
        header("cloudfunc-instance").parse::<cloudfunc::model::InstanceId>().unwrap();
        let timing = header("server-timing");
        let names: Vec<&str> =
            timing.split(", ").map(|phase| phase.split_once(";dur=").unwrap().0).collect();
        assert_eq!(names, phases, "{timing}");
    }
}

async fn an_async_one_that_fails_ends_failed_after_one_attempt(platform: &TestPlatform) {
    platform.deploy("raiser", &[("function.py", RAISES)]).await;
    let record = platform.run_async("raiser", r#"{"what":"luck"}"#).await;
    assert_eq!(record.state, State::Failed);
    let [attempt] = record.attempts.as_slice() else { panic!("{record:?}") };
    assert_eq!((attempt.number, attempt.outcome), (1, Some(State::Failed)));
    let error = attempt.error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("ValueError", "no luck"));
    trace_of_raise(platform, error.trace.as_deref().unwrap());

    let (status, mut value) =
        document(platform.get(&format!("/v1/invocations/{}/result", record.id))).await;
    value.as_object_mut().unwrap().remove("trace");
    // The id is in the detail too.
    let detail = format!("invocation {} failed: ValueError: no luck", record.id);
    assert_eq!((status, value), of_function(code::FUNCTION_FAILED, &detail, "ValueError"));
}

/// The platform's own failures have the type `platform`.
async fn an_exception_class_of_any_name_is_the_functions_own(platform: &TestPlatform) {
    let source =
        "class platform(Exception):\n    pass\n\n\ndef handler(event):\n    raise platform('no')\n";
    platform.deploy("raiser", &[("function.py", source)]).await;
    let record = platform.run_async("raiser", "{}").await;
    assert_eq!((record.state, &record.reason), (State::Failed, &None));
    let (status, mut value) =
        document(platform.get(&format!("/v1/invocations/{}/result", record.id))).await;
    value.as_object_mut().unwrap().remove("trace");
    let detail = format!("invocation {} failed: platform: no", record.id);
    assert_eq!((status, value), of_function(code::FUNCTION_FAILED, &detail, "platform"));
}
