use super::*;

fn read(text: &str) -> Result<Manifest, ManifestError> {
    parse(text, "cloudfunc.toml", &Defaults::default())
}

#[test]
fn an_empty_manifest_is_a_python_function_with_all_defaults() {
    let expected = FunctionSpec {
        description: None,
        code: Code::Language {
            language: Language::Python,
            version: "3.12".to_owned(),
            package: Package::Bundle,
        },
        handler: "function.handler".to_owned(),
        interface: Interface::Protocol,
        command: Vec::new(),
        timeout: Duration::from_secs(30),
        load_timeout: None,
        memory_bytes: 128 << 20,
        cpus: 1.0,
        network: Network::None,
        env: BTreeMap::new(),
        build_command: None,
        scaling: Scaling {
            idle_timeout: Duration::from_secs(60),
            max_instances: 10,
            min_instances: 0,
            concurrency: 1,
        },
        secrets: Vec::new(),
        rate_limit: None,
        http: None,
        from_source: false,
    };
    assert_eq!(read("").unwrap(), Manifest { name: None, spec: expected, include: Vec::new() });
}

#[test]
fn every_key_is_read() {
    let manifest = read(
        r#"
            name = "hello_fn"
            description = "Greets"
            language = "python"
            version = "3.11"
            handler = "pkg.greet.main"
            timeout = "1.5s"
            memory = "64MiB"
            cpus = 2
            network = "egress"
            package = "image"
            secrets = ["API_KEY"]
            rate_limit = "100/s"
            [build]
            from_source = true
            [env]
            GREETING = "Hello"
            [scaling]
            idle_timeout = "0s"
            min_instances = 2
            max_instances = 1000
            concurrency = 65
        "#,
    )
    .unwrap();
    assert_eq!(manifest.name.unwrap().as_str(), "hello_fn");
    let spec = manifest.spec;
    assert_eq!(spec.description.as_deref(), Some("Greets"));
    assert_eq!(
        spec.code,
        Code::Language {
            language: Language::Python,
            version: "3.11".to_owned(),
            package: Package::Image
        }
    );
    assert_eq!(spec.handler, "pkg.greet.main");
    assert_eq!(spec.timeout, Duration::from_millis(1500));
    assert_eq!((spec.memory_bytes, spec.cpus, spec.network), (64 << 20, 2.0, Network::Egress));
    assert_eq!(spec.env["GREETING"], "Hello");
    assert_eq!(spec.secrets.iter().map(|secret| secret.as_str()).collect::<Vec<_>>(), ["API_KEY"]);
    assert_eq!(spec.rate_limit.map(|rate| rate.to_string()).as_deref(), Some("100/s"));
    assert!(spec.from_source);
    assert_eq!(
        spec.scaling,
        Scaling { idle_timeout: Duration::ZERO, max_instances: 1000, min_instances: 2, concurrency: 65 }
    );
}

#[test]
fn an_image_of_ones_own_takes_the_place_of_a_language() {
    let spec = read("image = 'localhost:5000/greeter@sha256:ab'").unwrap().spec;
    assert_eq!(spec.code, Code::Image { image: "localhost:5000/greeter@sha256:ab".to_owned() });
    assert_eq!(spec.handler, "function.handler");
}

