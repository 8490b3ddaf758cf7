//! `cloudfunc invoke`

use std::time::Instant;

use super::{Error, Output, answer::Answer, data::DataArgs, said, target::Target};
use crate::{client::Outcome, model::FunctionName};

/// Invoke a function and print what it returns
///
/// The result's exact bytes go to stdout, everything else to stderr: of a failed invocation also what the
/// function wrote, and its trace.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The function
    name: FunctionName,
    #[command(flatten)]
    data: DataArgs,
    /// Do not wait: print the invocation's id as soon as it is stored
    #[arg(long = "async")]
    asynchronous: bool,
}

impl Args {
    pub async fn run(self, target: &Target, out: &Output) -> Result<(), Error> {
        let client = target.client(out)?;
        let payload = self.data.read().await?;
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
        let begun = Instant::now();
        let answer = client.invoke(&self.name, payload).await?;
        let waited = begun.elapsed().as_secs_f64() * 1000.0;
        drop(progress);
        target.remember(answer.id);
        if matches!(answer.outcome, Outcome::Failed(_)) && !out.json() {
            said::beside_failure(&client, answer.id, out).await;
        }
        Answer::of_call(answer, waited).print(out)
    }
}
