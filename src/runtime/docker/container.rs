//! One container, from its creation to its removal.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bollard::{
    container::LogOutput,
    errors::Error as Answer,
    query_parameters::{
        AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions, WaitContainerOptions,
    },
};
use futures_util::{Stream, StreamExt};
use tokio::{runtime::Handle, sync::OnceCell, time::timeout};

use super::{
    Shared, engine,
    events::{End, inspect},
    groups::Membership,
    sandbox,
};
use crate::runtime::{Entry, Error, Exit, Guest, Sandbox, Spec, guest::Listener, hello::hello};

/// Advice for a silent guest: an image of the user's own may be any program.
const ADVICE: &str = "; does the image speak the runtime protocol?";

/// The limit of waiting for a removal that another caller has begun.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A container of ours; dropping it removes it.
pub(super) struct Container {
    shared: Arc<Shared>,
    id: String,
    end: Arc<End>,
    /// Its control group, if one can be made.
    group: Option<Membership>,
    /// Whether the engine has removed it.
    removed: OnceCell<bool>,
    tasks: Handle,
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Answer>> + Send>>;

/// Makes a container in a separate task, so that one whose caller stopped waiting is known, and removed, as soon as the
/// engine answers.
pub(super) async fn create(
    shared: &Arc<Shared>,
    spec: &Spec,
    image: &str,
    entrypoint: Option<Vec<String>>,
    volumes: &[String],
) -> Result<Container, Answer> {
    let options =
        CreateContainerOptions { name: Some(sandbox::name(&shared.owner, spec)), ..Default::default() };
    let group = shared.groups.enter(&shared.engine, &spec.function).await;
    let parent = group.as_ref().map(Membership::parent);
    let body = sandbox::body(&shared.owner, spec, image, entrypoint, volumes, parent);
    let shared = shared.clone();
    let task = tokio::spawn(async move {
        let _gate = shared.creating.read().await;
        let client =
            shared.engine.client().await.map_err(|error| io::Error::other(error.to_string()))?;
        let id = client.create_container(Some(options), body).await?.id;
        let end = shared.ends.register(&id);
        drop(_gate);
        Ok(Container { shared, id, end, group, removed: OnceCell::new(), tasks: Handle::current() })
    });
    task.await.map_err(|failure| Answer::from(io::Error::other(failure)))?
}

impl Container {
    /// Starts it and waits for its guest.
    pub(super) async fn run(&self, listener: &Listener, entry: Entry) -> Result<Guest, Error> {
        let output = self.attach().await?;
        let output = output.map(|chunk| chunk.map(LogOutput::into_bytes).map_err(io::Error::other));
        // The engine's answer is awaited even when the guest was quicker: newer engines give up a start whose caller
        // has disconnected.
        let start = async {
            let client = self.shared.engine.client().await?;
            client.start_container(&self.id, None).await.map_err(|error| self.not_started(error))
        };
        let advice = match entry {
            Entry::Shim => ADVICE,
            Entry::Helper => "",
        };
        let guest = hello(self, listener, start, output, advice).await?;
        if let Some(group) = &self.group {
            group.verify(&self.id, Sandbox::is_running(self)).await;
        }
        Ok(guest)
    }

    /// Returns the error of a start. An image whose program cannot be run is the image's fault, not the engine's.
    fn not_started(&self, error: Answer) -> Error {
        let text = engine::text(&error);
        if engine::is_refused(&error) || text.contains("OCI runtime create failed") {
            Error::Start { reason: text, output: String::new(), code: None }
        } else {
            self.shared.engine.failed("start a container")(error)
        }
    }

    /// Attaches before the start, so that no output is missed.
    async fn attach(&self) -> Result<Output, Error> {
        let options =
            AttachContainerOptions { stream: true, stdout: true, stderr: true, ..Default::default() };
        let client = self.shared.engine.client().await?;
        let attached = client.attach_container(&self.id, Some(options)).await;
        Ok(attached.map_err(self.shared.engine.failed("attach to a container"))?.output)
    }
}

#[async_trait]
impl Sandbox for Container {
    fn id(&self) -> &str {
        &self.id
    }

    async fn exited(&self) -> Exit {
        self.end.wait().await
    }

    /// The engine holds a container while it records its end.
    async fn is_running(&self) -> bool {
        let Ok(client) = self.shared.engine.client().await else { return false };
        inspect(&self.shared, client, &self.id).await.unwrap_or(false)
    }

    async fn remove(&self) {
        self.end.removed();
        self.removed.get_or_init(|| remove(&self.shared, &self.id)).await;
    }

    /// The kernel counts a kill before anybody can learn of it; the engine tells of it later.
    async fn memory_kills(&self, known: u64) -> u64 {
        let counted = self.group.as_ref().and_then(|group| group.memory_kills(&self.id));
        match counted {
            Some(kills) => kills,
            None => self.end.memory_kills(known).await,
        }
    }

    fn is_gone(&self) -> bool {
        self.removed.get() == Some(&true)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.end.removed();
        if self.removed.initialized() {
            return;
        }
        let (shared, id) = (self.shared.clone(), std::mem::take(&mut self.id));
        let group = self.group.take();
        self.tasks.spawn(async move {
            remove(&shared, &id).await;
            drop(group);
        });
    }
}

/// Kills and deletes in one call; returns when the container is gone, and whether it is. Failures are logged: the next
/// removal by label deletes it.
pub(super) async fn remove(shared: &Shared, id: &str) -> bool {
    shared.ends.removed(id);
    let Ok(client) = shared.engine.client().await else { return false };
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match client.remove_container(id, Some(options)).await {
        Ok(()) => true,
        Err(error) if engine::is_missing(&error) => true,
        Err(error) if engine::is_conflict(&error) => {
            let options = WaitContainerOptions { condition: "removed".to_owned() };
            let mut gone = Box::pin(client.wait_container(id, Some(options)));
            let waited = timeout(REMOVAL_TIMEOUT, gone.next()).await;
            match waited {
                Ok(Some(Ok(_))) => true,
                // It has ended with another code than 0.
                Ok(Some(Err(Answer::DockerContainerWaitError { .. }))) => true,
                Ok(Some(Err(error))) => engine::is_missing(&error),
                Ok(None) | Err(_) => false,
            }
        }
        Err(error) => {
            tracing::warn!(container = id, error = %error, "a container could not be removed");
            false
        }
    }
}
