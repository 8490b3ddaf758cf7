//! The failure of a command: an exit code that says whose fault it is, a chain of reasons, one hint.

use std::process::ExitCode;

use serde::Serialize;

use crate::{
    bundle, client,
    keyring::KeyringError,
    lifecycle::ExitClass,
    model::{Fault, InvocationId, Problem, code},
    place::{Unread, client::SettingsError, platforms::ChoiceError},
    toml_document::LocatedError,
};

/// The exit codes, from design §10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Success; also if a pipe was closed, because its reader has what it wanted.
    Ok = 0,
    /// The function or its build failed.
    Function = 1,
    /// Usage, manifest, unknown name.
    Caller = 2,
    Platform = 3,
    InvocationTimeout = 4,
    Throttled = 5,
    NotAuthorised = 6,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The error that ends a command.
#[derive(Debug)]
pub struct Error {
    pub exit: Exit,
    /// The reason; `None` if everything has been printed already.
    pub reason: Option<anyhow::Error>,
    pub hint: Option<String>,
    /// The kind of the error, for programs.
    pub kind: Kind,
}

/// The members of an error with `--json`, besides its text.
#[derive(Clone, Debug, Default)]
pub struct Kind {
    /// A problem's code, or one of [`Error::report`]'s own. `None`: the code follows from the exit code.
    pub code: Option<String>,
    pub retry_safe: bool,
    pub invocation: Option<InvocationId>,
    /// Seconds to wait before another attempt.
    pub retry_after: Option<u64>,
}

/// An error as `--json` prints it: the members of the API's problems.
#[derive(Serialize)]
pub struct Report {
    pub code: String,
    pub fault: Fault,
    pub detail: String,
    pub hint: Option<String>,
    pub retry_safe: bool,
    pub invocation_id: Option<InvocationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Error {
    pub fn new(exit: Exit, reason: impl Into<anyhow::Error>) -> Self {
        Self { exit, reason: Some(reason.into()), hint: None, kind: Kind::default() }
    }

    /// Makes an error that is the caller's fault.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Caller, anyhow::Error::msg(message.into()))
    }

    /// Makes an error that is the platform's fault.
    pub fn platform(message: impl Into<String>) -> Self {
        Self::new(Exit::Platform, anyhow::Error::msg(message.into()))
    }

    /// Makes an error that prints nothing more.
    pub fn silent(exit: Exit) -> Self {
        Self { exit, reason: None, hint: None, kind: Kind::default() }
    }

    pub fn code(mut self, code: &str) -> Self {
        self.kind.code = Some(code.to_owned());
        self
    }

    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what was tried before the reason.
    pub fn context(mut self, what: String) -> Self {
        self.reason = self.reason.map(|reason| reason.context(what));
        self
    }

    /// Returns the error for programs, with the reasons in one text.
    pub fn report(&self) -> Report {
        let (code, fault) = match self.exit {
            Exit::Function => (code::FUNCTION_FAILED.code, Fault::Function),
            Exit::InvocationTimeout => (code::FUNCTION_TIMED_OUT.code, Fault::Function),
            Exit::Throttled => (code::THROTTLED.code, Fault::Caller),
            Exit::NotAuthorised => (code::UNAUTHORIZED.code, Fault::Caller),
            Exit::Caller => ("usage", Fault::Caller),
            Exit::Interrupted => ("stopped_by_signal", Fault::Caller),
            Exit::Ok | Exit::Platform => ("platform", Fault::Platform),
        };
        let code = self.kind.code.as_deref().unwrap_or(code);
        // The fault of a problem is that of its code, whatever the exit code.
        let known = code::ALL.iter().find(|known| known.code == code);
        Report {
            code: code.to_owned(),
            fault: known.map_or(fault, |known| known.fault),
            detail: self.chain().join(": "),
            hint: self.hint.clone(),
            retry_safe: self.kind.retry_safe,
            invocation_id: self.kind.invocation,
            retry_after: self.kind.retry_after,
        }
    }

