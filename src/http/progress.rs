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

use super::{
    answers::{Connection, Held},
    caps::Standing,
};

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
    /// The least rate of a body and of an answer, in bytes per second of the time in which the other side is waited for.
    pub rate: u64,
    /// The time by which a body may fall behind that rate. One that falls behind further is refused.
    pub slow: Duration,
    /// A connection whose other side takes nothing of an answer for this time is closed, and so is one whose other side falls
    /// behind the least rate by it.
    pub take: Duration,
    /// The time in which answers are taken that are under way at a stop.
    pub last: Duration,
    /// The size of the bodies of all unanswered requests together, in bytes.
    pub bodies: usize,
    /// The size of all answers together that have not been taken yet, in bytes. For more of them, the oldest are given up.
    pub answers: usize,
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
            last: Duration::from_secs(10),
            // Twenty of the largest payloads.
            bodies: 128 * 1024 * 1024,
            answers: usize::MAX,
            connections: 10_000,
            of_address: None,
        }
    }
}

/// A connection that is no older than this has a request on its way: it is unfinished, and not idle.
const FRESH: Duration = Duration::from_secs(1);

/// The time in which what is left of answers is sent, and a goodbye, when the port stops.
pub(super) const LAST_BYTES: Duration = Duration::from_secs(1);

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

/// How far a request has come, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Its body is under way.
    Coming,
    /// It has come whole, and is being answered.
    Whole,
    /// Its answer is being handed over.
    Told,
    /// All of its answer has been handed over, and not all has been written.
    Queued,
}

struct Underway {
    stage: Stage,
    /// The time by which the piece of its answer that was handed over last has to be taken.
    overdue: Option<Instant>,
    /// The room that its answer takes up.
    held: Option<Held>,
}

/// The progress of a connection.
pub(super) struct Progress {
    bounds: Bounds,
    state: Mutex<State>,
    /// Somebody wants the place of this connection.
    wanted: Notify,
    /// An answer has begun, or is over.
    went_on: Notify,
}

struct State {
    phase: Phase,
    /// The time at which the phase began, or the last request ended.
    since: Instant,
    /// Streams are several requests at once, and what comes besides is not part of a head.
    has_streams: bool,
    requests: HashMap<u64, Underway>,
    next: u64,
    /// All of the newest request has been read: what comes now is part of the next one.
    is_read: bool,
    /// Part of the next request has come already.
    is_ahead: bool,
    is_leaving: bool,
    /// It ends even if a request is being answered.
    is_cut: bool,
}

