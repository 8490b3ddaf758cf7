//! How far a connection has come, and when it has said nothing for too long.
//!
//! ```text
//! handshake ─▶ new ─▶ head ─▶ requests under way (one; several with HTTP/2) ─▶ open ─▶ head …
//! ```

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::caps::Standing;

/// The bounds of a server's connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The head of a request has come after this time, or the handshake of TLS; a connection that has begun one, or that is
    /// new, is closed otherwise.
    pub head: Duration,
    /// A connection without a request is closed after this time.
    pub idle: Duration,
    /// A request of whose body nothing has come for this time is refused.
    pub body: Duration,
    /// The least rate of a body, in bytes per second of the time in which it is waited for.
    pub rate: u64,
    /// The time by which a body may fall behind that rate. One that falls behind further is refused.
    pub slow: Duration,
    /// A connection whose other side takes nothing of an answer for this time is closed.
    pub take: Duration,
    /// The size of the bodies of all unanswered requests together, in bytes.
    pub bodies: usize,
    /// The most connections of the port.
    pub connections: usize,
    /// The most connections of one client; none has no bound of its own.
    pub of_address: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            // Clients that keep connections keep them for less, so that none is closed while a request is sent.
            idle: Duration::from_secs(180),
            body: Duration::from_secs(30),
            // A small part of what a bad mobile network has.
            rate: 1024,
            slow: Duration::from_secs(30),
            take: Duration::from_secs(60),
            // Twenty of the largest payloads.
            bodies: 128 * 1024 * 1024,
            connections: 10_000,
            of_address: None,
        }
    }
}

/// A connection that is no older than this has a request on its way: it is unfinished, and not idle.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// TLS is being negotiated.
    Handshake,
    /// Nothing has come.
    New,
    /// Some of a head has come.
    Head,
    /// At least one request has come; another one has not begun.
    Open,
}

/// The reason why a connection is closed from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A head has begun, and has not come in time.
    HeadOverdue,
    /// Nothing has come for too long, or nothing of an answer was taken.
    Silent,
    /// Another connection needs the place.
    Evicted,
}

/// The progress of a connection.
pub(super) struct Progress {
    bounds: Bounds,
    state: Mutex<State>,
    /// Somebody wants the place of this connection.
    wanted: Notify,
    /// The last request that has come whole was answered.
    answered: Notify,
}

struct State {
    phase: Phase,
    /// The time at which the phase began, or the last request ended.
    since: Instant,
    /// Streams are several requests at once, and what comes besides is not part of a head.
    has_streams: bool,
    /// The number of requests whose bodies are under way.
    coming: usize,
    /// The number of requests that have come whole and are being answered.
    whole: usize,
    /// Answers of which a piece was handed over and no other one has been asked for since, by the number of the request.
    untaken: HashMap<u64, Instant>,
    next: u64,
    is_leaving: bool,
}

