-- What this is for is said in ../postgres/0006_backlog.sql.
ALTER TABLE invocations ADD COLUMN payload_size INTEGER GENERATED ALWAYS AS (length(payload)) VIRTUAL;
DROP INDEX invocations_waiting;
CREATE INDEX invocations_waiting ON invocations (function_id, message_at, payload_size)
    WHERE state IN ('queued', 'retrying');
