-- What this is for is said in ../postgres/0008_builds.sql.
CREATE TABLE build_logs (
    name        TEXT    NOT NULL,
    function_id BLOB,
    number      INTEGER,
    ended_at    INTEGER NOT NULL,
    lines       TEXT    NOT NULL,
    FOREIGN KEY (function_id, number) REFERENCES revisions (function_id, number) ON DELETE CASCADE
);
CREATE INDEX build_logs_name ON build_logs (name, ended_at);
CREATE UNIQUE INDEX build_logs_failed ON build_logs (name) WHERE number IS NULL;
CREATE UNIQUE INDEX build_logs_revision ON build_logs (function_id, number);

CREATE TABLE unusable (
    owner       BLOB NOT NULL,
    manager     BLOB NOT NULL,
    function_id BLOB NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (owner, function_id)
) WITHOUT ROWID;
CREATE INDEX unusable_function ON unusable (function_id);
