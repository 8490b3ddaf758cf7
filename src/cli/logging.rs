//! The log of a role: one line per event on standard error, in UTC, for people and for `grep`.

use std::io::{self, Write as _};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use super::{
    Output,
    log_format::Lines,
    log_writer::{self, Batch, Closing, LogWriter},
};

/// The filter unless `CLOUDFUNC_LOG` gives another: our own events, and warnings of libraries.
const DEFAULT: &str = "cloudfunc=info,warn";
const VERBOSE: &str = "cloudfunc=debug,info";

/// The active filter, also for child processes.
pub fn filter(verbose: bool) -> String {
    let given = std::env::var("CLOUDFUNC_LOG").ok().filter(|filter| !filter.is_empty());
    given.unwrap_or_else(|| if verbose { VERBOSE } else { DEFAULT }.to_owned())
}

/// Adds the targets that no filter may enable.
fn with_bans(filter: &str) -> String {
    format!("{filter},{}", crate::queue::LOG_DIRECTIVE)
}

/// Logs to standard error, each event at once. Works once per process; a second call changes nothing.
pub fn init(out: &Output) {
    init_to(out, out.is_colored(), io::stderr);
}

/// Logs to standard error in the background until the returned value is dropped.
pub fn init_behind(out: &Output) -> Closing<()> {
    let (writer, closing) = log_writer::start(|batch: &Batch<()>| {
        let mut stderr = io::stderr().lock();
        // If the reader of standard error is gone, the lines are lost.
        let _ = stderr.write_all(&batch.bytes);
        if batch.dropped > 0 {
            let _ = writeln!(stderr, "({} lines found no room and are lost)", batch.dropped);
        }
    });
    init_to(out, out.is_colored(), move || Event(writer.clone()));
    closing
}

/// Takes one formatted event.
struct Event(LogWriter<()>);

impl io::Write for Event {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.append((), event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs to a writer.
pub fn init_to<W>(out: &Output, colored: bool, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(with_bans(&filter(out.is_verbose()))).unwrap_or_else(|error| {
        out.warn(&format!("CLOUDFUNC_LOG is ignored: {error}"));
        EnvFilter::new(with_bans(DEFAULT))
    });
    let _ = tracing_subscriber::fmt()
        // If the supervisor that reads the log is gone, writing fails; that must not end this process before it
        // is done.
        .log_internal_errors(false)
        .event_format(Lines { colored })
        .with_writer(writer)
        .with_env_filter(filter)
        .try_init();
}
