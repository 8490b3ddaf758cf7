//! A line of a role's log: `2026-01-31T12:00:00.123Z  INFO what happened key="value"`.
//!
//! It looks like the subscriber's own compact format and needs half of its instructions (callgrind): a warm
//! invocation writes four lines, which took a tenth of its instructions with that format.

use std::{
    error::Error,
    fmt::{self, Debug, Write},
};

use jiff::fmt::{StdFmtWrite, temporal::DateTimePrinter};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Formats UTC times to the millisecond.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// Formats events as lines. Spans are not used.
pub struct Lines {
    pub colored: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (name, color) = match *event.metadata().level() {
            Level::ERROR => ("ERROR", "\x1b[31m"),
            Level::WARN => (" WARN", "\x1b[33m"),
            Level::INFO => (" INFO", "\x1b[32m"),
            Level::DEBUG => ("DEBUG", "\x1b[34m"),
            Level::TRACE => ("TRACE", "\x1b[35m"),
        };
        let [dim, color, end] = if self.colored { ["\x1b[2m", color, "\x1b[0m"] } else { [""; 3] };
        writer.write_str(dim)?;
        TIME.print_timestamp(&jiff::Timestamp::now(), StdFmtWrite(&mut writer))
            .map_err(|_| fmt::Error)?;
        for piece in [end, " ", color, name, end] {
            writer.write_str(piece)?;
        }
        let mut fields = Fields { line: Escaped(writer), result: Ok(()) };
        event.record(&mut fields);
        fields.result?;
        fields.line.0.write_char('\n')
    }
}

struct Fields<'w> {
    line: Escaped<'w>,
    result: fmt::Result,
}

impl Fields<'_> {
    fn write(&mut self, field: &Field, value: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.name(field).and_then(|()| value(&mut self.line));
        }
    }

    fn name(&mut self, field: &Field) -> fmt::Result {
        self.line.0.write_char(' ')?;
        if field.name() == "message" {
            return Ok(());
        }
        self.line.0.write_str(field.name())?;
        self.line.0.write_char('=')
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field, |line| write!(line, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, |line| {
            // Most values are plain words; `Debug` escapes the others.
            if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
                line.0.write_char('"')?;
                line.0.write_str(value)?;
                return line.0.write_char('"');
            }
            write!(line, "{value:?}")
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, |line| {
            write!(line, "{value}")?;
            let mut source = value.source();
            while let Some(error) = source {
                write!(line, ": {error}")?;
                source = error.source();
            }
            Ok(())
        });
    }
}

/// A writer that escapes messages: their text may come from anywhere and must not control a terminal.
struct Escaped<'w>(Writer<'w>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        if text.bytes().all(is_plain) {
            return self.0.write_str(text);
        }
        for c in text.chars() {
            match c {
                c if c.is_control() && !matches!(c, '\n' | '\t') => {
                    write!(self.0, "{}", c.escape_default())?
                }
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// The lines that are logged, without their times.
    fn logged(colored: bool, log: impl FnOnce()) -> String {
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines: Arc<Mutex<Vec<u8>>> = Arc::default();
        let written = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .event_format(Lines { colored })
            .with_writer(move || Sink(written.clone()))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let line = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
        let line = line.strip_suffix('\n').unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        let time = time.trim_start_matches("\x1b[2m").trim_end_matches("\x1b[0m");
        assert_eq!(time.len(), "2026-01-31T12:00:00.123Z".len(), "{time}");
        time.parse::<jiff::Timestamp>().unwrap();
        rest.to_owned()
    }

    #[test]
    fn a_line_has_level_message_and_fields() {
        let id = 7;
        let line = logged(false, || {
            tracing::info!(function = "hello", invocation = %id, took_ms = 0.25, lines = 3, "it ran");
        });
        assert_eq!(line, r#" INFO it ran function="hello" invocation=7 took_ms=0.25 lines=3"#);
    }

    #[test]
    fn an_error_is_followed_by_its_causes() {
        let cause = io::Error::other("no space");
        let error = crate::model::message::DecodeError::Header(serde_json::Error::io(cause));
        let error: &(dyn Error + 'static) = &error;
        let line = logged(false, || tracing::warn!(error, "dropped"));
        assert_eq!(line, " WARN dropped error=the message's header cannot be read: no space");
    }

    #[test]
    fn nothing_in_a_line_steers_a_terminal() {
        let evil = "\x1b[2J\u{9b}ü\"";
        let line = logged(false, || tracing::error!(quoted = evil, plain = %evil, "{evil}"));
        assert_eq!(
            line,
            r#"ERROR \u{1b}[2J\u{9b}ü" quoted="\u{1b}[2J\u{9b}ü\"" plain=\u{1b}[2J\u{9b}ü""#
        );
    }

    #[test]
    fn colour_is_in_the_level_and_only_where_wanted() {
        let line = logged(true, || tracing::debug!("fine"));
        assert_eq!(line, "\x1b[34mDEBUG\x1b[0m fine");
    }
}
