//! The helper, which is the first process of a sandbox whose function does not speak the runtime protocol. `build.rs`
//! compiles it from `src/helper/`, for the same target as this program.

/// Returns the program, a static executable, or the reason why this build has none, with what to do about it.
pub fn helper_program() -> Result<&'static [u8], &'static str> {
    match env!("CLOUDFUNC_HELPER_MISSING") {
        "" => Ok(include_bytes!(env!("CLOUDFUNC_HELPER"))),
        reason => Err(reason),
    }
}
