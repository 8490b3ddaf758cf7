-- The bytes of what waits are bounded, too: they are summed up from an index. It still finds what is due of one function.
ALTER TABLE invocations ADD COLUMN payload_size integer GENERATED ALWAYS AS (octet_length(payload)) STORED;
DROP INDEX invocations_waiting;
CREATE INDEX invocations_waiting ON invocations (function_id, message_at) INCLUDE (payload_size)
    WHERE state IN ('queued', 'retrying');
