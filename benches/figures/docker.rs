//! Containers of the Docker engine without a platform around them: what the engine itself takes for them.
//!
//! They are made from the same image and by the same guest, and have none of what the platform adds: no limits,
//! no hardening, no log of the engine. What a run makes carries its label, by which it goes at the end.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bollard::{
    Docker,
    models::{ContainerCreateBody, HostConfig, HostConfigLogConfig},
    query_parameters::{ListContainersOptions, RemoveContainerOptions},
};
use bytes::Bytes;
use cloudfunc::{
    model::{InstanceId, Language, ManagerId, Network},
    runtime::{self, Image, Owner},
};
use tokio::sync::Semaphore;

use crate::{load::PAYLOAD, setting, wire::Wire};

pub const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";
pub const NODE_HELLO: &str = "export const handler = (event) => `Hello ${event.name ?? 'World'}!`;\n";
/// An HTTP server of Node's own that does what the function does.
const NODE_SERVER: &str = "require('http').createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => {
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.end(`Hello ${JSON.parse(text).name ?? 'World'}!`);
  });
}).listen(8080)";
const LABEL: &str = "cloudfunc.bench";
/// A container that has not said hello after this long is an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same version for all runtimes: what this host's own `python3` is.
pub fn python_version() -> String {
    std::env::var("CLOUDFUNC_PYTHON_VERSION").unwrap_or_else(|_| "3.11".to_owned())
}

/// A runtime of the platform, to build the language's image or to make containers that no engine makes.
pub fn runtime(
    kind: runtime::Kind,
    language: Language,
    folder: &Path,
) -> (Arc<dyn runtime::Runtime>, Owner) {
    let manager = ManagerId::new();
    let owner = Owner { platform: format!("b{}", manager.0.simple()).parse().unwrap(), manager };
    let images = runtime::BaseImages::of(language, setting(&language.image_variable()));
    // A floor, whichever program is measured.
    let helper = env!("CARGO_BIN_EXE_cloudfunc").into();
    let config = runtime::Config::new(kind, owner.clone(), images, folder.join("runtime"), helper);
    (runtime::connect(&config).unwrap(), owner)
}

pub fn image_of(language: Language) -> Image {
    let version = match language {
        Language::Python => python_version(),
        other => other.facts().versions.default.to_owned(),
    };
    Image::Language { language, version }
}

/// The engine, and the image that all functions of a language start from.
#[derive(Clone)]
pub struct Engine {
    client: Docker,
    language: Language,
    image: String,
    folder: Arc<tempfile::TempDir>,
    run: String,
}

impl Engine {
    /// `run` is the label of what it makes.
    pub async fn connect(run: &str, language: Language) -> Self {
        let folder = tempfile::Builder::new().prefix("cfb").tempdir_in("/var/tmp").unwrap();
        let (runtime, _) = runtime(runtime::Kind::Docker, language, folder.path());
        let image = runtime.ensure_image(&image_of(language), &|_| {}).await.unwrap();
        let client = Docker::connect_with_defaults().unwrap();
        Self { client, language, image, folder: Arc::new(folder), run: run.to_owned() }
    }

    /// Starts a server of Node's own.
    pub async fn node_server(&self) -> SocketAddr {
        self.server(&[], &["node", "-e", NODE_SERVER]).await
    }