/// Pairs each text with the complete error that it causes.
#[test]
fn errors_say_where_and_what_is_accepted() {
    for (text, expected) in [
        ("timeot = '3s'", "1:1: unknown key `timeot`; did you mean `timeout`?"),
        (
            "\n\n  xyz = 1",
            "3:3: unknown key `xyz`; accepted are `name`, `description`, `language`, `version`, `image`, \
             `dockerfile`, `interface`, `command`, `port`, `handler`, `timeout`, `load_timeout`, `memory`, `cpus`, `network`, `package`, `env`, `secrets`, `rate_limit`, `http`, `build` and `scaling`",
        ),
        (
            "[scaling]\nmax_instnces = 3",
            "2:1: unknown key `scaling.max_instnces`; did you mean `scaling.max_instances`?",
        ),
        ("build.from_source = 1", "1:21: `build.from_source` is 1; it must be true or false"),
        (
            "language = 'node'\nbuild.from_source = true",
            "2:7: `build.from_source` has no effect here: it is for the packages of Python",
        ),
        (
            "image = 'i'\nbuild.from_source = true",
            "2:7: `build.from_source` has no effect here: it is for the packages of Python",
        ),
        (
            "build.args = {}",
            "1:7: `build.args` are the arguments of a Dockerfile, which is not given; name it with `dockerfile`",
        ),
        ("build = true", "1:9: `build` is true; it must be a table: [build]"),
        ("[build]\nincludes = []", "2:1: unknown key `build.includes`; did you mean `build.include`?"),
        (
            "build.include = '../common'",
            "1:17: `build.include` is '../common'; it must be a list: build.include = [\"../common\"]",
        ),
        (
            "[build]\ninclude = [\n  '../a',\n  3,\n]",
            "4:3: `build.include` is 3; it must be a string: build.include = [\"../common\"]",
        ),
        (
            "build.include = ['']",
            "1:18: `build.include`: the path is empty; write the folder as seen from the function's own, for \
             example \"../common\"",
        ),
        (
            "build.include = [\"../a\\n\"]",
            "1:18: `build.include`: the path \"../a\\n\" has a control character; write the folder as seen from the \
             function's own, for example \"../common\"",
        ),
        (
            "build.include = ['/srv/common']",
            "1:18: `build.include`: '/srv/common' is an absolute path; write the folder as seen from the function's \
             own, for example \"../common\"",
        ),
        (
            "build.include = ['./']",
            "1:18: `build.include`: './' is the function's own folder, which is packed anyway; remove it",
        ),
        (
            "build.include = ['lib/util']",
            "1:18: `build.include`: 'lib/util' lies in the function's own folder, which is packed anyway; remove it \
             (a folder beside the function's is \"../lib/util\")",
        ),
        (
            "build.include = ['../..']",
            "1:18: `build.include`: '../..' contains the function's own folder; name the folders in it that the \
             function needs, for example \"../../common\"",
        ),
        (
            "build.include = ['../a/../b']",
            "1:18: `build.include`: '../a/../b' has '..' after a name; write the path without it",
        ),
        (
            "build.include = ['../.git/hooks']",
            "1:18: `build.include`: '../.git/hooks' lies in .git, which is never packed; remove it",
        ),
        (
            "build.include = ['../a', '../a']",
            "1:26: `build.include` names '../a' twice; remove one of the two",
        ),
        (
            "build.include = ['../a', '.././a/']",
            "1:26: `build.include` names the same folder twice, as '../a' and as '.././a/'; remove one of the two",
        ),
        (
            "build.include = ['../common', '../../common']",
            "1:31: `build.include`: '../common' and '../../common' would both be packed as 'common'; rename one of \
             the two folders",
        ),
        ("[retry]\nattempts = 3", "1:2: `retry` is not supported by this version"),
        (
            "[scaling]\nmin_instances = 2\nmax_instances = 1",
            "2:17: `scaling.min_instances` is 2, more than `scaling.max_instances`, which is 1",
        ),
        (
            "scaling.concurrency = 0",
            "1:23: `scaling.concurrency` is 0; it must be a whole number from 1 to 1000",
        ),
        (
            "scaling.concurrency = 1001",
            "1:23: `scaling.concurrency` is 1001; it must be a whole number from 1 to 1000",
        ),
        (
            "[scaling]\nmax_instances = 66\nconcurrency = 1000",
            "3:15: `scaling.concurrency` is 1000, which with `scaling.max_instances`, 66, makes 66000 invocations at \
             the same time; lower one of them, since a manager runs at most 65535 of one function",
        ),
        (
            "name = 'Hello'",
            "1:8: invalid function name 'Hello': it has an upper-case letter; a name is lower-case letters \
             and digits, joined by single '_' or '-', at most 63 characters",
        ),
        (
            "language = 'ruby'",
            "1:12: `language` is 'ruby'; accepted are \"python\", \"node\" and \"native\"",
        ),
        (
            "language = 'python'\nimage = 'x'",
            "1:1: both `language` and `image` are given; give `language` for a function that the platform's \
             image runs, or `image` for an image of your own",
        ),
        ("image = 'x'\nversion = '3.12'", "2:1: `version` belongs to `language`, but `image` is given"),
        (
            "image = '-v /:/x'",
            "1:9: `image` is '-v /:/x'; an image looks like \"registry.example/greeter:1\"",
        ),
        ("version = 3.12", "1:11: `version` is 3.12; it must be a string: version = \"3.12\""),
        (
            "language = 'node'\nversion = '18'",
            "2:11: `version` is '18'; a version of Node looks like \"22\", and is 20 or later",
        ),
        (
            "language = 'node'\nhandler = 'handler'",
            "2:11: `handler` is 'handler'; a handler is `module.export`, for example \"function.handler\" or \
             \"src/index.handler\"",
        ),
        (
            "language = 'node'\n[env]\nNODE_CHANNEL_FD = '3'",
            "3:1: `NODE_CHANNEL_FD` cannot be set: Node uses it to talk to a parent process that forked it, and a function has none",
        ),
        ("version = '3.12.1'", "1:11: `version` is '3.12.1'; a version of Python looks like \"3.12\""),
        (
            "handler = '../x.y'",
            "1:11: `handler` is '../x.y'; a handler is `module.attribute`, for example \"function.handler\"",
        ),
        (
            "handler = 'handler'",
            "1:11: `handler` is 'handler'; a handler is `module.attribute`, for example \"function.handler\"",
        ),
        ("timeout = 30", "1:11: `timeout` is 30; it must be a string: timeout = \"30s\""),
        (
            "timeout = '30'",
            "1:11: `timeout`: '30' is not a duration; write a number and one of ms, s, m, h, d, for example \"30s\"",
        ),
        ("timeout = '0s'", "1:11: `timeout` is '0s'; it must be from 1ms to 15m"),
        ("timeout = '16m'", "1:11: `timeout` is '16m'; it must be from 1ms to 15m"),
        ("load_timeout = '500ms'", "1:16: `load_timeout` is '500ms'; it must be from 1s to 15m"),
        ("load_timeout = '16m'", "1:16: `load_timeout` is '16m'; it must be from 1s to 15m"),
        (
            "[env]\nURL = 'http://${HOST}/'",
            "2:7: `env.URL` has `${HOST}`, but variables are not replaced here; `$${HOST}` stands for this text \
             itself",
        ),
        (
            "env.PYTHONHOME = '/x'",
            "1:5: `PYTHONHOME` cannot be set: it moves the interpreter's own library, which comes from the platform",
        ),
        (
            "env.PYTHONSTARTUP = '/x'",
            "1:5: `PYTHONSTARTUP` cannot be set: it is for interactive sessions, and a function is none",
        ),
        ("memory = '8MiB'", "1:10: `memory` is '8MiB'; it must be from 16 MiB to 64 GiB"),
        (
            "memory = '128MB'",
            "1:10: `memory`: '128MB' is not a size; write a number and one of B, KiB, MiB, GiB, for example \
             \"128MiB\"",
        ),
        ("cpus = 0", "1:8: `cpus` is 0; it must be a number from 0.01 to 64"),
        ("cpus = nan", "1:8: `cpus` is nan; it must be a number from 0.01 to 64"),
        ("cpus = '1'", "1:8: `cpus` is '1'; it must be a number from 0.01 to 64"),
        ("network = 'host'", "1:11: `network` is 'host'; accepted are \"none\" and \"egress\""),
        ("package = 'zip'", "1:11: `package` is 'zip'; accepted are \"bundle\" and \"image\""),
        (
            "[scaling]\nmax_instances = 0",
            "2:17: `scaling.max_instances` is 0; it must be a whole number from 1 to 1000",
        ),
        (
            "[scaling]\nidle_timeout = '25h'",
            "2:16: `scaling.idle_timeout` is '25h'; it must be from 0s to 24h",
        ),
        ("scaling = 3", "1:11: `scaling` is 3; it must be a table: [scaling]"),
        ("[env]\nPORT = 80", "2:8: `env.PORT` is 80; it must be a string: env.PORT = \"…\""),
        (
            "[env]\n1X = 'a'",
            "2:1: `1X` is not a name for an environment variable; use letters, digits and '_', not starting with \
             a digit",
        ),
        ("env.CLOUDFUNC_X = 'a'", "1:5: `CLOUDFUNC_X`: names that start with CLOUDFUNC_ are reserved"),
        ("env.A = \"a\\u0000\"", "1:9: `env.A` has a NUL character"),
        ("# ä\nname = hello", "2:8: string values must be quoted, expected literal string"),
    ] {
        let error = read(text).expect_err(text).to_string();
        assert_eq!(error, format!("cloudfunc.toml:{expected}"), "{text}");
    }
}

