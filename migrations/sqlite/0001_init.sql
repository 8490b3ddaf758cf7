-- The store's first schema; what the columns mean is said in ../postgres/0001_init.sql. Ids are blobs of
-- 16 bytes, whose order is that of UUIDs.

CREATE TABLE functions (
    id              BLOB    PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    active_revision INTEGER NOT NULL,
    last_revision   INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    reported_warm   BOOLEAN NOT NULL DEFAULT FALSE
) WITHOUT ROWID;

CREATE TABLE blobs (
    digest     TEXT    PRIMARY KEY,
    bytes      BLOB    NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE revisions (
    function_id BLOB    NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    spec        TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    bundle      TEXT,
    image       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (function_id, number)
) WITHOUT ROWID;
CREATE INDEX revisions_source ON revisions (source);
CREATE INDEX revisions_bundle ON revisions (bundle);

-- Not WITHOUT ROWID: rows hold payloads, which belong out of the way of a search by id.
CREATE TABLE invocations (
    id               BLOB    NOT NULL PRIMARY KEY,
    function_id      BLOB    NOT NULL,
    function_name    TEXT    NOT NULL,
    mode             TEXT    NOT NULL CHECK (mode IN ('sync', 'async')),
    state            TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'succeeded',
                                 'failed', 'timed_out', 'crashed', 'cancelled', 'expired')),
    dead_letter      BOOLEAN NOT NULL DEFAULT FALSE,
    reason           TEXT,
    attempt          INTEGER NOT NULL DEFAULT 0,
    owner            BLOB,
    claim            BLOB,
    attempt_revision INTEGER,
    attempts         TEXT    NOT NULL DEFAULT '',
    due_at           INTEGER,
    message_at       INTEGER,
    publications     INTEGER NOT NULL DEFAULT 0,
    accepted_at      INTEGER NOT NULL,
    finished_at      INTEGER,
    duration_ms      REAL,
    start            TEXT,
    prewarmed        BOOLEAN NOT NULL DEFAULT FALSE,
    phases           TEXT    NOT NULL DEFAULT '[]',
    parent           BLOB,
    headers          TEXT,
    payload_type     TEXT,
    result_type      TEXT,
    result_size      INTEGER,
    payload          BLOB,
    result           BLOB
);
CREATE INDEX invocations_due ON invocations (message_at, id) WHERE state IN ('queued', 'retrying', 'running');
CREATE INDEX invocations_waiting ON invocations (function_id) WHERE state IN ('queued', 'retrying');
CREATE INDEX invocations_async ON invocations (state) WHERE mode = 'async';
CREATE INDEX invocations_by_function ON invocations (function_name, id);
CREATE INDEX invocations_by_state ON invocations (state, id);
CREATE INDEX invocations_finished ON invocations (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE totals (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO totals (name, value) VALUES ('accepted', 0), ('pruned', 0);

CREATE TABLE leases (
    owner      BLOB    PRIMARY KEY,
    manager    BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE instances (
    owner       BLOB    NOT NULL,
    id          BLOB    NOT NULL,
    manager     BLOB    NOT NULL,
    function_id BLOB    NOT NULL,
    revision    INTEGER NOT NULL,
    sandbox     TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) WITHOUT ROWID;

-- AUTOINCREMENT: a number is not used again after its line was deleted, or a follower would miss lines.
CREATE TABLE logs (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    ts            INTEGER NOT NULL,
    function_name TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    invocation_id BLOB,
    attempt       INTEGER,
    instance      BLOB    NOT NULL,
    stream        TEXT    NOT NULL,
    line          TEXT    NOT NULL
);
CREATE INDEX logs_by_function ON logs (function_name, sequence);
CREATE INDEX logs_by_invocation ON logs (invocation_id, sequence) WHERE invocation_id IS NOT NULL;
CREATE INDEX logs_by_time ON logs (ts);
