//! Promises of Node's shim beyond those of every language: events and results, modules, output, ends.

use super::*;

/// A spec with these files; the handler is `function.handler`.
pub fn node_spec(fixture: &Fixture, files: &[(&str, &str)]) -> Spec {
    spec_of(fixture, Language::Node, "22", files)
}

/// Loaded from one file.
pub async fn node(fixture: &Fixture, code: &str) -> Instance {
    node_with(fixture, &[("function.mjs", code)]).await
}

pub async fn node_with(fixture: &Fixture, files: &[(&str, &str)]) -> Instance {
    let mut instance = fixture.start_spec(&node_spec(fixture, files)).await;
    instance.load().await.unwrap_or_else(|failure| panic!("{files:?}: {failure:?}"));
    instance
}

const ECHO: &str = "export const handler = (event) => event;\n";

pub async fn node_takes_and_returns_json_text_and_bytes(fixture: &Fixture) {
    let mut instance = node(fixture, ECHO).await;
    for (given, payload, answered) in [
        ("application/json", "{\"a\":[1,null]}".as_bytes(), "application/json"),
        ("application/problem+json; charset=utf-8", "{\"ä\":1}".as_bytes(), "application/json"),
        ("text/plain; charset=utf-8", "grün".as_bytes(), "text/plain; charset=utf-8"),
        ("application/octet-stream", &[0, 255, 10], "application/octet-stream"),
        ("", &[], "application/octet-stream"),
    ] {
        let (content_type, bytes) = typed(instance.invoke_as(given, payload).await.unwrap());
        assert_eq!((content_type.as_str(), &bytes[..]), (answered, payload), "{given}");
    }
    for (given, payload) in [
        ("text/plain; charset=latin-1", &b"gr\xfcn"[..]),
        ("text/plain; x=\"a;charset=undefined\\\"\"; Charset=\"latin\\-1\" ; charset=utf-8", b"gr\xfcn"),
        ("text/plain; x=\"charset=undefined\"", "grün".as_bytes()),
        ("text/plain; charset=windows-1252", b"gr\xfcn"),
        ("text/plain; charset=iso-8859-16", b"gr\xfcn"),
        ("text/plain; charset=utf-16", b"\xfe\xff\0g\0r\0\xfc\0n"),
        ("text/plain; charset=utf-16", b"\xff\xfeg\0r\0\xfc\0n\0"),
        ("text/plain; charset=utf-16le", b"g\0r\0\xfc\0n\0"),
        ("text/plain; charset=utf-32be", b"\0\0\0g\0\0\0r\0\0\0\xfc\0\0\0n"),
        ("text/plain; charset=utf-32", b"\xff\xfe\0\0g\0\0\0r\0\0\0\xfc\0\0\0n\0\0\0"),
        // Which the door refuses.
        ("text/plain; charset=undefined", "grün".as_bytes()),
        ("text/plain; x=\"", "grün".as_bytes()),
    ] {
        let (_, bytes) = typed(instance.invoke_as(given, payload).await.unwrap());
        assert_eq!(String::from_utf8_lossy(&bytes), "grün", "{given}");
    }
    for (charset, payload, text) in [
        ("ascii", b"gr\xfcn", "gr\u{fffd}n"),
        ("windows-1252", b"\x80\x92\x81a", "€’\u{fffd}a"),
        ("iso-8859-16", b"\xa4\xfe\xffa", "€țÿa"),
        ("koi8-u", b"\xc1\xa4\xc2a", "аєбa"),
    ] {
        let given = format!("text/plain; charset={charset}");
        let (_, bytes) = typed(instance.invoke_as(&given, payload).await.unwrap());
        assert_eq!(String::from_utf8_lossy(&bytes), text, "{charset}");
    }
    instance.sandbox.remove().await;

    let code = r"
const results = {
  undefined: undefined, null: null, number: 1.5, nan: NaN, text: 'ä', date: new Date(0), empty: '',
  buffer: Buffer.from('b'), view: new Uint16Array([0x6261]), plain: new TextEncoder().encode('c').buffer,
  later: Promise.resolve([1]), thenable: { then(done) { done({ a: 1 }); } }, left: { out: undefined, in: 1 },
};
export function handler(event) { return results[event]; }
";
    let mut instance = node(fixture, code).await;
    for (event, content_type, answer) in [
        ("undefined", "application/json", "null"),
        ("null", "application/json", "null"),
        ("number", "application/json", "1.5"),
        ("nan", "application/json", "null"),
        ("text", "text/plain; charset=utf-8", "ä"),
        ("empty", "text/plain; charset=utf-8", ""),
        ("date", "application/json", "\"1970-01-01T00:00:00.000Z\""),
        ("buffer", "application/octet-stream", "b"),
        ("view", "application/octet-stream", "ab"),
        ("plain", "application/octet-stream", "c"),
        ("later", "application/json", "[1]"),
        ("thenable", "application/json", "{\"a\":1}"),
        ("left", "application/json", "{\"in\":1}"),
    ] {
        let (seen, bytes) = typed(instance.invoke(&format!("\"{event}\"")).await.unwrap());
        assert_eq!(
            (seen.as_str(), &*String::from_utf8_lossy(&bytes)),
            (content_type, answer),
            "{event}"
        );
    }
    instance.sandbox.remove().await;
}