    /// Starts a server on port 8080 in a container of the language's image, by these options of `docker run` and these words;
    /// it goes with all others of this run.
    pub async fn server(&self, options: &[&str], words: &[&str]) -> SocketAddr {
        let label = format!("{LABEL}={}", self.run);
        let mut run = Command::new("docker");
        run.args(["run", "-d", "--label", &label]).args(options);
        run.args(["--entrypoint", words[0], &self.image]).args(&words[1..]);
        let id = crate::machine::said(&mut run);
        let format = "{{.NetworkSettings.IPAddress}}";
        let ip = crate::machine::said(Command::new("docker").args(["inspect", "-f", format, &id]));
        let address = format!("{ip}:8080").parse().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(Instant::now() < deadline, "{words:?} does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        address
    }

    /// A container whose guest has said hello.
    pub async fn create(&self, network: Network) -> Container {
        let folder = self.folder.path().join(InstanceId::new().to_string());
        for name in ["run", "task"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let listener = crate::wire::listen(&folder.join("run")).unwrap();
        let bind = |name: &str, target: &str| format!("{}/{name}:{target}:ro", folder.display());
        let body = ContainerCreateBody {
            image: Some(self.image.clone()),
            network_disabled: Some(network == Network::None),
            labels: Some(HashMap::from([(LABEL.to_owned(), self.run.clone())])),
            host_config: Some(HostConfig {
                binds: Some(vec![bind("run", "/run/cloudfunc"), bind("task", "/var/task")]),
                log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let id = self.client.create_container(None, body).await.unwrap().id;
        let ready = async {
            let started =
                async { self.client.start_container(&id, None).await.map_err(anyhow::Error::from) };
            let hello = async { Wire::accept(&listener).await.map_err(anyhow::Error::from) };
            tokio::try_join!(started, hello)
        };
        let ((), wire) = tokio::time::timeout(PATIENCE, ready).await.expect("no hello").unwrap();
        let task = folder.join("task");
        Container { client: self.client.clone(), language: self.language, id, wire, task }
    }

    /// The same, and its function can be called.
    pub async fn start(&self, network: Network) -> Container {
        let mut container = self.create(network).await;
        container.load().await;
        container
    }

    /// From asking for a container until its function could be called.
    pub async fn starts(&self, count: usize, network: Network) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            let container = self.start(network).await;
            times.push(begun.elapsed());
            container.remove().await;
        }
        times
    }

    /// From having a container until its function could be called.
    pub async fn loads(&self, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let mut container = self.create(Network::None).await;
            let begun = Instant::now();
            container.load().await;
            times.push(begun.elapsed());
            container.remove().await;
        }
        times
    }

    /// From asking for the first of so many, a few of them at once, until the last could be called.
    pub async fn burst(&self, count: usize, at_once: usize) -> Duration {
        let gate = Arc::new(Semaphore::new(at_once));
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..count {
            let (this, gate) = (self.clone(), gate.clone());
            tasks.spawn(async move {
                let _permit = gate.acquire().await.unwrap();
                this.start(Network::None).await
            });
        }
        let containers = tasks.join_all().await;
        let time = begun.elapsed();
        for container in containers {
            container.remove().await;
        }
        time
    }

    /// Removes everything that carries this run's label, whatever process made it.
    pub async fn remove_all(&self) {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={}", self.run)])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        for container in self.client.list_containers(Some(options)).await.unwrap() {
            remove(&self.client, &container.id.unwrap()).await;
        }
    }
}

async fn remove(client: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    if let Err(error) = client.remove_container(id, Some(options)).await {
        eprintln!("container {id} is not removed: {error}");
    }
}

pub struct Container {
    client: Docker,
    language: Language,
    id: String,
    wire: Wire,
    task: std::path::PathBuf,
}

impl Container {
    async fn load(&mut self) {
        let (file, text) = match self.language {
            Language::Node => ("function.mjs", NODE_HELLO),
            Language::Python => ("function.py", HELLO),
            Language::Native => unreachable!("it has no shim to load code"),
        };
        fs::write(self.task.join(file), text).unwrap();
        self.wire.load().await.unwrap();
    }

    pub async fn call(&mut self, payload: &[u8]) -> Bytes {
        self.wire.call(payload).await.unwrap()
    }

    /// Bare frames: one invocation after the other.
    pub async fn frames(&mut self, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            self.call(PAYLOAD).await;
            times.push(begun.elapsed());
        }
        times
    }

    pub async fn remove(self) {
        remove(&self.client, &self.id).await;
    }
}

/// `docker run` of the same base image, without a network.
pub fn runs(count: usize) -> Vec<Duration> {
    let image = setting("CLOUDFUNC_PYTHON_IMAGE").replace("{version}", &python_version());
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--network", "none", &image]);
        command.args(["python3", "-c", "print('Hello Alice!')"]).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
        times.push(begun.elapsed());
    }
    times
}
