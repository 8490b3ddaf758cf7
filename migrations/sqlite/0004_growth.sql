-- Which query each index serves is said in ../postgres/0004_growth.sql.
CREATE INDEX invocations_by_function_and_state ON invocations (function_name, state, id);
DROP INDEX invocations_by_function;
DROP INDEX invocations_async;
CREATE INDEX instances_by_function ON instances (function_id);
