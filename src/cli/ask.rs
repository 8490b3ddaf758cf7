//! Questions to the user, asked only when [`super::Output::can_ask`] allows it.
//!
//! They wait on a thread of their own, so that Ctrl-C ends the command while one is open.

use std::io::{self, ErrorKind};

use dialoguer::{Confirm, Input, Password, console::Term};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Error, Exit};

/// Asks a yes-or-no question; the answer is no unless the user says yes.
pub async fn confirm(question: String) -> Result<bool, Error> {
    ask(|| Confirm::new().with_prompt(question).default(false).interact_on(&Term::stderr())).await
}

/// Asks for a word that a parser accepts, and asks again until it gets one.
pub async fn text<T>(question: &'static str, default: T) -> Result<T, Error>
where
    T: Clone + ToString + std::str::FromStr + Send + 'static,
    T::Err: ToString,
{
    ask(move || Input::new().with_prompt(question).default(default).interact_text_on(&Term::stderr()))
        .await
}

/// Asks for a line that is not shown while it is typed; it may be empty.
pub async fn hidden(question: String) -> Result<String, Error> {
    let _echo = Echo(tcgetattr(io::stdin()).ok());
    ask(move || {
        let prompt = Password::new().with_prompt(question).allow_empty_password(true).report(false);
        prompt.interact_on(&Term::stderr())
    })
    .await
}

/// The terminal as it was before a hidden answer. Ctrl-C ends the command while a thread still waits for the answer, so it
/// is this that makes what is typed visible again.
struct Echo(Option<Termios>);

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Shows the cursor, which an open question or a progress line may have hidden.
pub fn abandon() {
    let terminal = Term::stderr();
    if terminal.is_term() {
        let _ = terminal.show_cursor();
    }
}

/// An open question. If it ends without an answer, by the signal or by the key, dropping this restores the
/// terminal.
struct Open {
    is_answered: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let terminal = Term::stderr();
        if !self.is_answered && terminal.is_term() {
            let _ = terminal.show_cursor();
            let _ = terminal.write_line("");
        }
    }
}

async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> dialoguer::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let mut open = Open { is_answered: false };
    let answer = tokio::task::spawn_blocking(question).await.map_err(anyhow::Error::from)?;
    open.is_answered = answer.is_ok();
    answer.map_err(|dialoguer::Error::IO(error)| match error.kind() {
        // Ctrl-C, which arrives here as a key before it arrives as a signal.
        ErrorKind::Interrupted => Error::silent(Exit::Interrupted),
        _ => anyhow::Error::new(error).context("cannot ask").into(),
    })
}
