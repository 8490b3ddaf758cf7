//! One container from its making to its removal.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bollard::{
    container::LogOutput,
    errors::Error as Answer,
    query_parameters::{
        AttachContainerOptions, CreateContainerOptions, RemoveContainerOptions, WaitContainerOptions,
    },
};
use futures_util::{Stream, StreamExt};
use tokio::{
    runtime::Handle,
    sync::OnceCell,
    time::{sleep, timeout},
};

use super::{Shared, engine, events::End, groups::Place, sandbox};
use crate::runtime::{
    Error, Exit, Guest, GuestError, NoHello, START_TIMEOUT, Sandbox, Spec,
    guest::{EarlyOutput, Listener},
};

/// For the last of a dead container's output.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// For a removal that somebody else has begun.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A container of ours; dropping it removes it.
pub(super) struct Container {
    shared: Arc<Shared>,
    id: String,
    end: Arc<End>,
    /// Its control group, if one can be made.
    place: Option<Place>,
    removed: OnceCell<()>,
    tasks: Handle,
}

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Answer>> + Send>>;

/// Makes a container in a task of its own, so that one whose maker was dropped is known, and removed,
/// as soon as the engine answers.
pub(super) async fn create(shared: &Arc<Shared>, spec: &Spec, image: &str) -> Result<Container, Answer> {
    let options =
        CreateContainerOptions { name: Some(sandbox::name(&shared.owner, spec)), ..Default::default() };
    let place = shared.groups.enter(&shared.engine, &spec.function).await;
    let body = sandbox::body(&shared.owner, spec, image, place.as_ref().map(Place::parent));
    let shared = shared.clone();
    let task = tokio::spawn(async move {
        let _gate = shared.creating.read().await;
        let client =
            shared.engine.client().await.map_err(|error| std::io::Error::other(error.to_string()))?;
        let id = client.create_container(Some(options), body).await?.id;
        let end = shared.ends.register(&id);
        drop(_gate);
        Ok(Container { shared, id, end, place, removed: OnceCell::new(), tasks: Handle::current() })
    });
    task.await.map_err(|failure| Answer::from(std::io::Error::other(failure)))?
}

impl Container {
    /// Starts it and waits for its guest.
    pub(super) async fn run(&self, listener: &Listener) -> Result<Guest, Error> {
        let mut output = self.attach().await?;
        let mut early = EarlyOutput::default();
        let outcome = tokio::select! {
            outcome = self.ready(listener) => outcome,
            () = async { collect(&mut output, &mut early).await; std::future::pending().await } => {
                unreachable!("it waits for ever")
            }
        };
        match outcome {
            Ok(guest) => {
                if let Some(place) = &self.place {
                    place.verify(&self.id, self.is_running()).await;
                }
                Ok(guest)
            }
            Err(NotReady::Engine(error)) => Err(error),
            Err(NotReady::Refused(reason)) => {
                Err(Error::Start { reason, output: String::new(), code: None })
            }
            Err(NotReady::Guest(NoHello { reason, code })) => {
                let _ = timeout(LAST_OUTPUT, collect(&mut output, &mut early)).await;
                Err(Error::Start { reason, output: early.into_text(), code })
            }
        }
    }

    async fn ready(&self, listener: &Listener) -> Result<Guest, NotReady> {
        // The engine's answer is awaited also when the guest was quicker: newer engines give up a
        // start whose caller has gone.
        let start = async {
            let client = self.shared.engine.client().await.map_err(NotReady::Engine)?;
            client.start_container(&self.id, None).await.map_err(|error| self.not_started(error))
        };
        let hello = async { listener.accept().await.map_err(NotReady::from) };
        let both = async { tokio::try_join!(start, hello).map(|((), guest)| guest) };
        tokio::select! {
            biased;
            outcome = both => match outcome {
                // It may have hung up because it has ended: that is the reason then.
                Err(NotReady::Guest(reason)) => {
                    let exit = timeout(LAST_OUTPUT, self.end.wait()).await;
                    Err(NotReady::Guest(exit.map_or(reason, Exit::before_hello)))
                }
                other => other,
            },
            exit = self.end.wait() => Err(NotReady::Guest(exit.before_hello())),
            () = sleep(START_TIMEOUT) => Err(NotReady::Guest(NoHello::from(format!(
                "it did not say hello within {} s; does the image speak the runtime protocol?",
                START_TIMEOUT.as_secs()
            )))),
        }
    }

    /// An image whose program cannot be run is the image's fault, not the engine's.
    fn not_started(&self, error: Answer) -> NotReady {
        let text = engine::text(&error);
        if engine::is_refused(&error) || text.contains("OCI runtime create failed") {
            NotReady::Refused(text)
        } else {
            NotReady::Engine(self.shared.engine.failed("start a container")(error))
        }
    }

    /// As the engine says: it holds a container while it takes note of its end. Not, when it does not answer.
    async fn is_running(&self) -> bool {
        let Ok(client) = self.shared.engine.client().await else { return false };
        let inspected = client.inspect_container(&self.id, None).await;
        inspected.is_ok_and(|container| container.state.is_some_and(|s| s.running == Some(true)))
    }

    /// Before the start, so that no output is missed.
    async fn attach(&self) -> Result<Output, Error> {
        let options =
            AttachContainerOptions { stream: true, stdout: true, stderr: true, ..Default::default() };
        let client = self.shared.engine.client().await?;
        let attached = client.attach_container(&self.id, Some(options)).await;
        Ok(attached.map_err(self.shared.engine.failed("attach to a container"))?.output)
    }
}

/// Why there is no guest.
enum NotReady {
    Engine(Error),
    /// The engine does not run it.
    Refused(String),
    Guest(NoHello),
}

impl From<GuestError> for NotReady {
    fn from(error: GuestError) -> Self {
        Self::Guest(error.to_string().into())
    }
}

/// Until the container's output ends.
async fn collect(output: &mut Output, early: &mut EarlyOutput) {
    while let Some(Ok(chunk)) = output.next().await {
        early.push(chunk.as_ref());
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

    async fn remove(&self) {
        self.end.removed();
        self.removed.get_or_init(|| remove(&self.shared, &self.id)).await;
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.end.removed();
        if self.removed.initialized() {
            return;
        }
        let (shared, id) = (self.shared.clone(), std::mem::take(&mut self.id));
        let place = self.place.take();
        self.tasks.spawn(async move {
            remove(&shared, &id).await;
            drop(place);
        });
    }
}

/// Kills and deletes in one call; answers when the container is gone. Failures are logged: the next
/// removal by label gets it.
pub(super) async fn remove(shared: &Shared, id: &str) {
    shared.ends.removed(id);
    let Ok(client) = shared.engine.client().await else { return };
    let options = RemoveContainerOptions { force: true, v: true, link: false };
    match client.remove_container(id, Some(options)).await {
        Ok(()) => {}
        Err(error) if engine::is_missing(&error) => {}
        Err(error) if engine::is_conflict(&error) => {
            let options = WaitContainerOptions { condition: "removed".to_owned() };
            let mut gone = Box::pin(client.wait_container(id, Some(options)));
            let _ = timeout(REMOVAL_TIMEOUT, gone.next()).await;
        }
        Err(error) => tracing::warn!(container = id, error = %error, "a container could not be removed"),
    }
}
