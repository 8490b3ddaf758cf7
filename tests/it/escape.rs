//! Attempts to get out, made from inside a function: on every runtime, in both network modes.
//!
//! A property is one function that takes a [`Fixture`]; the macro at the end makes a test of it per
//! runtime and mode; of some also one in a program behind the platform's helper. What is attempted is
//! planted and shown to work from the host first, so that a refusal is the sandbox's; and its kind is
//! asserted, so that a mistake in the attempt is none.

mod files;
mod limits;
mod network;
pub mod peer;
pub mod planted;
mod platform;
mod privileges;
mod rules;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cloudfunc::{
    model::{InstanceId, Interface, InvocationId, Language, ManagerId, Network, RevisionNumber},
    runtime::{
        BaseImages, Config, Entry, Exit, Finished, Guest, GuestError, Image, Invoke, Kind, Load, Owner,
        Runtime, Sandbox, Spec, connect, place_helper,
    },
};
use serde_json::Value;

use self::{files::*, limits::*, network::*, privileges::*};
use crate::support::server;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

const MIB: u64 = 1024 * 1024;

/// Begins the code of every function here: `refusal(f, …)` is the name of the error that a call is
/// refused with, or what it answers; `libc` fails like Python's own functions.
const PRELUDE: &str = r#"
import ctypes, errno, json, os, signal, socket, struct, sys, time

def refusal(action, *arguments):
    try:
        return action(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))

class Libc:
    _library = ctypes.CDLL(None, use_errno=True)
    def __getattr__(self, name):
        def call(*arguments):
            result = getattr(self._library, name)(*arguments)
            if result == -1:
                raise OSError(ctypes.get_errno(), name)
            return result
        return call

libc = Libc()

def read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")

def write(path, text=""):
    with open(path, "w") as file:
        file.write(text)
    return "written"

"#;

/// The program of a function behind the helper: it does what the shim would.
const PROGRAM: &str =
    "import function, json, sys; print(json.dumps(function.handler(json.load(sys.stdin))))";

/// One runtime and mode, with an owner and a folder of its own.
struct Fixture {
    kind: Kind,
    network: Network,
    entry: Entry,
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(kind: Kind, network: Network, entry: Entry) -> Self {
        // A short one: a socket's path has at most 107 bytes where there is no mount.
        let folder = tempfile::Builder::new().prefix("cf").tempdir_in("/tmp").unwrap();
        let manager = ManagerId::new();
        let owner = Owner { platform: format!("e{}", manager.0.simple()).parse().unwrap(), manager };
        let mut config = config(kind, &owner, folder.path());
        if entry == Entry::Helper {
            config = config.with_helper(place_helper(&folder.path().join("helper")));
        }
        let runtime = connect(&config).unwrap();
        Self { kind, network, entry, runtime, owner, folder }
    }

    /// A spec with the code in place, after the [`PRELUDE`].
    fn spec(&self, code: &str) -> Spec {
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        fs::create_dir_all(folder.join("task")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(folder.join("task/function.py"), format!("{PRELUDE}{code}")).unwrap();
        Spec {
            instance,
            function: "escape".to_owned(),
            image: Image::Language { language: Language::Python, version: "3.11".to_owned() },
            entry: self.entry,
            folder,
            memory_bytes: 128 * MIB,
            cpus: 1.0,
            network: self.network,
            env: std::collections::BTreeMap::new(),
            packages: None,
            build: None,
        }
    }

    async fn start(&self, code: &str) -> Instance {
        self.start_spec(&self.spec(code)).await
    }

    /// Started and loaded.
    async fn start_spec(&self, spec: &Spec) -> Instance {
        let started = self.runtime.start(spec).await.unwrap_or_else(|error| panic!("{error:?}"));
        let (folder, entry) = (spec.folder.clone(), self.entry);
        let mut instance = Instance { sandbox: started.sandbox, guest: started.guest, folder, entry };
        instance.load().await;
        instance
    }

    /// What a function answers to one event; it and its sandbox are gone then.
    async fn answer(&self, code: &str, event: Value) -> Value {
        let mut instance = self.start(code).await;
        let answer = instance.invoke(event).await;
        instance.sandbox.remove().await;
        answer
    }

    /// What is expected of this mode.
    fn by_network<T>(&self, none: T, egress: T) -> T {
        match self.network {
            Network::None => none,
            Network::Egress => egress,
        }
    }

    async fn nothing_is_left(&self) {
        assert_eq!(self.runtime.remove_all(&self.owner).await.unwrap(), Vec::<String>::new());
    }
}

impl Drop for Fixture {
    /// A test that failed must not leave its sandboxes and networks to the others.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let (config, owner) = (config(self.kind, &self.owner, self.folder.path()), self.owner.clone());
        let remove = move || {
            let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let removed = async { connect(&config)?.remove_all(&owner).await };
            tasks.block_on(removed).map_err(std::io::Error::other)
        };
        let _ = std::thread::spawn(remove).join();
    }
}

fn config(kind: Kind, owner: &Owner, folder: &Path) -> Config {
    let python_image =
        std::env::var("CLOUDFUNC_PYTHON_IMAGE").unwrap_or("python:{version}-slim".to_owned());
    let images = BaseImages::of(Language::Python, python_image);
    let program = env!("CARGO_BIN_EXE_cloudfunc").into();
    Config::new(kind, owner.clone(), images, folder.join("runtime"), program)
}

/// A sandbox and its loaded guest.
struct Instance {
    sandbox: Arc<dyn Sandbox>,
    guest: Guest,
    folder: PathBuf,
    entry: Entry,
}

