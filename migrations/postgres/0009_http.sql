-- The request that a function gets as a web server, as JSON; null for other functions, and in rows of earlier versions. The
-- status of the answer is with the attempt.
ALTER TABLE invocations ADD COLUMN http text;
