//! The real shim as a plain child process, without any isolation: for tests only.
//!
//! Memory, cpus and the network are not limited, and the code sees the host's files. [`Runtime::remove_all`] does not
//! find the processes that a test left behind, but these have ended with the test process: the shim exits when its
//! socket hangs up. An image [`Image::Own`] is the path of a program, and the helper is told of it as the image's command.

use std::{
    collections::HashMap,
    env, fs,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, Command},
    sync::watch,
};
use tokio_util::io::ReaderStream;

use super::{
    Entry, Error, Exit, HelperFile, Image, OUTPUT, Owner, Progress, Runtime, Sandbox, Spec, Started,
    entry::{self, HELPER},
    guest::{Listener, SOCKET_NAME, run_folder},
    hello::hello,
};
use crate::model::{Language, Network};

/// The limit of a socket's path, in bytes: its address has no room for more.
const MAX_SOCKET_PATH: usize = 107;

/// The backend.
pub(super) struct Process {
    owner: Owner,
    helper: HelperFile,
    live: Arc<Live>,
}

/// The running processes, by process id.
type Live = Mutex<HashMap<String, watch::Sender<State>>>;

#[derive(Clone, Copy, Debug, Default)]
struct State {
    removed: bool,
    code: Option<i64>,
}

impl Process {
    pub(super) fn new(owner: &Owner, helper: &HelperFile) -> Self {
        Self { owner: owner.clone(), helper: helper.clone(), live: Arc::default() }
    }

    fn spawn(&self, spec: &Spec) -> Result<(Running, Child), Error> {
        let mut command = command(spec)?;
        if let Some(packages) = &spec.packages {
            command.env("CLOUDFUNC_PACKAGES", packages);
        }
        if let Some(build) = &spec.build {
            command.env("CLOUDFUNC_OUTPUT", spec.folder.join(OUTPUT));
            command.envs(build.wheels.iter().map(|wheels| ("CLOUDFUNC_WHEELS", wheels)));
            // The machine's settings of pip are not the platform's.
            let settings = env::vars_os().map(|(name, _)| name);
            settings.filter(|name| name.as_bytes().starts_with(b"PIP_")).for_each(|name| {
                command.env_remove(name);
            });
        }
        let child = command
            .envs(&spec.env)
            .env("CLOUDFUNC_TASK", spec.folder.join("task"))
            .env("CLOUDFUNC_RUN", run_folder(&spec.folder))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::Start {
                reason: error.to_string(),
                output: String::new(),
                code: None,
            })?;
        let pid = child.id().expect("it was not waited for yet");
        let state = watch::Sender::default();
        let id = pid.to_string();
        self.live.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), state.clone());
        Ok((Running { id, state, live: self.live.clone() }, child))
    }
}

fn command(spec: &Spec) -> Result<Command, Error> {
    let helper = || Command::new(run_folder(&spec.folder).join(HELPER));
    match (&spec.image, spec.entry) {
        (Image::Own { reference }, Entry::Shim) => Ok(Command::new(reference)),
        (Image::Own { reference }, Entry::Helper) => {
            let mut command = helper();
            command.arg("image").arg(reference);
            Ok(command)
        }
        (Image::Language { language, version: _ }, entry) => {
            let task = task_folder(spec)?;
            let mut command = match entry {
                Entry::Shim => shim(spec, *language)?,
                Entry::Helper => {
                    let mut command = helper();
                    command.arg("task");
                    command
                }
            };
            command.current_dir(task);
            Ok(command)
        }
        (Image::Function { language: _, version: _, tag, bundle: _ }, _) => Err(Error::NoImage {
            image: tag.clone(),
            help: "the runtime 'process' has no images; use docker".to_owned(),
            source: None,
        }),
        (Image::Dockerfile { dockerfile, .. }, _) => Err(no_build(dockerfile)),
    }
}

fn no_build(dockerfile: &str) -> Error {
    Error::NoImages { kind: "the Dockerfile", image: dockerfile.to_owned(), runtime: "process" }
}

fn io(path: PathBuf) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { path, source }
}

/// Makes the folder of the code, once it is clear that a guest can connect.
fn task_folder(spec: &Spec) -> Result<PathBuf, Error> {
    let socket = run_folder(&spec.folder).join(SOCKET_NAME);
    if socket.as_os_str().len() > MAX_SOCKET_PATH {
        let reason = format!("a socket's path has at most {MAX_SOCKET_PATH} bytes");
        return Err(io(socket)(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason)));
    }
    let task = spec.folder.join("task");
    fs::create_dir_all(&task).map_err(io(task.clone()))?;
    Ok(task)
}

