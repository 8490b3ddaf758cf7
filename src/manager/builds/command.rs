//! `[build] command`: the code of a revision, made from its source in a sandbox.
//!
//! ```text
//! source ─▶ sandbox: a copy of the folder, the command ─▶ checked as an upload is ─▶ bundle in the store
//! ```
//! The command is its author's, and what it leaves is as hostile as an upload.

use std::{
    io,
    net::SocketAddrV4,
    path::Path,
    sync::{Arc, Mutex},
};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        bundles::Unpacked,
        dependencies::{self, transfer::finished},
        instance::{advice, folder},
        shared::Shared,
        workshop::{
            MEMORY, Plan, Workshop,
            failure::{Failure, MAX_OUTPUT, end},
            files,
        },
    },
    left::packed,
    make::{Built, failed},
    told::Told,
};
use crate::{
    bundle,
    error_chain::chain_of_disk,
    language::BuildProgram,
    model::{
        BuildCommand, Code, Digest, FunctionSpec, Language, Network,
        message::{Build, BuildStep},
    },
    runtime::{BuildRights, show_code},
    units::show_bytes,
};

const NOT_TOLD: &str = "further output of the build command is not shown, but its end is if it fails";

/// Runs the command of a build and replaces its code by what that has made. A build without one stays as it is.
pub(super) async fn with_command(
    shared: &Arc<Shared>,
    build: &Build,
    built: Built,
    progress: &UnboundedSender<String>,
    stop: &CancellationToken,
) -> Result<Built, BuildStep> {
    let (Some(command), Some(code)) = (&build.spec.build_command, built.code.clone()) else {
        return Ok(built);
    };
    let Code::Language { language, version, package: _ } = &build.spec.code else { return Ok(built) };
    if let Some(before) = &build.built
        && let Ok(code) = shared.bundles.get(before).await
    {
        let same = "the build command is not run again, since the source is the same; `deploy --refresh` runs it";
        let _ = progress.send(same.to_owned());
        let built = Built { bundle: Some(before.clone()), code: Some(code), ..built };
        return Ok(with_own_packages(build, built));
    }
    let making = Making {
        shared,
        spec: &build.spec,
        command,
        language: *language,
        version,
        packages: built.packages.as_ref().map(|tree| tree.name().as_str()),
        code,
        progress,
    };
    let made = tokio::select! {
        () = stop.cancelled() => Err(Failure::Platform("the manager stops".to_owned())),
        made = making.run() => made,
    };
    let (bundle, code) = made.map_err(into_step)?;
    Ok(with_own_packages(build, Built { bundle: Some(bundle), code: Some(code), ..built }))
}

/// Leaves out the installed packages where the command has left a folder of packages: they are those of the function then.
fn with_own_packages(build: &Build, mut built: Built) -> Built {
    let own = built.code.as_ref().and_then(|code| dependencies::own_folder(&build.spec, code.folder()));
    let Some(folder) = own else { return built };
    if built.packages.take().is_some() {
        built.notices.push(format!(
            "the packages are those of {folder} that the build command left; those that were installed are not used"
        ));
    }
    built
}

/// Returns the last step of a build whose command has failed, or what it made.
fn into_step(failure: Failure) -> BuildStep {
    match failure {
        Failure::Packages { reason, output, .. } => BuildStep::Failed {
            message: format!("the build command {reason}"),
            user_error: true,
            manifest: false,
            error: None,
            output: output.map(end).filter(|text| !text.is_empty()),
        },
        Failure::Platform(reason) => failed(reason, false),
    }
}

/// The program's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    Code(i64),
    Signal(i64),
    Refused(String),
    /// The program is on none of these folders; the advice is that of the language.
    Missing {
        path: String,
        advice: Option<String>,
    },
}

struct Making<'m> {
    shared: &'m Arc<Shared>,
    spec: &'m FunctionSpec,
    command: &'m BuildCommand,
    language: Language,
    version: &'m str,
    /// The tree of its packages.
    packages: Option<&'m str>,
    /// Its source.
    code: Arc<Unpacked>,
    progress: &'m UnboundedSender<String>,
}

