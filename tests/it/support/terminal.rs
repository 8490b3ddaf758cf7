//! A command on a terminal: stdout and stderr are a pty, and what it shows is answered.

use std::{fs::File, io::Read as _, process::Stdio};

use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use tokio::process::Command;

/// Runs it to its end: everything that the terminal got.
pub async fn shown_by(mut command: Command) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let side =
        open(ptsname(&terminal, Vec::new()).unwrap(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    let side = File::from(side.unwrap());
    command.stdin(Stdio::null()).stdout(side.try_clone().unwrap()).stderr(side);
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    // It holds the other side; without it the terminal would never end.
    drop(command);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut shown, mut terminal, mut piece) = (Vec::new(), File::from(terminal), [0; 4096]);
        // When nobody has the other side any more, reading fails.
        while let Ok(read @ 1..) = terminal.read(&mut piece) {
            shown.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    child.wait().await.unwrap();
    reading.await.unwrap()
}
