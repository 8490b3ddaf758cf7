//! The files of a build on this host: what its sandbox reads, and the folder that it writes to.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use super::{super::instance::folder, requirements::Requirements, sources::Sources};
use crate::runtime::OUTPUT;

/// Makes the folders of a build and what it reads.
pub fn fill(folder: &Path, wanted: &Requirements, sources: &Sources) -> io::Result<()> {
    folder::make_folder(folder)?;
    let task = folder.join(folder::TASK);
    let write = |name: &str, text: &[u8]| {
        let path = task.join(name);
        let parent = path.parent().expect("it is in the folder");
        fs::create_dir_all(parent)?;
        for folder in parent.ancestors().take_while(|folder| *folder != task) {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        fs::write(&path, text)?;
        // Another user reads it, whatever the umask is.
        fs::set_permissions(&path, Permissions::from_mode(0o644))
    };
    for (name, text) in wanted.installer.program {
        write(name, text.as_bytes())?;
    }
    for (path, text) in wanted.texts.0.iter().chain(&wanted.secrets.0) {
        write(&format!("requirements/{path}"), text.as_bytes())?;
    }
    if let Some(certificates) = &sources.certificates {
        write(Sources::CERTIFICATES, certificates)?;
    }
    let output = folder.join(OUTPUT);
    fs::create_dir(&output)?;
    fs::set_permissions(&output, Permissions::from_mode(0o777))
}
