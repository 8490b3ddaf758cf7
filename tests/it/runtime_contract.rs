//! What every runtime promises, asked of every backend.
//!
//! A property is one function that takes a [`Fixture`]; the macro at the end makes a test of it per
//! backend. Each test is an owner of its own and ends by asserting that nothing of it is left.

mod alone;
mod answers;
mod beside_python;
mod ends;
mod failures;
mod handlers;
mod helped;
mod helper_isolation;
mod http_events;
mod isolation;
mod languages;
mod node;
mod node_failures;
mod not_root;
mod output;
mod secrets;
mod several;
mod several_ends;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    model::{
        FunctionError, InstanceId, Interface, InvocationId, Language, ManagerId, Network,
        RevisionNumber, Stream,
    },
    runtime::{
        BaseImages, Config, Entry, Error, Exit, Finished, Guest, GuestError, Image, Invoke, Kind, Line,
        Load, LoadFailure, Owner, Runtime, Sandbox, Spec, connect, no_helper,
    },
};

use self::{
    alone::*, answers::*, beside_python::*, ends::*, failures::*, handlers::*, helped::*,
    helper_isolation::*, http_events::*, isolation::*, languages::*, node::*, node_failures::*,
    output::*, secrets::*, several::*, several_ends::*,
};
use crate::{need, support::eventually};

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

const MIB: u64 = 1024 * 1024;

/// One backend with an owner and a folder of its own.
struct Fixture {
    kind: Kind,
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
    /// Of Python: what there is.
    version: String,
}

impl Fixture {
    fn new(kind: Kind) -> Self {
        // A short one: a socket's path has at most 107 bytes where there is no mount.
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let owner = owner();
        let runtime = connect(&config(kind, &owner, folder.path())).unwrap();
        let version = match kind {
            Kind::Oci => cloudfunc::runtime::host_interpreter(Language::Python).unwrap().version,
            Kind::Docker | Kind::Process => "3.11".to_owned(),
        };
        Self { kind, runtime, owner, folder, version }
    }

    fn config(&self) -> Config {
        config(self.kind, &self.owner, self.folder.path())
    }

    /// A spec with the code in place.
    fn spec(&self, code: &str) -> Spec {
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        fs::create_dir_all(folder.join("task")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join("task/function.py"), code).unwrap();
        Spec {
            instance,
            function: "contract".to_owned(),
            image: Image::Language { language: Language::Python, version: self.version.clone() },
            entry: Entry::Shim,
            folder,
            memory_bytes: 128 * MIB,
            cpus: 1.0,
            network: Network::None,
            env: std::collections::BTreeMap::new(),
            packages: None,
            build: None,
        }
    }

    async fn start(&self, code: &str) -> Instance {
        self.start_spec(&self.spec(code)).await
    }

    async fn start_spec(&self, spec: &Spec) -> Instance {
        let started = self.runtime.start(spec).await.unwrap_or_else(|error| panic!("{error:?}"));
        Instance { sandbox: started.sandbox, guest: started.guest, lines: Vec::new() }
    }

    /// Started and loaded.
    async fn ready(&self, code: &str) -> Instance {
        let mut instance = self.start(code).await;
        instance.load().await.unwrap_or_else(|failure| panic!("{failure:?}"));
        instance
    }

    /// What to start from to have something that is no guest, and what it prints before it ends.
    async fn no_guest(&self) -> (Image, &'static str) {
        let own = |reference: &str| Image::Own { reference: reference.to_owned() };
        match self.kind {
            Kind::Process => (own("/usr/bin/id"), "uid="),
            Kind::Docker => {
                let context = self.folder.path().join("context");
                fs::create_dir_all(&context).unwrap();
                let base = base_image(Language::Python);
                fs::write(context.join("Dockerfile"), format!("FROM {base}\nCMD [\"id\"]\n")).unwrap();
                let tag = "cloudfunc-test/no-guest";
                docker(&["build", "-q", "-t", tag, context.to_str().unwrap()]);
                (own(tag), "uid=")
            }
            // Without images, the only program is the shim.
            Kind::Oci => {
                let image = self.spec("").image;
                self.runtime.ensure_image(&image, &|_| {}).await.unwrap();
                let root =
                    fs::read_dir(self.folder.path().join("runtime/roots")).unwrap().next().unwrap();
                fs::write(root.unwrap().path().join("shim/shim.pyc"), "no bytecode").unwrap();
                (image, "Bad magic number")
            }
        }
    }

