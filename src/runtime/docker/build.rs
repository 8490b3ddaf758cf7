//! Building an image of a function's own from its source, with limits.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use bollard::{
    body_try_stream, errors::Error as Answer, models::BuildInfo, query_parameters::BuildImageOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{
    context::{self, Entry},
    dockerfile,
    engine::{self, Engine},
    instructions,
};
use crate::{
    docker_ignore::{self, IgnoreFile},
    runtime::{BUILD_MEMORY, Error, Progress, show_code},
};

/// The CPU time of a step within a period, both in microseconds: one processor.
const CPU_QUOTA: i32 = 100_000;
/// The limit of a whole build. A deploy has one of its own, which is shorter.
const MAX_TIME: Duration = Duration::from_secs(3600);
/// The end of a step's output that is kept, in bytes.
const MAX_OUTPUT: usize = 16 * 1024;
/// A longer line is cut into several, each of this many bytes.
const MAX_LINE: usize = 16 * 1024;
/// The limit of an instruction that an error repeats, in characters.
const MAX_SHOWN: usize = 200;

/// A source that was read.
pub(super) struct Prepared {
    /// The images that the engine needs.
    pub images: Vec<String>,
    entries: Vec<Entry>,
    source: PathBuf,
}

/// The parameters of a build for the engine.
pub(super) struct Order<'o> {
    pub tag: &'o str,
    pub dockerfile: &'o str,
    pub args: &'o BTreeMap<String, String>,
    pub labels: HashMap<String, String>,
    /// `none`, or the name of a network.
    pub network: String,
    /// True where every step is taken again.
    pub refresh: bool,
}

/// Returns the error of a Dockerfile that its author has to change.
pub(super) fn refused(dockerfile: &str, problem: &str) -> Error {
    failed(format!("{dockerfile} cannot be built: {problem}"), String::new())
}

fn failed(reason: String, output: String) -> Error {
    Error::Dockerfile { reason, output }
}

/// Reads the source of an image.
pub(super) async fn prepare(
    source: &Path,
    dockerfile: &str,
    args: &BTreeMap<String, String>,
) -> Result<Prepared, Error> {
    let (source, dockerfile, args) = (source.to_owned(), dockerfile.to_owned(), args.clone());
    let reading = tokio::task::spawn_blocking(move || read(source, &dockerfile, &args));
    reading.await.expect("reading a folder does not panic")
}

fn read(source: PathBuf, dockerfile: &str, args: &BTreeMap<String, String>) -> Result<Prepared, Error> {
    let not_read = |source| Error::Io { path: dockerfile.into(), source };
    let refuse = |problem: &str| refused(dockerfile, problem);
    let Some(text) = text(&source, dockerfile, instructions::MAX_BYTES).map_err(not_read)? else {
        return Err(refuse("it is not in the function's folder"));
    };
    let text = text.map_err(|problem| refuse(&problem))?;
    let images = dockerfile::images(&text, args).map_err(|problem| refuse(&problem))?;
    let rules = match text_of_rules(&source).map_err(not_read)? {
        Some(text) => {
            let text = text.map_err(|problem| refuse(&format!("{} {problem}", docker_ignore::NAME)))?;
            IgnoreFile::read(&text).map_err(|invalid| refuse(&invalid.to_string()))?
        }
        None => IgnoreFile::default(),
    };
    let entries = context::list(&source, &rules, dockerfile).map_err(not_read)?;
    Ok(Prepared { images, entries, source })
}

fn text_of_rules(source: &Path) -> io::Result<Option<Result<String, String>>> {
    text(source, docker_ignore::NAME, docker_ignore::MAX_BYTES)
}

/// Returns the text of a file in the folder, or what is wrong with it; none where there is no such file. A link that leads
/// out of the folder counts as none.
fn text(folder: &Path, name: &str, limit: usize) -> io::Result<Option<Result<String, String>>> {
    let path = match folder.join(name).canonicalize() {
        Ok(path) if path.starts_with(folder.canonicalize()?) && path.is_file() => path,
        Ok(_) => return Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if fs::metadata(&path)?.len() > limit as u64 {
        return Ok(Some(Err(format!("has more than {} KiB", limit >> 10))));
    }
    Ok(Some(String::from_utf8(fs::read(&path)?).map_err(|_| "is not UTF-8".to_owned())))
}

/// Builds an image. Dropped, it ends the build: the engine gives up one whose client has gone.
pub(super) async fn build(
    engine: &Engine,
    order: &Order<'_>,
    prepared: Prepared,
    progress: &Progress,
) -> Result<(), Error> {
    let building = follow(engine, order, prepared, progress);
    tokio::time::timeout(MAX_TIME, building).await.unwrap_or_else(|_| {
        Err(failed(format!("{} was not built within an hour", order.dockerfile), String::new()))
    })
}

async fn follow(
    engine: &Engine,
    order: &Order<'_>,
    prepared: Prepared,
    progress: &Progress,
) -> Result<(), Error> {
    let client = engine.client().await?;
    let context = body_try_stream(context_of(prepared));
    let mut lines = pin!(client.build_image(options(order), None, Some(context)));
    let mut said = Said::default();
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| of_answer(engine, order.dockerfile, &mut said, error))?;
        said.add(line, progress);
    }
    said.end_line(progress);
    Ok(())
}

