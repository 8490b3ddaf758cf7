//! Roles of an `up` that was killed.

use std::{fs, path::Path};

use crate::app::Role;

/// Finds the processes of the roles that a supervisor has started on this data folder.
pub fn find(folder: &Path) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    ids.filter(|id: &i32| {
        fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| is_role_of(&line, folder))
    })
    .collect()
}

/// Returns whether these arguments, each ended by a zero byte, are those with which a supervisor starts a role.
fn is_role_of(command_line: &[u8], folder: &Path) -> bool {
    let arguments: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    let folder = folder.as_os_str().as_encoded_bytes();
    let is_role = |argument: &[u8]| Role::ALL.iter().any(|role| role.as_str().as_bytes() == argument);
    matches!(arguments.as_slice(), [_, role, b"--supervised", ..] if is_role(role))
        && arguments.windows(2).any(|pair| pair == [b"--data-dir".as_slice(), folder])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_supervised_roles_of_the_same_folder_count() {
        let is_left =
            |line: &str| is_role_of(line.replace(' ', "\0").as_bytes(), Path::new("/s/compose"));
        assert!(is_left("/bin/cloudfunc manager --supervised --platform x --data-dir /s/compose "));
        assert!(!is_left("/bin/cloudfunc manager --supervised --platform x --data-dir /s/other "));
        assert!(!is_left("/bin/cloudfunc manager --platform x --data-dir /s/compose "));
        assert!(!is_left("/bin/cloudfunc up --data-dir /s/compose "));
        assert!(!is_left(""));
    }
}
