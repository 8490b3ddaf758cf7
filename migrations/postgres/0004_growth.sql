-- With this the indexes are those below, each with the queries that it serves. A record of a sync invocation pays for the
-- first four, so that another one has to be worth it.
--
-- invocations (id)                         one record; a page of all records, since a moment (an id begins with its time)
-- invocations_by_function_and_state        a page of a function's records, of all states (a range for each) or of one
-- invocations_by_state (state, id)         a page of the records in one state; which revisions run
-- invocations_finished (finished_at)       the deletion of old records; what has just ended, for readers of logs
-- invocations_due (message_at, id)         only rows under way: what the sweeper has to publish, with its claims' ends
-- invocations_waiting (function_id)        only waiting rows: the backlog's size; what is cancelled with its function
-- revisions_source, revisions_bundle       whether a revision still names a blob or an unpacked bundle
-- instances_by_function (function_id)      how many instances a function has; whether a revision may be deleted
-- logs (sequence)                          a page of all lines
-- logs_by_function (function_name, sequence)      a page of a function's lines; their deletion with it
-- logs_by_invocation (invocation_id, sequence)    the lines of one invocation, and how many of them are stored
-- logs_by_time (ts)                        the deletion of old lines; where those since a moment begin
CREATE INDEX invocations_by_function_and_state ON invocations (function_name, state, id);
DROP INDEX invocations_by_function;
DROP INDEX invocations_async;
CREATE INDEX instances_by_function ON instances (function_id);
