//! Deploys as their users do them: changed code until its first answer, and changed packages.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::Run;
use crate::{
    docker::{HELLO, python_version},
    names::{
        DEPLOY_DOCKER, DEPLOY_OCI, DEPLOYS, DOCKER_BUILD, INSTALL_DOCKER, INSTALL_OCI, INSTALLS, PIP,
    },
    platform::{DOCKER, OCI, Up},
    setting, wheels,
};

/// Samples of a row in a round.
const DEPLOYED: usize = 5;
const INSTALLED: usize = 1;
/// The packages of the project, with so many modules of so many bytes each.
const PACKAGES: usize = 10;
const MODULES: usize = 100;
const BYTES: usize = 20_000;

const DOCKERFILE: &str = "WORKDIR /var/task
COPY wheels /wheels
COPY requirements.txt ./
RUN python3 -m pip install --no-index --find-links /wheels --target /opt/packages -r requirements.txt
ENV PYTHONPATH=/opt/packages
COPY function.py ./
CMD [\"python3\", \"-c\", \"import function; print(function.handler({'name': 'Alice'}))\"]
";

pub async fn round(run: &mut Run) {
    let count = run.options.samples(DEPLOYED);
    if run.wants(DEPLOYS, DOCKER_BUILD) {
        let times = tokio::task::spawn_blocking(move || build_and_run(count)).await.unwrap();
        run.figures.times(DEPLOYS, DOCKER_BUILD, times);
    }
    for (name, setup) in [(DEPLOY_DOCKER, DOCKER), (DEPLOY_OCI, OCI)] {
        if run.wants(DEPLOYS, name) {
            let program = run.stage.program.path.clone();
            let times = deploy_and_invoke(run.stage.platform(setup).await, &program, count).await;
            run.figures.times(DEPLOYS, name, times);
        }
    }
    if run.wants(INSTALLS, PIP) {
        let times = tokio::task::spawn_blocking(pip).await.unwrap();
        run.figures.times(INSTALLS, PIP, times);
    }
    for (name, setup) in [(INSTALL_DOCKER, DOCKER), (INSTALL_OCI, OCI)] {
        if run.wants(INSTALLS, name) {
            let program = run.stage.program.path.clone();
            let times = install(run.stage.platform(setup).await, &program).await;
            run.figures.times(INSTALLS, name, times);
        }
    }
}

/// A project: its code, a text that differs each time, and its requirements.
fn write(folder: &Path, changed: usize, version: &str) {
    fs::write(folder.join("function.py"), format!("# {changed}\n{HELLO}")).unwrap();
    fs::write(folder.join("cloudfunc.toml"), "name = \"deployed\"\n").unwrap();
    let lines = (0..PACKAGES).map(|number| format!("pack{number}=={version}\n"));
    fs::write(folder.join("requirements.txt"), lines.collect::<String>()).unwrap();
}

fn make_wheels(folder: &Path, version: &str) {
    for number in 0..PACKAGES {
        wheels::make(folder, &format!("pack{number}"), version, MODULES, BYTES);
    }
}

fn timed(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
    begun.elapsed()
}

fn build_and_run(count: usize) -> Vec<Duration> {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let image = format!("cloudfunc-bench:{}", uuid::Uuid::now_v7().simple());
    let base = setting("CLOUDFUNC_PYTHON_IMAGE").replace("{version}", &python_version());
    fs::create_dir(folder.path().join("wheels")).unwrap();
    make_wheels(&folder.path().join("wheels"), "1");
    fs::write(folder.path().join("Dockerfile"), format!("FROM {base}\n{DOCKERFILE}")).unwrap();
    let mut times = Vec::with_capacity(count);
    // The first one fills the cache.
    for number in 0..=count {
        write(folder.path(), number, "1");
        let mut build = Command::new("docker");
        build.args(["build", "-q", "-t", &image]).arg(folder.path());
        let built = timed(build.stdout(Stdio::null()).stderr(Stdio::null()));
        let mut run = Command::new("docker");
        run.args(["run", "--rm", "--network", "none", &image]);
        let answered = timed(run.stdout(Stdio::null()));
        times.push(built + answered);
    }
    let mut remove = Command::new("docker");
    let _ = remove.args(["rmi", "-f", &image]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    times.split_off(1)
}

async fn deploy_and_invoke(up: &mut Up, program: &Path, count: usize) -> Vec<Duration> {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    make_wheels(&up.wheels(), "1");
    let mut times = Vec::with_capacity(count);
    for number in 0..=count {
        write(folder.path(), number, "1");
        up.settle().await;
        times.push(deploy(up, program, folder.path()) + invoke(up, program));
    }
    times.split_off(1)
}

/// Each deploy wants packages that it has not had.
async fn install(up: &mut Up, program: &Path) -> Vec<Duration> {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let mut times = Vec::with_capacity(INSTALLED);
    for number in 0..INSTALLED {
        let version = format!("{}.{number}", std::process::id());
        make_wheels(&up.wheels(), &version);
        write(folder.path(), number, &version);
        up.settle().await;
        times.push(deploy(up, program, folder.path()));
    }
    times
}

fn deploy(up: &Up, program: &Path, folder: &Path) -> Duration {
    timed(up.command(program).arg("deploy").arg(folder))
}

fn invoke(up: &Up, program: &Path) -> Duration {
    timed(up.command(program).args(["invoke", "deployed", "--data", "{\"name\":\"Alice\"}"]))
}

/// The same by hand.
fn pip() -> Vec<Duration> {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let wheels = folder.path().join("wheels");
    fs::create_dir(&wheels).unwrap();
    make_wheels(&wheels, "1");
    write(folder.path(), 0, "1");
    let mut times = Vec::with_capacity(INSTALLED);
    for number in 0..INSTALLED {
        let mut command = Command::new(format!("python{}", python_version()));
        command.args(["-m", "pip", "install", "-q", "--no-index", "--find-links"]).arg(&wheels);
        command.arg("--target").arg(folder.path().join(format!("packages{number}")));
        command.arg("-r").arg(folder.path().join("requirements.txt"));
        times.push(timed(command.stdout(Stdio::null()).stderr(Stdio::null())));
    }
    times
}
