-- A lease is judged by watching its renewals, never by a clock: an owner without a row has lost it. expires_at is written
-- for hosts of the version before. losses counts the attempts that began and were lost: only these make an invocation
-- dead, whereas attempt counts claims.
-- deleted_functions holds functions whose queues may still be there, or come back, for a day.
-- invocations_waiting also finds what is due of one function, beside others with a long backlog.
ALTER TABLE leases ADD COLUMN renewals bigint NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN losses bigint NOT NULL DEFAULT 0;
DROP INDEX invocations_waiting;
CREATE INDEX invocations_waiting ON invocations (function_id, message_at) WHERE state IN ('queued', 'retrying');
CREATE TABLE deleted_functions (
    id         uuid   PRIMARY KEY,
    deleted_at bigint NOT NULL
);
