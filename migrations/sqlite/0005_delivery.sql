-- What this is for is said in ../postgres/0005_delivery.sql.
ALTER TABLE leases ADD COLUMN renewals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invocations ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
