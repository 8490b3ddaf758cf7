//! Loading a function's code in an instance.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::{
        held_secrets::HeldSecrets,
        logs::LAST_OUTPUT,
        pool::Slot,
        shared::Shared,
        start_failure::{StartFailure, function_error},
    },
    Instance,
    crash::{Lost, crash, out_of_memory},
    folder::link_packages,
    for_callers::for_callers,
    start::fill,
};
use crate::{
    error_chain::chain_of_disk,
    model::{Code, FunctionError, FunctionSpec, Interface},
    runtime::{GuestError, Load, LoadFailure},
    units::show_duration,
};

impl Instance {
    /// Has the guest load the code; that of a prewarmed one is put into its folder first. What the code writes
    /// is kept in its load output. `slot` is its own if it is to serve; then it returns a note of the values that it has, to be
    /// kept for as long as it lives.
    pub(super) async fn load(
        &mut self,
        folder: &Path,
        slot: Option<Slot>,
    ) -> Result<Option<HeldSecrets>, StartFailure> {
        if self.prewarmed {
            fill(&self.shared, folder, &self.revision).await?;
            self.ready = Instant::now();
        }
        if let Some(tree) = &self.revision.dependencies {
            let packages = self.shared.packages.cache.get(tree).await;
            let packages = packages.map_err(|error| StartFailure::Platform(chain_of_disk(&error)))?;
            let seen = self.shared.packages.seen(self.shared.runtime.kind());
            link_packages(folder, &self.revision.spec.code, &seen.join(packages.name().as_str()))
                .map_err(|error| StartFailure::Platform(chain_of_disk(&error)))?;
            self.packages = Some(packages);
        }
        let Shared { secrets, revisions, .. } = &*self.shared;
        let (secrets, held) = secrets.values(revisions, &self.revision, slot).await?;
        let spec = &self.revision.spec;
        let load = Load {
            revision: self.revision.number,
            function: self.revision.name.to_string(),
            handler: spec.handler.clone(),
            packages: self.packages.as_ref().map(|tree| tree.name().to_string()),
            concurrency: spec.scaling.concurrency,
            interface: spec.interface,
            command: spec.command.clone(),
            env: variables(spec),
            secrets,
        };
        let Self { shared, guest, load_output, .. } = self;
        let clock = &shared.clock;
        match guest.load(&load, spec.load_limit(), &mut |line| load_output.push(clock.now(), line)).await
        {
            Ok(()) => {
                self.loaded = Instant::now();
                Ok(held)
            }
            Err(LoadFailure::Function(error)) => Err(self.told_failure(error).await),
            Err(LoadFailure::Unable(reason)) => Err(match self.revision.spec.code {
                Code::Image { .. } | Code::Dockerfile { .. } => StartFailure::Image(reason),
                Code::Language { .. } => StartFailure::Platform(reason),
            }),
            Err(LoadFailure::Guest(GuestError::TimedOut(limit))) => {
                Err(StartFailure::Load(too_slow(self.revision.spec.interface, limit)))
            }
            Err(LoadFailure::Guest(_)) if self.shared.given_up.is_cancelled() => {
                Err(StartFailure::Platform("the manager stopped".to_owned()))
            }
            // The kernel says so of a peer that has gone without reading; one that has read just hangs up.
            Err(LoadFailure::Guest(GuestError::Closed(Some(_)))) if self.prewarmed => {
                Err(StartFailure::Unreached)
            }
            Err(LoadFailure::Guest(error)) => {
                let spec = &self.revision.spec;
                let mut error = match crash(&*self.sandbox, spec, error).await {
                    Lost::Crashed(error) => error,
                    Lost::FromOutside(reason) => return Err(StartFailure::Platform(reason)),
                };
                error.message.push_str(when(spec.interface));
                if let Some(tail) = self.load_output.tail() {
                    let _ = write!(error.message, "{LAST_OUTPUT}{tail}");
                }
                Err(StartFailure::Crashed(error))
            }
        }
    }

