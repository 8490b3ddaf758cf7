//! Packages that a build has installed.

use serde::{Deserialize, Serialize};

use super::{Digest, Language};

/// Installed packages: a tree of files that every function with the same requirements uses. Stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// The digest of everything that decides what is installed: what was asked for, for which interpreter and machine,
    /// and from where.
    pub key: Digest,
    /// The name of the tree: random, so that code cannot guess the name of another function's.
    pub tree: Digest,
    /// The language that installed it.
    pub language: Language,
    /// The interpreter and machine that it was installed for.
    pub target: Target,
    /// The packages, by name.
    pub packages: Vec<PackageVersion>,
    /// The number of files.
    pub files: u64,
    /// The size of all files together, in bytes.
    pub bytes: u64,
    /// The number of pieces in the store.
    pub pieces: u32,
}

/// An interpreter and a machine, as far as installed packages depend on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The interpreter with its version, as in `cpython 3.12`.
    pub interpreter: String,
    /// The interpreter's binary interface, as in `cpython-312-x86_64-linux-gnu`.
    pub abi: String,
    /// The machine, as in `x86_64`.
    pub architecture: String,
    /// The C library with its version, as in `glibc 2.36`.
    pub c_library: String,
}

/// A package in the version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl std::fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}