pub async fn node_gives_a_handler_its_context_environment_and_secrets(fixture: &Fixture) {
    let body = "[context.function, context.revision, context.attempt, context.headers['x-request'], \
                context.remainingMs() > 29000 && context.remainingMs() <= 30000, context.contentType, \
                context.body.toString(), context.invocationId.length, process.env.GREETING, process.env.API_KEY, \
                process.cwd().slice(-4)]";
    // A second parameter need not be declared as one.
    for handler in [
        format!("async (event, context) => {body}"),
        format!("(event, context = {{}}) => {body}"),
        format!("(...both) => {{ const context = both[1]; return {body}; }}"),
        format!("function () {{ const context = arguments[1]; return {body}; }}"),
        format!("function (event, context) {{ return {body}; }}.bind(null)"),
    ] {
        let mut instance = node(fixture, &format!("export const handler = {handler};\n")).await;
        assert!(instance.guest.with_context(), "{handler}");
        assert_eq!(
            instance.result("{}").await,
            r#"["contract",7,2,"r1",true,"application/json","{}",36,"Hello","hunter2","task"]"#,
            "{handler}"
        );
        instance.sandbox.remove().await;
    }
    for handler in
        ["(event) => event", "async event => event", "function named(event) { return event; }"]
    {
        let mut instance = node(fixture, &format!("export const handler = {handler};\n")).await;
        assert!(!instance.guest.with_context(), "{handler}");
        assert_eq!(instance.result("1").await, "1");
        instance.sandbox.remove().await;
    }
}

pub async fn node_answers_6_mib(fixture: &Fixture) {
    let mut instance = node(fixture, ECHO).await;
    let payload: Vec<u8> = (0..6 * MIB).map(|i| (i % 251) as u8).collect();
    for size in [payload.len(), 65_536 - 8, 65_537, 100_000] {
        let sent = &payload[..size];
        let (_, bytes) = typed(instance.invoke_as("application/octet-stream", sent).await.unwrap());
        assert!(bytes == sent, "{size}");
    }
    assert_eq!(instance.result("1").await, "1");
    instance.sandbox.remove().await;
}

