//! The only place that prints. Results go to stdout, exactly; everything else goes to stderr.
//!
//! Foreign text (from functions, callers and servers) is escaped on a terminal ([`escape`]): in lines of text,
//! tables, notes, errors and progress. In pipes and in JSON it is exact. A result is always exact: it is data
//! that the user asked for.
//!
//! Colour and moving progress appear only on a terminal. If the reader of a pipe closes it, the command ends
//! quietly.

use std::{
    borrow::Cow,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    escape,
    interrupt::OnInterrupt,
    table,
    text::{ago, ahead, moment},
};
use crate::{
    error::{Error, Exit},
    model::{InvocationId, LineKind, LogLine, Stream},
};

/// The number of characters of the end of an id, as `logs` prints it.
const SHORT_ID: usize = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Colours on a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// The styles of text.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "1;31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }
}

/// The way a command prints; made once from the global options.
#[derive(Clone, Debug)]
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    color_stdout: bool,
    color_stderr: bool,
    terminal_stdout: bool,
    terminal_stderr: bool,
    on_interrupt: OnInterrupt,
}

impl Output {
    pub fn new(json: bool, quiet: bool, verbose: bool, color: Color) -> Self {
        let terminal_stdout = io::stdout().is_terminal();
        let terminal_stderr = io::stderr().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colored = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !no_color,
        };
        Self {
            json,
            quiet,
            verbose,
            color_stdout: colored(terminal_stdout),
            color_stderr: colored(terminal_stderr),
            terminal_stdout,
            terminal_stderr,
            on_interrupt: OnInterrupt::default(),
        }
    }

    /// The message to show on Ctrl-C.
    pub fn on_interrupt(&self) -> &OnInterrupt {
        &self.on_interrupt
    }

    /// Formats a moment for a table: for people as the time since then, for programs exactly.
    pub fn moment(&self, time: Timestamp) -> String {
        if self.terminal_stdout { ago(time, Timestamp::now()) } else { moment(time) }
    }

    /// Formats a moment that is still to come, in the same way.
    pub fn coming(&self, time: Timestamp) -> String {
        if self.terminal_stdout { ahead(time, Timestamp::now()) } else { moment(time) }
    }

    /// Formats an id for a table: for people its end, as `logs` prints it, for programs the whole id.
    pub fn id(&self, id: InvocationId) -> String {
        let text = id.to_string();
        if self.terminal_stdout { text[text.len() - SHORT_ID..].to_owned() } else { text }
    }

    /// Returns whether the result is printed as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Returns whether only results, warnings and errors are printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns whether the user wants more details.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Returns whether text on stderr may have colours.
    pub fn is_colored(&self) -> bool {
        self.color_stderr
    }

    /// The width of the terminal that results go to, or the value of COLUMNS; `None` if results do not go to a
    /// terminal.
    pub fn columns(&self) -> Option<usize> {
        if !self.terminal_stdout {
            return None;
        }
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let size = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into());
        told.filter(|columns| *columns > 0).or_else(size).filter(|columns| *columns > 0)
    }

    /// Returns whether a user is there to answer a question.
    pub fn can_ask(&self) -> bool {
        self.terminal_stderr && io::stdin().is_terminal()
    }

    // Results, on stdout.

    /// Prints exactly these bytes; on a terminal, a newline is added if one is missing.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes_and(bytes, self.terminal_stdout && !bytes.is_empty())
    }

    /// Prints these bytes as one result of several: a newline is added if one is missing.
    pub fn bytes_in_row(&self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes_and(bytes, true)
    }

    fn bytes_and(&self, bytes: &[u8], newline: bool) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        let newline = newline && !bytes.ends_with(b"\n");
        let written = stdout
            .write_all(bytes)
            .and_then(|()| if newline { stdout.write_all(b"\n") } else { Ok(()) })
            .and_then(|()| stdout.flush());
        written.map_err(write_error)
    }

    /// Prints a line of text.
    pub fn line(&self, text: &str) -> Result<(), Error> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints the one JSON document of a command.
    pub fn document(&self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
        self.line(&self.json_text(&text))
    }

    /// Prints one of several JSON documents, each on a line.
    pub fn json_line(&self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(anyhow::Error::from)?;
        self.line(&self.json_text(&text))
    }

    fn json_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal_stdout { escape::json(text) } else { text.into() }
    }

    /// Escapes foreign text as part of a line on stdout.
    pub fn foreign<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal_stdout { escape::line(text) } else { text.into() }
    }

    /// Escapes foreign text as part of a line on stderr.
    pub fn foreign_stderr<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal_stderr && !self.json { escape::line(text) } else { text.into() }
    }

    /// Escapes foreign text of several lines on stderr.
    fn foreign_block<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.terminal_stderr { escape::block(text) } else { text.into() }
    }

    /// Prints aligned columns under headings; on a terminal, lines are cut to its width.
    pub fn table<const N: usize>(&self, heads: [&str; N], rows: &[[String; N]]) -> Result<(), Error> {
        self.table_within(heads, rows, self.columns())
    }

    /// Prints a table whose cells are to be copied: none is cut, the terminal breaks the lines.
    pub fn whole_table<const N: usize>(
        &self,
        heads: [&str; N],
        rows: &[[String; N]],
    ) -> Result<(), Error> {
        self.table_within(heads, rows, None)
    }

    fn table_within<const N: usize>(
        &self,
        heads: [&str; N],
        rows: &[[String; N]],
        columns: Option<usize>,
    ) -> Result<(), Error> {
        let rows: Vec<[Cow<'_, str>; N]> =
            rows.iter().map(|row| row.each_ref().map(|cell| self.foreign(cell))).collect();
        let mut lines = table::lines(heads, &rows, columns).into_iter();
        let head = lines.next().unwrap_or_default();
        self.line(&self.style(Style::Bold, &head))?;
        lines.try_for_each(|line| self.line(&line))?;
        let left_out = table::left_out(heads, &rows, columns);
        if !left_out.is_empty() {
            let heads = left_out.join(", ");
            self.note(&format!(
                "not shown, as the terminal is too narrow: {heads}; --json has everything"
            ));
        }
        Ok(())
    }

    /// Styles text for stdout.
    pub fn style(&self, style: Style, text: &str) -> String {
        paint(self.color_stdout, style, text)
    }

    // Everything else, on stderr. A failure to write there does not fail the command.

    /// Prints information for people: with `--json` the document has it, or it does not matter.
    pub fn note(&self, text: &str) {
        if self.notes() {
            self.stderr(&self.foreign_block(text));
        }
    }

    /// Prints advice after a result.
    pub fn hint(&self, text: &str) {
        if self.notes() {
            let label = self.style_stderr(Style::Cyan, "hint:");
            self.stderr(&format!("{label} {}", self.foreign_block(text)));
        }
    }

    /// Prints information in which everything foreign is escaped already: it may have colours.
    pub fn escaped_note(&self, text: &str) {
        if self.notes() {
            self.stderr(text);
        }
    }

    fn notes(&self) -> bool {
        !self.quiet && !self.json
    }

    /// Prints a remark on something that an answer omits or waits for: it must be seen, also with `--json`.
    pub fn notice(&self, text: &str) {
        if self.json && !self.quiet { self.warn(text) } else { self.note(text) }
    }

    /// Prints information for users who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.stderr(&self.style_stderr(Style::Dim, &self.foreign_block(text)));
        }
    }

    /// Suggests the next command.
    pub fn next(&self, command: &str) {
        if self.notes() {
            let label = self.style_stderr(Style::Dim, "next:");
            self.stderr(&format!("{label} {}", self.foreign_block(command)));
        }
    }

    /// Prints a line that a function writes while its invocation is waited for; with `--json` in the format of
    /// `logs`.
    pub fn function_line(&self, line: &LogLine) {
        let text = self.foreign_stderr(&line.line);
        match line.stream {
            _ if self.quiet => {}
            // The error is printed with the answer.
            _ if line.kind == Some(LineKind::Error) => {}
            _ if self.json => self.json_stderr(line),
            Stream::Stdout => self.stderr(&text),
            Stream::Stderr => self.stderr(&self.style_stderr(Style::Yellow, &text)),
            Stream::Platform => self.stderr(&format!("[{text}]")),
        }
    }

    /// Prints the message of a function or a program about its failure.
    pub fn report(&self, text: &str) {
        self.stderr(&self.foreign_block(text.trim_end()));
    }

    pub fn warn(&self, text: &str) {
        if self.json {
            return self.json_stderr(&serde_json::json!({ "warning": text }));
        }
        let label = self.style_stderr(Style::Yellow, "warning:");
        self.stderr(&format!("{label} {}", self.foreign_block(text)));
    }

    pub fn error(&self, error: &Error) {
        if error.reason.is_none() {
            return;
        }
        if self.json {
            return self.json_stderr(&error.report());
        }
        let label = self.style_stderr(Style::Red, "error:");
        self.stderr(&format!("{label} {}", self.foreign_block(&error.chain().join(": "))));
        if let Some(hint) = &error.hint {
            let label = self.style_stderr(Style::Cyan, "hint:");
            self.stderr(&format!("{label} {}", self.foreign_block(hint)));
        }
    }

    /// Styles text for stderr.
    pub fn style_stderr(&self, style: Style, text: &str) -> String {
        paint(self.color_stderr, style, text)
    }

    /// Prints a line on stderr.
    pub fn stderr(&self, text: &str) {
        let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }

    fn json_stderr(&self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.stderr(&if self.terminal_stderr { escape::json(&text) } else { text.as_str().into() });
        }
    }

    /// Shows that something is going on until it is dropped. Off a terminal, each step is a line.
    pub fn progress(&self, message: &str) -> Progress {
        let progress = self.spinner();
        progress.say(message);
        progress
    }

    /// Shows progress that needs no trace: off a terminal, nothing is printed.
    pub fn waiting(&self, message: &str) -> Progress {
        let mut progress = self.spinner();
        progress.lines = false;
        progress.say(message);
        progress
    }

    fn spinner(&self) -> Progress {
        let bar = (self.terminal_stderr && !self.quiet).then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { bar, lines: true, out: self.clone() }
    }
}

