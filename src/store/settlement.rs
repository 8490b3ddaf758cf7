//! Decisions of the lifecycle as values of columns: the backends only compare and set.

use super::{
    Settlement,
    rows::{attempt_line, clean, count, millis, phases_column, reason_columns},
};
use crate::{
    lifecycle::{Claims, Ending, Policy, Transition},
    model::State,
};

/// A state and the reason for it, in columns.
#[derive(Clone, Debug)]
pub(super) struct StateColumns {
    pub state: &'static str,
    pub reason: Option<String>,
    pub cause: Option<String>,
    pub dead_letter: bool,
}

impl From<&Ending> for StateColumns {
    fn from(ending: &Ending) -> Self {
        let (reason, cause) = reason_columns(ending.reason.as_ref());
        Self { state: ending.state.as_str(), reason, cause, dead_letter: ending.dead_letter }
    }
}

impl StateColumns {
    fn plain(state: State) -> Self {
        Self { state: state.as_str(), reason: None, cause: None, dead_letter: false }
    }
}

/// Returns the bounds of a claim: how many attempts may be lost, and the end that the next claim leads to.
pub(super) fn claim_bounds() -> (i64, StateColumns) {
    let Claims { most_losses, exhausted } = Policy::DEFAULT.claims();
    (i64::from(most_losses), StateColumns::from(&exhausted))
}

/// Returns the end of an invocation whose function was deleted while it waited.
pub(super) fn function_deleted() -> StateColumns {
    StateColumns::from(&Ending::function_deleted())
}

/// A settlement in columns. The columns of an end are empty for other transitions.
pub(super) struct SettlementColumns<'a> {
    pub next: StateColumns,
    pub failures: i64,
    /// The number of lost attempts, where it may have changed.
    pub losses: Option<i64>,
    pub entry: String,
    pub start: Option<&'static str>,
    pub prewarmed: bool,
    pub phases: String,
    pub result_type: Option<String>,
    pub result_size: Option<i64>,
    pub result: Option<&'a [u8]>,
    /// The time of the end, in milliseconds since the epoch.
    pub finished_at: Option<i64>,
    /// The time until it is due again, in milliseconds.
    pub due_in: Option<i64>,
}

/// Returns the entry of an attempt that was lost, as a claim wrote it (see `with_lost_attempt`), and the one with what
/// came of it; none where its revision is not known.
pub(super) fn late_entry(row: &Settlement) -> sqlx::Result<Option<(String, String)>> {
    let Some(revision) = row.attempt_record.revision else { return Ok(None) };
    let lost = format!("{{\"number\":{},\"revision\":{}}}\n", row.attempt, revision.0);
    Ok(Some((lost, attempt_line(&row.attempt_record)?)))
}

/// Replaces the entry $2 of the attempts of $1 by $3, if it is there.
pub(super) const NOTE_LATE: &str = "UPDATE invocations SET attempts = replace(attempts, $2, $3)
     WHERE id = $1 AND attempts <> replace(attempts, $2, $3)";

/// Returns the columns; none: the transition changes nothing.
pub(super) fn columns(row: &Settlement) -> sqlx::Result<Option<SettlementColumns<'_>>> {
    let entry = attempt_line(&row.attempt_record)?;
    Ok(Some(match &row.transition {
        Transition::Stay | Transition::Run { .. } => return Ok(None),
        Transition::Retry { after, failures, losses } => SettlementColumns {
            next: StateColumns::plain(State::Retrying),
            failures: i64::from(*failures),
            losses: Some(i64::from(*losses)),
            entry,
            start: None,
            prewarmed: false,
            phases: phases_column(&[])?,
            result_type: None,
            result_size: None,
            result: None,
            finished_at: None,
            due_in: Some(millis(*after)),
        },
        Transition::End { ending, failures } => SettlementColumns {
            next: StateColumns::from(ending),
            failures: i64::from(*failures),
            losses: None,
            entry,
            start: row.start.map(|start| start.as_str()),
            prewarmed: row.prewarmed,
            phases: phases_column(&row.phases)?,
            result_type: row.result.as_ref().map(|body| clean(&body.content_type).into_owned()),
            result_size: row.result.as_ref().map(|body| count(body.bytes.len())),
            result: row.result.as_ref().map(|body| &body.bytes[..]),
            finished_at: Some(row.finished_at.as_millisecond()),
            due_in: None,
        },
    }))
}
