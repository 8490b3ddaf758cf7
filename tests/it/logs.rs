//! Logs as they are read: the newest, the whole, the truth.

use std::{process::Stdio, time::Duration};

use cloudfunc::{
    client::{LogQuery, Outcome},
    model::{InvocationId, LineKind, LogLine, State, Stream, Tail, code},
};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    on_stack,
    support::{
        eventually,
        platform::{Stack, TestPlatform, document, function, json as body, problem},
        terminal::shown_by,
    },
};

on_stack! {
    light:
    the_newest_lines_are_shown_and_older_ones_are_mentioned
    pages_lead_from_the_newest_lines_to_the_oldest
    a_reader_sees_what_was_written_before
    an_error_is_in_the_log_and_beside_the_answer
    a_load_error_is_in_the_log
    a_cut_line_and_dropped_output_are_marked_where_they_are
    a_part_of_an_id_is_as_good_as_the_id
    foreign_text_does_not_steer_a_terminal
    moments_in_json_have_one_width
    followed_lines_begin_with_the_tail_and_none_comes_twice
    events_say_when_invocations_began_and_ended
}

on_stack! {
    @ postgres_rabbitmq_oci:
    a_reader_sees_what_was_written_before
}

const PRINTER: &str =
    "def handler(event):\n    for i in range(event['from'], event['to']):\n        print(i)\n";

async fn print_range(platform: &TestPlatform, name: &str, from: u32, to: u32) -> InvocationId {
    platform.invoke(name, &json!({ "from": from, "to": to }).to_string()).await.id
}

/// The lines, the next cursor, and how many are said to be older.
async fn read(
    platform: &TestPlatform,
    query: LogQuery,
) -> (Vec<LogLine>, Option<String>, Option<String>) {
    eventually("no line is missing", || async {
        // A reader waits for a second, which may be too short on a busy machine; then it says so.
        let mut answer = platform.client.logs(&query).await.unwrap();
        let mut lines = Vec::new();
        while let Some(line) = answer.next().await.unwrap() {
            lines.push(line);
        }
        (answer.missing == 0).then_some((lines, answer.older, answer.older_lines))
    })
    .await
}

fn of(name: &str) -> LogQuery {
    LogQuery { functions: vec![function(name)], ..LogQuery::default() }
}

async fn the_newest_lines_are_shown_and_older_ones_are_mentioned(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    print_range(platform, "f", 0, 6000).await;
    print_range(platform, "f", 6000, 12_000).await;
    read(platform, of("f")).await;
    let numbers = |text: &str| -> Vec<u32> {
        text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    };
    let expect = async |arguments: &[&str], lines: std::ops::Range<u32>, said: &str| {
        let (exit, stdout, stderr) = platform.cli(&[&["logs"], arguments].concat()).await;
        assert_eq!((exit, stderr.as_str()), (0, said), "{arguments:?}");
        assert_eq!(numbers(&stdout), lines.collect::<Vec<_>>(), "{arguments:?}");
    };
    let older = "2000 older lines are not shown; `--tail all`, or a number, shows more\n";
    expect(&["f"], 2000..12_000, older).await;
    expect(&[], 2000..12_000, older).await;
    expect(&["f", "--since", "1h"], 2000..12_000, older).await;
    expect(&["f", "--tail", "all"], 0..12_000, "").await;
    expect(&["f", "--tail", "11000", "--since", "1h"], 1000..12_000, "").await;
    expect(&["f", "--tail", "3"], 11_997..12_000, "").await;
    expect(&["f", "--invocation", &InvocationId::new().to_string()], 0..0, "no log lines\n").await;

    let (_, stdout, stderr) = platform.cli(&["logs", "f", "--json"]).await;
    assert!(stdout.lines().last().unwrap().contains("\"11999\""), "the newest in JSON too");
    assert_eq!(stderr, json!({ "warning": older.trim_end() }).to_string() + "\n");
    let (exit, _, stderr) = platform.cli(&["logs", "f", "--tail", "some"]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("'some' is not a number of lines; write one, or 'all'"), "{stderr}");
}

