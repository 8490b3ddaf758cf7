//! `cloudfunc invoke`

use std::time::Instant;

use super::{Error, Output, answer::Answer, data::DataArgs, interrupt::Farewell, said, target::Target};
use crate::{
    client::{Client, Outcome, RecordFilter},
    model::{FunctionName, Mode, Record},
};

/// Invoke a function and print what it returns
///
/// The exact bytes of the result go to stdout, everything else to stderr. If the invocation fails, that
/// includes what the function wrote and its traceback.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    #[command(flatten)]
    data: DataArgs,
    /// Do not wait: print the invocation's id as soon as the invocation is stored
    #[arg(long = "async")]
    asynchronous: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let payload = self.data.read(out).await?;
        if self.asynchronous {
            let accepted = client.invoke_async(&self.name, payload).await?;
            target.remember(accepted.id);
            if out.json() {
                return out.document(&accepted);
            }
            out.line(&accepted.id.to_string())?;
            out.next("cloudfunc invocation wait @last");
            return Ok(());
        }
        let progress = out.waiting(&format!("invoking {}", self.name));
        out.on_interrupt().set(what_goes_on(client.clone(), self.name.clone()));
        let begun = Instant::now();
        let answer = client.invoke(&self.name, payload).await?;
        let waited = begun.elapsed().as_secs_f64() * 1000.0;
        out.on_interrupt().clear();
        drop(progress);
        target.remember(answer.id);
        if matches!(answer.outcome, Outcome::Failed(_)) && !out.json() {
            said::beside_failure(&client, answer.id, out).await;
        }
        Answer::of_call(answer, waited).print(out)
    }
}

/// The message after Ctrl-C. A call has no id before it is answered, so this asks the platform which
/// invocations are running.
async fn what_goes_on(client: Client, name: FunctionName) -> Option<Farewell> {
    let filter = RecordFilter { function: Some(name.clone()), ..RecordFilter::default() };
    let is_under_way = |record: &Record| record.mode == Mode::Sync && !record.state.is_terminal();
    let page = client.records(&filter).await.ok()?;
    let under_way: Vec<_> = page.items.into_iter().filter(is_under_way).collect();
    let list = format!("`cloudfunc invocation list --function {name}` shows them");
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
