//! The message when Ctrl-C ends a deploy: what becomes of the function whose turn it is, and of the others of
//! the same command.

use crate::{
    cli::{Output, interrupt::Farewell},
    model::FunctionName,
};

/// The other functions of the command; none if it deploys only one.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The results so far: `deployed a`, `b is unchanged`.
    pub before: Vec<String>,
    /// The functions whose turn has not come.
    pub after: Vec<FunctionName>,
}

impl Around {
    /// Sets the message for Ctrl-C: what the others came to, and this one.
    pub fn on_interrupt(&self, out: &Output, (what, hint): (String, Option<String>)) {
        let mut parts = self.before.clone();
        parts.push(what);
        if !self.after.is_empty() {
            let after: Vec<&str> = self.after.iter().map(FunctionName::as_str).collect();
            parts.push(format!("not deployed: {}", after.join(", ")));
        }
        let what = parts.join("; ");
        out.on_interrupt().set(async move { Some(Farewell { what, hint, invocation: None }) });
    }

    fn is_alone(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// The message for when the upload is under way.
pub fn cut_off(name: &FunctionName, around: &Around) -> (String, Option<String>) {
    let what = match around.is_alone() {
        true => "the upload was cut off, and nothing was deployed".to_owned(),
        false => format!("the upload of {name} was cut off, and it was not deployed"),
    };
    (what, None)
}

/// The message for when everything has been sent and no answer has come.
pub fn not_known(name: &FunctionName) -> (String, Option<String>) {
    let hint = format!("`cloudfunc show {name}` shows the active revision");
    (format!("it is not known whether {name} was deployed"), Some(hint))
}

/// The message for when the platform was building it: a build ends with the client that waits for it. What
/// is registered by then becomes active.
pub fn cancelled(name: &FunctionName) -> (String, Option<String>) {
    let hint = format!("`cloudfunc show {name}` shows the active revision");
    (
        format!("the deploy of {name} was cancelled, unless its revision had become active already"),
        Some(hint),
    )
}
