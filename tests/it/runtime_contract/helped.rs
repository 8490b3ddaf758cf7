//! What a program that speaks no protocol is promised: the platform's helper is the first process of its sandbox.

use cloudfunc::{
    model::HttpRequest,
    runtime::{RequestHead, place_helper},
};

use super::{several::at_once, *};

impl Fixture {
    /// The same backend and owner, with the helper that this program has.
    fn helped(&self) -> Arc<dyn Runtime> {
        let helper = place_helper(&self.folder.path().join("helper"));
        connect(&self.config().with_helper(helper)).unwrap()
    }

    /// A sandbox in which the helper waits.
    pub async fn start_helped(&self, spec: &Spec) -> Instance {
        let started = self.helped().start(spec).await.unwrap_or_else(|error| panic!("{error:?}"));
        Instance { sandbox: started.sandbox, guest: started.guest, lines: Vec::new() }
    }

    /// A spec of Python's image without any code.
    pub fn helper_spec(&self) -> Spec {
        let spec = Spec { entry: Entry::Helper, ..self.spec("") };
        fs::remove_file(spec.folder.join("task/function.py")).unwrap();
        spec
    }
}

impl Instance {
    pub async fn load_program(
        &mut self,
        interface: Interface,
        concurrency: u32,
        command: &[&str],
    ) -> Result<(), LoadFailure> {
        let load = Load {
            revision: RevisionNumber(7),
            function: "contract".to_owned(),
            handler: String::new(),
            packages: None,
            concurrency,
            interface,
            command: command.iter().map(|&word| word.to_owned()).collect(),
            env: BTreeMap::from([("GREETING".to_owned(), "Hello".to_owned())]),
            secrets: BTreeMap::new(),
        };
        let lines = &mut self.lines;
        self.guest.load(&load, LIMIT, &mut |line| lines.push(line)).await
    }

    /// Sends a request to a server, and returns status, headers and body of its response.
    async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let (method, path) = (method.to_owned(), path.to_owned());
        let request = HttpRequest { method, path, query, arrival: None };
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 30_000,
            headers: BTreeMap::new(),
            content_type: "text/plain".to_owned(),
            http: Some(RequestHead { request, headers }),
        };
        self.lines.clear();
        let lines = &mut self.lines;
        let body = Bytes::copy_from_slice(body.as_bytes());
        match self.guest.invoke(&invoke, &body, LIMIT, &mut |line| lines.push(line)).await.unwrap() {
            Finished::Response(response, body) => {
                let text = String::from_utf8(body.bytes.to_vec()).unwrap();
                (response.status, response.headers, text)
            }
            other => panic!("{other:?}"),
        }
    }
}

type Answer = (u16, Vec<(String, String)>, String);

/// A port that is free: where nothing is isolated, tests beside this one have servers, too.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Tells what it was asked, with the status that the request names.
const SERVER: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        text = f"{self.command} {self.path} {body} {self.headers.get_all('x-given')}".encode()
        print("asked", self.path, flush=True)
        self.send_response(int(self.headers.get("x-status", "200")))
        for name, value in [("x-a", "1"), ("X-A", "2"), ("content-type", "text/x-mine"), ("content-length", len(text))]:
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

pub async fn a_command_runs_for_each_invocation_behind_the_helper(fixture: &Fixture) {
    let mut instance = fixture.start_helped(&fixture.helper_spec()).await;
    let script = "read -r line; echo \"$GREETING $line\"; echo aside >&2; pwd";
    instance.load_program(Interface::Command, 1, &["/bin/sh", "-c", script]).await.unwrap();
    for name in ["Ada", "Bo"] {
        let (content_type, bytes) =
            typed(instance.invoke_as("text/plain", format!("{name}\n").as_bytes()).await.unwrap());
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(content_type.starts_with("text/plain"), "{content_type}");
        let (greeting, folder) = text.split_once('\n').unwrap();
        assert_eq!(greeting, format!("Hello {name}"));
        assert!(folder.trim_end().ends_with("/task"), "{folder}");
        assert_eq!(instance.output(), [(Stream::Stderr, "aside")]);
    }
    instance.sandbox.remove().await;

    let mut instance = fixture.start_helped(&fixture.helper_spec()).await;
    let failure = instance.load_program(Interface::Command, 1, &["no-such-program"]).await.unwrap_err();
    let LoadFailure::Function(error) = failure else { panic!("{failure:?}") };
    assert!(error.message.contains("no-such-program"), "{error:?}");
    instance.sandbox.remove().await;
}

pub async fn a_web_server_that_was_not_known_when_the_helper_started_answers_requests(
    fixture: &Fixture,
) {
    let spec = fixture.helper_spec();
    let mut instance = fixture.start_helped(&spec).await;
    fs::write(spec.folder.join("task/server.py"), SERVER).unwrap();
    let http = Interface::Http { port: port() };
    instance.load_program(http, 1, &["python3", "server.py"]).await.unwrap();
    let given = [("x-given", "a"), ("x-given", "b")];
    let (status, headers, text) = instance.request("PUT", "/a%20b?c=1", &given, "body").await;
    assert_eq!((status, text.as_str()), (200, "PUT /a%20b?c=1 body ['a', 'b']"));
    let of = |name: &str| {
        let values = headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>()
    };
    assert_eq!((of("x-a"), of("content-type")), (vec!["1", "2"], vec!["text/x-mine"]), "{headers:?}");
    assert_eq!(instance.output(), [(Stream::Stdout, "asked /a%20b?c=1")]);
    let (status, _, text) = instance.request("GET", "/", &[("x-status", "503")], "").await;
    assert_eq!((status, text.as_str()), (503, "GET /  None"));
    instance.sandbox.remove().await;
}