async fn pages_lead_from_the_newest_lines_to_the_oldest(platform: &TestPlatform) {
    // As JSON each line is six times as long.
    let code = "def handler(event):\n    for i in range(16):\n        print('\\x01' * 60000 + str(event * 16 + i))\n";
    platform.deploy("f", &[("function.py", code)]).await;
    for number in 0..3 {
        platform.invoke("f", &number.to_string()).await;
    }
    read(platform, of("f")).await;
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let response = platform.get(&format!("/v1/functions/f/logs{cursor}")).send().await.unwrap();
        let headers = response.headers().clone();
        let body = response.text().await.unwrap();
        assert!(body.len() <= 4 << 20, "{} bytes", body.len());
        let page: Vec<u32> = body
            .lines()
            .map(|line| serde_json::from_str::<LogLine>(line).unwrap().line[60_000..].parse().unwrap())
            .collect();
        assert!(!page.is_empty() && page.is_sorted(), "oldest first: {page:?}");
        pages.insert(0, page);
        let Some(next) = headers.get("cloudfunc-next-cursor") else { break };
        let older = headers["cloudfunc-older-lines"].to_str().unwrap().parse::<usize>().unwrap();
        assert_eq!(older + pages.concat().len(), 48);
        cursor = format!("?cursor={}", next.to_str().unwrap());
    }
    assert!(pages.len() > 3, "{} pages", pages.len());
    assert_eq!(pages.concat(), (0..48).collect::<Vec<_>>());
    let all = platform.get("/v1/functions/f/logs?tail=all").send().await.unwrap();
    assert_eq!(all.text().await.unwrap().lines().count(), 48);
    let (last, older, _) = read(platform, LogQuery { tail: Some(Tail::Lines(40)), ..of("f") }).await;
    assert_eq!((last.len(), older.is_some()), (40, true), "a number of lines is no page");

    let detail = "what is older than a cursor cannot be followed: leave out one of the two";
    let refused = document(platform.get("/v1/logs?cursor=7&follow=true")).await;
    assert_eq!(refused, problem(code::BAD_REQUEST, detail, json!({})));
    for cursor in ["x", "-1", ""] {
        let (status, answer) = document(platform.get(&format!("/v1/logs?cursor={cursor}"))).await;
        assert_eq!(status, 400, "{answer}");
    }
}

async fn a_reader_sees_what_was_written_before(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    for number in 0..10 {
        let id = print_range(platform, "f", number, number + 1).await;
        let (lines, ..) = read(platform, LogQuery { tail: Some(Tail::Lines(1)), ..of("f") }).await;
        assert_eq!((lines[0].line.clone(), lines[0].invocation_id), (number.to_string(), Some(id)));
    }
    let record = platform.run_async("f", "{\"from\": 100, \"to\": 103}").await;
    assert_eq!(record.attempts[0].lines, Some(3));
    let query = LogQuery { invocation: Some(record.id.into()), ..LogQuery::default() };
    assert_eq!(read(platform, query).await.0.len(), 3);
}

const RAISER: &str = "import sys\n\ndef handler(event):\n    print('before')\n    print('warned', file=sys.stderr)\n    raise ValueError('no such thing')\n";

async fn an_error_is_in_the_log_and_beside_the_answer(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", RAISER)]).await;
    let answer = platform.invoke("f", "{}").await;
    let Outcome::Failed(told) = answer.outcome else { panic!("{:?}", answer.outcome) };
    let (lines, ..) = read(platform, of("f")).await;
    let printed: Vec<_> = lines.iter().filter(|line| line.stream != Stream::Platform).collect();
    assert_eq!(printed.len(), 2);
    let errors: Vec<_> = lines.iter().filter(|line| line.kind == Some(LineKind::Error)).collect();
    assert_eq!(errors.len() + printed.len(), lines.len());
    let trace: Vec<_> = errors.iter().map(|line| line.line.as_str()).collect();
    assert_eq!(trace.join("\n"), told.trace.unwrap().trim());
    for line in &errors {
        assert_eq!((line.stream, line.invocation_id), (Stream::Platform, Some(answer.id)));
        assert_eq!((line.attempt, line.instance), (Some(1), printed[0].instance));
    }

    for arguments in [vec!["invoke", "f"], vec!["invocation", "wait", "@last"]] {
        let (exit, stdout, stderr) = platform.cli(&arguments).await;
        assert_eq!((exit, stdout.as_str()), (1, ""), "{stderr}");
        for once in ["before\n", "warned\n", "Traceback (most recent call last)"] {
            assert_eq!(stderr.matches(once).count(), 1, "{once}: {stderr}");
        }
    }
    let (exit, stdout, _) = platform.cli(&["invocation", "show", "@last"]).await;
    assert_eq!(exit, 0);
    let (record, rest) = stdout.split_once("\n\ntrace:\n").unwrap();
    assert!(record.starts_with("id "), "{stdout}");
    assert!(rest.starts_with("Traceback (most"), "{stdout}");
    assert!(rest.contains("ValueError: no such thing\n\noutput:\n"), "{stdout}");
    assert!(rest.contains("before\n") && rest.contains("warned\n"), "{stdout}");
    let (_, stdout, stderr) = platform.cli(&["invoke", "f", "--json"]).await;
    assert!(!stderr.contains("before"), "one document, and nothing else: {stderr}");
    assert!(stdout.contains("\"trace\""));
}

