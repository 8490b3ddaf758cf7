//! The life of async invocations: every step between every other, and everything that may fail in between.
//!
//! The state is the store, the broker, the managers and the clients ([`world`]); a step is one transaction, one message
//! or one decision of one part ([`action`], [`step`]). Every order of steps within the bounds is tried, and in every
//! state that is reached the [`properties`] hold. What an invocation does next comes from `lifecycle::decide` and
//! `Facts::after`; the conditions of the statements, which only a store can check, are written once more in [`store`].
//!
//! No manager, scheduler or lease has a clock here: whatever takes time may take any time. The one clock is the
//! store's, by which a retry is due; it may run fast, and be set back.
//!
//! Each [`Bug`] takes a rule away. Then the model has to find what goes wrong, and prints the shortest way there:
//! `cargo nextest run --no-capture delivery_model`. What it cannot show: results and payloads, sync calls, more than two
//! of anything, a broker that loses an outcome it has confirmed, a store that loses what it has committed.

mod action;
mod properties;
mod recovery;
mod step;
mod store;
mod trace;
mod world;

use std::{
    collections::{BTreeSet, HashSet},
    hash::RandomState,
    sync::Mutex,
    time::Instant,
};

use cloudfunc::lifecycle::Policy;
use stateright::{Checker as _, HasDiscoveries, Model, Property};

use self::{
    action::Action,
    properties as p,
    world::{Broker, Client, Manager, Request, Seen, Status, Store, World},
};

/// The model.
pub struct Delivery {
    bounds: Bounds,
    policy: Policy,
    bug: Option<Bug>,
    hasher: RandomState,
    /// Hashes of states from which an end is known to be reached.
    ending: Mutex<HashSet<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    invocations: usize,
    managers: usize,
    /// The messages in the hands of one manager.
    prefetch: usize,
    /// Messages about one invocation at a time.
    messages: usize,
    /// Attempts that the function may fail.
    attempts: u32,
    /// Revisions of the function.
    revisions: u8,
    /// Whether the function may be deleted.
    deletes: bool,
    /// Faults in one history.
    faults: u8,
    kinds: Faults,
}

/// What may fail, see [`Action::is_fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faults {
    Any,
    /// Managers that crash or stand still.
    OfManagers,
}

/// The number of lost attempts that end an invocation.
const MAX_LOSSES: u8 = 2;

const TWO_MANAGERS: Bounds = Bounds {
    invocations: 1,
    managers: 2,
    prefetch: 1,
    messages: 2,
    attempts: 2,
    revisions: 1,
    deletes: true,
    faults: 1,
    kinds: Faults::Any,
};
const TWO_LOSSES: Bounds =
    Bounds { attempts: 1, deletes: false, faults: 2, kinds: Faults::OfManagers, ..TWO_MANAGERS };
const ONE_MANAGER: Bounds = Bounds { managers: 1, deletes: false, faults: 2, ..TWO_MANAGERS };
const TWO_INVOCATIONS: Bounds =
    Bounds { invocations: 2, prefetch: 2, messages: 1, attempts: 1, faults: 1, ..ONE_MANAGER };
const A_DEPLOY: Bounds = Bounds { managers: 1, revisions: 2, ..TWO_MANAGERS };

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// An outcome counts for whatever attempt the row is at.
    NoFence,
    /// The scheduler acks an outcome, then stores it.
    AckBeforeStore,
    /// The scheduler publishes the message, then commits the row.
    PublishBeforeCommit,
    /// A claim is granted to whoever sends it.
    ClaimWithoutLeaseCheck,
    /// A renewal takes a lost lease anew, and says nothing.
    LostLeaseNotTold,
    /// A claim of an earlier life is begun when its answer comes after that life.
    BegunInNextLife,
}

impl Delivery {
    fn new(bounds: Bounds, bug: Option<Bug>) -> Self {
        let policy =
            Policy { attempts: bounds.attempts, max_losses: MAX_LOSSES.into(), ..Policy::DEFAULT };
        Self { bounds, policy, bug, hasher: RandomState::new(), ending: Mutex::default() }
    }
}

