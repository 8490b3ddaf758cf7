//! Statements over invocations that are the same in both dialects except for the name of the store's clock.

/// Adds to `attempts` the attempt that was lost with its manager: the row still says which revision it ran, and its
/// outcome has not come.
macro_rules! with_lost_attempt {
    () => {
        "i.attempts || CASE WHEN i.attempt_revision IS NULL THEN ''
             ELSE '{\"number\":' || i.attempt || ',\"revision\":' || i.attempt_revision || '}\n' END"
    };
}

/// Claims invocation $1 for owner $2 by call $3. An invocation that was claimed $4 times ends in state $5, for reason
/// $6 and cause $7, as a dead letter if $8.
macro_rules! claim {
    ($($now:tt)*) => {
        concat!(
            "UPDATE invocations AS i SET
                attempts = ", crate::store::statements::with_lost_attempt!(), ",
                state = CASE WHEN i.attempt < $4 THEN 'running' ELSE $5 END,
                reason = CASE WHEN i.attempt < $4 THEN NULL ELSE $6 END,
                cause = CASE WHEN i.attempt < $4 THEN NULL ELSE $7 END,
                dead_letter = i.attempt >= $4 AND $8,
                attempt_revision = CASE WHEN i.attempt < $4 THEN f.active_revision END,
                owner = CASE WHEN i.attempt < $4 THEN $2 END,
                finished_at = CASE WHEN i.attempt < $4 THEN NULL ELSE ", $($now)*, " END,
                duration_ms = CASE WHEN i.attempt < $4 THEN NULL WHEN ", $($now)*, " < i.accepted_at THEN 0
                    ELSE ", $($now)*, " - i.accepted_at END,
                message_at = CASE WHEN i.attempt < $4 THEN ", $($now)*, " END,
                attempt = CASE WHEN i.attempt < $4 THEN i.attempt + 1 ELSE i.attempt END,
                claim = $3, due_at = NULL, publications = 0
             FROM functions AS f
             WHERE i.id = $1 AND f.id = i.function_id
               AND (i.state = 'queued' OR (i.state = 'retrying' AND i.due_at <= ", $($now)*, ")
                    OR (i.state = 'running' AND NOT EXISTS (
                        SELECT 1 FROM leases AS l WHERE l.owner = i.owner AND l.expires_at > ", $($now)*, ")))
             RETURNING state, attempt, failures, attempt_revision, payload_type, payload, headers, accepted_at"
        )
    };
}

pub(super) use {claim, with_lost_attempt};
