//! The one test binary. Tests that need a server say so with [`need!`]; `tests/run` provides all of
//! them and sets `CLOUDFUNC_TEST_REQUIRE=1`, which turns a skip into a failure.

mod support;

mod architecture;
mod backlog;
mod bad_input;
mod bench;
mod binary;
mod changes;
mod chaos;
mod classic_routes;
mod cli;
mod commands;
mod delivery;
mod delivery_model;
mod doctor;
mod documents;
mod door;
mod escape;
mod function_failures;
mod growth;
mod http_api;
mod inner_tasks;
mod invocations;
mod kept_instances;
mod load_check;
mod logs;
mod no_engine;
mod node_functions;
mod placement;
mod power_cut;
mod prewarmed;
mod queue_contract;
mod records_and_logs;
mod redelivery;
mod replay;
mod room;
mod runtime_contract;
mod silent_store;
mod start_variables;
mod stopping;
mod store_contract;
mod tar_readers;
mod up;
mod upgrade;
mod warm_pool;
