//! Records of sync invocations, made from what is known in memory: of those under way, and of ended ones.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    pending::{Arrival, Pending, PendingReplies},
    recorder::Recorder,
};
use crate::{
    lifecycle::Ending,
    model::{
        AttemptRecord, FunctionName, InvocationId, Mode, Phase, PhaseName, Phases, Record, ResultInfo,
        State, message::Outcome,
    },
    store::{RecordFilter, SyncRecord},
};

/// The record of a call that has ended: by an outcome, or without one.
pub fn ended_record(
    id: InvocationId,
    arrival: &Arrival,
    end: Result<(&Outcome, &Bytes), Ending>,
) -> SyncRecord {
    let elapsed = arrival.accepted.elapsed();
    let total_ms = elapsed.as_secs_f64() * 1000.0;
    let (verdict, result, ending) = match end {
        Ok((outcome, bytes)) => {
            let body = outcome.result(bytes);
            // One that says no end should not have come here.
            let ending = Ending::of_verdict(&outcome.verdict).unwrap_or_else(Ending::interrupted);
            (Some(outcome), body, ending)
        }
        Err(ending) => (None, None, ending),
    };
    let Ending { state, reason, dead_letter } = ending;
    // What could not be loaded was tried as well; what never got that far was not.
    let attempts =
        verdict.filter(|outcome| outcome.verdict.state().is_some()).map(|outcome| AttemptRecord {
            number: 1,
            revision: Some(outcome.revision),
            instance: outcome.instance,
            outcome: outcome.verdict.state(),
            error: outcome.verdict.error().cloned(),
            lines: outcome.lines,
            http_status: outcome.http.as_ref().map(|response| response.status),
        });
    SyncRecord {
        function: arrival.function.id,
        record: Record {
            id,
            function: arrival.function.name.clone(),
            mode: Mode::Sync,
            state,
            dead_letter,
            start: verdict.and_then(|outcome| outcome.start),
            prewarmed: verdict.is_some_and(|outcome| outcome.prewarmed),
            accepted_at: arrival.accepted_at,
            finished_at: arrival.accepted_at.checked_add(elapsed).ok(),
            duration_ms: Some(total_ms),
            attempts: attempts.into_iter().collect(),
            phases: verdict.map(|outcome| outcome.phases.clone()).unwrap_or_default(),
            result: result.as_ref().map(|body| ResultInfo {
                content_type: body.content_type.clone(),
                size: body.bytes.len() as u64,
            }),
            parent: None,
            reason,
            http: arrival.http.clone(),
        },
        result,
    }
}

/// The record of one that has not ended.
pub fn running_record(id: InvocationId, pending: &Pending) -> Record {
    Record {
        id,
        function: pending.arrival.function.name.clone(),
        mode: Mode::Sync,
        state: if pending.owner.is_some() { State::Running } else { State::Queued },
        dead_letter: false,
        start: None,
        prewarmed: false,
        accepted_at: pending.arrival.accepted_at,
        finished_at: None,
        duration_ms: None,
        attempts: Vec::new(),
        phases: Phases::new(),
        result: None,
        parent: None,
        reason: None,
        http: pending.arrival.http.clone(),
    }
}

/// Records that a filter picks, newest first: of invocations under way, and of those that ended and are not stored yet.
pub fn records_in_memory(
    waiting: &PendingReplies,
    recorder: &Recorder,
    filter: &RecordFilter,
) -> Vec<Record> {
    let picks = |id, accepted_at, function: &FunctionName| {
        filter.function.as_ref().is_none_or(|name| name == function)
            && filter.since.is_none_or(|since| accepted_at >= since)
            && filter.before.is_none_or(|before| id < before)
    };
    let mut records = BTreeMap::new();
    waiting.for_each(|id, pending| {
        if picks(id, pending.arrival.accepted_at, &pending.arrival.function.name) {
            records.insert(id, running_record(id, pending));
        }
    });
    // One that has ended meanwhile is in both.
    recorder.each_recent(|recent| {
        let Record { id, accepted_at, function, .. } = &recent.record;
        if picks(*id, *accepted_at, function) {
            records.insert(*id, recent.record.clone());
        }
    });
    records.retain(|_, record| filter.state.is_none_or(|state| record.state == state));
    let newest = records.into_values().rev();
    newest.take(filter.limit as usize).collect()
}

/// All phases on the scheduler's time line: its own, then the manager's. The wait in the queue goes on
/// until the manager's first phase, so that nothing is left out between them.
pub fn phases(pending: &Pending, outcome: &Outcome) -> Phases {
    let total_ms = pending.arrival.accepted.elapsed().as_secs_f64() * 1000.0;
    let taken = (total_ms - outcome.manager_ms).max(0.0);
    // A manager may have it before we have heard that the broker does.
    let admit = (pending.admitted.unwrap_or_default().as_secs_f64() * 1000.0).min(taken);
    let begun = taken + outcome.phases.first().map_or(outcome.manager_ms, |first| first.start_ms);
    let phase = |name, start_ms, duration_ms| Phase { name, start_ms, duration_ms };
    let ours = [phase(PhaseName::Admit, 0.0, admit), phase(PhaseName::Queue, admit, begun - admit)];
    let theirs = outcome.phases.iter().map(|own| phase(own.name, own.start_ms + taken, own.duration_ms));
    ours.into_iter().chain(theirs).collect()
}
