use super::*;
use crate::{
    manifest::{self, Defaults, Manifest},
    model::FunctionSpec,
};

fn spec(text: &str) -> Result<FunctionSpec, String> {
    let parsed = manifest::parse(text, "cloudfunc.toml", &Defaults::default());
    parsed.map(|Manifest { spec, .. }| spec).map_err(|error| error.to_string())
}

fn read(text: &str) -> HttpSpec {
    spec(text).unwrap().http.unwrap()
}

fn paths(http: &HttpSpec) -> Vec<&str> {
    http.paths.iter().map(PathPattern::as_str).collect()
}

#[test]
fn a_path_is_enough() {
    let expected = HttpSpec {
        paths: vec!["/hooks/github".parse().unwrap()],
        methods: Vec::new(),
        host: None,
        auth: HttpAuth::Token,
        cors: Vec::new(),
        max_body: 6 << 20,
    };
    assert_eq!(read("[http]\npath = '/hooks/github'"), expected);
    assert_eq!(read("http.path = ['/hooks/github']"), expected);
    assert_eq!(spec("").unwrap().http, None);
}

#[test]
fn everything_can_be_said() {
    let text = "
        [http]
        path = ['/', '/users/{id}', '/files/{rest+}']
        methods = ['GET', 'POST', 'PURGE']
        host = 'Hooks.Example'
        auth = 'none'
        cors = ['https://app.example', 'http://localhost:3000', 'chrome-extension://abc']
        max_body = '1KiB'
    ";
    let http = read(text);
    assert_eq!(paths(&http), ["/", "/users/{id}", "/files/{rest+}"]);
    assert_eq!(http.methods, ["GET", "POST", "PURGE"]);
    assert_eq!(http.host.as_deref(), Some("hooks.example"));
    assert_eq!((http.auth, http.max_body), (HttpAuth::None, 1024));
    assert_eq!(http.cors, ["https://app.example", "http://localhost:3000", "chrome-extension://abc"]);
}

#[test]
fn one_text_stands_for_a_list_of_one() {
    let http = read("[http]\npath = '/a'\nmethods = 'POST'\ncors = 'https://app.example'");
    assert_eq!(paths(&http), ["/a"]);
    assert_eq!((http.methods, http.cors), (vec!["POST".into()], vec!["https://app.example".into()]));
    assert_eq!(read("[http]\npath = '/a'\ncors = '*'").cors, ["*"]);
}

#[test]
fn every_interface_can_have_addresses() {
    for beside in [
        "",
        "language = 'node'",
        "language = 'native'",
        "image = 'i'",
        "dockerfile = 'Dockerfile'",
        "interface = 'command'\ncommand = ['x']",
        "interface = 'http'\ncommand = ['x']",
        "interface = 'lambda'\ncommand = ['x']",
    ] {
        assert_eq!(paths(&read(&format!("{beside}\n[http]\npath = '/a'"))), ["/a"], "{beside}");
    }
}

