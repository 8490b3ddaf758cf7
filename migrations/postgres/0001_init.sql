-- The store's first schema. Times are milliseconds since the Unix epoch. Those that decide who may do
-- what (leases, due rows, messages) are this server's own; accepted_at, finished_at and ts are their
-- writers'. JSON is kept as text: jsonb refuses \u0000, which a function may well print.

-- The start of the statement: constant within it, so that it can be an index bound. A statement that
-- waited for a lock thus sees an older time, which only errs towards "the lease still holds".
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint $$;

CREATE TABLE functions (
    id              uuid    PRIMARY KEY,
    name            text    NOT NULL UNIQUE,
    active_revision bigint  NOT NULL,
    last_revision   bigint  NOT NULL,
    created_at      bigint  NOT NULL,
    reported_warm   boolean NOT NULL DEFAULT false
);

-- Sources and bundles by their SHA-256. They are compressed already.
CREATE TABLE blobs (
    digest     text   PRIMARY KEY,
    bytes      bytea  NOT NULL,
    created_at bigint NOT NULL
);
ALTER TABLE blobs ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE revisions (
    function_id uuid   NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    number      bigint NOT NULL,
    spec        text   NOT NULL,
    source      text   NOT NULL,
    bundle      text,
    image       text   NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (function_id, number)
);
CREATE INDEX revisions_source ON revisions (source);
CREATE INDEX revisions_bundle ON revisions (bundle);

-- Async invocations from their acceptance on, and the records of finished sync ones. No reference to
-- functions: records outlive them. attempt is the fence of claims, owner who holds the last claim.
CREATE TABLE invocations (
    id               uuid    PRIMARY KEY,
    function_id      uuid    NOT NULL,
    function_name    text    NOT NULL,
    mode             text    NOT NULL CHECK (mode IN ('sync', 'async')),
    state            text    NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'succeeded',
                                 'failed', 'timed_out', 'crashed', 'cancelled', 'expired')),
    dead_letter      boolean NOT NULL DEFAULT false,
    reason           text,
    attempt          bigint  NOT NULL DEFAULT 0,
    owner            uuid,
    claim            uuid,    -- which call claimed it last, to recognise a claim whose answer was lost
    attempt_revision bigint,  -- of the attempt that has no entry in attempts yet
    attempts         text    NOT NULL DEFAULT '',  -- one JSON object a line
    due_at           bigint,  -- of a retrying row
    message_at       bigint,  -- when a row that is not terminal needs a message (again)
    publications     bigint  NOT NULL DEFAULT 0,
    accepted_at      bigint  NOT NULL,
    finished_at      bigint,
    duration_ms      double precision,
    start            text,
    prewarmed        boolean NOT NULL DEFAULT false,
    phases           text    NOT NULL DEFAULT '[]',
    parent           uuid,
    headers          text,
    payload_type     text,
    payload          bytea,
    result_type      text,
    result_size      bigint,
    result           bytea
);
ALTER TABLE invocations ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN result SET STORAGE EXTERNAL;
CREATE INDEX invocations_due ON invocations (message_at, id) WHERE state IN ('queued', 'retrying', 'running');
CREATE INDEX invocations_waiting ON invocations (function_id) WHERE state IN ('queued', 'retrying');
CREATE INDEX invocations_async ON invocations (state) WHERE mode = 'async';
CREATE INDEX invocations_by_function ON invocations (function_name, id);
CREATE INDEX invocations_by_state ON invocations (state, id);
CREATE INDEX invocations_finished ON invocations (finished_at) WHERE finished_at IS NOT NULL;

-- What counting rows cannot tell any more: how many async invocations were accepted and pruned.
CREATE TABLE totals (
    name  text   PRIMARY KEY,
    value bigint NOT NULL
);
INSERT INTO totals (name, value) VALUES ('accepted', 0), ('pruned', 0);

-- One row per manager process. An owner without a row is one whose lease has expired.
CREATE TABLE leases (
    owner      uuid   PRIMARY KEY,
    manager    uuid   NOT NULL,
    expires_at bigint NOT NULL
);

-- What the managers report; counts only while the owner's lease holds.
CREATE TABLE instances (
    owner       uuid   NOT NULL,
    id          uuid   NOT NULL,
    manager     uuid   NOT NULL,
    function_id uuid   NOT NULL,
    revision    bigint NOT NULL,
    sandbox     text   NOT NULL,
    started_at  bigint NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE TABLE logs (
    sequence      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts            bigint NOT NULL,
    function_name text   NOT NULL,
    revision      bigint NOT NULL,
    invocation_id uuid,
    attempt       bigint,
    instance      uuid   NOT NULL,
    stream        text   NOT NULL,
    line          text   NOT NULL
);
CREATE INDEX logs_by_function ON logs (function_name, sequence);
CREATE INDEX logs_by_invocation ON logs (invocation_id, sequence) WHERE invocation_id IS NOT NULL;
CREATE INDEX logs_by_time ON logs (ts);
