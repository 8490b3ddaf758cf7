//! One invocation in an instance that runs one at a time.

use std::time::Instant;

use super::{
    super::{
        logs::Sink,
        work::{Run, Work},
    },
    Instance,
    attempt::End,
    crash::crash,
};
use crate::{model::Start, runtime::GuestError};

impl Instance {
    /// Runs one job; answers what came of it, and whether the instance can run another.
    pub(super) async fn run(&mut self, work: &mut Work, start: Start) -> (Run, bool) {
        let invoke = self.context().invoke(work, start);
        let spec = &self.revision.spec;
        let begun = Instant::now();
        let attempt = Some((work.invoke.id, work.attempt()));
        let mut sink = Sink::new(&self.shared, &self.revision, self.id, attempt);
        let answer =
            self.guest.invoke(&invoke, &work.payload, spec.timeout, &mut |line| sink.write(line)).await;
        let lines = sink.lines;
        let (end, usable) = match answer {
            Ok(finished) => (self.memory_kills.end(&*self.sandbox, spec, begun, finished).await, true),
            Err(GuestError::TimedOut(limit)) => (End::TimedOut(limit), false),
            Err(error) => (End::Lost(crash(&*self.sandbox, spec, error).await), false),
        };
        (self.context().run(work, start, begun, end, lines), usable)
    }
}
