//! Containers without an engine and without a platform around them. Nothing but our own runtime makes these.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use cloudfunc::{
    model::{InstanceId, Interface, Language, Network, RevisionNumber},
    runtime::{Entry, Kind, Load, Owner, Runtime, Spec},
};

use crate::docker::{self, HELLO};

pub struct Oci {
    runtime: Arc<dyn Runtime>,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Oci {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cfb").tempdir_in("/var/tmp").unwrap();
        let (runtime, owner) = docker::runtime(Kind::Oci, Language::Python, folder.path());
        Self { runtime, owner, folder }
    }

    /// From asking for a container until its function could be called.
    pub async fn starts(&self, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            times.push(self.start().await);
        }
        times
    }

    async fn start(&self) -> Duration {
        let begun = Instant::now();
        let instance = InstanceId::new();
        let folder = self.folder.path().join(instance.to_string());
        let task = folder.join("task");
        fs::create_dir_all(&task).unwrap();
        fs::write(task.join("function.py"), HELLO).unwrap();
        let spec = Spec {
            instance,
            function: "bare".to_owned(),
            image: docker::image_of(Language::Python),
            entry: Entry::Shim,
            folder: folder.clone(),
            memory_bytes: 128 << 20,
            cpus: 1.0,
            network: Network::None,
            env: std::collections::BTreeMap::new(),
            packages: None,
            build: None,
        };
        let mut started = self.runtime.start(&spec).await.unwrap();
        let load = Load {
            revision: RevisionNumber(1),
            function: "bare".to_owned(),
            handler: "function.handler".to_owned(),
            packages: None,
            concurrency: 1,
            interface: Interface::Protocol,
            command: Vec::new(),
            env: [].into(),
            secrets: [].into(),
        };
        started.guest.load(&load, Duration::from_secs(10), &mut |_| {}).await.unwrap();
        let time = begun.elapsed();
        started.sandbox.remove().await;
        fs::remove_dir_all(&folder).unwrap();
        time
    }

    pub async fn close(self) {
        self.runtime.remove_all(&self.owner).await.unwrap();
    }
}
