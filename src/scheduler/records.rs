//! Reading invocations: those under way on this host from memory, those that ended and are not stored yet from the
//! recorder, the others from the store.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    Scheduler,
    sync::{
        pending::Pending,
        record::{records_in_memory, running_record},
    },
};
use crate::{
    http::Failure,
    model::{Caller, FunctionName, IdPart, InvocationId, InvocationRef, Problem, Record, code},
    store::{self, RecordFilter, StoredResult, SyncRecord},
};

/// The hint of a problem about an invocation that is not there.
const SEE_LIST: &str =
    "'cloudfunc invocation list' shows the newest; records are deleted after some days";

/// Candidates for a part of an id that are listed when there are several.
const LISTED: u32 = 10;

/// What is said of an invocation that is not there, and of one that the caller may not be told of.
pub fn not_found(id: InvocationId) -> Failure {
    Problem::new(code::INVOCATION_NOT_FOUND, format!("there is no invocation {id}"))
        .hint(SEE_LIST)
        .into()
}

impl Scheduler {
    /// The invocation that a user means by an id or a part of one, of those that the caller may be told of.
    pub(super) async fn resolve(
        &self,
        wanted: &InvocationRef,
        caller: &Caller,
    ) -> Result<InvocationId, Failure> {
        let part = match wanted {
            InvocationRef::Id(id) => {
                return if self.reaches(caller, *id).await? { Ok(*id) } else { Err(not_found(*id)) };
            }
            InvocationRef::Part(part) => part,
        };
        let found = self.candidates(part, caller).await?;
        match found.iter().rev().copied().collect::<Vec<_>>().as_slice() {
            [one] => Ok(*one),
            [] => {
                let detail = format!("there is no invocation whose id begins or ends with '{wanted}'");
                Err(Problem::new(code::INVOCATION_NOT_FOUND, detail).hint(SEE_LIST).into())
            }
            several => {
                let listed: Vec<_> =
                    several.iter().take(LISTED as usize).map(ToString::to_string).collect();
                let more = if several.len() > LISTED as usize { ", and others" } else { "" };
                let listed = listed.join(", ");
                let detail =
                    format!("'{wanted}' is part of the ids of several invocations: {listed}{more}");
                Err(Problem::new(code::BAD_REQUEST, detail).hint("give more digits of the id").into())
            }
        }
    }

    /// Invocations with that part, of those that the caller may be told of: all, or one more than are listed.
    async fn candidates(
        &self,
        part: &IdPart,
        caller: &Caller,
    ) -> Result<BTreeSet<InvocationId>, Failure> {
        // In this order: one that ends meanwhile goes from the first to the last.
        let mut found = BTreeSet::new();
        found.extend(self.pending.find(part).into_iter().filter(|id| {
            let reaches = |pending: &mut Pending| caller.reaches(&pending.arrival.function.name);
            self.pending.with(*id, reaches).unwrap_or(false)
        }));
        found.extend(self.recorder.find(part).into_iter().filter(|id| {
            let recent = self.recorder.recent(*id);
            recent.is_some_and(|recent| caller.reaches(&recent.record.function))
        }));
        found.extend(self.store.find_invocations(part, &caller.functions, LISTED + 1).await?);
        Ok(found)
    }

    /// A function that is there, or was when something of it was recorded; else the problem.
    pub(super) async fn once_there(&self, name: FunctionName, caller: &Caller) -> Result<(), Failure> {
        let Err(problem) = self.functions.find_for(&name, caller).await else { return Ok(()) };
        let any = RecordFilter { function: Some(name), limit: 1, ..RecordFilter::default() };
        if self.store.records(&any).await?.is_empty() { Err(problem) } else { Ok(()) }
    }

    /// From here while it is under way or not stored yet, else from the store.
    pub(super) async fn record(&self, id: InvocationId) -> Result<Option<Record>, store::Error> {
        if let Some(record) = self.pending.with(id, |pending| running_record(id, pending)) {
            return Ok(Some(record));
        }
        if let Some(recent) = self.recorder.recent(id) {
            return Ok(Some(recent.record.clone()));
        }
        self.store.record(id).await
    }

    /// Newest first: those of the store, and the sync ones of this host that are under way or not stored yet.
    pub(super) async fn records(&self, filter: &RecordFilter) -> Result<Vec<Record>, store::Error> {
        let mut records = records_in_memory(&self.pending, &self.recorder, filter);
        let stored = self.store.records(filter).await?;
        // One that has ended meanwhile is there twice.
        let ids: BTreeSet<InvocationId> = stored.iter().map(|record| record.id).collect();
        records.retain(|record| !ids.contains(&record.id));
        records.extend(stored);
        records.sort_unstable_by_key(|record| std::cmp::Reverse(record.id));
        records.truncate(filter.limit as usize);
        Ok(records)
    }

    /// The record as soon as it is terminal, or as it is after `wait` or when the scheduler stops.
    pub(super) async fn record_when_terminal(
        &self,
        id: InvocationId,
        wait: Duration,
    ) -> Result<Option<Record>, store::Error> {
        /// Another scheduler may see the end instead of this one: the store is asked now and then.
        const LOOK_AGAIN: Duration = Duration::from_millis(500);
        let deadline = tokio::time::Instant::now() + wait;
        let mut finished = self.finished.subscribe();
        loop {
            let record = self.record(id).await?;
            let done = record.as_ref().is_none_or(|record| record.state.is_terminal());
            let now = tokio::time::Instant::now();
            if done || now >= deadline {
                return Ok(record);
            }
            let look = deadline.min(now + LOOK_AGAIN);
            // One who lags behind misses ids; then the next look finds the end.
            let this_one = async { while !matches!(finished.recv().await, Ok(other) if other == id) {} };
            tokio::select! {
                _ = tokio::time::timeout_at(look, this_one) => {}
                () = self.stop.cancelled() => return Ok(record),
            }
        }
    }

    /// The value that an invocation returned; none while there is not one.
    pub(super) async fn result(&self, id: InvocationId) -> Result<Option<StoredResult>, store::Error> {
        let of_recent = |recent: Arc<SyncRecord>| {
            let (body, http_status) = (recent.result.clone()?, recent.record.http_status());
            Some(StoredResult { body, http_status })
        };
        match self.recorder.recent(id).and_then(of_recent) {
            Some(result) => Ok(Some(result)),
            None => self.store.result(id).await,
        }
    }
}
