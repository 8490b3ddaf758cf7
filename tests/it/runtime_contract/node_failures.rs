//! Failures as Node's shim tells them: of a handler, of its result, of the code's loading.

use super::*;

pub async fn node_tells_what_was_thrown(fixture: &Fixture) {
    let code = r"
class Mine extends Error {}
class Named extends Error { name = 'Chosen'; }
const thrown = {
  plain: () => new TypeError('no ä'),
  mine: () => new Mine('mine'),
  named: () => new Named('named'),
  cause: () => new Error('outer', { cause: new RangeError('inner', { cause: 'deep' }) }),
  all: () => new AggregateError([new Error('one'), 'two'], 'both'),
  text: () => 'just text',
  object: () => ({ code: 7 }),
  nothing: () => undefined,
  long: () => Object.assign(new Error('\x01'.repeat(100_000) + '\ud800'), { name: 'Long'.repeat(1000) }),
  message: () => Object.defineProperty(new Error(), 'message', { get() { throw new Error('of the message'); } }),
  stack: () => Object.defineProperty(new Error('kept'), 'stack', { get() { throw new Error('of the stack'); } }),
  circle: () => { const error = new Error('round'); error.cause = error; return error; },
};
function inner(event) { throw thrown[event](); }
export function handler([way, event]) {
  if (way === 'sync') inner(event);
  return (async () => { await null; inner(event); })();
}
";
    let mut instance = node(fixture, code).await;
    for way in ["sync", "async"] {
        for (event, kind, message, trace) in [
            ("plain", "TypeError", "no ä", Some("TypeError: no ä\n    at ")),
            ("mine", "Mine", "mine", Some("Mine: mine\n    at ")),
            ("named", "Chosen", "named", Some("Chosen: named\n    at ")),
            ("cause", "Error", "outer", Some("\n[cause]: RangeError: inner\n      at ")),
            ("cause", "Error", "outer", Some("\n  [cause]: deep")),
            ("all", "AggregateError", "both", Some("\n[errors]: Error: one\n")),
            ("all", "AggregateError", "both", Some("\n[errors]: two")),
            ("text", "NotAnError", "a string was thrown: just text", None),
            ("object", "Object", "{ code: 7 }", None),
            ("nothing", "NotAnError", "undefined was thrown", None),
            ("message", "Error", "(the error's own message threw another one)", None),
            ("stack", "Error", "kept", None),
            ("circle", "Error", "round", Some("\n[cause]: an error that was told above")),
        ] {
            let error = instance.error(&format!(r#"["{way}","{event}"]"#)).await;
            assert_eq!((error.kind.as_str(), error.message.as_str()), (kind, message), "{way} {event}");
            let told = error.trace.unwrap_or_default();
            assert!(told.contains(trace.unwrap_or_default()), "{way} {event}: {told}");
            assert!(!told.contains("shim.cjs") && !told.contains("node:internal"), "{told}");
        }
        let error = instance.error(&format!(r#"["{way}","long"]"#)).await;
        assert_eq!(error.kind.chars().count(), 256);
        assert!(error.message.len() > 1000 && error.trace.is_some());
    }
    let error = instance.error(r#"["sync","plain"]"#).await;
    assert!(error.trace.unwrap().contains("at handler "), "the function's own frames");
    instance.sandbox.remove().await;
}

pub async fn node_tells_what_nobody_caught(fixture: &Fixture) {
    let code = r"
export function handler(event) {
  if (event === 'timer') setTimeout(() => { throw new RangeError('of a timer'); });
  if (event === 'rejected') Promise.reject(new RangeError('of a promise'));
  if (event === 'text') Promise.reject('only text');
  if (event === 'later') { setTimeout(() => { throw new RangeError('too late'); }, 50); return event; }
  return event === 'fine' ? event : new Promise(() => {});
}
";
    let mut instance = node(fixture, code).await;
    for _ in 0..2 {
        for (event, kind, message) in [
            ("timer", "RangeError", "of a timer"),
            ("rejected", "RangeError", "of a promise"),
            ("text", "NotAnError", "a string was thrown: only text"),
        ] {
            let error = instance.error(&format!("\"{event}\"")).await;
            assert_eq!((error.kind.as_str(), error.message.as_str()), (kind, message));
            assert_eq!(instance.output(), []);
        }
        assert_eq!(instance.result("\"later\"").await, "later");
        instance.idle_until("RangeError: too late").await;
        assert_eq!(instance.result("\"fine\"").await, "fine", "the instance lives on");
    }
    instance.sandbox.remove().await;

    let code =
        "setTimeout(() => { throw new RangeError('while loading'); });\nawait new Promise(() => {});\n";
    let mut instance = fixture.start_spec(&node_spec(fixture, &[("function.mjs", code)])).await;
    let LoadFailure::Function(error) = instance.load().await.unwrap_err() else { panic!() };
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("RangeError", "while loading"));
    instance.sandbox.remove().await;
}

pub async fn node_tells_what_is_no_json(fixture: &Fixture) {
    let code = r"
import { Readable } from 'node:stream';
const circle = { list: [] };
circle.list.push({ circle });
const made = {
  bigint: () => 1n,
  deep_bigint: () => ({ orders: [{ 'unit-price': 1n }] }),
  circle: () => circle,
  function: () => () => 1,
  deep_function: () => ({ a: { b() {} } }),
  symbol: () => [Symbol('s')],
  set: () => new Set([1]),
  deep_map: () => ({ map: new Map() }),
  promise: () => [Promise.resolve(1)],
  generator: () => (function* () { yield 1; })(),
  async_generator: () => (async function* () { yield 1; })(),
  stream: () => Readable.from(['a']),
  response: () => new Response('a'),
  surrogate: () => '\ud800',
  deep_surrogate: () => [{ a: '\udfff' }],
  json: () => ({ toJSON() { throw new RangeError('of the result'); } }),
  large: () => 'x'.repeat(6 * 1024 * 1024 + 1),
};
export const handler = (event) => made[event]();
";
    let mut instance = node(fixture, code).await;
    for (event, message) in [
        ("bigint", "a bigint that is not JSON: make it a string or a number"),
        (
            "deep_bigint",
            "a bigint at .orders[0][\"unit-price\"] that is not JSON: make it a string or a number",
        ),
        ("circle", "a value that contains itself at .list[0].circle: that is not JSON"),
        ("function", "a function that is not JSON"),
        ("deep_function", "a function at .a.b that is not JSON"),
        ("symbol", "a symbol at [0] that is not JSON"),
        ("set", "a Set that is not JSON: return [...] of it"),
        ("deep_map", "a Map at .map that is not JSON: return Object.fromEntries(...) of it"),
        ("promise", "a Promise at [0] that is not JSON: await it"),
        ("generator", "a generator, which is not run: return one value, such as [...] of it"),
        (
            "async_generator",
            "an async generator, which is not run: return one value, such as a list of its items",
        ),
        ("stream", "a stream, which is not read: return what is in it"),
        (
            "response",
            "a Response, which is not read: return what is in it, such as await response.text()",
        ),
        ("surrogate", "a string with half of a surrogate pair"),
        ("deep_surrogate", "a string with half of a surrogate pair at [0].a, which JSON cannot carry"),
    ] {
        let error = instance.error(&format!("\"{event}\"")).await;
        assert_eq!(error.kind, "ResultNotSerializable", "{event}");
        assert_eq!(error.message, format!("the handler returned {message}"));
    }
    let error = instance.error("\"json\"").await;
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("ResultNotSerializable", "of the result")
    );
    let error = instance.error("\"large\"").await;
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("ResultTooLarge", "the result has 6291457 bytes, over the limit of 6291456 (6 MiB)")
    );
    instance.sandbox.remove().await;
}

pub async fn node_tells_why_code_cannot_be_loaded(fixture: &Fixture) {
    let missing = "the function's folder has none of function.mjs, function.cjs, function.js, function.ts, function.mts, \
                   function.cts";
    for (files, kind, message) in [
        (&[("function.mjs", "export const handler = (event) => {\n  retur 1;\n};\n")][..], "SyntaxError",
            "Unexpected number (function.mjs, line 2)".to_owned()),
        (&[("function.cjs", "exports.handler = () => {\n  let a b;\n};\n")], "SyntaxError",
            "Unexpected identifier 'b' (function.cjs, line 2)".to_owned()),
        (&[("function.mjs", "import './lib/b.mjs';\n"), ("lib/b.mjs", "let x;\n\nlet x;\n")], "SyntaxError",
            "Identifier 'x' has already been declared (lib/b.mjs, line 3)".to_owned()),
        (&[("function.mjs", "import { b } from './b.mjs';\n"), ("b.mjs", "export const a = 1;\n")], "SyntaxError",
            "The requested module './b.mjs' does not provide an export named 'b' (function.mjs, line 1)".to_owned()),
        (&[("function.mjs", "JSON.parse('{');\n")], "SyntaxError", "Expected property name".to_owned()),
        (&[("function.cjs", "import fs from 'fs';\n")], "SyntaxError", "Cannot use import statement outside a module \
            (function.cjs, line 1): name the file .mjs, or set \"type\": \"module\" in package.json".to_owned()),
        (&[("function.mjs", "import 'nowhere';\n")], "ModuleNotFound",
            "Cannot find package 'nowhere' imported from ".to_owned()),
        (&[("function.cjs", "require('nowhere');\n")], "ModuleNotFound", "Cannot find module 'nowhere'\n".to_owned()),
        (&[("function.mjs", "console.log('loading');\nthrow new RangeError('no');\n")], "RangeError", "no".to_owned()),
        (&[("function.mjs", "throw 'words';\n")], "NotAnError",
            "a string was thrown: words".to_owned()),
        (&[("function.mjs", "export const hander = () => 1;\nexport function other() {}\n")], "HandlerNotFound",
            "function.mjs exports no 'handler', but hander, other: did you mean 'hander'?".to_owned()),
        (&[("function.cjs", "exports.greet = () => 1;\n")], "HandlerNotFound",
            "function.cjs exports no 'handler', but greet: did you mean 'greet'?".to_owned()),
        (&[("function.mjs", "export const first = () => 1;\nexport const second = () => 2;\n")], "HandlerNotFound",
            "function.mjs exports no 'handler', but first, second".to_owned()),
        (&[("function.mjs", "function handler() {}\n")], "HandlerNotFound",
            "function.mjs exports no 'handler', and no function at all".to_owned()),
        (&[("function.mjs", "export const handler = { run() {} };\n")], "HandlerInvalid",
            "'handler' of function.mjs is an object, not a function".to_owned()),
        (&[("function.mjs", "export const handler = (event, context, callback) => callback();\n")], "HandlerInvalid",
            "'function.handler' must take (event) or (event, context): it takes 3 arguments, and there is no callback: \
             return the result, or a promise of it".to_owned()),
        (&[("index.js", "")], "ModuleNotFound", format!("{missing}, and no package.json with a \"main\"")),
        (&[("package.json", "{}")], "ModuleNotFound", format!("{missing}, and package.json has no \"main\"")),
        (&[("package.json", "{")], "ModuleNotFound", format!("{missing}, and package.json cannot be read: ")),
        (&[("package.json", r#"{"main": "dist/index.js"}"#)], "ModuleNotFound",
            "the \"main\" of package.json, dist/index.js, is not in the function's folder".to_owned()),
    ] {
        let mut instance = fixture.start_spec(&node_spec(fixture, files)).await;
        let LoadFailure::Function(error) = instance.load().await.unwrap_err() else { panic!("{files:?}") };
        assert_eq!(error.kind, kind, "{error:?}");
        let is_start = message.ends_with(' ') || message.ends_with('\n') || message.starts_with("Expected");
        if is_start {
            assert!(error.message.starts_with(&message), "{error:?}");
        } else {
            assert_eq!(error.message, message);
        }
        let trace = error.trace.unwrap_or_default();
        assert!(!trace.contains("shim.cjs") && !trace.contains("node:internal"), "{trace}");
        if kind == "RangeError" {
            assert_eq!(instance.output(), [(Stream::Stdout, "loading")]);
            assert!(trace.starts_with("RangeError: no\n    at file:///"), "{trace}");
        }
        instance.sandbox.remove().await;
    }
    let mut instance = fixture.start_spec(&node_spec(fixture, &[("a.mjs", "")])).await;
    let LoadFailure::Function(error) = instance.load_handler("src/b.handler").await.unwrap_err() else {
        panic!()
    };
    assert_eq!(
        error.message,
        "the function's folder has none of src/b.mjs, src/b.cjs, src/b.js, src/b.ts, src/b.mts, src/b.cts"
    );
    instance.sandbox.remove().await;
}

pub async fn node_honours_source_maps(fixture: &Fixture) {
    // Line 1 of what was built comes from line 3 of original.ts.
    let map = r#"{"version":3,"sources":["original.ts"],"names":[],"mappings":"AAEA"}"#;
    let code = "export function handler() { throw new Error('mapped'); }\n//# sourceMappingURL=function.mjs.map\n";
    let mut instance = node_with(fixture, &[("function.mjs", code), ("function.mjs.map", map)]).await;
    let trace = instance.error("{}").await.trace.unwrap();
    assert!(trace.contains("original.ts:3:"), "{trace}");
    instance.sandbox.remove().await;
}
