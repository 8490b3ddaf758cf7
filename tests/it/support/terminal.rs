//! A command on a terminal: stdout and stderr are a pty, and what it shows is answered.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use tokio::process::{Child, Command};

/// What is typed once the terminal shows a question.
struct Answer {
    question: &'static str,
    key: &'static str,
    /// Only once the terminal does not show what is typed: what was typed before that is thrown away.
    is_hidden: bool,
}

/// Runs it to its end: everything that the terminal got.
pub async fn shown_by(mut command: Command) -> String {
    command.stdin(Stdio::null());
    shown(command, Vec::new()).await
}

/// Runs it to its end with the keyboard of the terminal, too: once it shows `question`, `key` is typed.
pub async fn answered(command: Command, question: &'static str, key: &'static str) -> String {
    shown(command, vec![Answer { question, key, is_hidden: false }]).await
}

/// The same with questions whose answers are not shown, one after the other.
pub async fn answered_hidden<const N: usize>(
    command: Command,
    answers: [(&'static str, &'static str); N],
) -> String {
    let hidden = answers.map(|(question, key)| Answer { question, key, is_hidden: true });
    shown(command, hidden.into()).await
}

/// Runs it until it asks `question`, whose answer is not shown, and interrupts it there: its exit code, and whether the
/// terminal shows what is typed again.
pub async fn interrupted_at(command: Command, question: &'static str) -> (Option<i32>, bool) {
    let (mut terminal, side) = pair();
    let mut child = begin(command, true, &side);
    let asking = tokio::task::spawn_blocking(move || {
        let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&shown).contains(question) {
            let read = terminal.read(&mut piece).unwrap();
            shown.extend_from_slice(&piece[..read]);
        }
        wait_until_hidden(&terminal);
        terminal
    });
    let terminal = asking.await.unwrap();
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let code = child.wait().await.unwrap().code();
    let is_shown = echoes(&side);
    drop(terminal);
    (code, is_shown)
}

/// Opens a terminal: our side of it, and that of a program.
fn pair() -> (File, File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let side =
        open(ptsname(&terminal, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    (File::from(terminal), File::from(side.unwrap()))
}

/// Starts a command on the terminal. It holds the other side: without it the terminal would never end.
fn begin(mut command: Command, has_keyboard: bool, side: &File) -> Child {
    let side = || side.try_clone().unwrap();
    if has_keyboard {
        command.stdin(side());
    }
    command.stdout(side()).stderr(side()).kill_on_drop(true).spawn().unwrap()
}

async fn shown(command: Command, answers: Vec<Answer>) -> String {
    let (mut terminal, side) = pair();
    let mut child = begin(command, !answers.is_empty(), &side);
    drop(side);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
        let mut answers = answers.into_iter().peekable();
        // Where the text after the last answer begins.
        let mut since = 0;
        // When nobody has the other side any more, reading fails.
        while let Ok(read @ 1..) = terminal.read(&mut piece) {
            shown.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&shown[since..]);
            if let Some(answer) = answers.next_if(|answer| text.contains(answer.question)) {
                if answer.is_hidden {
                    wait_until_hidden(&terminal);
                }
                since = shown.len();
                terminal.write_all(answer.key.as_bytes()).unwrap();
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    child.wait().await.unwrap();
    reading.await.unwrap()
}

/// Waits, on a thread of its own, until the terminal does not show what is typed.
fn wait_until_hidden(terminal: &File) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while echoes(terminal) {
        assert!(Instant::now() < deadline, "the terminal shows what is typed");
        std::thread::yield_now();
    }
}

fn echoes(terminal: &File) -> bool {
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}
