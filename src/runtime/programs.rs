//! What programs of this machine are given that the platform runs outside of sandboxes: interpreters that describe themselves,
//! `iptables`. The platform's own environment may hold tokens, passwords, and with `run --secret` values of secrets.

use std::{env, ffi::OsString};

/// The variables that they get. Version managers find interpreters below `HOME`, and an interpreter that was built on this machine
/// may find its library by `LD_LIBRARY_PATH`.
const PASSED_ON: [&str; 3] = ["PATH", "HOME", "LD_LIBRARY_PATH"];

/// Returns the variables of such a program, in place of this process's own.
pub fn environment_of_programs() -> impl Iterator<Item = (&'static str, OsString)> {
    PASSED_ON.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_no_variable_but_those_that_they_need() {
        let given: Vec<_> = environment_of_programs().map(|(name, _)| name).collect();
        assert!(given.contains(&"PATH"), "{given:?}");
        assert!(given.iter().all(|name| PASSED_ON.contains(name)), "{given:?}");
        assert!(env::vars_os().count() > given.len(), "the control: this process has others");
    }
}
