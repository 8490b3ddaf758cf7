use super::*;
use crate::model::{HttpAuth, HttpSpec};

/// A function, `age` seconds old.
fn function(name: &str, paths: &[&str], methods: &[&str], host: Option<&str>, age: i64) -> HttpFunction {
    HttpFunction {
        name: name.parse().unwrap(),
        created_at: jiff::Timestamp::from_second(1_000_000 - age).unwrap(),
        http: HttpSpec {
            paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            host: host.map(str::to_owned),
            auth: HttpAuth::Token,
            cors: Vec::new(),
            max_body: 1024,
        },
    }
}

/// Function, route and parameters of a request; the methods that are allowed; or nothing.
fn found(table: &Table, host: &str, method: &str, path: &str) -> String {
    let path = RequestPath::read(path).unwrap();
    match table.find(host, &path, method) {
        Found::Target(target) => {
            let parameters = target.parameters(&path).into_iter();
            let parameters = parameters.map(|(name, value)| format!(" {name}={value}"));
            format!("{} {}{}", target.function.name, target.route, parameters.collect::<String>())
        }
        Found::NotTaken(allow) => format!("allow {}", allow.text()),
        Found::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn plain_text_comes_before_a_place_and_a_place_before_the_rest_segment_by_segment() {
    let table = Table::of(vec![
        function("me", &["/users/me", "/users/me/files/x"], &[], None, 0),
        function("user", &["/users/{id}", "/users/{id}/posts/{post}"], &[], None, 0),
        function("rest", &["/users/{rest+}", "/files/{path+}"], &[], None, 0),
        function("root", &["/", "/{first}/deep/{second}/deeper"], &[], None, 0),
    ]);
    for (path, expected) in [
        ("/", "root ANY /"),
        ("/users/me", "me ANY /users/me"),
        ("/users/7", "user ANY /users/{id} id=7"),
        // Back from the literal `me`, which does not lead on.
        ("/users/me/posts/1", "user ANY /users/{id}/posts/{post} id=me post=1"),
        ("/users/me/files/y", "rest ANY /users/{rest+} rest=me/files/y"),
        ("/users/7/posts", "rest ANY /users/{rest+} rest=7/posts"),
        ("/files/a/b%20c", "rest ANY /files/{path+} path=a/b c"),
        ("/users/deep/x/deeper", "rest ANY /users/{rest+} rest=deep/x/deeper"),
        ("/other/deep/x/deeper", "root ANY /{first}/deep/{second}/deeper first=other second=x"),
        ("/files", "nothing"),
        ("/nowhere", "nothing"),
    ] {
        assert_eq!(found(&table, "", "GET", path), expected, "{path}");
    }
}

#[test]
fn a_slash_at_the_end_is_another_path_and_an_encoded_one_divides_nothing() {
    let table = Table::of(vec![
        function("a", &["/a", "/a/{x}"], &[], None, 0),
        function("docs", &["/docs", "/docs/{rest+}"], &[], None, 0),
        function("cafe", &["/cafe"], &[], None, 0),
    ]);
    for (path, expected) in [
        ("/a/", "nothing"),
        ("/docs/", "docs ANY /docs/{rest+} rest="),
        ("/docs/x/", "docs ANY /docs/{rest+} rest=x/"),
        ("/a/b%2Fc", "a ANY /a/{x} x=b/c"),
        ("/caf%65", "cafe ANY /cafe"),
        ("/a%2fb", "nothing"),
        ("/a/%ff", "a ANY /a/{x} x=\u{fffd}"),
        ("/a/50%", "a ANY /a/{x} x=50%"),
    ] {
        assert_eq!(found(&table, "", "GET", path), expected, "{path}");
    }
    for (path, expected) in [
        ("//a", UnfitPath::EmptySegment),
        ("/a//b", UnfitPath::EmptySegment),
        ("//", UnfitPath::EmptySegment),
        ("/a/../b", UnfitPath::Dots),
        ("/a/.", UnfitPath::Dots),
        ("/a/%2e%2E/b", UnfitPath::Dots),
        ("/.%2e", UnfitPath::Dots),
    ] {
        assert_eq!(RequestPath::read(path).unwrap_err(), expected, "{path}");
    }
    assert!(RequestPath::read("/a/.../b").is_ok());
}

#[test]
fn a_method_that_is_named_comes_before_all_methods_and_get_lets_head_in() {
    let table = Table::of(vec![
        function("read", &["/items/{id}"], &["GET"], None, 0),
        function("write", &["/items/{id}"], &["PUT", "DELETE"], None, 0),
        function("new", &["/items/new"], &["POST"], None, 0),
        function("any", &["/any"], &[], None, 0),
        function("head", &["/any"], &["HEAD", "GET"], None, 0),
    ]);
    for (method, path, expected) in [
        ("GET", "/items/1", "read GET /items/{id} id=1"),
        ("HEAD", "/items/1", "read GET /items/{id} id=1"),
        ("PUT", "/items/1", "write PUT /items/{id} id=1"),
        ("POST", "/items/1", "allow DELETE, GET, HEAD, OPTIONS, PUT"),
        ("OPTIONS", "/items/1", "allow DELETE, GET, HEAD, OPTIONS, PUT"),
        ("POST", "/items/new", "new POST /items/new"),
        // The more specific address does not take it.
        ("GET", "/items/new", "read GET /items/{id} id=new"),
        ("PATCH", "/items/new", "allow DELETE, GET, HEAD, OPTIONS, POST, PUT"),
        ("get", "/items/1", "allow DELETE, GET, HEAD, OPTIONS, PUT"),
        ("GET", "/any", "head GET /any"),
        ("HEAD", "/any", "head HEAD /any"),
        ("OPTIONS", "/any", "any ANY /any"),
        ("PURGE", "/any", "any ANY /any"),
    ] {
        assert_eq!(found(&table, "", method, path), expected, "{method} {path}");
    }
}

#[test]
fn an_address_of_a_host_comes_before_one_of_every_host() {
    let table = Table::of(vec![
        function("all", &["/a", "/b"], &[], None, 0),
        function("own", &["/{x}"], &["GET"], Some("h.example"), 0),
    ]);
    assert_eq!(found(&table, "h.example", "GET", "/a"), "own GET /{x} x=a");
    assert_eq!(found(&table, "h.example", "POST", "/a"), "all ANY /a");
    assert_eq!(found(&table, "other.example", "GET", "/a"), "all ANY /a");
    assert_eq!(found(&table, "other.example", "GET", "/c"), "nothing");
    assert!(table.has_host("h.example") && !table.has_host("other.example"));
    assert!(table.function(&"own".parse().unwrap()).is_some());
}

#[test]
fn a_function_that_is_called_in_another_way_is_at_its_own_addresses_only_whatever_their_host() {
    let table = Table::of(vec![
        function("user", &["/users/{id}", "/users/me"], &["GET", "PUT"], Some("h.example"), 0),
        function("all", &["/{rest+}"], &[], None, 0),
    ]);
    let own = |name: &str, method, path| {
        let (route, parameters) = table.own(&name.parse().unwrap(), method, path);
        let parameters = parameters.into_iter().map(|(name, value)| format!(" {name}={value}"));
        route.unwrap_or_else(|| "none".to_owned()) + &parameters.collect::<String>()
    };
    for (name, method, path, expected) in [
        ("user", "GET", "/users/5", "GET /users/{id} id=5"),
        ("user", "HEAD", "/users/caf%C3%A9", "GET /users/{id} id=café"),
        ("user", "PUT", "/users/me", "PUT /users/me"),
        ("user", "POST", "/users/5", "none"),
        ("user", "GET", "/other", "none"),
        ("user", "GET", "/users/../5", "none"),
        ("all", "GET", "/users/5", "ANY /{rest+} rest=users/5"),
        ("missing", "GET", "/users/5", "none"),
    ] {
        assert_eq!(own(name, method, path), expected, "{name} {method} {path}");
    }
}

#[test]
fn paths_of_the_platform_lead_to_no_function_and_of_two_functions_the_older_one_has_an_address() {
    let table = Table::of(vec![
        function("young", &["/{rest+}"], &[], None, 1),
        function("old", &["/{all+}"], &[], None, 2),
    ]);
    assert_eq!(found(&table, "", "GET", "/x"), "old ANY /{all+} all=x");
    for path in ["/v1/functions", "/%76%31/functions", "/f/x", "/healthz", "/internal/v1/x", "/metrics"]
    {
        assert_eq!(found(&table, "", "GET", path), "nothing", "{path}");
    }
    assert_eq!(found(&table, "", "GET", "/v10"), "old ANY /{all+} all=v10");
}