/// A spinner on a terminal; elsewhere lines, or nothing.
pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    out: Output,
}

impl Progress {
    /// Shows the current step.
    pub fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(escape::line(message).into_owned()),
            None if self.lines => self.out.note(message),
            None => {}
        }
    }

    /// Shows the current step; off a terminal as a line, also of progress that needs no trace.
    pub fn say_in_line(&self, message: &str) {
        match self.bar {
            Some(_) => self.say(message),
            None => self.out.note(message),
        }
    }

    /// Returns whether what is said stays to be read.
    pub fn stays(&self) -> bool {
        self.bar.is_none() && self.lines && !self.out.quiet
    }

    /// Returns whether what is said in a line stays to be read.
    pub fn stays_in_line(&self) -> bool {
        self.bar.is_none() && self.out.notes()
    }

    /// Returns a handle with which another task can show its progress; it works only on a terminal.
    pub fn ticker(&self) -> Ticker {
        Ticker(self.bar.clone())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of an upload; it ends with the [`Progress`] to which it belongs.
#[derive(Clone)]
pub struct Ticker(Option<ProgressBar>);

impl Ticker {
    pub fn say(&self, message: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(message);
        }
    }
}

fn paint(colored: bool, style: Style, text: &str) -> String {
    if colored { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
}

fn write_error(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Error::silent(Exit::Ok)
    } else {
        Error::from(anyhow::Error::new(error).context("cannot write to stdout"))
    }
}