fn options(order: &Order<'_>) -> BuildImageOptions {
    let memory = i32::try_from(BUILD_MEMORY).ok();
    BuildImageOptions {
        t: Some(order.tag.to_owned()),
        dockerfile: order.dockerfile.to_owned(),
        buildargs: Some(order.args.clone().into_iter().collect()),
        labels: Some(order.labels.clone()),
        networkmode: Some(order.network.clone()),
        nocache: order.refresh,
        memory,
        // The limit of memory and swap together: no swap.
        memswap: memory,
        cpuperiod: Some(CPU_QUOTA),
        cpuquota: Some(CPU_QUOTA),
        rm: true,
        forcerm: true,
        ..Default::default()
    }
}

/// Returns the source as a tar, written by a blocking task while it is sent.
fn context_of(prepared: Prepared) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        context::write_source(&prepared.source, &prepared.entries, sender);
    });
    futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// The output of a build so far, as the engine reports it.
#[derive(Default)]
struct Said {
    /// The step under way: `2/3`, and its instruction.
    step: Option<(String, String)>,
    /// The end of what that step has written.
    output: String,
    /// The beginning of a line.
    begun: String,
}

impl Said {
    fn add(&mut self, info: BuildInfo, progress: &Progress) {
        // For an image that is pulled, only the steps that happen once.
        if let (Some(status), None) = (info.status, info.progress_detail.and_then(|d| d.current)) {
            progress(info.id.map_or(status.clone(), |id| format!("{id}: {status}")));
        }
        // The engine shows in red what a step has written as errors.
        let Some(text) = info.stream.map(|text| text.replace("\u{1b}[91m", "").replace("\u{1b}[0m", ""))
        else {
            return;
        };
        // A message of its own, so that what a step writes is not taken for one.
        if let Some(step) = step(&text) {
            self.end_line(progress);
            self.output.clear();
            self.step = Some(step);
        }
        for piece in text.split_inclusive('\n') {
            self.begun.push_str(piece);
            if piece.ends_with('\n') || self.begun.len() > MAX_LINE {
                self.end_line(progress);
            }
        }
    }

    fn end_line(&mut self, progress: &Progress) {
        let line = std::mem::take(&mut self.begun);
        let line = line.trim_end();
        if line.trim().is_empty() {
            return;
        }
        let is_of_engine = ["Step ", " ---> ", "Removing intermediate container "]
            .iter()
            .any(|words| line.starts_with(words));
        if !is_of_engine {
            self.output.push_str(line);
            self.output.push('\n');
            if self.output.len() > 2 * MAX_OUTPUT {
                let cut = self.output.ceil_char_boundary(self.output.len() - MAX_OUTPUT);
                self.output.drain(..cut);
            }
        }
        progress(line.to_owned());
    }
}

/// Reads `Step 2/3 : RUN make`.
fn step(text: &str) -> Option<(String, String)> {
    let (number, instruction) = text.strip_prefix("Step ")?.split_once(" : ")?;
    let (at, of) = number.split_once('/')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_step = is_number(at) && is_number(of);
    is_step.then(|| (number.to_owned(), shown(instruction.trim())))
}

/// Returns a text in one line, shortened.
pub(super) fn shown(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_SHOWN) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// Turns the engine's answer into the reason why the build has failed.
fn of_answer(engine: &Engine, dockerfile: &str, said: &mut Said, error: Answer) -> Error {
    said.end_line(&|_| {});
    let problem = match &error {
        Answer::DockerStreamError { error } => error.trim().to_owned(),
        refused if engine::is_refused(refused) => engine::text(refused),
        _ => return engine.failed("build an image")(error),
    };
    if problem.contains("no space left on device") {
        return engine.failed("build an image")(error);
    }
    failed(reason(dockerfile, said.step.as_ref(), &problem), std::mem::take(&mut said.output))
}

