//! The keys of the provider as they are known here, and the requests that wait for newer ones. One task reads them
//! (`super::Oidc::run`); a request whose token names a key that is not known asks it to do so now.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, timeout},
};

use super::key_set::KeySet;
use crate::clock::Clock;

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
    clock: Clock,
}

/// The newest keys.
#[derive(Clone)]
pub struct Known {
    pub keys: Arc<KeySet>,
    /// The number of the attempt that has read them: newer keys have a higher one.
    pub reading: u64,
}

#[derive(Default)]
struct State {
    known: Option<(Known, ReadAt)>,
    /// How many attempts to read the keys have begun, one after the other.
    begun: u64,
    /// How many of them have ended.
    ended: u64,
    /// The last attempt has failed.
    failed: bool,
    /// A request has asked for one that has not begun.
    is_wanted: bool,
    /// When a request last did so.
    asked_at: Option<Instant>,
}

/// When keys were read, by both clocks: one stands still while the host sleeps, and the other can be set back.
struct ReadAt(Instant, Timestamp);

/// What a request for newer keys leads to.
pub enum Asked {
    /// They are being read.
    Waits(Waiting),
    /// They were read a moment ago, and are not read again now.
    Soon(Outcome),
    /// Too many requests wait already.
    Crowded,
}

/// What the last attempt to read the keys means to a request that has asked for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The keys are those that the provider had after the request came.
    Newer,
    /// They are from before the request. It may ask again after so many seconds, at least one.
    Older { again_in: u64 },
    /// The provider has not answered, or not in time.
    Failed,
}

/// A request that waits for newer keys.
pub struct Waiting {
    state: watch::Receiver<State>,
    begun: u64,
    ended: u64,
    _place: OwnedSemaphorePermit,
}

impl Keys {
    /// Makes an empty one.
    pub fn new(clock: Clock) -> Self {
        let places = Arc::new(Semaphore::new(MOST_WAITING));
        Self { state: watch::Sender::default(), places, clock }
    }

    /// Returns the keys; none before they were read, and when they are too old.
    pub fn known(&self) -> Option<Known> {
        self.known_at(Instant::now(), self.clock.now())
    }

    fn known_at(&self, now: Instant, clock: Timestamp) -> Option<Known> {
        let state = self.state.borrow();
        let (known, read_at) = state.known.as_ref()?;
        (read_at.age(now, clock) <= USED_FOR).then(|| known.clone())
    }

    /// Asks for newer keys, for a request.
    pub fn ask(&self) -> Asked {
        self.ask_at(Instant::now())
    }

    fn ask_at(&self, now: Instant) -> Asked {
        let receiver = self.state.subscribe();
        let mut soon = None;
        let (mut begun, mut ended) = (0, 0);
        self.state.send_if_modified(|state| {
            (begun, ended) = (state.begun, state.ended);
            if begun > ended || state.is_wanted {
                return false;
            }
            if state.until_next(now) > Duration::ZERO {
                soon = Some(state.outcome(begun, now));
                return false;
            }
            (state.asked_at, state.is_wanted) = (Some(now), true);
            true
        });
        match (soon, self.places.clone().try_acquire_owned()) {
            (Some(outcome), _) => Asked::Soon(outcome),
            (None, Ok(_place)) => Asked::Waits(Waiting { state: receiver, begun, ended, _place }),
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
        self.state.send_modify(|state| {
            state.begun += 1;
            state.is_wanted = false;
        });
    }

    /// Notes what came of it: newer keys, or none.
    pub fn end(&self, read: Option<KeySet>) {
        let read_at = ReadAt(Instant::now(), self.clock.now());
        self.state.send_modify(|state| {
            state.ended += 1;
            state.failed = read.is_none();
            if let Some(keys) = read {
                state.known = Some((Known { keys: Arc::new(keys), reading: state.ended }, read_at));
            }
        });
    }
}

impl State {
    /// Returns the time that has to pass before a request may have the keys read again.
    fn until_next(&self, now: Instant) -> Duration {
        let left = |asked_at| ASKED_EVERY.saturating_sub(now.saturating_duration_since(asked_at));
        self.asked_at.map_or(Duration::ZERO, left)
    }

