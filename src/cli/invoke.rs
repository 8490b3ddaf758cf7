//! `cloudfunc invoke`

use std::time::Instant;

use super::{
    Error, Output,
    answer::Answer,
    data::DataArgs,
    interrupt::Farewell,
    request::{RequestArgs, with_flags},
    said,
    target::Target,
};
use crate::{
    client::{self, Client, Outcome, RecordFilter},
    model::{FunctionName, Mode, Record},
};

/// Invoke a function and print what it returns
///
/// The exact bytes of the result go to stdout, everything else to stderr. If the invocation fails, that
/// includes what the function wrote and its traceback.
///
/// With --method or --path the function gets an HTTP request, as it does at its addresses. Of a response, also that of a web
/// server, the result is the body, whatever the status; one of 500 and above is a failure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    request: RequestArgs,
    /// Do not wait: print the invocation's id as soon as the invocation is stored
    #[arg(long = "async")]
    asynchronous: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let Self { name, data, request, asynchronous } = self;
        let options = request.options()?;
        let payload = data.read(options.http.as_ref(), out).await?;
        if asynchronous {
            let accepted = client.invoke_async_with(&name, payload, &options).await;
            let accepted =
                accepted.map_err(|error| failed(error, "have been accepted", &name, target))?;
            target.remember(accepted.id);
            if out.json() {
                return out.document(&accepted);
            }
            out.line(&accepted.id.to_string())?;
            out.next("cloudfunc invocation wait @last");
            return Ok(());
        }
        let progress = out.waiting(&format!("invoking {name}"));
        out.on_interrupt().set(what_goes_on(client.clone(), name.clone(), target.clone()));
        let begun = Instant::now();
        let answer = client.invoke_with(&name, payload, &options).await;
        let answer = answer.map_err(|error| failed(error, "have run", &name, target))?;
        let waited = begun.elapsed().as_secs_f64() * 1000.0;
        out.on_interrupt().clear();
        drop(progress);
        target.remember(answer.id);
        if matches!(answer.outcome, Outcome::Failed(_)) && !out.json() {
            said::beside_failure(&client, answer.id, out).await;
        }
        Answer::of_call(answer, waited).advised(&options).print(out)
    }
}

/// Makes the error of a call. If the call has an invocation, `@last` refers to it; if the connection was lost,
/// the hint tells what may have happened.
fn failed(error: client::Error, may: &str, name: &FunctionName, target: &Target) -> Error {
    let is_lost = matches!(error, client::Error::Lost { .. });
    let error = Error::from(with_flags(error));
    if let Some(id) = error.kind.invocation {
        target.remember(id);
    }
    if !is_lost {
        return error;
    }
    error.hint(format!(
        "it may {may}, and another call may run it a second time; `cloudfunc invocation list --function {name}` \
         shows the function's invocations"
    ))
}

/// The message after Ctrl-C. A call has no id before it is answered, so this asks the platform which
/// invocations are running.
async fn what_goes_on(client: Client, name: FunctionName, target: Target) -> Option<Farewell> {
    let filter = RecordFilter { function: Some(name.clone()), ..RecordFilter::default() };
    let is_under_way = |record: &Record| record.mode == Mode::Sync && !record.state.is_terminal();
    let page = client.records(&filter).await.ok()?;
    let under_way: Vec<_> = page.items.into_iter().filter(is_under_way).collect();
    let list = format!("`cloudfunc invocation list --function {name}` shows them");
    if let [one] = under_way.as_slice() {
        target.remember(one.id);
    }
    Some(match under_way.as_slice() {
        [] => Farewell {
            what: format!("no invocation of {name} is running: it has ended, or it never began"),
            hint: Some(list),
            invocation: None,
        },
        [one] => Farewell {
            what: format!("the invocation continues, id {}", one.id),
            hint: Some(format!("`cloudfunc invocation wait {}` prints its result", one.id)),
            invocation: Some(one.id),
        },
        [newest, others @ ..] => Farewell {
            what: format!(
                "the invocation continues; it is one of {} of {name} under way, of which {} is the newest",
                others.len() + 1,
                newest.id
            ),
            hint: Some(list),
            invocation: None,
        },
    })
}
