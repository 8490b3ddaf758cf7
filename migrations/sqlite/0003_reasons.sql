-- Of a reason, the code stays in its column, and the words for users get one of their own. failures counts the attempts
-- that the function failed, whereas attempt counts claims.
ALTER TABLE invocations ADD COLUMN cause TEXT;
ALTER TABLE invocations ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
-- Only such rows have words, and there is an index by state.
UPDATE invocations SET cause = substr(reason, length('start_failed: ') + 1), reason = 'start_failed'
WHERE state = 'expired' AND reason LIKE 'start\_failed: %' ESCAPE '\';
