//! One connection to the broker, made when it is needed and made again when it was lost.
//!
//! ```text
//!  idle ──get──▶ connecting ──▶ up ──lost, next get──▶ connecting …
//!                 ▲    │             any ──close──▶ closed
//!     after a pause    ▼
//!                  failed
//! ```
//!
//! An attempt does not belong to one caller: all that come while it runs wait for its one result, and it continues when
//! they stop waiting.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use lapin::{
    Connection, ConnectionProperties,
    tcp::{AMQPUriTcpExt as _, AsyncTcpStream, OwnedTLSConfig, TLSConfig},
    uri::{AMQPScheme, AMQPUri},
};
use rustix::net::Shutdown;

use super::{
    super::{Address, Error},
    channels::Channels,
    failure::BrokerFailure,
    lanes::Lanes,
    live::Live,
    topology::{Names, declare_events, declare_queue},
    wire::Wire,
};
use crate::model::{PlatformName, SecretUrl};

/// The limit for the name lookup, TCP, TLS, AMQP's handshake and the first calls of a connection, together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The heartbeat in seconds. A peer that is silent for twice this time is lost.
const HEARTBEAT: u16 = 10;

/// The pause after a connection that could not be made. Thousands of consumers try again meanwhile.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(200);

/// The limit for the broker's answer when a connection is closed; then the socket is dropped, which the broker notices
/// too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The purpose of a connection, which decides how it begins.
pub(super) enum Purpose {
    /// Declares the queues that the platform shares, so that outcomes, builds and events have a place even if the
    /// broker was emptied.
    Publishing {
        shared: Names,
    },
    Consuming,
    /// Opens the one channel on which all answers are sent, so that those of one sender keep their order.
    Replies,
}

/// Tells whether the broker answers, as all connections of this process see it. Its loss and its return are logged
/// here, once, and not by each of the many callers that try again meanwhile.
#[derive(Default)]
pub(super) struct BrokerSight {
    answers: AtomicBool,
    was_lost: AtomicBool,
}

impl BrokerSight {
    fn lost(&self, broker: &str, error: &BrokerFailure) {
        // Before its first answer the caller says what it is waiting for.
        if self.answers.swap(false, Ordering::Relaxed) {
            self.was_lost.store(true, Ordering::Relaxed);
            tracing::warn!(broker, %error, "the message broker is lost; trying again");
        }
    }

    fn found(&self, broker: &str) {
        if !self.answers.swap(true, Ordering::Relaxed) && self.was_lost.load(Ordering::Relaxed) {
            tracing::info!(broker, "the message broker answers again");
        }
    }
}

pub(super) struct Link {
    uri: AMQPUri,
    address: String,
    name: String,
    purpose: Purpose,
    sight: Arc<BrokerSight>,
    state: Mutex<State>,
}

enum State {
    Idle,
    /// Not tried again before that time.
    Failed(Instant, BrokerFailure),
    Connecting(Attempt),
    Up(Arc<Live>),
    Closed,
}

type Attempt = Shared<BoxFuture<'static, Result<Arc<Live>, BrokerFailure>>>;

