//! What stands in a folder: files and links, as a function sees them. Empty folders are no content.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

pub type Tree = BTreeMap<PathBuf, Node>;

#[derive(PartialEq, Eq)]
pub enum Node {
    File {
        content: Vec<u8>,
        executable: bool,
    },
    /// As what it leads to is written without needless slashes and dots.
    Link(String),
    Other,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { content, executable } => {
                let start = content[..content.len().min(20)].escape_ascii();
                write!(f, "{} bytes {start} x={executable}", content.len())
            }
            Self::Link(target) => write!(f, "-> {target}"),
            Self::Other => f.write_str("other"),
        }
    }
}

pub fn tree_of(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(folder, folder, &mut tree);
    tree
}

fn walk(folder: &Path, top: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let node = if metadata.is_dir() {
            walk(&path, top, tree);
            continue;
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            let target = target.to_string_lossy();
            let parts = target.split('/').filter(|part| !matches!(*part, "" | "."));
            let parts = parts.collect::<Vec<_>>().join("/");
            Node::Link(if parts.is_empty() { ".".to_owned() } else { parts })
        } else if metadata.is_file() && metadata.len() <= 16 << 20 {
            let executable = metadata.permissions().mode() & 0o111 != 0;
            Node::File { content: fs::read(&path).unwrap(), executable }
        } else {
            Node::Other
        };
        tree.insert(path.strip_prefix(top).unwrap().to_owned(), node);
    }
}