async fn a_load_error_is_in_the_log(platform: &TestPlatform) {
    for (name, code, said) in [
        ("broken", "import no_such_module\n", "No module named 'no_such_module'"),
        ("wrong", "def handler(:\n", "SyntaxError"),
        ("quitter", "def handler(event):\n    import os\n    os._exit(3)\n", "exited with code 3"),
        ("bare", "class E(Exception): pass\ndef handler(event):\n    raise E\n", "E"),
    ] {
        // Without a look at the code before.
        platform.deploy_unchecked(name, &[("function.py", code)]).await;
        platform.invoke(name, "{}").await;
        let (lines, ..) = read(platform, of(name)).await;
        let last = lines.last().unwrap_or_else(|| panic!("{name} has no lines"));
        assert_eq!((last.stream, last.kind), (Stream::Platform, Some(LineKind::Error)), "{name}");
        assert!(lines.iter().any(|line| line.line.contains(said)), "{name}: {lines:?}");
        assert!(last.invocation_id.is_some());
    }
}

async fn a_cut_line_and_dropped_output_are_marked_where_they_are(platform: &TestPlatform) {
    let code = "def handler(event):\n    print('a')\n    print('x' * 140000)\n    print('b')\n    for _ in range(event):\n        print()\n";
    platform.deploy("f", &[("function.py", code)]).await;
    platform.invoke("f", "20000").await;
    platform.invoke("f", "0").await;
    let (lines, ..) = read(platform, LogQuery { tail: Some(Tail::All), ..of("f") }).await;
    let short = |line: &LogLine| {
        if line.line.len() > 200 { line.line.len().to_string() } else { line.line.clone() }
    };
    let cut = [
        "a",
        "65536",
        "65536",
        "8928",
        "cut: a line of stdout with 140000 bytes is shown in 3 pieces",
        "b",
    ];
    assert_eq!(lines[..6].iter().map(short).collect::<Vec<_>>(), cut);
    assert_eq!((lines[4].stream, lines[4].kind), (Stream::Platform, Some(LineKind::Cut)));
    let rest = &lines[6..];
    let mark = rest.iter().position(|line| line.kind == Some(LineKind::Truncated)).unwrap();
    assert_eq!(mark, 10_000 - 5, "lines count, and the mark stands where the first is missing");
    let text = "truncated: output over 1024 KiB or 10000 lines was dropped: 10005 lines, 10005 bytes";
    assert_eq!(rest[mark].line, text);
    assert_eq!(
        rest[mark + 1..].iter().map(short).collect::<Vec<_>>(),
        cut,
        "the next one has its own limit"
    );
}

async fn a_part_of_an_id_is_as_good_as_the_id(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    let (one, other) = (print_range(platform, "f", 1, 2).await, print_range(platform, "f", 2, 3).await);
    let text = one.to_string();
    let (end, digits) = (&text[28..], text.replace('-', ""));
    for part in [end, &end.to_uppercase(), &text[24..], &digits[4..], &digits[..31]] {
        let record =
            platform.client.record(part.parse::<cloudfunc::model::InvocationRef>().unwrap(), None);
        assert_eq!(record.await.unwrap().id, one, "{part}");
        let (exit, stdout, stderr) = platform.cli(&["logs", "--invocation", part]).await;
        assert_eq!((exit, stdout.lines().count()), (0, 1), "{stderr}");
        assert!(stdout.contains(&end[..8]), "as logs print it: {stdout}");
        let (exit, stdout, _) = platform.cli(&["invocation", "show", part]).await;
        assert!(exit == 0 && stdout.contains(&text), "{stdout}");
    }
    let (exit, stdout, stderr) = platform.cli(&["invocation", "wait", end]).await;
    assert_eq!((exit, stdout.as_str()), (0, "null"), "{stderr}");
    let result = platform.get(&format!("/v1/invocations/{end}/result")).send().await.unwrap();
    assert_eq!(result.headers()["cloudfunc-invocation-id"], text.as_str(), "the whole id");

    // Made within the same minute: their beginnings are the same.
    let begin = &text[..6];
    let detail = format!("'{begin}' is part of the ids of several invocations: {other}, {one}");
    let hint = json!({ "hint": "give more digits of the id" });
    let refused = document(platform.get(&format!("/v1/invocations/{begin}"))).await;
    assert_eq!(refused, problem(code::BAD_REQUEST, &detail, hint));
    let (exit, _, stderr) = platform.cli(&["invocation", "show", begin]).await;
    assert!(exit == 2 && stderr.contains(&detail), "{stderr}");
    let (status, answer) = document(platform.get("/v1/logs?invocation=00000000")).await;
    let detail = "there is no invocation whose id begins or ends with '00000000'";
    assert_eq!((status, &answer["detail"]), (404, &json!(detail)), "{answer}");
    for wrong in ["abc", "xyzw", "@last", &"0".repeat(40)] {
        let (status, answer) = document(platform.get(&format!("/v1/invocations/{wrong}"))).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_request")), "{wrong}: {answer}");
    }
}

