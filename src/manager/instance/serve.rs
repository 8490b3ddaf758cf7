//! An instance at work: one job after the other, until there are no more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    super::{
        begin,
        commands::{Command, Commands, Job},
        logs::Sink,
        pool::Slot,
        work::Work,
    },
    Instance,
};
use crate::model::{InvocationId, Start};

/// Output of the load waits for up to this long for the invocation that it belongs to: there
/// is one at once, or the instance idles.
const OUTPUT_WAITS: Duration = Duration::from_secs(1);

/// Tells whether work that was handed to an instance can run there.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on its way through a match")]
enum Begins {
    /// It is to be run.
    Ours(Work),
    /// It is somebody else's, or waits again.
    NotOurs,
    /// The guest has ended.
    InVain,
}

impl Instance {
    /// Runs jobs until there are no more or the guest is of no use.
    pub(super) async fn serve(
        &mut self,
        commands: &Commands,
        slot: Slot,
        jobs: &mut mpsc::UnboundedReceiver<Job>,
    ) {
        // Once, and not for each invocation: to begin and to end a wait takes locks that all instances share.
        let given_up = self.shared.given_up.clone();
        let mut given_up = std::pin::pin!(given_up.cancelled());
        let mut life = self.shared.lives.now();
        let mut lost = std::pin::pin!(life.lost.clone().cancelled_owned());
        loop {
            let mut sink = Sink::new(&self.shared, &self.revision, self.id, None);
            let is_held = !self.load_output.is_empty();
            let mut between = |line| sink.write(line);
            let job = tokio::select! {
                biased;
                job = jobs.recv() => job,
                () = pause(is_held) => {
                    self.write_load_output(None);
                    continue;
                }
                error = self.guest.idle(&mut between) => {
                    tracing::warn!(function = %self.revision.name, container = self.short_id(), %error, "instance ended while idle");
                    self.write_load_output(None);
                    let _ = commands.send(Command::Ended { slot });
                    // What was handed over in this moment has not begun.
                    while let Some(job) = jobs.recv().await {
                        let _ = commands.send(Command::Finished { slot, work: job.id, usable: false });
                        begin::hand_on(job.work, &self.shared, commands).await;
                    }
                    return;
                }
            };
            let Some(Job { id, work, start }) = job else {
                self.write_load_output(None);
                return;
            };
            if work.is_too_late(Instant::now()) {
                let _ = commands.send(Command::Finished { slot, work: id, usable: true });
                begin::too_late(work, &self.shared).await;
                continue;
            }
            let claimed = match work.needs_claim() {
                true => self.claimed(work, commands).await,
                false => Begins::Ours(work),
            };
            let mut work = match claimed {
                Begins::Ours(work) => work,
                Begins::NotOurs => {
                    let _ = commands.send(Command::Finished { slot, work: id, usable: true });
                    continue;
                }
                Begins::InVain => {
                    self.write_load_output(None);
                    let _ = commands.send(Command::Finished { slot, work: id, usable: false });
                    return;
                }
            };
            // A cold start's invocation is the one that waited.
            let waited = (start == Start::Cold).then_some((work.invoke.id, work.attempt()));
            let load_lines = if is_held { self.write_load_output(waited) } else { 0 };
            // Its lease may have been ended while its claim was on its way here.
            let of_work = work.claim.as_ref().map(|claim| claim.life.clone());
            let of_work = of_work.unwrap_or_else(|| self.shared.lives.now());
            if !Arc::ptr_eq(&life, &of_work) {
                life = of_work;
                lost.set(life.lost.clone().cancelled_owned());
            }
            let ran = tokio::select! {
                biased;
                // Its sandbox is about to be removed, which must not look like a crash.
                () = &mut given_up => return work.abandon(&self.shared).await,
                // Somebody else may run it by now.
                () = &mut lost => {
                    let _ = commands.send(Command::Finished { slot, work: id, usable: false });
                    return work.abandon(&self.shared).await;
                }
                ran = self.run(&mut work, start) => ran,
            };
            let (mut run, usable) = ran;
            run.lines += if waited.is_some() { load_lines } else { 0 };
            // Before the answer: whoever has it and comes back at once finds this instance idle.
            let _ = commands.send(Command::Finished { slot, work: id, usable });
            work.settle(&self.shared, run).await;
            if !usable {
                return;
            }
        }
    }

    /// Claims async work. If the guest ends meanwhile, the attempt counts as not run.
    async fn claimed(&mut self, work: Work, commands: &Commands) -> Begins {
        let shared = self.shared.clone();
        let mut claiming = std::pin::pin!(begin::claim(work, &shared, commands));
        let mut sink = Sink::new(&shared, &self.revision, self.id, None);
        let mut between = |line| sink.write(line);
        tokio::select! {
            biased;
            work = &mut claiming => return work.map_or(Begins::NotOurs, Begins::Ours),
            error = self.guest.idle(&mut between) => {
                tracing::warn!(function = %self.revision.name, container = self.short_id(), %error, "instance ended while idle");
            }
        }
        if let Some(work) = claiming.await {
            begin::did_not_begin(work, &shared).await;
        }
        Begins::InVain
    }

    /// Writes the output of the load, as that invocation's, or as the instance's own.
    fn write_load_output(&mut self, invocation: Option<(InvocationId, u32)>) -> u64 {
        let output = std::mem::take(&mut self.load_output);
        output.write(Sink::new(&self.shared, &self.revision, self.id, invocation))
    }
}

/// Ends after [`OUTPUT_WAITS`] where something waits.
pub(super) async fn pause(is_held: bool) {
    match is_held {
        true => tokio::time::sleep(OUTPUT_WAITS).await,
        false => std::future::pending().await,
    }
}