impl Making<'_> {
    async fn run(&self) -> Result<(Digest, Arc<Unpacked>), Failure> {
        let _place = self.shared.packages.place(|line| self.tell(line)).await;
        self.tell(format!("running the build command: {}", shown(&self.command.command)));
        let mut workshop = self.workshop().await?;
        let made = match self.performed(&mut workshop).await {
            Ok(()) => {
                let folder = workshop.output().await?.join("function");
                self.stored(&folder).await
            }
            Err(failure) => Err(failure),
        };
        workshop.close().await;
        made
    }

    async fn workshop(&self) -> Result<Workshop, Failure> {
        let facts = self.language.facts();
        let no_program = || Failure::reason(format!("is not for {}, which no build makes", facts.title));
        let program = facts.command.as_ref().ok_or_else(no_program)?;
        let plan = Plan {
            language: self.language,
            version: self.version.to_owned(),
            handler: program.handler,
            network: self.command.network,
            rights: BuildRights {
                reachable: self.reachable().await?,
                calls_installer: program.calls_installer,
                ..BuildRights::default()
            },
            packages: self.packages.map(|_| self.shared.packages.cache.shown()),
        };
        let code = self.code.clone();
        Workshop::make(self.shared, plan, move |folder| prepare(folder, &code, program)).await
    }

    /// Returns the addresses that a command with a network may connect to wherever they are.
    async fn reachable(&self) -> Result<Vec<SocketAddrV4>, Failure> {
        match self.command.network {
            Network::None => Ok(Vec::new()),
            Network::Egress => {
                let is_fenced = self.shared.runtime.kind() != "process";
                dependencies::proxy_addresses(&self.shared.packages.builds, is_fenced).await
            }
        }
    }

    /// Runs the command to its end.
    async fn performed(&self, workshop: &mut Workshop) -> Result<(), Failure> {
        let limit = self.shared.limits.build_time;
        let builds = &self.shared.packages.builds;
        let printed = Mutex::new(Printed::default());
        let tell = |line: String| {
            let line = builds.hide_in(line);
            if let Some(line) = printed.lock().expect("no holder panics").add(line) {
                self.tell(line);
            }
        };
        let event = json!({
            "command": self.command.command,
            "env": self.spec.env,
            "packages": self.packages,
            "variables": builds.environment(self.command.network != Network::None),
        });
        // Its end is kept, however much comes before.
        workshop.hear_everything();
        let ended = workshop.ask_watched(event, limit, "running the build command", &tell).await;
        let printed = printed.into_inner().expect("no holder panics").end;
        let hint = network_hint(self.command.network, &printed);
        let failed = |reason: String| Failure::packages("", reason, Some(printed));
        match ended {
            Ok(Ended::Code(0)) => Ok(()),
            Ok(Ended::Code(code)) => Err(failed(format!("failed with {}{hint}", show_code(code)))),
            Ok(Ended::Signal(signal)) => Err(failed(killed(signal))),
            Ok(Ended::Refused(why)) => {
                let program = self.command.command.first().map(String::as_str).unwrap_or_default();
                let hint = line_hint(&self.command.command).unwrap_or_default();
                Err(failed(format!("cannot be run: {program}: {why}{hint}")))
            }
            Ok(Ended::Missing { path, advice }) => Err(failed(self.missing(&path, advice.as_deref()))),
            Err(Failure::Packages { reason, .. }) => Err(failed(format!("failed: {reason}"))),
            Err(platform) => Err(platform),
        }
    }

    fn missing(&self, path: &str, advice: Option<&str>) -> String {
        let program = self.command.command.first().map(String::as_str).unwrap_or_default();
        let whose = match self.shared.runtime.kind() {
            "docker" => format!("the image of {} {}", self.language, self.version),
            _ => "this machine".to_owned(),
        };
        let path = shown_path(path);
        let advice = advice.map(|advice| format!("; {advice}"));
        let hint = line_hint(&self.command.command).or(advice).unwrap_or_default();
        format!("cannot be run: '{program}' is not on the PATH of {whose} ({path}){hint}")
    }

    /// Packs what the command has left, checks it and stores it.
    async fn stored(&self, folder: &Path) -> Result<(Digest, Arc<Unpacked>), Failure> {
        let (folder, spec) = (folder.to_owned(), self.spec.clone());
        let packing = tokio::task::spawn_blocking(move || packed(&folder, &spec));
        let (bytes, listing) = finished(packing).await.map_err(Failure::from).flatten()?;
        let files = match listing.paths().len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        self.tell(format!("built: {files}, {}", show_bytes(listing.size)));
        bundle::remarks(&listing, self.spec).into_iter().for_each(|remark| self.tell(remark));
        self.shared.store.put_blob(&listing.digest, bytes).await?;
        let code = self.shared.bundles.get(&listing.digest).await;
        let code = code.map_err(|error| Failure::Platform(chain_of_disk(&error)))?;
        Ok((listing.digest, code))
    }

    fn tell(&self, line: String) {
        // Nobody may be waiting for it any more.
        let _ = self.progress.send(line);
    }
}

/// Fills the folder of a sandbox with a function's source and the program that runs the command.
fn prepare(folder: &Path, source: &Unpacked, program: &BuildProgram) -> io::Result<()> {
    files::make(folder)?;
    let task = folder.join(folder::TASK);
    let code = task.join(BuildProgram::CODE);
    files::write(&task, program.file, program.text.as_bytes())?;
    files::make_folder(&code)?;
    source.fill_blocking(&code).map_err(io::Error::other)
}

/// The output of a command.
#[derive(Default)]
struct Printed {
    end: String,
    told: Told,
}

