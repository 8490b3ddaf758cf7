//! A sandbox from its first process's start to its end: hello, the function, invocations.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::timeout,
};

use crate::{
    call::{Answer, Call, FunctionError, Interface, Load, LoadError},
    children::{Child, Children, Ended},
    command::Command,
    control::{Control, Requests, connect, violation},
    http::Http,
    lambda::Lambda,
    port,
    program::Program,
    protocol::{GuestMessage, HostMessage},
};

/// The time that programs have to end after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The time in which answers that a program has given before its end are still passed on.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

/// The time that the host has to take them.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The exit code after SIGTERM. An engine that shuts down sends it, and then the host has to know that it was not the
/// function's fault; nothing here tells it from a SIGTERM of the program's own, which therefore counts as one from outside.
const TERMINATED: u8 = 128 + 15;

/// The sandbox: what this process was told when it was started.
pub enum Place {
    /// An image of the platform's; the function's code is in a folder of its own.
    Task,
    /// An image of the author's, with its entry point and command.
    Image(Vec<OsString>),
}

/// A function that is loaded.
enum Function {
    Command(Command),
    Http(Http),
    Lambda(Lambda),
}

impl Function {
    /// Answers an invocation; none where the host has given up waiting.
    async fn call(&self, call: Call) -> Option<Answer> {
        match self {
            Self::Command(command) => command.call(call).await,
            Self::Http(http) => http.call(call).await,
            Self::Lambda(lambda) => Some(lambda.call(call).await),
        }
    }
}

/// Serves the host until it hangs up, or the program ends, or SIGTERM comes. Returns the code to exit with; nothing that
/// was started here runs then.
pub async fn serve(place: &Place) -> io::Result<u8> {
    let children = Children::new()?;
    let mut terminated = signal(SignalKind::terminate())?;
    let (control, requests) = connect(Path::new(&variable("CLOUDFUNC_RUN", "/run/cloudfunc")))?;
    let mut writer = tokio::spawn(Arc::clone(&control).write_rest());
    let session = Session { place, children: &children, control };
    let code = tokio::select! {
        biased;
        _ = terminated.recv() => {
            children.stop(STOP_GRACE).await;
            port::tell("cloudfunc: the sandbox's first process got SIGTERM, and has ended the program\n");
            Ok(TERMINATED)
        }
        code = session.run(requests) => code,
        error = &mut writer => Err(error.unwrap_or_else(io::Error::other)),
    };
    children.signal(Signal::KILL);
    code
}

struct Session<'a> {
    place: &'a Place,
    children: &'a Children,
    control: Arc<Control>,
}

impl Session<'_> {
    async fn run(&self, mut requests: Requests) -> io::Result<u8> {
        let load = match requests.next().await? {
            Some((HostMessage::Load(load), _)) => load,
            Some(_) => return Err(violation("an invocation came before the function")),
            None => return Ok(0),
        };
        let loaded = tokio::select! {
            loaded = self.load(&load) => loaded,
            request = requests.next() => return nothing_expected(request?.is_some()),
        };
        match loaded {
            Ok((function, program)) => {
                // A web server gets the headers of its request.
                let context = !matches!(function, Function::Http(_));
                self.control.send(&GuestMessage::Ready { context });
                self.answer_calls(Arc::new(function), program, requests).await
            }
            Err(LoadError(error)) => {
                self.control.load_error(error);
                nothing_expected(requests.next().await?.is_some())
            }
        }
    }

    /// Starts the program. Returns the one whose end is the instance's, where there is one.
    async fn load(&self, load: &Load) -> Result<(Function, Option<Child>), LoadError> {
        let of_image: &[OsString] = match self.place {
            Place::Image(words) => words,
            Place::Task => {
                let task = PathBuf::from(variable("CLOUDFUNC_TASK", "/var/task"));
                env::set_current_dir(&task).map_err(|error| {
                    let message = format!("the folder {} cannot be entered: {error}", task.display());
                    FunctionError::new("load", message)
                })?;
                &[]
            }
        };
        let program = Program::new(load, of_image, self.children)?;
        let control = Arc::clone(&self.control);
        Ok(match load.interface {
            Interface::Command => (Function::Command(Command::new(load, program, control)?), None),
            Interface::Http { port } => {
                let (http, server) = Http::start(load, &program, port, control).await?;
                (Function::Http(http), Some(server))
            }
            Interface::Lambda => {
                let (lambda, runtime) = Lambda::start(&program, load).await?;
                (Function::Lambda(lambda), Some(runtime))
            }
            Interface::Protocol => {
                let message =
                    "the platform's helper runs programs that do not speak the runtime protocol";
                return Err(LoadError(FunctionError::new("load", message)));
            }
        })
    }

    async fn answer_calls(
        &self,
        function: Arc<Function>,
        program: Option<Child>,
        mut requests: Requests,
    ) -> io::Result<u8> {
        let mut calls = JoinSet::new();
        let mut ended = pin!(end_of(program));
        loop {
            tokio::select! {
                biased;
                ended = &mut ended => {
                    let last = async { while calls.join_next().await.is_some() {} };
                    let _ = timeout(LAST_ANSWERS, last).await;
                    let _ = timeout(LAST_WORDS, self.control.written()).await;
                    return Ok(ended.code());
                }
                request = requests.next() => match request? {
                    Some((HostMessage::Invoke(invoke), body)) => {
                        let (function, control) = (Arc::clone(&function), Arc::clone(&self.control));
                        calls.spawn(async move {
                            let call = invoke.into_call(body);
                            let id = call.id.clone();
                            if let Some(answer) = function.call(call).await {
                                control.answer(&id, answer);
                            }
                        });
                    }
                    Some((HostMessage::Load(_), _)) => return nothing_expected(true),
                    None => return Ok(0),
                },
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
            }
        }
    }
}

async fn end_of(program: Option<Child>) -> Ended {
    match program {
        Some(program) => program.ended().await,
        None => std::future::pending().await,
    }
}

/// Returns how this process ends when the host hangs up, or sends a message at the wrong time.
fn nothing_expected(is_message: bool) -> io::Result<u8> {
    if is_message { Err(violation("a message came that may not come now")) } else { Ok(0) }
}

fn variable(name: &str, default: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| default.into())
}