    /// What is there of this owner, asked of the system itself.
    fn sandboxes(&self) -> Vec<String> {
        match self.kind {
            Kind::Docker => {
                let label = format!("label=cloudfunc.manager={}", self.owner.manager);
                docker(&["ps", "-aq", "--filter", &label]).lines().map(str::to_owned).collect()
            }
            Kind::Process => self.processes("environ"),
            Kind::Oci => [self.processes("mountinfo"), self.left_in_files()].concat(),
        }
    }

    /// Numbers of the processes that know this fixture's folder.
    fn processes(&self, file: &str) -> Vec<String> {
        let folder = self.folder.path().to_str().unwrap().as_bytes();
        let ours = |text: Vec<u8>| text.windows(folder.len()).any(|part| part == folder);
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| fs::read(entry.path().join(file)).is_ok_and(ours))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    async fn eventually_nothing(&self) {
        eventually("no sandbox is left", async || self.sandboxes().is_empty().then_some(())).await;
    }

    async fn nothing_is_left(&self) {
        assert_eq!(self.runtime.remove_all(&self.owner).await.unwrap(), Vec::<String>::new());
        if self.kind == Kind::Oci {
            assert_eq!(self.sandboxes(), Vec::<String>::new());
        }
    }
}

impl Drop for Fixture {
    /// A test that failed must not leave its sandboxes to the others.
    fn drop(&mut self) {
        if !std::thread::panicking() || self.kind == Kind::Process {
            return;
        }
        let (config, owner) = (self.config(), self.owner.clone());
        let removal = std::thread::spawn(move || {
            let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = tasks.block_on(async { connect(&config)?.remove_all(&owner).await });
        });
        let _ = removal.join();
    }
}

fn owner() -> Owner {
    // A platform of its own, so that no other test removes what its sandboxes share.
    let manager = ManagerId::new();
    Owner { platform: format!("c{}", manager.0.simple()).parse().unwrap(), manager }
}

/// With `{version}` in it, or not.
fn base_image(language: Language) -> String {
    let given = std::env::var(language.image_variable());
    given.unwrap_or_else(|_| language.facts().image.base.to_owned())
}

fn config(kind: Kind, owner: &Owner, folder: &Path) -> Config {
    let program = not_root::program();
    let images = Language::ALL.iter().map(|language| (*language, base_image(*language)));
    let images = BaseImages(images.collect());
    Config::new(kind, owner.clone(), images, folder.join("runtime"), program)
}

/// A sandbox, its guest, and what it wrote since it was last asked.
struct Instance {
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    lines: Vec<Line>,
}

impl Instance {
    async fn load(&mut self) -> Result<(), LoadFailure> {
        self.load_handler("function.handler").await
    }

    async fn load_handler(&mut self, handler: &str) -> Result<(), LoadFailure> {
        self.load_places(handler, 1).await
    }

    async fn load_places(&mut self, handler: &str, concurrency: u32) -> Result<(), LoadFailure> {
        let load = Load {
            revision: RevisionNumber(7),
            function: "contract".to_owned(),
            handler: handler.to_owned(),
            packages: None,
            concurrency,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: BTreeMap::from([("GREETING".to_owned(), "Hello".to_owned())]),
            secrets: BTreeMap::from([("API_KEY".to_owned(), "hunter2".to_owned())]),
        };
        let lines = &mut self.lines;
        self.guest.load(&load, LIMIT, &mut |line| lines.push(line)).await
    }

    async fn invoke_as(&mut self, content_type: &str, payload: &[u8]) -> Result<Finished, GuestError> {
        self.invoke_within(LIMIT, content_type, payload).await
    }

