-- What this is for is said in ../postgres/0005_delivery.sql.
ALTER TABLE leases ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
DROP INDEX invocations_waiting;
CREATE INDEX invocations_waiting ON invocations (function_id, message_at) WHERE state IN ('queued', 'retrying');
CREATE TABLE deleted_functions (
    id         BLOB    PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) WITHOUT ROWID;
