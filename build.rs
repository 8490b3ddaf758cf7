//! Compiles the helper (`src/helper/`), the first process in the sandbox of a function whose program does not speak the
//! runtime protocol. It becomes a part of the binary (`src/runtime/helper_program.rs`).
//!
//! It has to run in any image, so it is linked statically: a build of its own, by the same cargo, from the same lock file
//! and for the same target. With `--target` the flag does not reach procedural macros, which cannot be static. What runs
//! this script has the crates already, so nothing is downloaded; the folder of the outer build is locked, therefore another
//! one. `cargo package` leaves out a folder with a Cargo.toml: such a package would be built without the helper, and says so.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of a static libc that the linker does not find by itself.
const STATIC_LIBC: &str = "CLOUDFUNC_STATIC_LIBC";

fn main() {
    println!("cargo:rerun-if-changed=src/helper");
    // The one file of ours that it has, too.
    println!("cargo:rerun-if-changed=src/model/limits.rs");
    // The profile of its build.
    println!("cargo:rerun-if-changed=Cargo.toml");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-env-changed={STATIC_LIBC}");
    let out = PathBuf::from(variable("OUT_DIR"));
    let (program, missing) = match compile(&out) {
        Ok(program) => (program, String::new()),
        Err(reason) => {
            println!("cargo:warning={reason}");
            // The next build tries again, since there is no such file.
            println!("cargo:rerun-if-changed={}", out.join("never").display());
            let empty = out.join("no-helper");
            fs::write(&empty, "").expect("the folder of this script can be written");
            (empty, reason)
        }
    };
    println!("cargo:rustc-env=CLOUDFUNC_HELPER={}", program.display());
    println!("cargo:rustc-env=CLOUDFUNC_HELPER_MISSING={missing}");
}

/// Returns the program, or the reason why there is none, as a sentence in one line.
fn compile(out: &Path) -> Result<PathBuf, String> {
    let manifest = Path::new("src/helper/Cargo.toml");
    if !manifest.exists() {
        return Err("this program was built from a package without the folder src/helper: build it from the repository, \
                    by cargo install --git or --path"
            .to_owned());
    }
    let target = variable("TARGET");
    let folder = out.join("helper");
    let mut flags = "-Ctarget-feature=+crt-static".to_owned();
    if let Ok(libc) = env::var(STATIC_LIBC) {
        flags.push_str(&format!("\u{1f}-Lnative={libc}"));
    }
    let output = Command::new(variable("CARGO"))
        .args(["build", "--locked", "--profile", "helper", "--target", &target])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        // Link-time optimisation and incremental compilation exclude each other.
        .env("CARGO_INCREMENTAL", "0")
        // Clippy, when it is that which runs: it would make no program.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .expect("cargo can be started: it has started this script");
    if output.status.success() {
        return Ok(folder.join(target).join("helper/cloudfunc-helper"));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    // The words of rustc in front of the linker's.
    assert!(text.contains("linking with `"), "the helper cannot be compiled:\n{text}");
    Err("this program was built without a static libc: install libc6-dev (Debian, Ubuntu) or glibc-static (Fedora), and \
         build it again"
        .to_owned())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for this script"))
}