#[test]
fn included_folders_are_named_by_the_last_part_of_their_path() {
    let manifest = read("[build]\ninclude = ['../common', '../../shared/models/']").unwrap();
    let read_as: Vec<_> =
        manifest.include.iter().map(|one| (one.path.as_str(), one.name.as_str())).collect();
    assert_eq!(read_as, [("../common", "common"), ("../../shared/models/", "models")]);
    assert_eq!(manifest.spec, read("").unwrap().spec, "a platform has them in the function's files");
    let error = manifest.include[1].error("f/cloudfunc.toml", "is wrong").to_string();
    assert_eq!(error, "f/cloudfunc.toml:2:25: is wrong");
}

#[test]
fn at_most_a_hundred_folders_are_included() {
    let text = |count: usize| {
        let paths: Vec<_> = (0..count).map(|number| format!("'../f{number}'")).collect();
        format!("build.include = [{}]", paths.join(", "))
    };
    assert_eq!(read(&text(100)).unwrap().include.len(), 100);
    assert_eq!(
        read(&text(101)).unwrap_err().to_string(),
        "cloudfunc.toml:1:17: `build.include` names 101 folders, and at most 100 are accepted; put them into \
         one folder and include that"
    );
    let long = format!("build.include = ['../{}']", "x".repeat(1024));
    assert_eq!(
        read(&long).unwrap_err().to_string(),
        "cloudfunc.toml:1:18: `build.include`: a path has more than 1024 bytes; write the folder as seen from \
         the function's own, for example \"../common\""
    );
}