    /// Returns the reasons, outermost first. Of the layers of an HTTP library, only the innermost one is
    /// included.
    pub fn chain(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for reason in self.reason.iter().flat_map(|reason| reason.chain()) {
            if reason.is::<reqwest::Error>() {
                reasons.extend(self.reason.as_ref().map(|whole| whole.root_cause().to_string()));
                break;
            }
            reasons.push(reason.to_string());
        }
        reasons
    }
}

/// An error without a more specific reason is the platform's fault.
impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        let hint = error.downcast_ref::<KeyringError>().map(KeyringError::hint);
        let exit = if hint.is_some() { Exit::Caller } else { Exit::Platform };
        Self { hint, ..Self::new(exit, error) }
    }
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        anyhow::Error::new(error).into()
    }
}

/// A file with a token, or `config.toml`, could not be read.
impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        let hint = unread.hint("get another token");
        Self::new(Exit::Caller, unread).hint(hint)
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        let told = |code: &str, retry_safe| {
            (Exit::Platform, Kind { code: Some(code.to_owned()), retry_safe, ..Kind::default() })
        };
        let (exit, kind) = match &error {
            client::Error::Problem(problem) => (exit_of(problem), Kind::of(problem)),
            client::Error::NotReachable { .. } => told("not_reachable", true),
            client::Error::Lost { .. } => told("connection_lost", false),
            client::Error::Tls { problem, .. } if problem.is_about_certificate() => {
                told("certificate_refused", false)
            }
            client::Error::Tls { .. } => told("no_tls_connection", false),
            client::Error::Authorities(_) => (Exit::Caller, Kind::default()),
            client::Error::Protocol(_) | client::Error::Client(_) => told("unexpected_answer", false),
        };
        let hint = error.hint();
        Self { exit, reason: Some(error.into()), hint, kind }
    }
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Choice(choice) => choice.into(),
            SettingsError::Refused(unread) => unread.into(),
            SettingsError::NotRunning(_) => Self::new(Exit::Platform, error).code("not_running"),
            _ => Self::new(Exit::Caller, error),
        }
    }
}

impl From<ChoiceError> for Error {
    fn from(error: ChoiceError) -> Self {
        let exit = match error {
            ChoiceError::NoneRuns(_) => Exit::Platform,
            _ => Exit::Caller,
        };
        let hint = error.hint();
        Self::new(exit, error).hint(hint)
    }
}

impl From<LocatedError> for Error {
    fn from(error: LocatedError) -> Self {
        Self::new(Exit::Caller, error).code(code::INVALID_MANIFEST.code)
    }
}

impl From<bundle::Error> for Error {
    fn from(error: bundle::Error) -> Self {
        if let bundle::Error::Manifest(error) = error {
            return error.into();
        }
        Self::new(Exit::Caller, error).code(code::INVALID_UPLOAD.code)
    }
}

impl From<bundle::CodeError> for Error {
    fn from(error: bundle::CodeError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { hint, ..Self::new(Exit::Caller, error).code(code::INVALID_UPLOAD.code) }
    }
}

impl Kind {
    pub fn of(problem: &Problem) -> Self {
        Self {
            code: Some(problem.code.clone()),
            retry_safe: problem.retry_safe,
            invocation: problem.invocation_id,
            retry_after: problem.retry_after,
        }
    }
}

/// Returns the exit code for a problem: by fault, except for problems with an exit code of their own.
pub fn exit_of(problem: &Problem) -> Exit {
    match problem.status {
        401 | 403 => Exit::NotAuthorised,
        429 => Exit::Throttled,
        _ if client::is(problem, code::FUNCTION_TIMED_OUT) => Exit::InvocationTimeout,
        _ => match problem.fault {
            Fault::Caller => Exit::Caller,
            Fault::Function => Exit::Function,
            Fault::Platform => Exit::Platform,
        },
    }
}

