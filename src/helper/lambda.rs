//! `interface = "lambda"`: the program asks AWS Lambda's Runtime API for invocations, and answers them there. That API is
//! served here, on loopback. `docs/lambda.md` says which parts exist and what is different; it is checked against
//! AWS's public documentation, and no code of theirs is in it.
//!
//! ```text
//! host ── call ──▶ Invocations ◀── GET invocation/next ──────── program
//! host ◀─ answer ─ (one at a time) ◀─ POST invocation/{id}/… ── program
//! ```
//!
//! The initialisation ends with the program's first `next`, or with its `init/error`.

mod body;
mod environment;
mod invocations;
mod reported;
mod server;

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{net::TcpListener, sync::oneshot};

use self::{
    environment::Given,
    server::{Api, serve},
};
use crate::{
    call::{Answer, Call, FunctionError, Load, LoadError},
    children::{Child, Ended},
    program::Program,
};

/// A program that speaks the Runtime API, once it has asked for its first invocation.
pub struct Lambda {
    api: Arc<Api>,
}

impl Lambda {
    /// Serves the API, starts the program, and waits until it asks for an invocation.
    pub async fn start(program: &Program, load: &Load) -> Result<(Self, Child), LoadError> {
        let bound = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            Ok::<_, std::io::Error>((listener, address))
        };
        let (listener, address) = bound.await.map_err(|error| {
            let message = format!("the Runtime API cannot be served on 127.0.0.1: {error}");
            FunctionError::new("load", message)
        })?;
        let given = Given::of_this_process(load);
        let (begun, initialised) = oneshot::channel();
        let api = Arc::new(Api::new(environment::arn(load, &given), begun));
        tokio::spawn(serve(listener, api.clone()));
        let variables = environment::variables(load, address, &given);
        let child = program.spawn(&variables)?;
        tokio::select! {
            // A program that reports an error ends at once.
            biased;
            Ok(begun) = initialised => {
                begun?;
                Ok((Self { api }, child))
            }
            ended = child.ended() => Err(never_asked(&program.name(), ended).into()),
        }
    }

    /// Hands an invocation to the program, and waits for its answer.
    pub async fn call(&self, call: Call) -> Answer {
        let answer = self.api.arrive(call);
        match answer.await {
            Ok(answer) => answer,
            // The sender lives until it is answered; `serve` watches for the program's end.
            Err(_) => std::future::pending().await,
        }
    }
}

fn never_asked(name: &str, ended: Ended) -> FunctionError {
    let message = format!(
        "the program \"{name}\" {ended} before it asked for an invocation; with interface = \"lambda\" it has to call \
         http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next in a loop"
    );
    FunctionError::new("exit", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_at_once_is_told_what_it_has_to_do() {
        let error = never_asked("bootstrap", Ended::Code(3));
        assert_eq!(error.kind, "exit");
        assert_eq!(
            error.message,
            "the program \"bootstrap\" ended with code 3 before it asked for an invocation; with interface = \"lambda\" it \
             has to call http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next in a loop"
        );
    }
}
