//! A command on a terminal: stdout and stderr are a pty, and what it shows is answered.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::Stdio,
};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use tokio::process::Command;

/// Runs it to its end: everything that the terminal got.
pub async fn shown_by(mut command: Command) -> String {
    command.stdin(Stdio::null());
    shown(command, None).await
}

/// Runs it to its end with the keyboard of the terminal, too: once it shows `question`, `key` is typed.
pub async fn answered(command: Command, question: &'static str, key: &'static str) -> String {
    shown(command, Some((question, key))).await
}

async fn shown(mut command: Command, answer: Option<(&'static str, &'static str)>) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let side =
        open(ptsname(&terminal, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let side = File::from(side.unwrap());
    if answer.is_some() {
        command.stdin(side.try_clone().unwrap());
    }
    command.stdout(side.try_clone().unwrap()).stderr(side);
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    // It holds the other side; without it the terminal would never end.
    drop(command);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut terminal, mut piece) = (Vec::new(), File::from(terminal), [0; 4096]);
        let mut answer = answer;
        // When nobody has the other side any more, reading fails.
        while let Ok(read @ 1..) = terminal.read(&mut piece) {
            shown.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&shown);
            if let Some((_, key)) = answer.take_if(|(question, _)| text.contains(*question)) {
                terminal.write_all(key.as_bytes()).unwrap();
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    child.wait().await.unwrap();
    reading.await.unwrap()
}
