//! The keys of the provider as they are known here, and the requests that wait for newer ones. One task reads them
//! (`super::Oidc::run`); a request whose token names a key that is not known asks it to do so now.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout},
};

use super::key_set::KeySet;

/// The time for which keys are used while the provider is away.
const USED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two times at which requests have the keys read: of all requests together.
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// The longest time that a request waits for newer keys.
const WAIT: Duration = Duration::from_secs(5);
/// The most requests that wait: others are refused at once.
const MOST_WAITING: usize = 64;

/// What is known of the keys.
pub struct Keys {
    state: watch::Sender<State>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    /// The newest keys, and when they were read.
    known: Option<(Arc<KeySet>, Instant)>,
    /// How often an attempt to read them has ended.
    ended: u64,
    /// The last attempt has failed.
    failed: bool,
    /// An attempt is under way.
    is_underway: bool,
    /// A request has asked for one that has not begun.
    is_wanted: bool,
    /// When a request last did so.
    asked_at: Option<Instant>,
}

/// What a request for newer keys leads to.
pub enum Asked {
    /// They are being read.
    Waits(Waiting),
    /// They were read a moment ago; whether the provider answered then.
    JustRead { is_answered: bool },
    /// Too many requests wait already.
    Crowded,
}

/// A request that waits for newer keys.
pub struct Waiting {
    state: watch::Receiver<State>,
    ended: u64,
    _place: OwnedSemaphorePermit,
}

impl Keys {
    pub fn new() -> Self {
        Self { state: watch::Sender::default(), places: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// Returns the keys; none before they were read, and when they are too old.
    pub fn known(&self) -> Option<Arc<KeySet>> {
        self.known_at(Instant::now())
    }

    fn known_at(&self, now: Instant) -> Option<Arc<KeySet>> {
        let state = self.state.borrow();
        let (keys, read_at) = state.known.as_ref()?;
        (now.saturating_duration_since(*read_at) <= USED_FOR).then(|| keys.clone())
    }

    /// Asks for newer keys, for a request.
    pub fn ask(&self) -> Asked {
        self.ask_at(Instant::now())
    }

    fn ask_at(&self, now: Instant) -> Asked {
        let receiver = self.state.subscribe();
        let mut just_read = None;
        let mut ended = 0;
        self.state.send_if_modified(|state| {
            ended = state.ended;
            let is_soon = |asked_at: Instant| now.saturating_duration_since(asked_at) < ASKED_EVERY;
            if state.is_underway || state.is_wanted {
                return false;
            }
            if state.asked_at.is_some_and(is_soon) {
                just_read = Some(!state.failed);
                return false;
            }
            (state.asked_at, state.is_wanted) = (Some(now), true);
            true
        });
        match (just_read, self.places.clone().try_acquire_owned()) {
            (Some(is_answered), _) => Asked::JustRead { is_answered },
            (None, Ok(_place)) => Asked::Waits(Waiting { state: receiver, ended, _place }),
            (None, Err(_)) => Asked::Crowded,
        }
    }

    /// Returns when a request has asked for newer keys. Cancel safe.
    pub async fn wanted(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this borrow of it.
        let _ = state.wait_for(|state| state.is_wanted).await;
    }

    /// Notes that an attempt to read the keys begins.
    pub fn begin(&self) {
        self.state.send_modify(|state| (state.is_underway, state.is_wanted) = (true, false));
    }

    /// Notes what came of it: newer keys, or none.
    pub fn end(&self, read: Option<KeySet>) {
        let now = Instant::now();
        self.state.send_modify(|state| {
            state.is_underway = false;
            state.ended += 1;
            state.failed = read.is_none();
            if let Some(keys) = read {
                state.known = Some((Arc::new(keys), now));
            }
        });
    }
}

impl Waiting {
    /// Waits for the end of the attempt, and returns whether the provider answered in time.
    pub async fn is_answered(mut self) -> bool {
        let ended = self.ended;
        match timeout(WAIT, self.state.wait_for(|state| state.ended > ended)).await {
            Ok(Ok(state)) => !state.failed,
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::signer::Signer, *};

    fn set() -> KeySet {
        KeySet::read(json!({ "keys": [Signer::ed25519("e").jwk()] }).to_string().as_bytes()).unwrap()
    }

    fn waits(asked: Asked) -> Waiting {
        match asked {
            Asked::Waits(waiting) => waiting,
            Asked::JustRead { .. } | Asked::Crowded => panic!("it does not wait"),
        }
    }

    #[tokio::test]
    async fn requests_have_the_keys_read_once_in_ten_seconds_and_share_an_attempt() {
        let (keys, now) = (Keys::new(), Instant::now());
        let (first, second) = (waits(keys.ask_at(now)), waits(keys.ask_at(now)));
        keys.wanted().await;
        keys.begin();
        let third = waits(keys.ask_at(now + ASKED_EVERY));
        keys.end(Some(set()));
        for waiting in [first, second, third] {
            assert!(waiting.is_answered().await);
        }
        let soon = keys.ask_at(now + ASKED_EVERY - Duration::from_millis(1));
        assert!(matches!(soon, Asked::JustRead { is_answered: true }));
        let later = waits(keys.ask_at(now + ASKED_EVERY));
        keys.begin();
        keys.end(None);
        assert!(!later.is_answered().await);
        let soon = keys.ask_at(now + ASKED_EVERY);
        assert!(matches!(soon, Asked::JustRead { is_answered: false }));
    }

    #[tokio::test]
    async fn old_keys_are_used_for_a_day_while_the_provider_is_away() {
        let keys = Keys::new();
        assert!(keys.known().is_none());
        keys.begin();
        keys.end(Some(set()));
        keys.begin();
        keys.end(None);
        assert!(keys.known().is_some());
        let day = Instant::now() + USED_FOR;
        assert!(keys.known_at(day - Duration::from_secs(1)).is_some());
        assert!(keys.known_at(day + Duration::from_secs(1)).is_none());
    }

    #[tokio::test]
    async fn a_crowd_does_not_wait() {
        let keys = Keys::new();
        let waiting: Vec<Waiting> = (0..MOST_WAITING).map(|_| waits(keys.ask())).collect();
        assert!(matches!(keys.ask(), Asked::Crowded));
        drop(waiting);
        waits(keys.ask());
    }
}
