//! What functions write: turned into log lines, collected, and stored in batches behind the
//! invocations, so that none waits.

mod error_lines;
mod load_output;
mod lost;
mod sink;
mod writer;

pub use error_lines::LAST_OUTPUT;
pub use load_output::LoadOutput;
pub use sink::Sink;
pub use writer::{LogWriter, start};