#[test]
fn code_may_load_for_as_long_as_an_invocation_runs_and_for_half_a_minute_at_least() {
    let seconds = |text: &str| read(text).unwrap().spec.load_limit().as_secs();
    assert_eq!(seconds(""), 30);
    assert_eq!(seconds("timeout = '5s'"), 30);
    assert_eq!(seconds("timeout = '2m'"), 120);
    assert_eq!(seconds("timeout = '2m'\nload_timeout = '1s'"), 1);
    assert_eq!(seconds("load_timeout = '15m'"), 900);
}

/// A manifest without the key is stored as it was before the key existed, so no function changes.
#[test]
fn a_spec_without_a_load_timeout_is_what_it_was() {
    let spec = read("").unwrap().spec;
    let json = serde_json::to_string(&spec).unwrap();
    assert!(!json.contains("load"), "{json}");
    assert_eq!(serde_json::from_str::<FunctionSpec>(&json).unwrap(), spec);
    let set = read("load_timeout = '90s'").unwrap().spec;
    let json = serde_json::to_string(&set).unwrap();
    assert!(json.contains("\"load_timeout_ms\":90000"), "{json}");
    assert_eq!(serde_json::from_str::<FunctionSpec>(&json).unwrap(), set);
}

#[test]
fn a_dollar_and_an_escaped_brace_are_literal() {
    let env = read("[env]\nA = '$HOME'\nB = '$${HOME}'").unwrap().spec.env;
    assert_eq!((env["A"].as_str(), env["B"].as_str()), ("$HOME", "${HOME}"));
}