impl Link {
    pub(super) fn new(
        url: &SecretUrl,
        platform: &PlatformName,
        purpose: Purpose,
        sight: &Arc<BrokerSight>,
    ) -> Result<Arc<Self>, Error> {
        // The parser's own error may repeat the URL and the password in it.
        let mut uri: AMQPUri = url.expose().parse().map_err(|_| Error::Refused {
            address: url.address(),
            source: "this is not an AMQP URL; amqp://user:password@host:port/vhost is accepted".into(),
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let kind = match purpose {
            Purpose::Publishing { .. } => "publishing",
            Purpose::Consuming => "consuming",
            Purpose::Replies => "replies",
        };
        Ok(Arc::new(Self {
            uri,
            address: url.address(),
            name: format!("cloudfunc {platform} {kind}"),
            purpose,
            sight: sight.clone(),
            state: Mutex::new(State::Idle),
        }))
    }

    /// Does something with the connection, within a time limit.
    pub(super) async fn call<T, F>(
        self: &Arc<Self>,
        limit: Duration,
        work: impl FnOnce(Arc<Live>) -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, BrokerFailure>> + Send,
    {
        let done = async {
            let live = self.get().await?;
            live.unless_lost(work(live.clone())).await
        };
        let done =
            tokio::time::timeout(limit, done).await.unwrap_or(Err(BrokerFailure::TimedOut(limit)));
        done.map_err(|failure| failure.at(&self.address))
    }

    /// Returns the connection, which may be lost by now.
    async fn get(self: &Arc<Self>) -> Result<Arc<Live>, BrokerFailure> {
        let attempt = {
            let mut state = self.lock();
            match &*state {
                State::Closed => return Err(BrokerFailure::Closed),
                State::Up(live) if live.is_up() => return Ok(live.clone()),
                State::Failed(until, failure) if Instant::now() < *until => return Err(failure.clone()),
                State::Connecting(attempt) => attempt.clone(),
                State::Idle | State::Failed(..) | State::Up(_) => {
                    if matches!(*state, State::Up(_)) {
                        self.sight.lost(&self.address, &BrokerFailure::Lost);
                    }
                    let attempt = self.clone().begin();
                    *state = State::Connecting(attempt.clone());
                    attempt
                }
            }
        };
        attempt.await
    }

    /// Closes it for good: later calls fail.
    pub(super) async fn close(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Closed);
        if let State::Up(live) = before {
            let farewell = live.wire.connection.close(200, "closed".into());
            // It may be lost already: then there is nothing to close.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, farewell).await;
        }
    }

    fn begin(self: Arc<Self>) -> Attempt {
        let task = tokio::spawn(async move {
            let connected = self.connect().await;
            let mut state = self.lock();
            match (&*state, &connected) {
                (State::Closed, _) => return Err(BrokerFailure::Closed),
                (_, Ok(live)) => {
                    self.sight.found(&self.address);
                    *state = State::Up(live.clone());
                }
                (_, Err(failure)) => {
                    self.sight.lost(&self.address, failure);
                    *state = State::Failed(Instant::now() + ATTEMPT_PAUSE, failure.clone());
                }
            }
            connected
        });
        // It cannot panic; it is cancelled when the runtime ends.
        task.map(|result| result.unwrap_or(Err(BrokerFailure::Closed))).boxed().shared()
    }

    async fn connect(&self) -> Result<Arc<Live>, BrokerFailure> {
        let socket = Arc::default();
        match tokio::time::timeout(CONNECT_TIMEOUT, self.handshake(&socket)).await {
            Ok(connected) => connected,
            Err(_) => {
                // The library waits without end for a peer that is silent during the handshake, with a thread of its
                // own. So its socket is closed for it.
                if let Some(socket) = lock(&socket).take() {
                    let _ = rustix::net::shutdown(socket, Shutdown::Both);
                }
                Err(BrokerFailure::TimedOut(CONNECT_TIMEOUT))
            }
        }
    }

    /// Connects; leaves a handle of the socket in `socket` while it is under way.
    async fn handshake(&self, socket: &Arc<Mutex<Option<OwnedFd>>>) -> Result<Arc<Live>, BrokerFailure> {
        let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
        let dialled_socket = socket.clone();
        let runtime = lapin::runtime::default_runtime()?;
        let connection = Connection::connector(
            self.uri.clone(),
            runtime,
            async move |uri: AMQPUri, runtime| {
                let dialled = async {
                    let plain = AMQPUri { scheme: AMQPScheme::AMQP, ..uri.clone() };
                    let stream = plain.connect_with_config_async(TLSConfig::default(), &runtime).await?;
                    if let AsyncTcpStream::Plain(stream) = &stream {
                        let handle = stream.get_ref().as_fd().try_clone_to_owned()?;
                        *lock(&dialled_socket) = Some(handle);
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => {
                            let config = OwnedTLSConfig::default();
                            stream.into_tls(&uri.authority.host, config.as_ref()).await
                        }
                    }
                };
                // This runs in the library's thread, which nothing else would end.
                let timed_out = std::io::Error::from(std::io::ErrorKind::TimedOut);
                let dialled = tokio::time::timeout(CONNECT_TIMEOUT, dialled).await;
                dialled.unwrap_or(Err(timed_out)).map_err(lapin::Error::from)
            },
            properties,
        )
        .await?;
        let shared_channel = match &self.purpose {
            Purpose::Publishing { shared } => {
                let channel = connection.create_channel().await?;
                declare_queue(&channel, shared.queue(&Address::Outcomes)).await?;
                declare_queue(&channel, shared.queue(&Address::Builds)).await?;
                declare_events(&channel, shared.events()).await?;
                channel.close(200, "done".into()).await?;
                None
            }
            Purpose::Consuming => None,
            Purpose::Replies => Some(connection.create_channel().await?),
        };
        lock(socket).take();
        let most = connection.configuration().channel_max();
        let (lanes, channels) = (Lanes::new(most), Channels::new(most));
        let wire = Arc::new(Wire { connection, address: self.address.clone() });
        Ok(Arc::new(Live { wire, lanes, channels, shared_channel }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