async fn foreign_text_does_not_steer_a_terminal(platform: &TestPlatform) {
    let code = "def handler(event):\n    print('\\x1b[2K\\x1b]0;title\\x07 one\\rtwo \\u009b31m \\u202e')\n    raise ValueError('a\\nfake \\x1b[31m \\u202e')\n";
    let manifest = "name = \"f\"\ndescription = \"\\u001b[31mred \\u202e\"\n";
    platform.deploy("f", &[("function.py", code), ("cloudfunc.toml", manifest)]).await;
    let (exit, ..) = platform.cli(&["invoke", "f"]).await;
    assert_eq!(exit, 1);
    let escaped = "\\x1b[2K\\x1b]0;title\\x07 one\\rtwo \\u{9b}31m \\u{202e}";
    // Printed while it is loaded, too.
    let folder = tempfile::tempdir().unwrap();
    let at_load = folder.path().join("loud");
    std::fs::create_dir(&at_load).unwrap();
    std::fs::write(at_load.join("function.py"), format!("{code}\nprint('\\x1b[31mred')\n")).unwrap();
    let at_load = at_load.to_str().unwrap();
    for (arguments, expected) in [
        (vec!["deploy", at_load, "--verbose"], vec!["loud wrote while it was loaded:", "\\x1b[31mred"]),
        (vec!["logs", "f"], vec![escaped, "fake \\x1b[31m \\u{202e}"]),
        (vec!["invoke", "f"], vec![escaped, "a\\nfake \\x1b[31m \\u{202e}"]),
        (vec!["list"], vec!["\\x1b[31mred \\u{202e}"]),
        (vec!["show", "f"], vec!["\\x1b[31mred \\u{202e}"]),
        (vec!["invocation", "show", "@last"], vec![escaped, "a\\nfake \\x1b[31m \\u{202e}"]),
        (vec!["invocation", "list"], vec!["failed"]),
        (vec!["logs", "f", "--json"], vec!["\\u001b[2K", "\\u009b31m", "\\u202e"]),
    ] {
        let shown = shown_by(platform.command(&[&["--color", "never"], &arguments[..]].concat())).await;
        for text in expected {
            assert!(shown.contains(text), "{arguments:?} has no {text}:\n{shown:?}");
        }
        // A spinner's own codes clear its line.
        let plain = shown.replace("\r\n", "\n").replace("\r\u{1b}[2K", "");
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        let has_spinner = ["deploy", "invoke"].contains(&arguments[0]);
        assert!(!plain.contains(hostile) || has_spinner, "{arguments:?}: {plain:?}");
        assert!(
            !plain.contains("\u{1b}]0;") && !plain.contains("\u{1b}[31m"),
            "{arguments:?}: {plain:?}"
        );
    }
    let (_, stdout, _) = platform.cli(&["logs", "f"]).await;
    assert!(
        stdout.contains("\u{1b}[2K\u{1b}]0;title\u{7} one\rtwo \u{9b}31m \u{202e}"),
        "exact in a pipe"
    );
}

