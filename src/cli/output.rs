//! Temporary: the CLI's own output.rs comes with its branch.

use std::{fmt, io::IsTerminal as _, io::Write as _};

#[derive(Debug)]
pub struct Error {
    pub code: u8,
    message: String,
    hint: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error {
    /// Exit code 2.
    pub fn caller(message: impl fmt::Display) -> Self {
        Self { code: 2, message: message.to_string(), hint: None }
    }
    /// Exit code 3.
    pub fn platform(message: impl fmt::Display) -> Self {
        Self { code: 3, message: message.to_string(), hint: None }
    }
    /// Exit code 3, with the chain of causes.
    pub fn platform_chain(message: impl fmt::Display, cause: &anyhow::Error) -> Self {
        Self::platform(format!("{message}: {cause:#}"))
    }
    /// Exit code 130, says nothing.
    pub fn interrupted() -> Self {
        Self { code: 130, message: String::new(), hint: None }
    }
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

#[derive(Clone, Debug)]
pub struct Output {
    json: bool,
    verbose: bool,
}

impl Output {
    pub fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose }
    }
    pub fn is_json(&self) -> bool {
        self.json
    }
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }
    /// Of standard error.
    pub fn has_color(&self) -> bool {
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }
    pub fn is_terminal(&self) -> bool {
        std::io::stderr().is_terminal()
    }
    /// A line of the result, on stdout.
    pub fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    pub fn json(&self, value: &impl serde::Serialize) {
        self.line(&serde_json::to_string_pretty(value).expect("plain data"));
    }
    /// A line for people, on stderr.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    pub fn confirm(&self, question: &str) -> Option<bool> {
        if !(std::io::stdin().is_terminal() && self.is_terminal()) {
            return None;
        }
        dialoguer::Confirm::new().with_prompt(question).default(false).interact().ok()
    }
    pub fn error(&self, error: &Error) {
        if !error.message.is_empty() {
            self.note(&format!("error: {}", error.message));
        }
        if let Some(hint) = &error.hint {
            self.note(&format!("hint: {hint}"));
        }
    }
    /// Only visible on a terminal.
    pub fn spinner(&self, text: &str) -> Spinner {
        let bar = if self.is_terminal() {
            indicatif::ProgressBar::new_spinner()
        } else {
            indicatif::ProgressBar::hidden()
        };
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar.set_message(text.to_owned());
        Spinner(bar)
    }
}

/// Gone when it is dropped.
pub struct Spinner(indicatif::ProgressBar);

impl Spinner {
    pub fn set(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }
    /// A line above the spinner.
    pub fn note(&self, out: &Output, text: &str) {
        self.0.suspend(|| out.note(text));
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
