//! The store, the queue and the runtime of this process.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::mpsc::UnboundedSender;

use super::{KeptPackages, Role, keyring};
use crate::{
    backoff::Backoff,
    error_chain::chain,
    keyring::Keyring,
    model::LogLine,
    place::{
        State,
        lock::{ManagerLock, StoreLock},
    },
    queue::{self, Queue},
    runtime::{self, Runtime},
    settings::Platform,
    shutdown::Shutdown,
    store::{self, Store},
};

/// The time limit of closing, which waits for a running commit and disconnects from a server. A disk that hangs
/// is not waited for.
const CLOSING: Duration = Duration::from_secs(10);

/// The backends that the roles of this process share; `None` for a backend that no role needs.
pub struct Backends {
    /// The lock of a store that is a file.
    _lock: Option<StoreLock>,
    _manager: Option<ManagerLock>,
    pub store: Option<Arc<dyn Store>>,
    pub queue: Option<Arc<dyn Queue>>,
    pub runtime: Option<Arc<dyn Runtime>>,
    /// The keys of secrets.
    pub keyring: Option<Arc<Keyring>>,
    /// Receives every line that functions write.
    pub lines: Option<UnboundedSender<LogLine>>,
    /// The packages that outlive the platform.
    pub kept: Option<Arc<KeptPackages>>,
}

impl Backends {
    /// Connects to the backends. Returns `None` if told to stop before all of them answered.
    pub async fn connect(
        roles: &[Role],
        platform: &Platform,
        state: &State,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Option<Self>> {
        let mut backends = Self {
            _lock: None,
            _manager: None,
            store: None,
            queue: None,
            runtime: None,
            keyring: None,
            lines: None,
            kept: None,
        };
        if roles.iter().all(|role| *role == Role::Gateway) {
            return Ok(Some(backends));
        }
        if roles.iter().any(|role| matches!(role, Role::Registry | Role::Manager)) {
            let keyring = keyring(platform.secret_key_file.as_deref(), state)?;
            tracing::debug!(newest = %keyring.newest(), "keys of secrets");
            backends.keyring = Some(Arc::new(keyring));
        }
        if let store::Config::Sqlite { path } = &platform.store {
            let alone = matches!(platform.queue, queue::Config::Embedded);
            backends._lock = Some(StoreLock::take(path, alone)?);
        }
        if roles.contains(&Role::Manager) {
            backends._manager = Some(ManagerLock::take(state.folder())?);
            let helper = runtime::place_helper(&platform.data_dir.join("cache/helper"));
            if let Err(reason) = &helper {
                tracing::info!(reason, "functions with an `interface` of their own cannot be run here");
            }
            let config = platform.runtime_config(state.manager_id()?).with_helper(helper);
            backends.runtime = Some(runtime::connect(&config).context("no runtime")?);
        }
        let connecting = async {
            let store = || store::connect(&platform.store).boxed();
            // A wrong password is for somebody to correct, who should see it at once.
            let is_refused = |error: &store::Error| matches!(error, store::Error::Refused { .. });
            let is_transient = |error: &store::Error| error.is_transient() && !is_refused(error);
            let store = patiently("store", store, is_transient).await?;
            let queue = || queue::connect(&platform.queue, &platform.name).boxed();
            let queue = patiently("queue", queue, queue::Error::is_transient).await?;
            anyhow::Ok((store, queue))
        };
        tokio::select! {
            connected = connecting => {
                let (store, queue) = connected?;
                backends.store = Some(store);
                backends.queue = Some(queue);
                Ok(Some(backends))
            }
            () = shutdown.soft.cancelled() => Ok(None),
            () = shutdown.hard.cancelled() => Ok(None),
        }
    }

    /// Returns once the store can write nothing more, see [`store::Health::broken`].
    pub async fn broken(&self) {
        match &self.store {
            Some(store) => store.broken().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the backends in bounded time; work that is not finished by then is lost with the process, as in a
    /// crash.
    pub async fn close(self) {
        let closing = async {
            if let Some(queue) = &self.queue {
                queue.close().await;
            }
            if let Some(store) = &self.store {
                store.close().await;
            }
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            tracing::warn!("store and queue were not closed in time and are left as they are");
        }
    }
}

/// Retries for as long as that can help, and logs what it waits for whenever that changes.
async fn patiently<'a, T, E: std::error::Error + Send + Sync + 'static>(
    what: &str,
    mut connect: impl FnMut() -> BoxFuture<'a, Result<T, E>>,
    is_transient: impl Fn(&E) -> bool,
) -> anyhow::Result<T> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
    let mut said = String::new();
    loop {
        match connect().await {
            Ok(connected) => {
                if !said.is_empty() {
                    tracing::info!("the {what} answers");
                }
                return Ok(connected);
            }
            Err(error) if is_transient(&error) => {
                let reason = chain(&error);
                if reason != said {
                    tracing::warn!(error = %reason, "waiting for the {what}");
                    said = reason;
                }
                backoff.pause().await;
            }
            Err(error) => return Err(error).with_context(|| format!("the {what} cannot be used")),
        }
    }
}