impl Instance {
    async fn load(&mut self) {
        let program = ["python3", "-c", PROGRAM].map(str::to_owned).to_vec();
        let (interface, command) = match self.entry {
            Entry::Shim => (Interface::Protocol, Vec::new()),
            Entry::Helper => (Interface::Command, program),
        };
        let load = Load {
            revision: RevisionNumber(1),
            function: "escape".to_owned(),
            handler: "function.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface,
            command,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        let loaded = self.guest.load(&load, LIMIT, &mut |_| {}).await;
        loaded.unwrap_or_else(|failure| panic!("{failure:?}"));
    }

    async fn try_invoke(&mut self, event: Value) -> Result<Finished, GuestError> {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 30_000,
            headers: BTreeMap::new(),
            content_type: "application/json".to_owned(),
            http: None,
        };
        let payload = Bytes::from(event.to_string());
        self.guest.invoke(&invoke, &payload, LIMIT, &mut |_| {}).await
    }

    async fn invoke(&mut self, event: Value) -> Value {
        let answer = value(self.try_invoke(event).await.unwrap());
        match self.entry {
            Entry::Shim => answer,
            Entry::Helper => serde_json::from_str(answer.as_str().unwrap()).unwrap(),
        }
    }

    async fn exit(&self) -> Exit {
        tokio::time::timeout(LIMIT, self.sandbox.exited()).await.unwrap()
    }
}

/// What a function returned: text, or JSON.
fn value(finished: Finished) -> Value {
    match finished {
        Finished::Result(body) if body.content_type.starts_with("text/plain") => {
            String::from_utf8(body.bytes.to_vec()).unwrap().into()
        }
        Finished::Result(body) => serde_json::from_slice(&body.bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

macro_rules! escape {
    (all: $($property:ident)*; helped: $($helped:ident)*) => {
        escape!(@@ docker Docker { $($property)* });
        escape!(@@ oci Oci { $($property)* });
        mod helped {
            escape!(@ docker, Docker None Helper, { $($helped)* });
            escape!(@ oci, Oci None Helper, { $($helped)* });
        }
    };
    (@@ $runtime:ident $kind:ident $properties:tt) => {
        mod $runtime {
            escape!(@ none, $kind None Shim, $properties);
            escape!(@ egress, $kind Egress Shim, $properties);
        }
    };
    (@ $mode:ident, $kind:ident $network:ident $entry:ident, { $($property:ident)* }) => {
        mod $mode {
            use crate::escape::{Entry, Fixture, Kind, Network, prerequisites};
            $(#[tokio::test]
            async fn $property() {
                let test = concat!(module_path!(), "::", stringify!($property));
                if !prerequisites(Kind::$kind, test) {
                    return;
                }
                let fixture = Fixture::new(Kind::$kind, Network::$network, Entry::$entry);
                crate::escape::$property(&fixture).await;
                fixture.nothing_is_left().await;
            })*
        }
    };
}

/// Only root can plant what is attempted, and only with root's rights egress is shut off.
fn prerequisites(kind: Kind, test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        let note = format!("SKIPPED {test}: needs root\n");
        let _ = std::io::stderr().write_all(note.as_bytes());
        return false;
    }
    kind != Kind::Docker || server("CLOUDFUNC_TEST_DOCKER", test).is_some()
}

escape! {
    all:
    the_hosts_home_folders_are_not_there
    a_folder_of_the_hosts_is_another_one_inside
    the_platforms_own_files_are_not_there
    the_folders_of_another_instance_are_not_there
    the_socket_of_another_instance_is_not_there
    nothing_of_the_host_is_found_by_searching
    no_process_of_the_host_is_seen
    only_memory_can_be_written
    the_system_cannot_be_written
    the_hosts_mounts_stay
    there_is_no_device_but_the_harmless_ones
    no_setting_of_the_platform_is_in_its_environment
    the_hosts_loopback_is_not_reached
    no_address_of_the_host_is_reached
    no_gateway_is_reached
    the_metadata_address_is_not_reached
    a_private_address_is_not_reached
    a_public_address_is_reached_with_egress_only
    the_resolver_is_asked_for_names_only
    no_datagram_reaches_the_host
    nothing_can_be_mounted
    no_new_root_can_be_made
    no_namespace_can_be_made_or_entered
    no_capability_can_be_gained
    a_program_of_roots_runs_as_the_function
    no_raw_packet_can_be_sent
    its_network_cannot_be_changed
    the_kernel_cannot_be_reached
    no_process_of_the_host_is_traced
    no_process_of_the_host_is_signalled
    forking_without_end_ends_at_256
    a_fork_bomb_harms_nobody_else
    taking_a_gibibyte_is_the_end
    filling_tmp_ends_within_its_size
    so_many_files_that_tmp_is_full_are_refused
    opening_files_without_end_ends_at_the_limit
    no_core_dump_is_written_or_piped_to_a_program;

    helped:
    the_hosts_home_folders_are_not_there
    a_folder_of_the_hosts_is_another_one_inside
    the_platforms_own_files_are_not_there
    the_folders_of_another_instance_are_not_there
    the_socket_of_another_instance_is_not_there
    nothing_of_the_host_is_found_by_searching
    no_process_of_the_host_is_seen
    only_memory_can_be_written
    the_system_cannot_be_written
    there_is_no_device_but_the_harmless_ones
    the_hosts_loopback_is_not_reached
    no_address_of_the_host_is_reached
    no_datagram_reaches_the_host
    nothing_can_be_mounted
    no_new_root_can_be_made
    no_namespace_can_be_made_or_entered
    no_capability_can_be_gained
    a_program_of_roots_runs_as_the_function
    no_raw_packet_can_be_sent
    its_network_cannot_be_changed
    the_kernel_cannot_be_reached
    no_process_of_the_host_is_traced
    no_core_dump_is_written_or_piped_to_a_program
}