async fn moments_in_json_have_one_width(platform: &TestPlatform) {
    fn moments(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    match value.as_str() {
                        Some(text) if key == "ts" || key.ends_with("_at") => found.push(text.to_owned()),
                        _ => moments(value, found),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| moments(item, found)),
            _ => {}
        }
    }
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        let id = print_range(platform, "f", 0, 2).await;
        // From memory, and from the store.
        for path in [format!("/v1/invocations/{id}"), "/v1/invocations".to_owned()] {
            moments(&platform.get(&path).send().await.unwrap().json_value().await, &mut found);
        }
    }
    for path in ["/v1/functions", "/v1/functions/f/revisions", "/v1/functions/f/instances"] {
        moments(&platform.get(path).send().await.unwrap().json_value().await, &mut found);
    }
    let logs = platform.get("/v1/functions/f/logs").send().await.unwrap().text().await.unwrap();
    for line in logs.lines() {
        moments(&serde_json::from_str(line).unwrap(), &mut found);
    }
    assert!(found.len() > 10, "{found:?}");
    for moment in found {
        assert!(moment.len() == "2026-01-31T12:00:00.123Z".len() && moment.ends_with('Z'), "{moment}");
    }
}

trait JsonValue {
    async fn json_value(self) -> serde_json::Value;
}

impl JsonValue for reqwest::Response {
    async fn json_value(self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes().await.unwrap()).unwrap()
    }
}

async fn followed_lines_begin_with_the_tail_and_none_comes_twice(platform: &TestPlatform) {
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    print_range(platform, "f", 0, 50).await;
    let query = LogQuery { tail: Some(Tail::Lines(5)), follow: true, sequence: true, ..of("f") };
    let mut followed = platform.client.logs(&query).await.unwrap();
    let mut lines = Vec::new();
    for from in [50, 60, 70] {
        print_range(platform, "f", from, from + 10).await;
        while lines.len() < from as usize + 10 - 45 {
            lines.push(followed.next().await.unwrap().unwrap());
        }
    }
    let numbers =
        |lines: &[LogLine]| lines.iter().map(|line| line.line.parse().unwrap()).collect::<Vec<u32>>();
    assert_eq!(numbers(&lines), (45..80).collect::<Vec<_>>());
    assert!(lines.is_sorted_by_key(|line| line.sequence));
    drop(followed);
    let resumed = LogQuery { after: lines[10].sequence, tail: None, ..query };
    let mut followed = platform.client.logs(&resumed).await.unwrap();
    let mut again = Vec::new();
    while again.len() < 24 {
        again.push(followed.next().await.unwrap().unwrap());
    }
    assert_eq!(numbers(&again), (56..80).collect::<Vec<_>>());
    let none = LogQuery { tail: Some(Tail::Lines(0)), ..resumed };
    let mut followed = platform.client.logs(&LogQuery { after: None, ..none }).await.unwrap();
    print_range(platform, "f", 99, 100).await;
    assert_eq!(followed.next().await.unwrap().unwrap().line, "99");
}