pub async fn node_handlers_come_in_every_kind_of_module(fixture: &Fixture) {
    let module = r#"{"type": "module"}"#;
    for files in [
        &[("function.mjs", "export default async function (event) { return event; }\n")][..],
        &[("function.mjs", "export default { handler: (event) => event };\n")],
        &[("function.cjs", "exports.handler = (event) => event;\n")],
        &[("function.cjs", "module.exports = (event) => event;\n")],
        &[("function.cjs", "module.exports = class { static handler(event) { return event; } };\n")],
        &[("function.js", "module.exports = { handler(event) { return event; } };\n")],
        &[("function.js", "module.exports = (event) => event;\n")],
        &[("function.js", "export const handler = (event) => event;\n"), ("package.json", module)],
        &[
            ("lib/index.js", "exports.handler = (event) => event;\n"),
            ("package.json", r#"{"main": "./lib"}"#),
        ],
        &[
            ("dist/main.mjs", "export const handler = (event) => event;\n"),
            ("package.json", r#"{"main": "dist/main.mjs"}"#),
        ],
    ] {
        let mut instance = node_with(fixture, files).await;
        assert_eq!(instance.result("[1]").await, "[1]", "{files:?}");
        instance.sandbox.remove().await;
    }
    let files = [("src/my-app.mjs", "export const other = (event) => [event, this];\n")];
    let mut instance = fixture.start_spec(&node_spec(fixture, &files)).await;
    instance.load_handler("src/my-app.other").await.unwrap();
    assert_eq!(instance.result("1").await, "[1,null]");
    instance.sandbox.remove().await;
}

pub async fn node_finds_packages_in_the_functions_folder(fixture: &Fixture) {
    let packages = [
        ("node_modules/one/package.json", r#"{"name": "one", "exports": "./one.mjs"}"#),
        ("node_modules/one/one.mjs", "export default 'one';\n"),
        ("node_modules/@own/two/index.js", "module.exports = 'two';\n"),
    ];
    for handler in [
        (
            "function.mjs",
            "import one from 'one';\nimport two from '@own/two';\nexport const handler = () => [one, two];\n",
        ),
        (
            "function.cjs",
            "const two = require('@own/two');\n\
             exports.handler = async () => [(await import('one')).default, two];\n",
        ),
    ] {
        let mut instance = node_with(fixture, &[&packages[..], &[handler]].concat()).await;
        assert_eq!(instance.result("{}").await, r#"["one","two"]"#);
        instance.sandbox.remove().await;
    }
}

pub async fn node_runs_typescript_or_says_which_version_does(fixture: &Fixture) {
    let code =
        "type Event = { name: string };\nexport const handler = (event: Event): string => event.name;\n";
    let mut instance = fixture.start_spec(&node_spec(fixture, &[("function.ts", code)])).await;
    match instance.load().await {
        Ok(()) => assert_eq!(instance.result(r#"{"name":"Ada"}"#).await, "Ada"),
        Err(LoadFailure::Function(error)) => {
            // The image of the tests is of a version that runs it.
            assert!(fixture.kind != Kind::Docker, "{error:?}");
            let end = "which Node ";
            assert!(
                error.message.starts_with(&format!("function.ts is TypeScript, {end}")),
                "{error:?}"
            );
            let advice = " does not run: use Node 22.18 or later, for example `version = \"24\"` in cloudfunc.toml, \
                          or compile it to JavaScript before the deploy";
            assert!(error.message.ends_with(advice), "{error:?}");
        }
        Err(other) => panic!("{other:?}"),
    }
    instance.sandbox.remove().await;
}

pub async fn node_writes_into_the_invocation_whoever_writes(fixture: &Fixture) {
    let code = r#"
import { execSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
export function handler(event) {
  console.log('one');
  console.error('error %d', 1);
  execSync('echo two; echo three >/dev/stdout; echo error 2 >&2', { stdio: 'inherit' });
  spawnSync(process.execPath, ['-e', 'console.log("four")'], { stdio: 'inherit' });
  fs.writeSync(1, Buffer.from('five\xff\n', 'latin1'));
  process.stdout.write('si');
  process.stdout.write('x\n', 'utf8', () => {});
  fs.appendFileSync('/dev/stderr', 'error 3\n');
  for (let count = 0; count < 3000; count += 1) fs.writeSync(1, 'x'.repeat(99) + '\n');
  process.stdout.end('last');
}
"#;
    let mut instance = node(fixture, code).await;
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "null");
        let of = |stream| {
            let lines = instance.lines.iter().filter(move |line| line.stream == stream);
            lines
                .map(|line| line.text.as_str())
                .filter(|text| !text.starts_with('x'))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Stream::Stdout), ["one", "two", "three", "four", "five\u{fffd}", "six", "last"]);
        assert_eq!(of(Stream::Stderr), ["error 1", "error 2", "error 3"]);
        assert_eq!(instance.lines.len(), 3010);
    }
    instance.sandbox.remove().await;
}

pub async fn node_writes_later_into_the_instance(fixture: &Fixture) {
    let code = "export function handler() {\n  console.log('now');\n  \
                setTimeout(() => console.log('later'), 50);\n}\n";
    let mut instance = node(fixture, code).await;
    instance.result("{}").await;
    assert_eq!(instance.output(), [(Stream::Stdout, "now")]);
    instance.idle_until("later").await;
    assert_eq!(instance.result("{}").await, "null");
    instance.sandbox.remove().await;
}

pub async fn node_cuts_ten_mib_of_output_and_answers(fixture: &Fixture) {
    let code = "export function handler() {\n  for (let count = 0; count < 10240; count += 1) \
                console.log('x'.repeat(1023));\n  return 'done';\n}\n";
    let mut instance = node(fixture, code).await;
    for _ in 0..2 {
        assert_eq!(instance.result("{}").await, "done");
        let output = instance.output();
        let platform: Vec<_> = output.iter().filter(|(stream, _)| *stream == Stream::Platform).collect();
        assert_eq!(platform.len(), 1);
        assert!(platform[0].1.starts_with("truncated"), "{platform:?}");
        assert_eq!(output.len(), 1025);
    }
    instance.sandbox.remove().await;
}

pub async fn node_ends_with_its_exit_code(fixture: &Fixture) {
    let code = r"
export async function handler(event) {
  console.log('last words');
  if (event === 'exit') process.exit(3);
  if (event === 'code') { process.exitCode = 5; process.exit(); }
  process.kill(process.pid, 'SIGTERM');
  await new Promise(() => {});
}
";
    for (event, expected) in [("exit", 3), ("code", 5), ("kill", 128 + 15)] {
        let mut instance = node(fixture, code).await;
        let error = instance.invoke(&format!("\"{event}\"")).await.unwrap_err();
        assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
        assert_eq!(instance.output(), [(Stream::Stdout, "last words")]);
        assert_eq!(instance.exit().await, Exit::Code(expected));
        instance.sandbox.remove().await;
    }
}

pub async fn node_ends_when_the_host_hangs_up_busy_or_not(fixture: &Fixture) {
    let code =
        "export function handler(event) {\n  while (event === 1);\n  return new Promise(() => {});\n}\n";
    for event in [None, Some(b"1"), Some(b"2")] {
        let mut instance = node(fixture, code).await;
        if let Some(event) = event {
            let limit = Duration::from_millis(50);
            instance.invoke_within(limit, "application/json", event).await.unwrap_err();
        }
        let Instance { sandbox, guest, .. } = instance;
        drop(guest);
        let exit = tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
        assert_eq!(exit, Exit::Code(0));
        sandbox.remove().await;
    }
}

pub async fn node_times_out_alone(fixture: &Fixture) {
    let code = "export function handler(event) {\n  console.log('spinning');\n  while (event === 1);\n  \
                while (event === 2) console.log('x');\n  return event;\n}\n";
    let mut other = node(fixture, code).await;
    for event in [b"1", b"2"] {
        let mut stuck = node(fixture, code).await;
        let limit = Duration::from_millis(300);
        let error = stuck.invoke_within(limit, "application/json", event).await.unwrap_err();
        assert!(matches!(error, GuestError::TimedOut(l) if l == limit), "{error:?}");
        assert_eq!(stuck.output()[0], (Stream::Stdout, "spinning"));
        stuck.sandbox.remove().await;
        assert_eq!(stuck.exit().await, Exit::Removed);
    }
    assert_eq!(other.result("0").await, "0");
    other.sandbox.remove().await;
}

pub async fn node_reaps_what_a_function_leaves_behind(fixture: &Fixture) {
    let code = r#"
import { execSync } from 'node:child_process';
import fs from 'node:fs';
const count = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
export async function handler() {
  const before = count();
  execSync("for i in 1 2 3 4 5; do true & done; sh -c 'sleep 0.1 &' &");
  for (const end = Date.now() + 10_000; count() > before; ) {
    if (Date.now() > end) return 'zombies are left';
    await new Promise((done) => setTimeout(done, 10));
  }
  return 'none';
}
"#;
    let mut instance = node(fixture, code).await;
    assert_eq!(instance.result("{}").await, "none");
    instance.sandbox.remove().await;
}

pub async fn node_runs_out_of_memory(fixture: &Fixture) {
    if !fixture.has_cgroups() {
        return;
    }
    let code = "const keep = [];\nexport function handler() {\n  for (;;) keep.push(Buffer.alloc(1 << 20, 1));\n}\n";
    let mut instance = node(fixture, code).await;
    let error = instance.invoke("{}").await.unwrap_err();
    assert!(matches!(error, GuestError::Closed(_)), "{error:?}");
    assert_eq!(instance.exit().await, Exit::OutOfMemory);
    instance.sandbox.remove().await;
}
