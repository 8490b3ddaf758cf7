//! The function's program: which file it is, with which variables it runs, and why it cannot be started.

use crate::{
    call::{FunctionError, Load},
    children::{Child, Children},
};

pub struct Program {}

impl Program {
    /// Returns the program's name, as it was written.
    pub fn name(&self) -> String;

    /// Checks that it could be started, without doing so.
    pub fn check(&self) -> Result<(), FunctionError>;

    /// Starts it as the leader of a process group, with these variables besides its own, an empty standard input, and the
    /// host's outputs.
    pub fn spawn(&self, extra_env: &[(&str, String)]) -> Result<Child, FunctionError>;
}