    /// Returns what the last attempt means to a request that came when this number of attempts had begun.
    fn outcome(&self, begun: u64, now: Instant) -> Outcome {
        if self.failed {
            return Outcome::Failed;
        }
        if self.ended > begun {
            return Outcome::Newer;
        }
        let left = self.until_next(now);
        let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Outcome::Older { again_in: whole.max(1) }
    }
}

impl ReadAt {
    fn age(&self, now: Instant, clock: Timestamp) -> Duration {
        let by_clock = clock.duration_since(self.1).max(SignedDuration::ZERO).unsigned_abs();
        by_clock.max(now.saturating_duration_since(self.0))
    }
}

impl Waiting {
    /// Waits for the end of the attempt.
    pub async fn outcome(mut self) -> Outcome {
        let (begun, ended) = (self.begun, self.ended);
        match timeout(WAIT, self.state.wait_for(|state| state.ended > ended)).await {
            Ok(Ok(state)) => state.outcome(begun, Instant::now()),
            Ok(Err(_)) | Err(_) => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::signer::Signer, *};

    fn keys() -> Keys {
        Keys::new(Clock::system())
    }

    fn set() -> KeySet {
        KeySet::read(json!({ "keys": [Signer::ed25519("e").jwk()] }).to_string().as_bytes()).unwrap()
    }

    fn waits(asked: Asked) -> Waiting {
        match asked {
            Asked::Waits(waiting) => waiting,
            Asked::Soon(_) | Asked::Crowded => panic!("it does not wait"),
        }
    }

    fn soon(asked: Asked) -> Outcome {
        match asked {
            Asked::Soon(outcome) => outcome,
            Asked::Waits(_) | Asked::Crowded => panic!("it waits"),
        }
    }

    #[tokio::test]
    async fn requests_have_the_keys_read_once_in_ten_seconds_and_share_an_attempt() {
        let (keys, now) = (keys(), Instant::now());
        let (first, second) = (waits(keys.ask_at(now)), waits(keys.ask_at(now)));
        keys.wanted().await;
        keys.begin();
        keys.end(Some(set()));
        for waiting in [first, second] {
            assert_eq!(waiting.outcome().await, Outcome::Newer);
        }
        let later = waits(keys.ask_at(now + ASKED_EVERY));
        keys.begin();
        keys.end(None);
        assert_eq!(later.outcome().await, Outcome::Failed);
        assert_eq!(soon(keys.ask_at(now + ASKED_EVERY)), Outcome::Failed);
    }

    #[tokio::test]
    async fn keys_that_were_read_before_a_request_say_nothing_about_its_key() {
        let (keys, now) = (keys(), Instant::now());
        // The provider may have been asked before it had the key.
        keys.begin();
        let underway = waits(keys.ask_at(now));
        keys.end(Some(set()));
        assert_eq!(underway.outcome().await, Outcome::Older { again_in: 1 });
        let next = waits(keys.ask_at(now));
        keys.begin();
        keys.end(Some(set()));
        assert_eq!(next.outcome().await, Outcome::Newer);
        for (millis, again_in) in [(0, 10), (8999, 2), (9000, 1), (9999, 1)] {
            let at = now + Duration::from_millis(millis);
            assert_eq!(soon(keys.ask_at(at)), Outcome::Older { again_in }, "{millis}");
        }
    }

    #[tokio::test]
    async fn old_keys_are_used_for_a_day_while_the_provider_is_away() {
        let keys = keys();
        assert!(keys.known().is_none());
        keys.begin();
        keys.end(Some(set()));
        keys.begin();
        keys.end(None);
        assert_eq!(keys.known().unwrap().reading, 1);
        let (now, clock) = (Instant::now(), Timestamp::now());
        let (short, long) = (USED_FOR - Duration::from_secs(1), USED_FOR + Duration::from_secs(1));
        assert!(keys.known_at(now + short, clock + short).is_some());
        assert!(keys.known_at(now + long, clock).is_none(), "the clock was set back");
        assert!(keys.known_at(now, clock + long).is_none(), "the host has slept");
        assert!(keys.known_at(now, clock - long).is_some());
    }

    #[tokio::test]
    async fn a_crowd_does_not_wait() {
        let keys = keys();
        let waiting: Vec<Waiting> = (0..MOST_WAITING).map(|_| waits(keys.ask())).collect();
        assert!(matches!(keys.ask(), Asked::Crowded));
        drop(waiting);
        waits(keys.ask());
    }
}
