//! The state of the model: what is on disk, what is in the broker, what each process holds in memory, and what only an
//! onlooker can know.

use std::hash::{Hash, Hasher};

use cloudfunc::{
    lifecycle::{Facts, Kind},
    model::State,
};

/// Everything between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub store: Store,
    pub broker: Broker,
    /// By invocation.
    pub clients: Vec<Client>,
    pub managers: Vec<Manager>,
    /// By invocation; no part of the platform sees it.
    pub seen: Vec<Seen>,
    /// The faults that may still happen.
    pub faults: u8,
}

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// By invocation.
    pub rows: Vec<Option<Row>>,
    /// By manager: the life whose lease it is.
    pub leases: Vec<Option<u8>>,
    /// The active revision of the function; none: it was deleted.
    pub active: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub facts: Facts,
    /// The kind of its end.
    pub kind: Option<Kind>,
    pub owner: Option<Owner>,
    /// Retrying: its pause is over, by the store's clock.
    pub is_due: bool,
    /// An attempt was claimed of which `attempts` says nothing yet.
    pub is_open: bool,
    pub attempts: Vec<Entry>,
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Facts { state, attempt, failures, losses, .. } = self.facts;
        let kind = self.kind.map(Kind::word);
        (state, attempt, failures, losses, kind, self.owner, self.is_due, self.is_open).hash(hasher);
        self.attempts.hash(hasher);
    }
}

/// A manager in one of its lives; each has an owner id of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    pub manager: usize,
    pub life: u8,
}

/// An attempt in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub number: u32,
    /// None: it was lost.
    pub came: Option<Came>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    Returned,
    Failed,
    /// From outside.
    Killed,
    /// It certainly did not begin.
    NotRun,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broker {
    /// By invocation: messages that wait in its function's queue. Those in the hands of a manager are its [`Work`].
    pub waiting: Vec<u8>,
    /// In no particular order.
    pub outcomes: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    pub invocation: usize,
    pub held: Held,
    pub came: Came,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Queue,
    /// Stored by the scheduler that has it, and not acked.
    Stored,
    /// Acked by the scheduler that has it, and not stored.
    Acked,
}

/// A client and its request, as its scheduler has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    pub told: Option<Told>,
    pub request: Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// 202.
    Accepted,
    /// Nothing has happened.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    Asked,
    /// Its message is published, and its row is not committed.
    Early,
    Committed,
    Answered,
    /// Also: its scheduler has ended.
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Manager {
    pub status: Status,
    pub life: u8,
    /// It has taken the lease of this life, and was not told that it has lost it.
    pub knows_lease: bool,
    /// It has renewed its lease since it was away: whoever watches cannot find it lost.
    pub is_seen: bool,
    /// Bounded by the prefetch.
    pub works: Vec<Work>,
    pub unheard: Option<Unheard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Up,
    /// It does nothing, and does not know.
    Paused,
    /// The store does not hear it.
    CutOff,
    /// The process has ended.
    Down,
}

/// A claim whose answer was lost. The store may still be about to make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unheard {
    pub invocation: usize,
    pub revision: u8,
    pub life: u8,
    /// The attempt that it became.
    pub attempt: Option<u32>,
}

/// A message in the hands of a manager, and what it does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    pub invocation: usize,
    /// False: the broker has taken the message back, since its connection was lost.
    pub is_delivered: bool,
    /// The revision of the instance that it is for.
    pub revision: u8,
    pub stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    Waiting,
    /// The claim was sent, in this life.
    Claiming(u8),
    /// Another revision is active.
    Moved,
    /// To be acked.
    Refused,
    /// The claim was granted, and nothing was begun.
    Granted(Held),
    Running(Held),
    /// The outcome is being sent.
    Ended(Held, Came),
    /// The outcome is confirmed; to be acked.
    Confirmed,
}

impl Stage {
    pub fn running(self) -> Option<Held> {
        match self {
            Self::Running(held) => Some(held),
            _ => None,
        }
    }
}

/// What a manager knows of its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    pub life: u8,
    /// Stands for the claim's token, too: no number is given twice by a store that loses nothing.
    pub attempt: u32,
    pub failures: u32,
    pub losses: u32,
}

/// What an onlooker has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// What the function did, in order.
    pub began: Vec<Began>,
    /// The first end of its row.
    pub end: Option<State>,
    pub wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Began {
    pub attempt: u32,
    /// None: it goes on, or its host was lost.
    pub end: Option<RunEnd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunEnd {
    Came(Came),
    /// Its manager was told that it has lost its lease, and has killed it.
    LeaseLost,
}

/// A step that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// An outcome of an attempt changed a row that was at another one.
    StaleOutcome,
    /// A claim was granted to an owner without a lease.
    ClaimWithoutLease,
    /// A message was spent on a row that was not there yet.
    SpentEarly,
}

impl World {
    pub fn owner(&self, manager: usize) -> Owner {
        Owner { manager, life: self.managers[manager].life }
    }

    /// Messages about an invocation, waiting or in somebody's hands.
    pub fn messages(&self, invocation: usize) -> usize {
        let in_hands = self.managers.iter().flat_map(|manager| &manager.works);
        usize::from(self.broker.waiting[invocation])
            + in_hands.filter(|work| work.invocation == invocation && work.is_delivered).count()
    }

    pub fn has_ended(&self) -> bool {
        self.store.rows.iter().flatten().all(|row| row.facts.state.is_terminal())
            && self.clients.iter().all(|client| client.request == Request::Over)
    }

    /// Whether nothing is left that could touch a row.
    pub fn is_over(&self) -> bool {
        self.has_ended()
            && self.broker.waiting.iter().all(|waiting| *waiting == 0)
            && self.broker.outcomes.is_empty()
            && self.managers.iter().all(|manager| manager.works.is_empty() && manager.unheard.is_none())
    }

    /// The same world with the managers in a fixed order: they differ in nothing but their names.
    pub fn representative(&self) -> Self {
        let order = |world: &Self| {
            let owners: Vec<_> = world.store.rows.iter().flatten().map(|row| row.owner).collect();
            (world.managers.clone(), world.store.leases.clone(), owners)
        };
        if self.managers.len() != 2 {
            return self.clone();
        }
        let mut other = self.clone();
        other.managers.swap(0, 1);
        other.store.leases.swap(0, 1);
        for owner in other.store.rows.iter_mut().flatten().filter_map(|row| row.owner.as_mut()) {
            owner.manager = 1 - owner.manager;
        }
        match order(&other) < order(self) {
            true => other,
            false => self.clone(),
        }
    }
}
