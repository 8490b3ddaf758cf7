//! Functions in containers without a platform around them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloudfunc::{
    model::{InstanceId, InvocationId, Language, ManagerId, Network, RevisionNumber},
    runtime::{self, Finished, Guest, Image, Invoke, Load, Owner, Runtime, Sandbox, Spec},
};

use crate::{load::PAYLOAD, setting};

pub const HELLO: &str = "def handler(event):\n    return f\"Hello {event.get('name', 'World')}!\"\n";

/// Where bare containers come from; each maker is an owner of its own.
pub struct Bare {
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
    version: String,
}

impl Bare {
    pub fn new(kind: runtime::Kind) -> Self {
        let manager = ManagerId::new();
        let owner = Owner { platform: format!("b{}", manager.0.simple()).parse().unwrap(), manager };
        let folder = tempfile::Builder::new().prefix("cfb").tempdir_in("/var/tmp").unwrap();
        let runtime = runtime::connect(&runtime::Config {
            kind,
            python_image: setting("CLOUDFUNC_PYTHON_IMAGE"),
            folder: folder.path().join("runtime"),
            program: env!("CARGO_BIN_EXE_cloudfunc").into(),
            owner: owner.clone(),
        })
        .unwrap();
        Self { runtime, owner, folder, version: python_version() }
    }

    pub async fn start(&self, network: Network) -> BareGuest {
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        let task = folder.join("task");
        std::fs::create_dir_all(&task).unwrap();
        std::fs::write(task.join("function.py"), HELLO).unwrap();
        let spec = Spec {
            instance,
            function: "bare".to_owned(),
            image: Image::Language { language: Language::Python, version: self.version.clone() },
            folder: folder.clone(),
            memory_bytes: 128 << 20,
            cpus: 1.0,
            network,
        };
        let mut started = self.runtime.start(&spec).await.unwrap();
        let load = Load {
            revision: RevisionNumber(1),
            function: "bare".to_owned(),
            handler: "function.handler".to_owned(),
            env: [].into(),
            secrets: [].into(),
        };
        started.guest.load(&load, Duration::from_secs(10), &mut |_| {}).await.unwrap();
        BareGuest { guest: started.guest, sandbox: started.sandbox, folder }
    }

    /// From asking for a container until its function could be called.
    pub async fn starts(&self, count: usize, network: Network) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            let guest = self.start(network).await;
            times.push(begun.elapsed());
            guest.remove().await;
        }
        times
    }

    pub async fn close(self) {
        self.runtime.remove_all(&self.owner).await.unwrap();
    }
}

/// The same version for all runtimes: what this host's own `python3` is.
pub fn python_version() -> String {
    std::env::var("CLOUDFUNC_PYTHON_VERSION").unwrap_or_else(|_| "3.11".to_owned())
}

pub struct BareGuest {
    guest: Guest,
    sandbox: Arc<dyn Sandbox>,
    folder: PathBuf,
}

impl BareGuest {
    pub async fn call(&mut self, payload: &Bytes) -> Bytes {
        let invoke = Invoke {
            id: InvocationId::new(),
            attempt: 1,
            remaining_ms: 10_000,
            headers: [].into(),
            content_type: "application/json".to_owned(),
        };
        match self.guest.invoke(&invoke, payload, Duration::from_secs(10), &mut |_| {}).await.unwrap() {
            Finished::Result(body) => body.bytes,
            Finished::Error(error) => panic!("{error:?}"),
        }
    }

    /// Bare frames: one invocation after the other.
    pub async fn frames(&mut self, count: usize) -> Vec<Duration> {
        let payload = Bytes::from_static(PAYLOAD);
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            self.call(&payload).await;
            times.push(begun.elapsed());
        }
        times
    }

    pub async fn remove(self) {
        self.sandbox.remove().await;
        remove_folder(&self.folder);
    }
}

fn remove_folder(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
}

/// `docker run` of the same image, without a network.
pub fn docker_runs(count: usize) -> Vec<Duration> {
    let image = setting("CLOUDFUNC_PYTHON_IMAGE").replace("{version}", &python_version());
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let mut command = std::process::Command::new("docker");
        let status = command.args([
            "run",
            "--rm",
            "--network",
            "none",
            &image,
            "python3",
            "-c",
            "print('Hello Alice!')",
        ]);
        assert!(status.stdout(std::process::Stdio::null()).status().unwrap().success());
        times.push(begun.elapsed());
    }
    times
}
