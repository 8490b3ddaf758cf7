//! What a role logs: one line per event on standard error, UTC, for people and for `grep`.

use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, time::FormatTime},
};

use super::Output;

/// Unless `CLOUDFUNC_LOG` says otherwise: our own events, and the troubles of the libraries.
const DEFAULT: &str = "cloudfunc=info,warn";
const VERBOSE: &str = "cloudfunc=debug,info";

/// `2025-01-31T12:00:00.123Z`
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        write!(w, "{:.3}", jiff::Timestamp::now())
    }
}

/// The filter in force, also for children.
pub fn filter(verbose: bool) -> String {
    let given = std::env::var("CLOUDFUNC_LOG").ok().filter(|filter| !filter.is_empty());
    given.unwrap_or_else(|| if verbose { VERBOSE } else { DEFAULT }.to_owned())
}

/// What no filter may switch on.
fn with_bans(filter: &str) -> String {
    format!("{filter},{}", crate::queue::LOG_DIRECTIVE)
}

/// Events go to standard error. Once per process; a second call changes nothing.
pub fn init(out: &Output) {
    init_to(out, out.is_colored(), std::io::stderr);
}

/// The same to a writer.
pub fn init_to<W>(out: &Output, colored: bool, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(with_bans(&filter(out.is_verbose()))).unwrap_or_else(|error| {
        out.warn(&format!("CLOUDFUNC_LOG is ignored: {error}"));
        EnvFilter::new(with_bans(DEFAULT))
    });
    let _ = tracing_subscriber::fmt()
        .compact()
        .with_timer(Utc)
        .with_target(false)
        .with_ansi(colored)
        // A supervisor that is gone does not read: that must not end us before we are done.
        .log_internal_errors(false)
        .with_writer(writer)
        .with_env_filter(filter)
        .try_init();
}