impl Model for Delivery {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let Bounds { invocations, managers, faults, .. } = self.bounds;
        let manager = Manager {
            status: Status::Up,
            life: 1,
            knows_lease: true,
            is_seen: true,
            works: Vec::new(),
            unheard: None,
        };
        vec![World {
            store: Store {
                rows: vec![None; invocations],
                leases: vec![Some(1); managers],
                active: Some(1),
            },
            broker: Broker { waiting: vec![0; invocations], outcomes: Vec::new() },
            clients: vec![Client { told: None, request: Request::Asked }; invocations],
            managers: vec![manager; managers],
            seen: vec![Seen::default(); invocations],
            faults,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.possible(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        self.take(&mut next, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = p::invariants();
        if self.bug.is_none() {
            properties.extend(p::reachable(&self.bounds));
        }
        properties
    }
}

/// Tries everything within the bounds.
fn holds(bounds: Bounds) {
    let since = Instant::now();
    let model = Delivery::new(bounds, None).checker().symmetry_fn(World::representative).threads(2);
    let checker = model.spawn_dfs().join();
    let (states, took) = (checker.unique_state_count(), since.elapsed());
    println!("{states} states in {took:.1?}: {bounds:?}");
    for (name, path) in checker.discoveries() {
        if checker.model().property(name).expectation == stateright::Expectation::Always {
            println!("not so: {name}");
            trace::print(&path.into_vec());
        }
    }
    checker.assert_properties();
}

/// Finds the shortest way to what goes wrong without a rule, in so many steps.
fn breaks(bug: Bug, property: &'static str, length: usize) {
    let since = Instant::now();
    let mut shortest: Option<(Vec<_>, usize)> = None;
    // The library's first find may be a little longer: it goes on with some states before it stops.
    loop {
        let model = Delivery::new(Bounds { deletes: false, ..TWO_MANAGERS }, Some(bug)).checker();
        let when = HasDiscoveries::AnyOf(BTreeSet::from([property]));
        let model = model.finish_when(when);
        let checker = match &shortest {
            None => model.spawn_bfs().join(),
            Some((path, _)) => model.target_max_depth(path.len()).spawn_bfs().join(),
        };
        let Some(path) = checker.discovery(property) else { break };
        shortest = Some((path.into_vec(), checker.unique_state_count()));
    }
    let Some((path, states)) = shortest else { panic!("{bug:?} is not caught by “{property}”") };
    let (steps, took) = (path.len() - 1, since.elapsed());
    println!("{bug:?}: {steps} steps, found in {states} states, {took:.1?}\nnot so: {property}");
    trace::print(&path);
    assert_eq!(steps, length);
}

#[test]
fn whatever_fails_with_two_managers_the_rules_hold() {
    holds(TWO_MANAGERS);
}

#[test]
fn whichever_managers_are_lost_one_after_the_other_the_rules_hold() {
    holds(TWO_LOSSES);
}

#[test]
fn whatever_fails_twice_with_one_manager_the_rules_hold() {
    holds(ONE_MANAGER);
}

#[test]
fn whatever_fails_with_two_invocations_the_rules_hold() {
    holds(TWO_INVOCATIONS);
}

#[test]
fn whatever_fails_around_a_deploy_the_rules_hold() {
    holds(A_DEPLOY);
}

#[test]
fn an_outcome_counts_for_its_own_attempt_only() {
    breaks(Bug::NoFence, p::NO_STALE_OUTCOME, 15);
}

#[test]
fn an_outcome_is_stored_before_it_is_acked() {
    breaks(Bug::AckBeforeStore, p::CAN_END, 12);
}

#[test]
fn a_row_is_committed_before_its_message_is_published() {
    breaks(Bug::PublishBeforeCommit, p::ROW_FIRST, 4);
}

#[test]
fn a_claim_needs_a_lease() {
    breaks(Bug::ClaimWithoutLeaseCheck, p::CLAIM_UNDER_LEASE, 8);
}

#[test]
fn who_has_lost_its_lease_is_told() {
    breaks(Bug::LostLeaseNotTold, p::ONE_OWNER, 16);
}

#[test]
fn what_was_claimed_in_an_earlier_life_is_not_begun() {
    breaks(Bug::BegunInNextLife, p::TOLD, 11);
}