/// A manifest without the table is stored as it was before it existed, and with it the revision is another one.
#[test]
fn addresses_are_a_part_of_the_revision() {
    let plain = spec("").unwrap();
    assert!(!serde_json::to_string(&plain).unwrap().contains("http"));
    let with = spec("http.path = '/a'").unwrap();
    let json = serde_json::to_string(&with).unwrap();
    assert!(json.contains(r#""http":{"paths":["/a"],"auth":"token"}"#), "{json}");
    assert_eq!(serde_json::from_str::<FunctionSpec>(&json).unwrap(), with);
    assert_ne!(with, plain);
}

/// Returns the error of a table that has a path and this line.
fn refused(line: &str) -> String {
    spec(&format!("[http]\npath = '/a'\n{line}")).unwrap_err()
}

#[test]
fn a_path_that_cannot_be_meant_is_refused_with_its_place() {
    for (text, expected) in [
        ("[http]", "1:2: `http` needs `path`, at which the function answers: path = \"/hooks/github\""),
        ("http = '/a'", "1:8: `http` is '/a'; it must be a table: [http]"),
        ("[http]\npaht = '/a'", "2:1: unknown key `http.paht`; did you mean `http.path`?"),
        (
            "[http]\nverbs = ['GET']",
            "2:1: unknown key `http.verbs`; accepted are `path`, `methods`, `host`, `auth`, `cors` and `max_body`",
        ),
        (
            "[http]\npath = 3",
            "2:8: `http.path` is 3; it must be a string or a list of strings: http.path = \"/hooks/github\"",
        ),
        (
            "[http]\npath = ['/a', 3]",
            "2:15: `http.path` is 3; it must be a string: http.path = \"/hooks/github\"",
        ),
        (
            "[http]\npath = []",
            "2:8: `http.path` is an array; it must have a path: http.path = \"/hooks/github\"",
        ),
        ("[http]\npath = 'hooks'", "2:8: `http.path`: a path begins with `/`"),
        (
            "[http]\npath = '/v1/users'",
            "2:8: `http.path`: paths that begin with `/v1` are the platform's own",
        ),
        (
            "[http]\npath = ['/a', '/b', '/a']",
            "2:21: `http.path` names `/a` twice; remove one of the two",
        ),
        (
            "[http]\npath = ['/u/{id}', '/u/{name}']",
            "2:20: `http.path` has `/u/{name}`, which matches the same paths as `/u/{id}`; remove one of the two",
        ),
    ] {
        assert_eq!(spec(text), Err(format!("cloudfunc.toml:{expected}")), "{text}");
    }
    let many: Vec<String> = (0..65).map(|number| format!("'/{number}'")).collect();
    let most = format!("[http]\npath = [{}]", many[..64].join(", "));
    assert_eq!(read(&most).paths.len(), 64);
    let expected = "cloudfunc.toml:2:8: `http.path` has 65 values, and at most 64 are accepted";
    assert_eq!(spec(&format!("[http]\npath = [{}]", many.join(", "))).unwrap_err(), expected);
}

#[test]
fn a_method_is_written_in_capitals_and_reaches_a_function() {
    for (line, expected) in [
        (
            "methods = ['GET', 'post']",
            "3:19: `http.methods` is 'post'; methods are told apart by their case: write \"POST\"",
        ),
        (
            "methods = ['CONNECT']",
            "3:12: `http.methods` is 'CONNECT'; CONNECT and TRACE are for what is between a client and a server, and do not \
             reach a function",
        ),
        (
            "methods = ['trace']",
            "3:12: `http.methods` is 'trace'; CONNECT and TRACE are for what is between a client and a server, and do not \
             reach a function",
        ),
        (
            "methods = ['GE T']",
            "3:12: `http.methods` is 'GE T'; a method has 1 to 32 letters, digits and signs such as `-`",
        ),
        (
            "methods = '*'",
            "3:11: `http.methods` is '*'; it is not a method; leave `http.methods` out for all methods",
        ),
        (
            "methods = ['any']",
            "3:12: `http.methods` is 'any'; it is not a method; leave `http.methods` out for all methods",
        ),
        (
            "methods = []",
            "3:11: `http.methods` is an array; it must have a method; leave `http.methods` out for all methods",
        ),
        ("methods = ['GET', 'GET']", "3:19: `http.methods` names `GET` twice; remove one of the two"),
        (
            "methods = true",
            "3:11: `http.methods` is true; it must be a string or a list of strings: http.methods = [\"GET\", \"POST\"]",
        ),
    ] {
        assert_eq!(refused(line), format!("cloudfunc.toml:{expected}"), "{line}");
    }
}

#[test]
fn a_host_is_a_name_and_nothing_else() {
    let rule = "a host is a name without scheme, port and path";
    let write = |shown: &str, host: &str| format!("`http.host` is {shown}; {rule}: write \"{host}\"");
    let other = |shown: &str| {
        format!(
            "`http.host` is {shown}; {rule}, such as \"app.example\"; letters outside of ASCII are written as `xn--…`"
        )
    };
    for (text, expected) in [
        ("'https://app.example'", write("'https://app.example'", "app.example")),
        ("'app.example:8000'", write("'app.example:8000'", "app.example")),
        ("'app.example/a'", write("'app.example/a'", "app.example")),
        ("'app.example.'", write("'app.example.'", "app.example")),
        ("''", other("''")),
        ("'*.example'", other("'*.example'")),
        ("'[::1]'", other("'[::1]'")),
        ("'bücher.example'", other("'bücher.example'")),
        ("8", "`http.host` is 8; it must be a string: http.host = \"app.example\"".to_owned()),
    ] {
        assert_eq!(refused(&format!("host = {text}")), format!("cloudfunc.toml:3:8: {expected}"));
    }
    for host in ["localhost", "127.0.0.1", "xn--bcher-kva.example", "my_host"] {
        assert_eq!(read(&format!("[http]\npath = '/a'\nhost = '{host}'")).host.as_deref(), Some(host));
    }
}

#[test]
fn an_origin_is_what_browsers_send() {
    let rule = "an origin is a scheme, a host and, unless it is the usual one, a port, such as \"https://app.example\"";
    let sent = |origin: &str| format!("browsers send it as \"{origin}\": write that");
    let scheme = |origin: &str| format!("an origin begins with its scheme: write \"{origin}\"");
    for (origin, expected) in [
        ("https://app.example/", sent("https://app.example")),
        ("https://app.example/a?b", sent("https://app.example")),
        ("https://App.Example", sent("https://app.example")),
        ("https://app.example:443", sent("https://app.example")),
        ("https://me@app.example", sent("https://app.example")),
        ("app.example", scheme("https://app.example")),
        ("localhost:3000", scheme("http://localhost:3000")),
        ("", rule.to_owned()),
        ("https://", rule.to_owned()),
        ("file:///home", rule.to_owned()),
        ("https://*.example", "each origin is listed by itself; \"*\" alone stands for all".to_owned()),
        (
            "null",
            "sandboxed pages and local files of everybody send it, so it cannot be allowed".to_owned(),
        ),
    ] {
        let expected = format!("cloudfunc.toml:3:9: `http.cors` is '{origin}'; {expected}");
        assert_eq!(refused(&format!("cors = ['{origin}']")), expected);
    }
    for (line, expected) in [
        (
            "cors = ['https://app.example', '*']",
            "3:32: `http.cors` has \"*\", which stands for all origins, and others beside it; keep one of the two",
        ),
        (
            "cors = ['https://a.example', 'https://a.example']",
            "3:30: `http.cors` names `https://a.example` twice; remove one of the two",
        ),
        (
            "cors = true",
            "3:8: `http.cors` is true; it must be a string or a list of strings: http.cors = [\"https://app.example\"]",
        ),
        ("auth = 'all'", "3:8: `http.auth` is 'all'; accepted are \"token\" and \"none\""),
    ] {
        assert_eq!(refused(line), format!("cloudfunc.toml:{expected}"), "{line}");
    }
}

#[test]
fn a_body_has_a_limit_up_to_the_platforms() {
    for text in ["7MiB", "0B", "6291457B"] {
        let expected =
            format!("cloudfunc.toml:3:12: `http.max_body` is '{text}'; it must be from 1 B to 6 MiB");
        assert_eq!(refused(&format!("max_body = '{text}'")), expected);
    }
    let expected = "cloudfunc.toml:3:12: `http.max_body`: '1MB' is not a size; write a number and one of B, KiB, MiB, GiB, for \
                    example \"128MiB\"";
    assert_eq!(refused("max_body = '1MB'"), expected);
    assert_eq!(read("[http]\npath = '/a'\nmax_body = '1B'").max_body, 1);
    assert_eq!(read("[http]\npath = '/a'\nmax_body = '6MiB'").max_body, 6 << 20);
}