fn reason(dockerfile: &str, step: Option<&(String, String)>, problem: &str) -> String {
    let code = problem.rsplit_once("returned a non-zero code: ");
    let problem = shown(problem);
    let Some((step, instruction)) = step else {
        let words = ["dockerfile parse error ", "Dockerfile parse error "];
        let problem = words.iter().find_map(|words| problem.strip_prefix(words)).unwrap_or(&problem);
        return format!("{dockerfile} cannot be built: {problem}");
    };
    // The engine counts its labels, which are not lines of the Dockerfile.
    let number = step.split('/').next().unwrap_or_default();
    match code.and_then(|(_, code)| code.trim().parse::<i64>().ok()) {
        Some(137) => format!(
            "step {number} of {dockerfile} failed with {} ({instruction}); one that needs more than {} MiB of memory ends \
             like that",
            show_code(137),
            BUILD_MEMORY >> 20
        ),
        Some(code) => {
            format!("step {number} of {dockerfile} failed with {} ({instruction})", show_code(code))
        }
        None => format!("step {number} of {dockerfile} failed ({instruction}): {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn line(text: &str) -> BuildInfo {
        BuildInfo { stream: Some(text.to_owned()), ..Default::default() }
    }

    #[test]
    fn lines_are_told_as_they_end_and_the_output_is_that_of_the_last_step() {
        let (mut said, told) = (Said::default(), Arc::new(Mutex::new(Vec::new())));
        let listener = told.clone();
        let progress = move |line: String| listener.lock().unwrap().push(line);
        for text in [
            "Step 1/2 : FROM a\n",
            " ---> 0123\n",
            "Step 2/2 : RUN make   all\n",
            " ---> Running in 45\n",
            "compil",
            "ing\nStep 9/9 : x\n\n",
            "no compiler",
        ] {
            said.add(line(text), &progress);
        }
        let problem = "The command '/bin/sh -c make' returned a non-zero code: 2".to_owned();
        let error = Answer::DockerStreamError { error: problem };
        let error = of_answer(&Engine::from_environment(), "Dockerfile", &mut said, error);
        let Error::Dockerfile { reason, output } = error else { panic!("{error:?}") };
        assert_eq!(reason, "step 2 of Dockerfile failed with code 2 (RUN make all)");
        assert_eq!(output, "compiling\nno compiler\n");
        assert_eq!(
            *told.lock().unwrap(),
            [
                "Step 1/2 : FROM a",
                " ---> 0123",
                "Step 2/2 : RUN make   all",
                " ---> Running in 45",
                "compiling",
                "Step 9/9 : x"
            ]
        );
    }

    #[test]
    fn a_build_that_fails_is_said_in_plain_words() {
        let step = ("2/3".to_owned(), "RUN make".to_owned());
        let code = |code| format!("The command '/bin/sh -c make' returned a non-zero code: {code}");
        for (step, problem, expected) in [
            (Some(&step), code(3), "step 2 of D failed with code 3 (RUN make)"),
            (
                Some(&step),
                code(137),
                "step 2 of D failed with code 137 (signal SIGKILL) (RUN make); one that needs more than 1024 MiB of memory \
                 ends like that",
            ),
            (
                Some(&step),
                "COPY failed: no source files were specified".to_owned(),
                "step 2 of D failed (RUN make): COPY failed: no source files were specified",
            ),
            (
                None,
                "dockerfile parse error line 2: unknown instruction: RUNN".to_owned(),
                "D cannot be built: line 2: unknown instruction: RUNN",
            ),
        ] {
            assert_eq!(reason("D", step, &problem), expected);
        }
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let problem = || {
            let read = read(dir.path().to_owned(), "Dockerfile", &BTreeMap::new());
            read.map(|prepared| prepared.images).map_err(|error| error.to_string())
        };
        let prefix = "Dockerfile cannot be built: ";
        let refused = |problem: &str| Err(format!("{prefix}{problem}"));
        assert_eq!(problem(), refused("it is not in the function's folder"));
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("Dockerfile")).unwrap();
        assert_eq!(problem(), refused("it is not in the function's folder"));
        fs::remove_file(dir.path().join("Dockerfile")).unwrap();
        fs::write(dir.path().join("Dockerfile"), b"\xff").unwrap();
        assert_eq!(problem(), refused("is not UTF-8"));
        fs::write(dir.path().join("Dockerfile"), "x".repeat(instructions::MAX_BYTES + 1)).unwrap();
        assert_eq!(problem(), refused("has more than 256 KiB"));
        fs::write(dir.path().join("Dockerfile"), "FROM a").unwrap();
        assert_eq!(problem(), Ok(vec!["a".to_owned()]));
        fs::write(dir.path().join(".dockerignore"), "!").unwrap();
        assert_eq!(problem(), refused(".dockerignore:1: an exception names no file"));
        fs::write(dir.path().join(".dockerignore"), "x\n".repeat(docker_ignore::MAX_BYTES)).unwrap();
        assert_eq!(problem(), refused(".dockerignore has more than 16 KiB"));
    }
}
