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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

impl Target {
    /// Returns why packages that were installed for this target cannot be used on that one; none where they can: on the same
    /// machine and interpreter, with a C library of the same kind that is not older.
    pub fn misfit(&self, on: &Self) -> Option<String> {
        if self.architecture != on.architecture {
            return Some(format!(
                "its packages are for {}, and the host is {}",
                self.architecture, on.architecture
            ));
        }
        if self.abi != on.abi {
            let (one, other) = (&self.interpreter, &on.interpreter);
            return Some(format!(
                "its packages are for {one} ({}), and the host has {other} ({})",
                self.abi, on.abi
            ));
        }
        let is_old = match (library(&self.c_library), library(&on.c_library)) {
            (Some((kind, version)), Some((kind_here, version_here))) => {
                kind != kind_here || version > version_here
            }
            _ => self.c_library != on.c_library,
        };
        is_old
            .then(|| format!("its packages need {}, and the host has {}", self.c_library, on.c_library))
    }
}

/// Returns the kind and the version of a C library.
fn library(text: &str) -> Option<(&str, Vec<u32>)> {
    let (kind, version) = text.split_once(' ')?;
    let version = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    Some((kind, version))
}

/// A package in the version that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_fit_on_the_same_machine_with_a_c_library_that_is_not_older() {
        let target = |abi: &str, architecture: &str, c_library: &str| Target {
            interpreter: format!("cpython 3.{}", &abi[3..]),
            abi: abi.to_owned(),
            architecture: architecture.to_owned(),
            c_library: c_library.to_owned(),
        };
        let tree = target("cp312", "x86_64", "glibc 2.36");
        for (abi, architecture, c_library, why) in [
            ("cp312", "x86_64", "glibc 2.36", None),
            ("cp312", "x86_64", "glibc 2.100", None),
            (
                "cp312",
                "aarch64",
                "glibc 2.36",
                Some("its packages are for x86_64, and the host is aarch64"),
            ),
            (
                "cp311",
                "x86_64",
                "glibc 2.36",
                Some("its packages are for cpython 3.12 (cp312), and the host has cpython 3.11 (cp311)"),
            ),
            (
                "cp312",
                "x86_64",
                "glibc 2.9",
                Some("its packages need glibc 2.36, and the host has glibc 2.9"),
            ),
            (
                "cp312",
                "x86_64",
                "musl 1.2",
                Some("its packages need glibc 2.36, and the host has musl 1.2"),
            ),
            (
                "cp312",
                "x86_64",
                "unknown",
                Some("its packages need glibc 2.36, and the host has unknown"),
            ),
        ] {
            assert_eq!(tree.misfit(&target(abi, architecture, c_library)).as_deref(), why);
        }
        let odd = target("cp312", "x86_64", "unknown");
        assert_eq!(odd.misfit(&odd), None);
    }
}
