//! A process per invocation: the payload is its standard input, what it writes to its standard output the result. The body of
//! an HTTP request is a payload like any other, and the result that of a response with status 200.

use std::{
    io,
    os::fd::OwnedFd,
    process::{self, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe::{Receiver, Sender},
    time::timeout_at,
};

use crate::{
    call::{Answer, Call, FunctionError, Load, MAX_BODY, ResponseHead},
    children::{Child, Ended},
    control::Control,
    headers::joined,
    program::Program,
};

/// The most that is read of a pipe at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// The most that an ended process can have left in the pipe of its standard error, in bytes.
const MAX_LEFT: usize = 1024 * 1024;

/// A loaded function.
pub struct Command {
    program: Program,
    function: String,
    revision: u32,
    /// True where several invocations may run at the same time: then the lines of each are sent with its id.
    beside_others: bool,
    control: Arc<Control>,
}

impl Command {
    /// Checks that there is such a program.
    pub fn new(load: &Load, program: Program, control: Arc<Control>) -> Result<Self, FunctionError> {
        program.check()?;
        let (function, revision) = (load.function.clone(), load.revision);
        Ok(Self { program, function, revision, beside_others: load.concurrency > 1, control })
    }

    /// Runs a process; none where the host has given up before it has ended.
    pub async fn call(&self, call: Call) -> Option<Answer> {
        let (child, pipes) = match self.start(&call) {
            Ok(started) => started,
            Err(error) => return Some(Answer::Error(error)),
        };
        let run = self.run(&child, pipes, &call);
        let outcome = timeout_at(call.deadline, run).await;
        // The process, or what it has left running.
        child.kill();
        let outcome = outcome.ok()?;
        let is_request = call.http.is_some();
        Some(outcome.map_or_else(Answer::Error, |bytes| result(bytes, is_request)))
    }

    fn start(&self, call: &Call) -> Result<(Child, Pipes), FunctionError> {
        let stderr = if self.beside_others { Stdio::piped() } else { Stdio::inherit() };
        let streams = [Stdio::piped(), Stdio::piped(), stderr];
        let (child, process) = self.program.start(&self.variables(call), streams)?;
        let pipes = Pipes::of(process).map_err(|error| {
            child.kill();
            FunctionError::new("command", format!("its pipes cannot be used: {error}"))
        })?;
        Ok((child, pipes))
    }

    fn variables(&self, call: &Call) -> Vec<(&'static str, String)> {
        let headers = match &call.http {
            Some(http) => serde_json::to_string(&joined(&http.headers, call.body.len())),
            None => serde_json::to_string(&call.headers),
        };
        let mut variables = vec![
            ("CLOUDFUNC_INVOCATION_ID", call.id.clone()),
            ("CLOUDFUNC_ATTEMPT", call.attempt.to_string()),
            ("CLOUDFUNC_FUNCTION", self.function.clone()),
            ("CLOUDFUNC_REVISION", self.revision.to_string()),
            ("CLOUDFUNC_REMAINING_MS", call.remaining.as_millis().to_string()),
            ("CLOUDFUNC_CONTENT_TYPE", call.content_type.clone()),
            ("CLOUDFUNC_HEADERS", headers.expect("texts are JSON")),
        ];
        if let Some(http) = &call.http {
            variables.extend([
                ("CLOUDFUNC_HTTP_METHOD", http.method.clone()),
                ("CLOUDFUNC_HTTP_PATH", http.path.clone()),
                ("CLOUDFUNC_HTTP_QUERY", http.query.clone().unwrap_or_default()),
            ]);
        }
        variables
    }

    /// Feeds the process and reads from it until it has ended. Other processes may have its pipes open for longer.
    async fn run(&self, child: &Child, pipes: Pipes, call: &Call) -> Result<Vec<u8>, FunctionError> {
        let Pipes { stdin, mut stdout, mut stderr } = pipes;
        let mut result = Vec::new();
        let ended = tokio::select! {
            biased;
            ended = child.ended() => Some(ended),
            () = read_too_much(&mut stdout, &mut result) => None,
            () = feed(stdin, call.body.clone()) => unreachable!("it waits for ever"),
            () = self.pass_on(stderr.as_mut(), &call.id) => unreachable!("it waits for ever"),
        };
        child.kill();
        read_rest(&stdout, &mut result, MAX_BODY);
        if let Some(stderr) = &stderr {
            let mut rest = Vec::new();
            read_rest(stderr, &mut rest, MAX_LEFT);
            self.log(&call.id, &rest);
        }
        match ended {
            Some(Ended::Code(0)) if result.len() <= MAX_BODY => Ok(result),
            Some(ended) if ended != Ended::Code(0) => {
                Err(FunctionError::new("exit", format!("the program {ended}")))
            }
            _ => {
                let message = format!(
                    "the program wrote more than {MAX_BODY} bytes (6 MiB) to its standard output, the limit of a result"
                );
                Err(FunctionError::new("too_large", message))
            }
        }
    }

    /// Passes the process's standard error on as the invocation's lines. Never returns.
    async fn pass_on(&self, stderr: Option<&mut Receiver>, id: &str) {
        if let Some(stderr) = stderr {
            let mut chunk = Vec::with_capacity(CHUNK);
            while let Ok(1..) = stderr.read_buf(&mut chunk).await {
                self.log(id, &chunk);
                chunk.clear();
                self.control.written().await;
            }
        }
        std::future::pending().await
    }

    fn log(&self, id: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.control.log(id, bytes);
        }
    }
}

/// This side of a process's standard streams.
struct Pipes {
    stdin: Sender,
    stdout: Receiver,
    stderr: Option<Receiver>,
}

impl Pipes {
    fn of(process: process::Child) -> io::Result<Self> {
        let stdin = process.stdin.map(OwnedFd::from).expect("it is a pipe");
        let stdout = process.stdout.map(OwnedFd::from).expect("it is a pipe");
        let stderr = process.stderr.map(OwnedFd::from).map(Receiver::from_owned_fd).transpose()?;
        Ok(Self {
            stdin: Sender::from_owned_fd(stdin)?,
            stdout: Receiver::from_owned_fd(stdout)?,
            stderr,
        })
    }
}

/// Writes the payload and closes the pipe. Never returns. A process need not read it.
async fn feed(mut stdin: Sender, payload: Bytes) {
    let _ = stdin.write_all(&payload).await;
    drop(stdin);
    std::future::pending().await
}

/// Reads the standard output, and returns only when it is over the limit.
async fn read_too_much(stdout: &mut Receiver, result: &mut Vec<u8>) {
    while result.len() <= MAX_BODY {
        result.reserve(CHUNK);
        match stdout.read_buf(result).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => std::future::pending().await,
        }
    }
}

/// Reads what is in a pipe now, up to a little more than `most`. The kernel is asked itself: what came just now is not known
/// to the event loop yet.
fn read_rest(pipe: &Receiver, into: &mut Vec<u8>, most: usize) {
    let mut chunk = vec![0; CHUNK];
    while into.len() <= most {
        match rustix::io::read(pipe, &mut chunk[..]) {
            Ok(read @ 1..) => into.extend_from_slice(&chunk[..read]),
            Ok(0) | Err(_) => return,
        }
    }
}

/// Makes the result; that of a request is the body of a response.
fn result(bytes: Vec<u8>, is_request: bool) -> Answer {
    let content_type = match std::str::from_utf8(&bytes) {
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let http = is_request.then(|| {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        ResponseHead { status: 200, headers }
    });
    Answer::Result { content_type: content_type.to_owned(), body: Bytes::from(bytes), http }
}