async fn events_say_when_invocations_began_and_ended(platform: &TestPlatform) {
    let silent = "def handler(event):\n    return 1 / event\n";
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    platform.deploy("silent", &[("function.py", silent)]).await;
    let first = print_range(platform, "f", 0, 2).await;
    let without = platform.invoke("silent", "2").await.id;
    let failed = platform.invoke("silent", "0").await.id;
    let last = print_range(platform, "f", 2, 3).await;
    let told = async |query: LogQuery| {
        let (lines, ..) = read(platform, LogQuery { events: true, ..query }).await;
        let shown = |line: &LogLine| {
            let id = line.invocation_id.unwrap();
            let which = [first, without, failed, last].iter().position(|one| *one == id).unwrap();
            match line.kind {
                Some(LineKind::Error) => format!("{which} error"),
                // Without the duration.
                Some(LineKind::End) => {
                    let (begin, rest) = line.line.split_once(" after ").unwrap();
                    format!("{which} {begin}{}", &rest[rest.find(',').unwrap()..])
                }
                _ => format!("{which} {}", line.line),
            }
        };
        let mut shown: Vec<_> = lines.iter().map(shown).collect();
        shown.dedup();
        shown
    };
    let of_f = [
        "0 START revision 1, attempt 1",
        "0 0",
        "0 1",
        "0 END succeeded, cold start",
        "3 START revision 1, attempt 1",
        "3 2",
        "3 END succeeded, warm start",
    ];
    let of_silent = [
        "1 START revision 1, attempt 1",
        "1 END succeeded, cold start",
        "2 START revision 1, attempt 1",
        "2 error",
        "2 END failed, warm start: ZeroDivisionError",
    ];
    assert_eq!(told(of("f")).await, of_f);
    assert_eq!(told(of("silent")).await, of_silent);
    let all = [&of_f[..4], &of_silent[..], &of_f[4..]].concat();
    assert_eq!(told(LogQuery::default()).await, all);
    assert_eq!(told(LogQuery { tail: Some(Tail::All), ..LogQuery::default() }).await, all);
    for lines in [0, 1, 2, 4, 5, 7, 9] {
        let shown = told(LogQuery { tail: Some(Tail::Lines(lines)), ..of("f") }).await;
        assert_eq!(shown, of_f[of_f.len().saturating_sub(lines as usize)..], "{lines}");
    }
    let shown = told(LogQuery { tail: Some(Tail::Lines(1)), ..of("silent") }).await;
    assert_eq!(shown, of_silent[4..]);
    let (exit, _, stderr) = platform.cli(&["logs", "f", "--invocation", &failed.to_string()]).await;
    assert_eq!(exit, 2, "{stderr}");
    assert!(stderr.contains("is one of 'silent'"), "{stderr}");
    assert_eq!(
        told(LogQuery { invocation: Some(without.into()), ..of("silent") }).await,
        of_silent[..2]
    );
    let (exit, stdout, stderr) = platform.cli(&["logs", "silent", "--events"]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(
        stdout.contains(" [END failed after ") && stdout.contains(" start: ZeroDivisionError]"),
        "{stdout}"
    );
    let (lines, ..) = read(platform, of("f")).await;
    assert_eq!(lines.len(), 3, "only where they are asked for");

    let query =
        LogQuery { tail: Some(Tail::Lines(0)), follow: true, sequence: true, events: true, ..of("f") };
    let mut followed = platform.client.logs(&query).await.unwrap();
    let id = print_range(platform, "f", 7, 8).await;
    for (kind, text) in
        [(Some(LineKind::Start), "START"), (None, "7"), (Some(LineKind::End), "END succ")]
    {
        let line = followed.next().await.unwrap().unwrap();
        assert_eq!((line.kind, line.invocation_id), (kind, Some(id)), "{line:?}");
        assert!(line.line.starts_with(text), "{line:?}");
    }
}

#[tokio::test]
async fn who_follows_or_waits_goes_on_after_a_restart() {
    let test = "logs::who_follows_or_waits_goes_on_after_a_restart";
    let mut platform = TestPlatform::start(Stack::LIGHT, test).await.unwrap();
    platform.deploy("f", &[("function.py", PRINTER)]).await;
    let slow = "import time\ndef handler(event):\n    time.sleep(1)\n    return 'done'\n";
    platform.deploy("slow", &[("function.py", slow)]).await;
    print_range(&platform, "f", 0, 10).await;
    let begin = |arguments: &[&str]| {
        let mut command = platform.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
    };
    let mut following = begin(&["logs", "f", "-f", "--tail", "3"]);
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut number = async || {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap();
        line.unwrap().unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let mut seen = Vec::new();
    while seen.last() != Some(&9) {
        seen.push(number().await);
    }
    let id = platform.client.invoke_async(&function("slow"), body("{}")).await.unwrap().id;
    let waiting = begin(&["invocation", "wait", &id.to_string()]);
    eventually("it runs", || async {
        let record = platform.client.record(id, None).await.unwrap();
        (record.state != State::Queued).then_some(())
    })
    .await;
    // What waits has had its first answer when a command that began after it has.
    let (exit, ..) = platform.cli(&["invocation", "show", &id.to_string()]).await;
    assert_eq!(exit, 0);
    for from in [10, 20] {
        platform.restart().await;
        print_range(&platform, "f", from, from + 10).await;
        while seen.last() != Some(&(from + 9)) {
            seen.push(number().await);
        }
    }
    assert_eq!(seen, (7..30).collect::<Vec<_>>(), "none is missing, and none comes twice");
    following.start_kill().unwrap();
    let said = following.wait_with_output().await.unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    let warns =
        |line: &str| line.starts_with("warning: ") && line.ends_with("; trying again for up to 60 s");
    assert!(said.lines().all(warns) && said.lines().count() == 2, "once each: {said}");
    let waited = waiting.wait_with_output().await.unwrap();
    assert_eq!((waited.status.code(), waited.stdout.as_slice()), (Some(0), &b"done"[..]), "{waited:?}");
    platform.stop().await;
}
