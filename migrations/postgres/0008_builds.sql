-- What builds said: that of every revision, which goes with it, and of each name the last one that failed (number is null).
-- lines is JSON.
CREATE TABLE build_logs (
    name        text   NOT NULL,
    function_id uuid,
    number      bigint,
    ended_at    bigint NOT NULL,
    lines       text   NOT NULL,
    FOREIGN KEY (function_id, number) REFERENCES revisions (function_id, number) ON DELETE CASCADE
);
CREATE INDEX build_logs_name ON build_logs (name, ended_at);
CREATE UNIQUE INDEX build_logs_failed ON build_logs (name) WHERE number IS NULL;
CREATE UNIQUE INDEX build_logs_revision ON build_logs (function_id, number);

-- Functions whose active revision a manager process cannot run, as it reports. Rows of an owner without a lease do not count.
CREATE TABLE unusable (
    owner       uuid NOT NULL,
    manager     uuid NOT NULL,
    function_id uuid NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (owner, function_id)
);
CREATE INDEX unusable_function ON unusable (function_id);