impl Progress {
    pub(super) fn new(bounds: Bounds, with_handshake: bool) -> Self {
        let state = State {
            phase: if with_handshake { Phase::Handshake } else { Phase::New },
            since: Instant::now(),
            has_streams: false,
            coming: 0,
            whole: 0,
            untaken: HashMap::new(),
            next: 0,
            is_leaving: false,
        };
        Self { bounds, state: Mutex::new(state), wanted: Notify::new(), answered: Notify::new() }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Nothing is left half-done by a panic: each change is one assignment after another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handshake is over.
    pub(super) fn shook_hands(&self, has_streams: bool) {
        let mut state = self.state();
        state.enter(Phase::New);
        state.has_streams = has_streams;
    }

    /// Notes that bytes have come; in a request under way they are its own.
    pub(super) fn came(&self) {
        let mut state = self.state();
        if !state.has_streams && !state.is_busy() && matches!(state.phase, Phase::New | Phase::Open) {
            state.enter(Phase::Head);
        }
    }

    /// Returns whether part of a head has come, and nothing else is under way.
    pub(super) fn is_in_head(&self) -> bool {
        self.state().phase == Phase::Head
    }

    /// A head has come. Returns the number of its request.
    pub(super) fn begin(&self, is_whole: bool) -> u64 {
        let mut state = self.state();
        if !state.is_busy() && state.phase != Phase::Head {
            state.since = Instant::now();
        }
        state.phase = Phase::Open;
        match is_whole {
            true => state.whole += 1,
            false => state.coming += 1,
        }
        state.next += 1;
        state.next
    }

    /// A request whose body was under way has come whole.
    pub(super) fn came_whole(&self) {
        let mut state = self.state();
        state.coming -= 1;
        state.whole += 1;
    }

    /// A request was answered, or given up.
    pub(super) fn end(&self, request: u64, was_whole: bool) {
        let mut state = self.state();
        match was_whole {
            true => state.whole -= 1,
            false => state.coming -= 1,
        }
        state.untaken.remove(&request);
        if !state.is_busy() {
            state.since = Instant::now();
        }
        if state.whole == 0 {
            self.answered.notify_one();
        }
    }

    /// A piece of an answer was handed over.
    pub(super) fn handed_over(&self, request: u64) {
        self.state().untaken.insert(request, Instant::now());
    }

    /// The piece has been taken: another one is asked for.
    pub(super) fn taken(&self, request: u64) {
        self.state().untaken.remove(&request);
    }

    /// Returns whether the newest request has come whole, or was answered.
    pub(super) fn has_whole_request(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Open && state.coming == 0
    }

    /// Returns once no request that has come whole is being answered.
    pub(super) async fn all_answered(&self) {
        while self.state().whole > 0 {
            self.answered.notified().await;
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        let state = self.state();
        let time = now.saturating_duration_since(state.since);
        match state.phase {
            _ if state.is_leaving => Standing::Leaving,
            _ if state.whole > 0 => Standing::Answering,
            _ if state.coming > 0 => Standing::Unfinished(time),
            Phase::Handshake | Phase::Head => Standing::Unfinished(time),
            Phase::New if time < FRESH => Standing::Unfinished(time),
            Phase::New | Phase::Open => Standing::Idle(time),
        }
    }

    /// Asks for the place of this connection.
    pub(super) fn evict(&self) {
        self.state().is_leaving = true;
        self.wanted.notify_one();
    }

    /// Returns whether the connection makes room: not if a request has come whole since it was asked to.
    fn makes_room(&self) -> bool {
        let mut state = self.state();
        if state.whole > 0 {
            state.is_leaving = false;
        }
        state.is_leaving
    }

    /// Returns once the other side has let too much time pass, or the place is needed. Polled in the task of the connection,
    /// so that no request can come in between.
    pub(super) async fn ends(&self) -> End {
        let mut look = Instant::now() + self.next_look();
        loop {
            tokio::select! {
                () = self.wanted.notified() => if self.makes_room() {
                    return End::Evicted;
                },
                () = tokio::time::sleep_until(look) => {
                    let (now, deadline) = (Instant::now(), self.deadline());
                    if deadline.is_some_and(|deadline| deadline <= now) {
                        return if self.is_in_head() { End::HeadOverdue } else { End::Silent };
                    }
                    // Whatever begins meanwhile has its deadline after the next look.
                    let next = now + self.next_look();
                    look = deadline.map_or(next, |deadline| deadline.min(next));
                }
            }
        }
    }

    fn next_look(&self) -> Duration {
        self.bounds.head.min(self.bounds.idle).min(self.bounds.take)
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        if state.is_busy() {
            // A body has limits of its own, and an answer takes as long as it takes, but for the reader.
            return state.untaken.values().min().map(|since| *since + self.bounds.take);
        }
        let bound = match state.phase {
            Phase::Handshake | Phase::New | Phase::Head => self.bounds.head,
            Phase::Open => self.bounds.idle,
        };
        Some(state.since + bound)
    }
}

impl State {
    fn is_busy(&self) -> bool {
        self.coming + self.whole > 0
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(with_handshake: bool) -> Progress {
        Progress::new(Bounds::default(), with_handshake)
    }

    fn kind(progress: &Progress) -> &'static str {
        match progress.standing(Instant::now() + FRESH) {
            Standing::Leaving => "leaving",
            Standing::Idle(_) => "idle",
            Standing::Unfinished(_) => "unfinished",
            Standing::Answering => "answering",
        }
    }

    #[test]
    fn a_connection_is_idle_unfinished_or_being_answered() {
        let progress = progress(true);
        assert_eq!(kind(&progress), "unfinished");
        progress.shook_hands(false);
        assert_eq!(kind(&progress), "idle");
        progress.came();
        assert_eq!(kind(&progress), "unfinished");
        let request = progress.begin(false);
        assert!(!progress.has_whole_request() && kind(&progress) == "unfinished");
        progress.came_whole();
        assert!(progress.has_whole_request() && kind(&progress) == "answering");
        progress.came();
        assert!(!progress.is_in_head(), "it is the request's own");
        progress.end(request, true);
        assert_eq!(kind(&progress), "idle");
    }

    #[test]
    fn a_connection_with_streams_is_answered_as_long_as_one_of_them_is() {
        let progress = progress(false);
        progress.shook_hands(true);
        progress.came();
        assert_eq!(kind(&progress), "idle", "frames are not all of a head");
        let (first, second) = (progress.begin(true), progress.begin(false));
        assert_eq!(kind(&progress), "answering");
        progress.end(first, true);
        assert_eq!(kind(&progress), "unfinished");
        progress.end(second, false);
        assert_eq!(kind(&progress), "idle");
    }

    const SHORT: Duration = Duration::from_millis(100);

    fn short() -> Progress {
        let bounds = Bounds { head: SHORT, idle: SHORT, take: SHORT, ..Bounds::default() };
        Progress::new(bounds, false)
    }

    #[tokio::test]
    async fn the_place_of_a_connection_is_not_taken_once_its_request_has_come() {
        let progress = short();
        progress.evict();
        assert_eq!(kind(&progress), "leaving");
        let request = progress.begin(true);
        let waited = tokio::time::timeout(4 * SHORT, progress.ends()).await;
        assert!(waited.is_err() && kind(&progress) == "answering");
        progress.end(request, true);
        progress.evict();
        assert_eq!(progress.ends().await, End::Evicted);
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_of_an_answer_is_not_waited_for() {
        let progress = short();
        let request = progress.begin(true);
        progress.handed_over(request);
        progress.taken(request);
        let waited = tokio::time::timeout(4 * SHORT, progress.ends()).await;
        assert!(waited.is_err(), "it waits for what its answer says next");
        progress.handed_over(request);
        let begun = Instant::now();
        assert_eq!(progress.ends().await, End::Silent);
        assert!(begun.elapsed() >= SHORT / 2, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn what_is_overdue_is_told_apart() {
        let progress = short();
        assert_eq!(progress.ends().await, End::Silent);
        progress.came();
        assert_eq!(progress.ends().await, End::HeadOverdue);
    }
}