impl Progress {
    pub(super) fn new(bounds: Bounds, with_handshake: bool) -> Self {
        let state = State {
            phase: if with_handshake { Phase::Handshake } else { Phase::New },
            since: Instant::now(),
            has_streams: false,
            requests: HashMap::new(),
            next: 0,
            is_read: false,
            is_ahead: false,
            is_leaving: false,
            is_cut: false,
        };
        Self { bounds, state: Mutex::new(state), wanted: Notify::new(), went_on: Notify::new() }
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

    /// Notes that bytes have come.
    pub(super) fn came(&self) {
        let mut state = self.state();
        if state.has_streams {
            return;
        }
        if state.is_busy() {
            state.is_ahead |= state.is_read;
        } else if matches!(state.phase, Phase::New | Phase::Open) {
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
        (state.is_read, state.is_ahead) = (is_whole, false);
        state.next += 1;
        let (number, stage) = (state.next, if is_whole { Stage::Whole } else { Stage::Coming });
        state.requests.insert(number, Underway { stage, overdue: None, held: None });
        number
    }

    /// A request whose body was under way has come whole, or nobody wants the rest of it, which is not read then.
    pub(super) fn came_whole(&self, request: u64, is_read: bool) {
        let mut state = self.state();
        state.is_read |= is_read && state.next == request;
        state.reach(request, Stage::Whole);
    }

    /// The answer to a request begins.
    pub(super) fn tell(&self, request: u64) {
        self.state().reach(request, Stage::Told);
        self.went_on.notify_waiters();
    }

    /// All of an answer has been handed over. It has been taken once what was handed over is [written](Self::written), and gives
    /// up its room then.
    pub(super) fn queue(&self, request: u64, held: Option<Held>) {
        let mut state = self.state();
        state.reach(request, Stage::Queued);
        if let Some(underway) = state.requests.get_mut(&request) {
            underway.held = held;
        }
    }

    /// All that was handed over has been written.
    pub(super) fn written(&self) {
        let mut state = self.state();
        if state.has_streams || !state.any(|stage| stage == Stage::Queued) {
            return;
        }
        state.requests.retain(|_, underway| underway.stage != Stage::Queued);
        state.rest();
        self.went_on.notify_waiters();
    }

    /// A request was answered, or given up. Of one whose answer is still to be written nothing changes.
    pub(super) fn end(&self, request: u64) {
        let mut state = self.state();
        if state.requests.get(&request).is_none_or(|underway| underway.stage == Stage::Queued) {
            return;
        }
        state.requests.remove(&request);
        state.rest();
        self.went_on.notify_waiters();
    }

    /// A piece of an answer was handed over, which has to be taken within this time.
    pub(super) fn handed_over(&self, request: u64, within: Duration) {
        if let Some(underway) = self.state().requests.get_mut(&request) {
            underway.overdue = Some(Instant::now() + within);
        }
    }

    /// The piece has been taken: another one is asked for.
    pub(super) fn taken(&self, request: u64) {
        if let Some(underway) = self.state().requests.get_mut(&request) {
            underway.overdue = None;
        }
    }

    /// Returns whether the newest request has come whole, or was answered.
    pub(super) fn has_whole_request(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Open && !state.any(|stage| stage == Stage::Coming)
    }

    /// Returns once no request that has come whole is being answered, or all of their answers have begun and could be taken for
    /// long enough.
    pub(super) async fn all_answered(&self) {
        self.none_is_at(|stage| stage == Stage::Whole).await;
        let taken = self.none_is_at(|stage| stage > Stage::Coming);
        let _ = tokio::time::timeout(self.bounds.last, taken).await;
    }

    async fn none_is_at(&self, stages: impl Fn(Stage) -> bool) {
        loop {
            // Made first, so that it hears of what happens meanwhile.
            let went_on = self.went_on.notified();
            if !self.state().any(&stages) {
                return;
            }
            went_on.await;
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        let state = self.state();
        let time = now.saturating_duration_since(state.since);
        match state.phase {
            _ if state.is_leaving => Standing::Leaving,
            _ if state.any(|stage| stage > Stage::Coming) => Standing::Answering,
            _ if state.is_busy() => Standing::Coming(time),
            Phase::Handshake | Phase::Head => Standing::Beginning(time),
            Phase::New if time < FRESH => Standing::Beginning(time),
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
        if !state.is_cut && state.any(|stage| stage > Stage::Coming) {
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
            // A body has limits of its own, and an answer takes as long as it takes, but for the reader. One that does not
            // read an answer may wait for another one on the same connection.
            let overdue: Option<Vec<_>> =
                state.requests.values().map(|underway| underway.overdue).collect();
            return overdue?.into_iter().max();
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
        !self.requests.is_empty()
    }

    fn any(&self, is: impl Fn(Stage) -> bool) -> bool {
        self.requests.values().any(|underway| is(underway.stage))
    }

    fn reach(&mut self, request: u64, stage: Stage) {
        if let Some(underway) = self.requests.get_mut(&request) {
            underway.stage = underway.stage.max(stage);
        }
    }

    /// A request has ended; perhaps it was the last.
    fn rest(&mut self) {
        if !self.is_busy() {
            let is_ahead = std::mem::take(&mut self.is_ahead);
            self.enter(if is_ahead { Phase::Head } else { Phase::Open });
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}

impl Connection for Progress {
    /// Also in the middle of an answer.
    fn cut(&self) {
        self.state().is_cut = true;
        self.evict();
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