impl From<ExitClass> for Exit {
    fn from(class: ExitClass) -> Self {
        match class {
            ExitClass::Success => Self::Ok,
            ExitClass::Function => Self::Function,
            ExitClass::InvocationTimeout => Self::InvocationTimeout,
            ExitClass::Throttled => Self::Throttled,
            ExitClass::Caller => Self::Caller,
            ExitClass::Platform => Self::Platform,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle;

    #[test]
    fn exit_codes_follow_the_fault() {
        for (code, exit) in [
            (code::FUNCTION_FAILED, 1),
            (code::BUILD_FAILED, 1),
            (code::FUNCTION_NOT_FOUND, 2),
            (code::INTERRUPTED, 3),
            (code::START_FAILED, 3),
            (code::FUNCTION_TIMED_OUT, 4),
            (code::THROTTLED, 5),
            (code::UNAUTHORIZED, 6),
            (code::FORBIDDEN, 6),
        ] {
            assert_eq!(exit_of(&Problem::new(code, "")) as u8, exit, "{}", code.code);
        }
    }

    #[test]
    fn an_ending_exits_alike_whether_it_came_as_a_problem_or_in_a_record() {
        for kind in lifecycle::Kind::ALL {
            let Some(code) = kind.code() else { continue };
            let exit = Exit::from(kind.exit());
            assert_eq!(exit_of(&Problem::new(code, "")) as u8, exit as u8, "{kind:?}");
        }
    }

    #[test]
    fn a_problem_of_the_platform_is_reported_as_it_came() {
        let id = "01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f".parse().unwrap();
        let problem = Problem::new(code::THROTTLED, "too many").hint("later").invocation(id);
        let report = Error::from(client::Error::from(problem)).report();
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            "{\"code\":\"throttled\",\"fault\":\"caller\",\"detail\":\"too many\",\"hint\":\"later\",\
             \"retry_safe\":true,\"invocation_id\":\"01931f5e-7c1a-7b60-8b43-0d3f5a1c2e4f\"}"
        );
        let problem = Problem::new(code::RATE_LIMITED, "too many").retry_after(20);
        let report = serde_json::to_value(Error::from(client::Error::from(problem)).report()).unwrap();
        assert_eq!((&report["retry_after"], &report["hint"]), (&20.into(), &"try again in 20 s".into()));
    }

    #[test]
    fn a_refused_certificate_and_a_wrong_scheme_have_codes_of_their_own() {
        let report = |problem| {
            let url = "https://faas.example/".parse().unwrap();
            let error = Error::from(client::Error::Tls { url, problem: Box::new(problem) });
            (error.exit, error.report().code, error.report().retry_safe)
        };
        let refused = (Exit::Platform, "certificate_refused".to_owned(), false);
        assert_eq!(report(client::TlsProblem::UnknownIssuer), refused);
        assert_eq!(report(client::TlsProblem::WrongName(Vec::new())), refused);
        let none = (Exit::Platform, "no_tls_connection".to_owned(), false);
        assert_eq!(report(client::TlsProblem::NotTls), none);
        assert_eq!(report(client::TlsProblem::NotHttp), none);
    }

    #[test]
    fn every_exit_code_has_a_report() {
        for (exit, code, fault) in [
            (Exit::Function, "function_failed", Fault::Function),
            (Exit::Caller, "usage", Fault::Caller),
            (Exit::Platform, "platform", Fault::Platform),
            (Exit::InvocationTimeout, "function_timed_out", Fault::Function),
            (Exit::Throttled, "throttled", Fault::Caller),
            (Exit::NotAuthorised, "unauthorized", Fault::Caller),
            (Exit::Interrupted, "stopped_by_signal", Fault::Caller),
        ] {
            let report = Error::new(exit, anyhow::Error::msg("why")).report();
            assert_eq!((report.code.as_str(), report.fault), (code, fault));
            assert_eq!((report.detail.as_str(), report.retry_safe), ("why", false));
        }
    }

    #[test]
    fn the_chain_is_told_from_the_outside_in() {
        let error = Error::usage("no such thing").context("cannot do it".to_owned());
        assert_eq!(error.chain(), ["cannot do it", "no such thing"]);
    }
}