impl Printed {
    /// Adds a line; returns what is told of it.
    fn add(&mut self, line: String) -> Option<String> {
        self.end.push_str(&line);
        self.end.push('\n');
        if self.end.len() > 2 * MAX_OUTPUT {
            self.end = end(std::mem::take(&mut self.end));
        }
        self.told.shown(line, NOT_TOLD)
    }
}

/// Returns a `PATH` as its author knows it: of the build's own folders, only the one with the programs of packages.
fn shown_path(path: &str) -> String {
    const OF_PACKAGES: &str = "node_modules/.bin";
    let is_own = |folder: &&str| folder.contains("/output/");
    let programs = path.split(':').filter(is_own).find(|folder| folder.ends_with(OF_PACKAGES));
    let others = path.split(':').filter(|folder| !is_own(folder));
    programs.map(|_| OF_PACKAGES).into_iter().chain(others).collect::<Vec<_>>().join(":")
}

/// Returns what is added to the reason of a command that cannot be run where its program looks like a line for a shell.
fn line_hint(command: &[String]) -> Option<String> {
    let is_line = command.first()?.contains(char::is_whitespace);
    is_line.then(|| {
        let line = json!(command.join(" "));
        format!("; no shell reads the command: write [\"sh\", \"-c\", {line}]")
    })
}

/// Returns what is added to the reason of a command that has most likely failed because it had no network.
fn network_hint(network: Network, printed: &str) -> &'static str {
    match network == Network::None && advice::tells_of_no_network(printed) {
        true => "; the build command has no network: `network = \"egress\"` under [build] gives it one",
        false => "",
    }
}

/// A build is killed from inside: by its memory, or by itself.
fn killed(signal: i64) -> String {
    let code = show_code(128 + signal);
    let memory = show_bytes(MEMORY);
    match signal {
        9 => {
            format!("failed with {code}; a build that needs more than {memory} of memory ends like that")
        }
        _ => format!("failed with {code}"),
    }
}

/// Returns a command as people write it, shortened.
fn shown(command: &[String]) -> String {
    const SHOWN: usize = 100;
    let text = command.join(" ").escape_debug().to_string();
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_output_the_beginning_is_told_and_the_end_is_kept() {
        let mut printed = Printed::default();
        let line = "x".repeat(1023);
        for _ in 0..1024 {
            assert_eq!(printed.add(line.clone()).as_ref(), Some(&line));
        }
        let told = printed.add(line.clone()).unwrap();
        assert_eq!(told, "further output of the build command is not shown, but its end is if it fails");
        assert_eq!(printed.add("the end".to_owned()), None);
        let kept = end(printed.end);
        assert!(kept.len() <= MAX_OUTPUT && kept.ends_with("x\nthe end\n"));
    }

    #[test]
    fn a_command_that_fails_without_a_network_is_told_of_the_key_that_gives_one() {
        for printed in [
            "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>\n",
            "connect: Network is unreachable\n",
            "npm error request to https://r/ failed, reason: getaddrinfo EAI_AGAIN r\n",
            "Error: connect ENETUNREACH 192.0.2.1:443\n",
            "curl: (6) Could not resolve host: example.com\n",
        ] {
            assert_eq!(
                network_hint(Network::None, printed),
                "; the build command has no network: `network = \"egress\"` under [build] gives it one",
                "{printed}"
            );
            assert_eq!(network_hint(Network::Egress, printed), "", "{printed}");
        }
        assert_eq!(network_hint(Network::None, "make: *** [all] Error 2\n"), "");
    }

    #[test]
    fn of_the_folders_of_a_build_only_the_programs_of_packages_are_shown() {
        let of_node = "/var/output/function/node_modules/.bin:/var/output/node_modules/.bin:/var/output/bin:\
                       /usr/bin:/bin";
        assert_eq!(shown_path(of_node), "node_modules/.bin:/usr/bin:/bin");
        assert_eq!(shown_path("/var/output/bin:/usr/bin:/bin"), "/usr/bin:/bin");
    }

    #[test]
    fn a_line_in_place_of_a_program_is_answered_with_the_form_for_a_shell() {
        let hint = |command: &[&str]| {
            line_hint(&command.iter().map(|&part| part.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            hint(&["python3 make.py && echo \"ok\""]).unwrap(),
            r#"; no shell reads the command: write ["sh", "-c", "python3 make.py && echo \"ok\""]"#
        );
        assert_eq!(hint(&["make", "a b"]), None);
    }

    #[test]
    fn a_command_is_shown_in_a_line() {
        assert_eq!(shown(&["make".to_owned(), "a\nb".to_owned()]), "make a\\nb");
        assert_eq!(shown(&["x".repeat(101)]), format!("{}…", "x".repeat(100)));
        assert_eq!(
            killed(9),
            "failed with code 137 (signal SIGKILL); a build that needs more than 1 GiB of memory ends like that"
        );
        assert_eq!(killed(11), "failed with code 139 (signal SIGSEGV)");
    }
}
