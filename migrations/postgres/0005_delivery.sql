-- A lease is judged by watching its renewals, never by a clock: an owner without a row has lost it. expires_at is written
-- for hosts of the version before. losses counts the attempts that began and were lost: only these make an invocation
-- dead, whereas attempt counts claims.
ALTER TABLE leases ADD COLUMN renewals bigint NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN losses bigint NOT NULL DEFAULT 0;
