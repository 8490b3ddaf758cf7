//! The one test binary. Tests that need a server say so with [`need!`]; `tests/run` provides all of
//! them and sets `CLOUDFUNC_TEST_REQUIRE=1`, which turns a skip into a failure.

mod support;

mod binary;
mod cli;
mod invocations;
mod queue_contract;
mod runtime_contract;
mod store_contract;
mod up;
