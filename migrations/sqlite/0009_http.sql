-- What this is for is said in ../postgres/0009_http.sql.
ALTER TABLE invocations ADD COLUMN http TEXT;
