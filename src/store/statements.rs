//! Statements that are the same in both dialects but for the name of the store's clock, or how JSON is read.

/// Adds to `attempts` the attempt that was lost with its manager: the row still says which revision it ran, and its
/// outcome has not come.
macro_rules! with_lost_attempt {
    () => {
        "i.attempts || CASE WHEN i.attempt_revision IS NULL THEN ''
             ELSE '{\"number\":' || i.attempt || ',\"revision\":' || i.attempt_revision || '}\n' END"
    };
}

/// The number of lost attempts of a row that is being claimed, with the one that this claim finds lost.
macro_rules! losses {
    () => {
        "(i.losses + CASE WHEN i.state = 'running' THEN 1 ELSE 0 END)"
    };
}

/// Claims an invocation for owner $1. One of which $2 attempts were lost ends in state $3, for reason $4 and cause $5,
/// as a dead letter if $6. `wanted` is another table of the statement, or nothing; the call's token, the invocation,
/// its revision and whether the owner has its lease are expressions. `message_at` is 0: the row is due as soon as its owner
/// has no lease, whatever the clock says. `state || ''` keeps Postgres from walking through the index over all that waits.
macro_rules! claim {
    ([$($now:tt)*], wanted = $wanted:literal, token = $token:literal, id = $id:literal, revision = $revision:literal, lease = $lease:literal,
     returning = $returning:literal) => {
        concat!(
            "UPDATE invocations AS i SET
                attempts = ", crate::store::statements::with_lost_attempt!(), ",
                state = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN 'running' ELSE $3 END,
                reason = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN NULL ELSE $4 END,
                cause = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN NULL ELSE $5 END,
                dead_letter = ", crate::store::statements::losses!(), " >= $2 AND $6,
                attempt_revision = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN f.active_revision END,
                owner = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN $1 END,
                finished_at = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN NULL ELSE ", $($now)*, " END,
                duration_ms = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN NULL WHEN ", $($now)*, " < i.accepted_at THEN 0
                    ELSE ", $($now)*, " - i.accepted_at END,
                message_at = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN 0 END,
                attempt = CASE WHEN ", crate::store::statements::losses!(), " < $2 THEN i.attempt + 1 ELSE i.attempt END,
                losses = ", crate::store::statements::losses!(), ",
                claim = ", $token, ", due_at = NULL, publications = 0
             FROM ", $wanted, "functions AS f
             WHERE i.id = ", $id, " AND f.id = i.function_id AND f.active_revision = ", $revision, "
               AND ", $lease, "
               AND (i.state || '' = 'queued' OR (i.state || '' = 'retrying' AND i.due_at <= ", $($now)*, ")
                    OR (i.state || '' = 'running' AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.owner = i.owner)))
             RETURNING ", $returning, "state, attempt, failures, losses, attempt_revision, payload_type, payload,
                headers, http, accepted_at"
        )
    };
}

/// The addresses of $1, a JSON list of [`Address`](crate::model::Address), as rows `asked`, in its order.
macro_rules! asked {
    (postgres) => {
        "json_to_recordset($1::json) AS asked (host text, method text, path text)"
    };
    (sqlite) => {
        "(SELECT json_extract(value, '$.host') AS host, json_extract(value, '$.method') AS method,
            json_extract(value, '$.path') AS path FROM json_each($1)) AS asked"
    };
}

/// The first of the addresses $1 that another function than the one called $2 has, with the name of that function.
macro_rules! taken {
    ($dialect:ident) => {
        concat!(
            "SELECT a.host, a.method, a.path, f.name FROM ",
            $crate::store::statements::asked!($dialect),
            " JOIN addresses AS a ON a.host = asked.host AND a.method = asked.method AND a.path = asked.path
             JOIN functions AS f ON f.id = a.function_id
             WHERE f.name <> $2 ORDER BY a.host, a.method, a.path LIMIT 1"
        )
    };
}

pub(super) use {asked, claim, losses, taken, with_lost_attempt};