pub async fn several_requests_are_answered_at_the_same_time(fixture: &Fixture) {
    let mut instance = fixture.start_helped(&fixture.helper_spec()).await;
    // Each waits for the others.
    let script = "import os, sys, time\n\
                  own = sys.stdin.read()\n\
                  folder = sys.argv[1]\n\
                  os.makedirs(folder, exist_ok=True)\n\
                  open(f'{folder}/{own}', 'w').close()\n\
                  while len(os.listdir(folder)) < 4: time.sleep(0.01)\n\
                  print(own, end='')\n";
    let folder = match fixture.kind {
        Kind::Process => fixture.folder.path().join("meeting").display().to_string(),
        Kind::Docker | Kind::Oci => "/tmp/meeting".to_owned(),
    };
    let command = ["python3", "-c", script, folder.as_str()];
    instance.load_program(Interface::Command, 4, &command).await.unwrap();
    let events: Vec<_> = (0..4).map(serde_json::Value::from).collect();
    let ran = at_once(&mut instance, &events).await;
    for (number, one) in ran.into_iter().enumerate() {
        assert_eq!(one.value(), serde_json::Value::from(number.to_string()));
    }
    instance.sandbox.remove().await;
}

pub async fn a_native_program_needs_no_interpreter(fixture: &Fixture) {
    let facts = Language::Native.facts();
    let mut spec = fixture.helper_spec();
    let version = facts.versions.default.to_owned();
    spec.image = Image::Language { language: Language::Native, version };
    let script = spec.folder.join("task/report.sh");
    fs::write(&script, "#!/bin/sh\necho \"got $(cat) in $LANG\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut instance = fixture.start_helped(&spec).await;
    instance.load_program(Interface::Command, 1, &["./report.sh"]).await.unwrap();
    let told = text(instance.invoke_as("text/plain", b"this").await.unwrap());
    assert!(told.starts_with("got this in "), "{told}");
    if fixture.kind != Kind::Process {
        assert_eq!(told, "got this in C.UTF-8\n");
    }
    instance.sandbox.remove().await;

    let spec = Spec { entry: Entry::Shim, instance: InstanceId::new(), ..spec };
    let Err(error) = fixture.runtime.start(&spec).await else { panic!("there is no shim") };
    assert_eq!(error.to_string(), "the sandbox did not get ready: native programs have no shim");
}

pub async fn a_helper_ends_when_the_host_hangs_up(fixture: &Fixture) {
    let spec = fixture.helper_spec();
    fs::write(spec.folder.join("task/server.py"), SERVER).unwrap();
    let mut instance = fixture.start_helped(&spec).await;
    let port = port();
    instance.load_program(Interface::Http { port }, 1, &["python3", "server.py"]).await.unwrap();
    let Instance { sandbox, guest, .. } = instance;
    drop(guest);
    tokio::time::timeout(LIMIT, sandbox.exited()).await.unwrap();
    sandbox.remove().await;
    if fixture.kind == Kind::Process {
        eventually("its program has ended, too", async || {
            std::net::TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(())
        })
        .await;
    }
}

pub async fn a_sandbox_without_a_helper_is_not_started(fixture: &Fixture) {
    let Err(error) = fixture.runtime.start(&fixture.helper_spec()).await else { panic!("it has none") };
    assert!(matches!(error, Error::NoHelper(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the platform's helper is missing: this process does not start functions"
    );
}

pub async fn an_image_of_ones_own_is_run_with_its_own_words_in_its_own_folder(fixture: &Fixture) {
    let context = fixture.folder.path().join("context");
    fs::create_dir_all(&context).unwrap();
    let base = base_image(Language::Python);
    let words = "ENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD [\"echo $OWN; pwd; cat\"]\n";
    let text_of_file = format!("FROM {base}\nWORKDIR /srv\nENV OWN=mine\n{words}");
    fs::write(context.join("Dockerfile"), text_of_file).unwrap();
    let tag = "cloudfunc-test/own-words";
    docker(&["build", "-q", "-t", tag, context.to_str().unwrap()]);
    for (command, expected) in [(&[][..], "mine\n/srv\nthis"), (&["pwd"], "/srv\n")] {
        let mut spec = fixture.helper_spec();
        spec.image = Image::Own { reference: tag.to_owned() };
        let mut instance = fixture.start_helped(&spec).await;
        instance.load_program(Interface::Command, 1, command).await.unwrap();
        let told = text(instance.invoke_as("text/plain", b"this").await.unwrap());
        assert_eq!(told, expected, "{command:?}");
        instance.sandbox.remove().await;
    }
}