    /// Returns the failure of a load that the guest has told, with what its program has written.
    async fn told_failure(&mut self, error: FunctionError) -> StartFailure {
        let spec = &self.revision.spec;
        // What a handler has written is kept apart; what a program says of itself is its output.
        let tail = if spec.interface.is_protocol() { None } else { self.load_output.tail() };
        let with_output = |mut error: FunctionError| {
            if let Some(tail) = tail {
                let _ = write!(error.message, "{LAST_OUTPUT}{tail}");
            }
            for_callers(error, &self.revision)
        };
        if self.memory_kills.are_behind(&*self.sandbox, spec, self.begun, &error).await {
            let mut error = out_of_memory(spec);
            error.message.push_str(when(spec.interface));
            return StartFailure::Crashed(with_output(error));
        }
        StartFailure::Load(with_output(error))
    }
}

/// Returns the words for a guest that was lost in its load.
fn when(interface: Interface) -> &'static str {
    match interface {
        Interface::Protocol => " while its code was loaded",
        Interface::Command | Interface::Lambda | Interface::Http { .. } => " before it was ready",
    }
}

/// Returns the function's variables, those of its language that it does not set itself, and the one of AWS Lambda's that a
/// sandbox does not know.
fn variables(spec: &FunctionSpec) -> BTreeMap<String, String> {
    const MIB: u64 = 1024 * 1024;
    let mut variables = spec.env.clone();
    if !spec.interface.is_protocol()
        && let Code::Language { language, .. } = &spec.code
    {
        for (name, value) in language.facts().variables.of_programs {
            variables.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
        }
    }
    if spec.interface == Interface::Lambda {
        let memory = (spec.memory_bytes / MIB).to_string();
        variables.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE".to_owned(), memory);
    }
    variables
}

/// Returns the error of a load that has taken longer than its limit.
fn too_slow(interface: Interface, limit: Duration) -> FunctionError {
    let within = format!("within its load_timeout of {}", show_duration(limit));
    let message = match interface {
        Interface::Protocol => format!("the function's code did not load {within}"),
        Interface::Command => format!("the program was not looked at {within}"),
        Interface::Lambda => format!("the program did not ask for its first invocation {within}"),
        Interface::Http { port } => {
            let hint = format!(
                "the server has to listen on 127.0.0.1 or 0.0.0.0, on the port that the variable PORT names, which is \
                 {port}; `port` and `load_timeout` in cloudfunc.toml change the port and the time"
            );
            let message = format!("nothing listens on port {port} {within}");
            return FunctionError { hint: Some(hint), ..function_error("load", message) };
        }
    };
    function_error("load", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Defaults};

    #[test]
    fn programs_in_python_write_at_once_unless_their_author_says_otherwise() {
        let unbuffered = |manifest: &str| {
            let spec = manifest::parse(manifest, manifest::FILE, &Defaults::default()).unwrap().spec;
            variables(&spec).remove("PYTHONUNBUFFERED")
        };
        let server = "interface = 'http'\ncommand = ['gunicorn', 'app:app']\n";
        assert_eq!(unbuffered(server).as_deref(), Some("1"));
        assert_eq!(unbuffered("interface = 'command'\ncommand = ['./a.py']").as_deref(), Some("1"));
        let own = format!("{server}[env]\nPYTHONUNBUFFERED = ''\n");
        assert_eq!(unbuffered(&own).as_deref(), Some(""));
        // The shim passes on what a handler prints; other languages and images know nothing of it.
        for manifest in [
            "",
            "language = 'native'\ninterface = 'http'\ncommand = ['./server']",
            "image = 'i'\ninterface = 'http'\ncommand = ['serve']",
        ] {
            assert_eq!(unbuffered(manifest), None, "{manifest}");
        }
    }

    #[test]
    fn a_load_that_takes_too_long_says_what_did_not_happen() {
        let told = |interface| too_slow(interface, Duration::from_secs(30)).message;
        let within = "within its load_timeout of 30 s";
        assert_eq!(told(Interface::Protocol), format!("the function's code did not load {within}"));
        assert_eq!(told(Interface::Command), format!("the program was not looked at {within}"));
        assert_eq!(
            told(Interface::Lambda),
            format!("the program did not ask for its first invocation {within}")
        );
        let http = Interface::Http { port: 8080 };
        assert_eq!(told(http), format!("nothing listens on port 8080 {within}"));
        assert_eq!(
            too_slow(http, Duration::from_secs(30)).hint.unwrap(),
            "the server has to listen on 127.0.0.1 or 0.0.0.0, on the port that the variable PORT names, which is 8080; \
             `port` and `load_timeout` in cloudfunc.toml change the port and the time"
        );
    }
}