/// Returns the command of the machine's interpreter, whichever version it is: for tests only.
fn shim(spec: &Spec, language: Language) -> Result<Command, Error> {
    let interpreter = language.facts().interpreter.as_ref().ok_or_else(|| entry::no_shim(language))?;
    let shim = spec.folder.join(interpreter.source_file);
    fs::write(&shim, interpreter.shim).map_err(io(shim.clone()))?;
    let words = interpreter.command_for(&shim.to_string_lossy(), interpreter.program, &spec.env);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    Ok(command)
}

#[async_trait]
impl Runtime for Process {
    fn kind(&self) -> &'static str {
        "process"
    }

    async fn ping(&self) -> Result<String, Error> {
        Ok("child processes without isolation".to_owned())
    }

    async fn ensure_image(&self, image: &Image, _progress: &Progress) -> Result<String, Error> {
        Ok(match image {
            Image::Own { reference } => reference.clone(),
            Image::Language { language, version: _ } => language.to_string(),
            Image::Function { language, version: _, tag: _, bundle: _ } => language.to_string(),
            Image::Dockerfile { dockerfile, .. } => return Err(no_build(dockerfile)),
        })
    }

    async fn start(&self, spec: &Spec) -> Result<Started, Error> {
        let listener = Listener::bind(&spec.folder)?;
        spec.provide_helper(&self.helper)?;
        let (running, mut child) = self.spawn(spec)?;
        let output = stream::select(
            stream::iter(child.stdout.take().map(ReaderStream::new)).flatten(),
            stream::iter(child.stderr.take().map(ReaderStream::new)).flatten(),
        );
        tokio::spawn(tend(child, running.state.clone()));
        // It runs already.
        match hello(&running, &listener, async { Ok(()) }, output, "").await {
            Ok(guest) => Ok(Started { sandbox: Arc::new(running), guest }),
            Err(error) => {
                running.remove().await;
                Err(error)
            }
        }
    }

    async fn notices(&self, _network: Network) -> Vec<String> {
        Vec::new()
    }

    async fn remove_all(&self, owner: &Owner) -> Result<Vec<String>, Error> {
        if *owner != self.owner {
            return Ok(Vec::new());
        }
        let live = std::mem::take(&mut *self.live.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, state) in &live {
            kill(id, state).await;
        }
        Ok(live.into_keys().collect())
    }
}

/// Waits for a child's end and notes its code.
async fn tend(mut child: Child, state: watch::Sender<State>) {
    let status = child.wait().await;
    let code = status.ok().and_then(|status| status.code().or_else(|| Some(128 + status.signal()?)));
    state.send_modify(|state| state.code = Some(code.unwrap_or(-1).into()));
}

/// Kills a process group and waits for its leader's end.
async fn kill(id: &str, state: &watch::Sender<State>) {
    state.send_modify(|state| state.removed = true);
    if state.borrow().code.is_none() {
        kill_all(id);
    }
    let _ = state.subscribe().wait_for(|state| state.code.is_some()).await;
}

/// Kills a process group and what it has started: the helper's program has a group of its own, and nothing here ends it
/// with the helper.
fn kill_all(id: &str) {
    let Some(pid) = id.parse().ok().and_then(Pid::from_raw) else { return };
    let others = descendants(id);
    let _ = kill_process_group(pid, Signal::KILL);
    for other in others {
        let _ = kill_process(other, Signal::KILL);
    }
}

/// Returns the children of a process, and theirs.
fn descendants(id: &str) -> Vec<Pid> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            found.extend(child.parse().ok().and_then(Pid::from_raw));
            found.extend(descendants(child));
        }
    }
    found
}

struct Running {
    id: String,
    state: watch::Sender<State>,
    live: Arc<Live>,
}

#[async_trait]
impl Sandbox for Running {
    fn id(&self) -> &str {
        &self.id
    }

    async fn exited(&self) -> Exit {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| state.removed || state.code.is_some()).await.map(|state| *state) {
            Ok(State { removed: true, .. }) => Exit::Removed,
            Ok(State { code: Some(code), .. }) => Exit::Code(code),
            _ => Exit::Unknown,
        }
    }

    async fn is_running(&self) -> bool {
        let state = *self.state.borrow();
        !state.removed && state.code.is_none()
    }

    async fn remove(&self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        kill(&self.id, &self.state).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.state.send_modify(|state| state.removed = true);
        if self.state.borrow().code.is_none() {
            kill_all(&self.id);
        }
    }
}