    async fn invoke_within(
        &mut self,
        limit: Duration,
        content_type: &str,
        payload: &[u8],
    ) -> Result<Finished, GuestError> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 2,
            remaining_ms: 30_000,
            headers: BTreeMap::from([("x-request".to_owned(), "r1".to_owned())]),
            content_type: content_type.to_owned(),
            http: None,
        };
        self.lines.clear();
        let lines = &mut self.lines;
        let payload = Bytes::copy_from_slice(payload);
        self.guest.invoke(&invoke, &payload, limit, &mut |line| lines.push(line)).await
    }

    async fn invoke(&mut self, json: &str) -> Result<Finished, GuestError> {
        self.invoke_as("application/json", json.as_bytes()).await
    }

    /// The result as text.
    async fn result(&mut self, json: &str) -> String {
        text(self.invoke(json).await.unwrap())
    }

    async fn error(&mut self, json: &str) -> FunctionError {
        match self.invoke(json).await.unwrap() {
            Finished::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Waits between invocations until this line comes.
    async fn idle_until(&mut self, text: &str) {
        let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let wait = async { while seen.recv().await.unwrap() != text {} };
        let mut output = |line: Line| sender.send(line.text).unwrap();
        tokio::select! {
            error = self.guest.idle(&mut output) => panic!("{error}"),
            done = tokio::time::timeout(LIMIT, wait) => done.unwrap(),
        }
    }

    fn output(&self) -> Vec<(Stream, &str)> {
        self.lines.iter().map(|line| (line.stream, line.text.as_str())).collect()
    }

    async fn exit(&self) -> Exit {
        tokio::time::timeout(LIMIT, self.sandbox.exited()).await.unwrap()
    }
}

fn text(finished: Finished) -> String {
    match finished {
        Finished::Result(body) => String::from_utf8(body.bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn typed(finished: Finished) -> (String, Bytes) {
    match finished {
        Finished::Result(body) => (body.content_type, body.bytes),
        other => panic!("{other:?}"),
    }
}

const ECHO: &str = "def handler(event):\n    return event\n";

/// Runs the engine's own client.
fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker")
        .args(arguments)
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .expect("the docker client");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

macro_rules! on {
    ($backend:ident, $kind:expr, $need:block, $($property:ident)*) => {
        mod $backend {
            $(#[tokio::test]
            async fn $property() {
                $need
                let fixture = super::Fixture::new($kind);
                super::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
    };
}

/// The same tests of the runtime without an engine, by a user who is not root: where root runs them.
macro_rules! as_another_user {
    ($($property:ident)*) => {
        mod oci_not_root {
            $(#[test]
            fn $property() {
                super::not_root::run(concat!("runtime_contract::oci::", stringify!($property)));
            })*
        }
    };
}

macro_rules! contract {
    (
        all: $($all:ident)*;
        shim: $($shim:ident)*;
        sandbox: $($sandbox:ident)*;
        beside: $($beside:ident)*;
        images: $($images:ident)*;
        alone: $($alone:ident)*
    ) => {
        on!(process, super::Kind::Process, {}, $($all)* $($shim)*);
        on!(
            docker,
            super::Kind::Docker,
            { super::need!("CLOUDFUNC_TEST_DOCKER"); },
            $($all)* $($sandbox)* $($beside)* $($images)*
        );
        on!(oci, super::Kind::Oci, {}, $($all)* $($sandbox)* $($beside)* $($alone)*);
        as_another_user!($($all)* $($sandbox)* $($alone)*);
    };
}

contract! {
    all:
    a_guest_says_hello_loads_and_answers
    json_text_and_bytes_go_in_and_come_out
    a_handler_sees_its_context_environment_and_secrets
    a_payload_of_6_mib_goes_round
    an_exception_is_an_error_with_the_functions_own_trace
    a_huge_exception_is_cut
    an_exception_whose_own_parts_misbehave_is_told
    what_is_no_json_is_an_error
    code_that_cannot_be_loaded_says_why
    a_handler_that_exits_is_closed_with_its_code
    one_event_loop_serves_an_instance_from_its_load_on
    a_task_left_behind_goes_on_and_what_it_raises_is_logged
    whatever_is_raised_fails_and_the_instance_lives_on
    a_handler_that_never_returns_times_out_alone
    a_handler_that_prints_for_ever_times_out_too
    a_guest_that_breaks_the_protocol_is_a_violation
    a_frame_that_nothing_asked_for_is_a_violation
    a_child_process_prints_into_the_invocation
    what_is_printed_later_belongs_to_the_instance
    a_function_opens_its_outputs_by_their_paths
    what_a_function_does_to_its_outputs_is_its_own_loss
    what_is_written_in_turn_arrives_in_turn
    ten_mib_of_output_are_cut_and_the_result_arrives
    a_guest_ends_when_the_host_hangs_up
    a_busy_guest_ends_too_when_the_host_hangs_up
    only_the_owners_own_sandboxes_are_removed
    a_dropped_sandbox_is_removed
    one_starts_while_the_last_other_one_of_its_function_goes
    a_dropped_start_leaves_nothing
    what_is_no_guest_is_a_start_error_with_its_output
    whoever_asks_learns_whether_a_sandbox_runs
    many_start_at_once
    a_languages_template_answers_logs_and_fails
    a_handler_that_is_not_there_fails_the_load_in_every_language
    node_takes_and_returns_json_text_and_bytes
    node_gives_a_handler_its_context_environment_and_secrets
    node_answers_6_mib
    node_handlers_come_in_every_kind_of_module
    node_finds_packages_in_the_functions_folder
    node_runs_typescript_or_says_which_version_does
    node_writes_into_the_invocation_whoever_writes
    node_writes_later_into_the_instance
    node_cuts_ten_mib_of_output_and_answers
    node_ends_with_its_exit_code
    node_ends_when_the_host_hangs_up_busy_or_not
    node_times_out_alone
    node_tells_what_was_thrown
    node_tells_what_nobody_caught
    node_tells_what_is_no_json
    node_tells_why_code_cannot_be_loaded
    node_honours_source_maps
    eight_at_a_time_have_their_own_results_and_lines_in_every_language
    several_run_at_the_same_time_in_every_language
    one_that_overruns_its_time_leaves_the_others_alone_in_every_language
    one_that_prints_for_ever_times_out_beside_others_in_every_language
    one_that_fails_leaves_the_others_alone_in_every_language
    one_that_exits_takes_the_others_along_in_every_language
    large_payloads_and_results_pass_each_other_in_every_language
    output_is_bounded_for_each_of_several_in_every_language
    what_no_invocation_writes_is_the_instances_beside_several_in_every_language
    python_answers_one_that_is_cancelled_before_it_begins
    python_gives_several_no_default_timeout_of_the_functions
    python_has_the_raw_stream_beside_several
    python_refuses_several_for_a_plain_def
    a_command_runs_for_each_invocation_behind_the_helper
    a_web_server_that_was_not_known_when_the_helper_started_answers_requests
    a_native_program_needs_no_interpreter
    several_requests_are_answered_at_the_same_time
    a_helper_ends_when_the_host_hangs_up
    a_sandbox_without_a_helper_is_not_started
    node_answers_no_attempt_with_an_earlier_one_of_its_invocation
    node_holds_no_lines_back_for_another_of_several
    node_tells_whose_error_nobody_caught
    nearly_a_mebibyte_of_secrets_arrives_in_python_node_and_a_program
    more_than_a_mebibyte_of_secrets_fails_the_load_with_the_size_and_the_limit
    requests_and_answers_of_handlers_are_as_in_their_examples_in_every_language;

    shim:
    what_a_callable_takes_itself_decides_what_it_is_given
    a_generator_is_not_run_and_the_error_says_so
    a_request_is_answered_typed_and_failed_as_any_invocation_is_in_every_language
    requests_beside_each_other_have_their_own_events_and_responses_in_every_language;

    sandbox:
    too_much_memory_is_the_reason
    a_sandbox_may_do_little
    a_function_finds_what_programs_expect_of_a_machine
    a_sandbox_has_room_for_few_processes
    functions_yield_the_processors_and_leave_one_to_the_others
    what_a_function_leaves_behind_is_reaped
    nothing_of_the_helper_can_be_changed_or_read
    node_reaps_what_a_function_leaves_behind
    node_runs_out_of_memory
    an_image_that_is_not_there_says_what_to_do
    the_engine_says_its_name;

    beside:
    handlers_do_what_they_do_in_plain_python;

    images:
    containers_with_egress_cannot_reach_each_other
    a_functions_image_holds_its_code
    a_volume_of_an_image_has_a_limit_and_is_not_on_the_disk
    an_image_of_ones_own_is_run_with_its_own_words_in_its_own_folder
    an_image_that_cannot_be_had_names_the_setting;

    alone:
    each_instance_has_a_user_of_its_own
    a_sandbox_sees_only_what_it_needs
    system_calls_that_reach_out_are_refused
    what_a_dead_process_left_is_removed
    nothing_is_mounted_on_the_machine_and_nobody_is_left_unreaped
    a_function_with_egress_is_connected_or_its_owner_is_told_why_not
    a_program_that_is_no_helper_is_an_error
}
