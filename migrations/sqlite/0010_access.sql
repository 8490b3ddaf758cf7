-- What this is for is said in ../postgres/0010_access.sql.
CREATE TABLE tokens (
    name         TEXT    NOT NULL PRIMARY KEY,
    digest       TEXT    NOT NULL,
    old_digest   TEXT,
    old_until    INTEGER,
    role         TEXT    NOT NULL,
    functions    TEXT    NOT NULL,
    rate_limit   TEXT,
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_digest ON tokens (digest);
CREATE UNIQUE INDEX tokens_old_digest ON tokens (old_digest);
CREATE INDEX tokens_expires_at ON tokens (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE secrets (
    function   TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    version    BLOB    NOT NULL,
    key        TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    set_by     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    set_at     INTEGER NOT NULL,
    PRIMARY KEY (function, name)
);

CREATE TABLE audit_log (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    caller       TEXT    NOT NULL,
    role         TEXT,
    from_address TEXT,
    action       TEXT    NOT NULL,
    target       TEXT,
    outcome      TEXT    NOT NULL,
    detail       TEXT,
    count        INTEGER NOT NULL,
    number       INTEGER NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_number ON audit_log (outcome, number);
CREATE INDEX audit_log_caller ON audit_log (caller, id);
CREATE INDEX audit_log_target ON audit_log (target, id);
CREATE INDEX audit_log_action ON audit_log (action, id);
CREATE INDEX audit_log_outcome ON audit_log (outcome, id);
