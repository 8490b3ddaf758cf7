//! What holds in every state, and what has to be reachable.

use cloudfunc::{lifecycle::Kind, model::State};
use stateright::Property;

use super::{
    Bounds, Delivery, Faults, MAX_LOSSES,
    world::{Came, Row, RunEnd, Seen, Stage, Status, Told, Work, World, Wrong},
};

pub const NO_FAKE_ACCEPT: &str = "what was told 202 has a row, and what was refused never runs";
pub const ONE_END: &str = "an end never changes";
pub const NO_STALE_OUTCOME: &str = "a stale attempt never changes a newer one";
pub const RECORD: &str = "the record knows every attempt that began";
pub const REASON: &str = "the record tells the true reason";
pub const TOLD: &str = "who was told that its lease is lost runs nothing of it";
pub const ONE_OWNER: &str = "no two managers that have their leases run the same";
pub const FREE_OR_HELD: &str = "what runs has an owner with a lease, or others get it";
pub const CLAIM_UNDER_LEASE: &str = "a claim is granted under a lease only";
pub const ROW_FIRST: &str = "no message is spent before its row is there";
pub const CAN_END: &str = "once nothing fails any more, it ends";

/// In every state.
pub fn invariants() -> Vec<Property<Delivery>> {
    vec![
        always(NO_FAKE_ACCEPT, |_, world| {
            pairs(world).zip(&world.clients).all(|((row, seen), client)| match client.told {
                Some(Told::Accepted) => row.is_some(),
                Some(Told::Refused) => row.is_none() && seen.began.is_empty(),
                None => true,
            })
        }),
        always(ONE_END, |_, world| {
            pairs(world).all(|(row, seen)| match (row, seen.end) {
                (Some(row), Some(end)) => row.facts.state == end,
                (row, None) => row.is_none_or(|row| !row.facts.state.is_terminal()),
                (None, Some(_)) => false,
            })
        }),
        always(NO_STALE_OUTCOME, |_, world| never(world, Wrong::StaleOutcome)),
        always(RECORD, |_, world| {
            pairs(world).all(|(row, seen)| {
                let is_known = |attempt| row.is_some_and(|row| knows(row, attempt));
                seen.began.iter().all(|began| is_known(began.attempt)) && began_once(seen)
            })
        }),
        always(REASON, |model, world| {
            pairs(world)
                .filter_map(|(row, seen)| Some((row?, seen)))
                .all(|(row, seen)| is_true(model, world, row, seen))
        }),
        always(TOLD, |_, world| {
            world.managers.iter().all(|manager| {
                let mut running = manager.works.iter().filter_map(|work| work.stage.running());
                running.all(|held| held.life == manager.life)
            })
        }),
        always(ONE_OWNER, |_, world| {
            (0..world.store.rows.len()).all(|invocation| {
                let has_lease = |manager: &usize| {
                    world.managers[*manager].status == Status::Up
                        && world.store.has_lease(world.owner(*manager))
                };
                let runs = |manager: &usize| {
                    let works = world.managers[*manager].works.iter();
                    works
                        .filter(|work| work.invocation == invocation && work.stage.running().is_some())
                        .count()
                };
                let managers = (0..world.managers.len()).filter(has_lease);
                managers.map(|manager| runs(&manager)).sum::<usize>() <= 1
            })
        }),
        always(FREE_OR_HELD, |_, world| {
            world.store.rows.iter().flatten().filter(|row| row.facts.state == State::Running).all(
                |row| {
                    let is_held = row.owner.is_some_and(|owner| world.store.has_lease(owner));
                    is_held || world.store.is_free(row)
                },
            )
        }),
        always(CLAIM_UNDER_LEASE, |_, world| never(world, Wrong::ClaimWithoutLease)),
        always(ROW_FIRST, |_, world| never(world, Wrong::SpentEarly)),
        always(CAN_END, Delivery::can_end),
    ]
}

/// Somewhere within these bounds: a model that gets nowhere shows nothing.
pub fn reachable(bounds: &Bounds) -> Vec<Property<Delivery>> {
    let mut properties = vec![
        sometimes("it succeeds", |_, world| ends(world, Kind::Succeeded)),
        sometimes("it fails by its function", |_, world| ends(world, Kind::Failed)),
        sometimes("it succeeds after a loss", |_, world| {
            let late = |row: &Row| row.kind == Some(Kind::Succeeded) && row.facts.losses > 0;
            world.store.rows.iter().flatten().any(late)
        }),
        sometimes("a manager that has lost its lease stops what it runs", |_, world| {
            let mut began = world.seen.iter().flat_map(|seen| &seen.began);
            began.any(|began| began.end == Some(RunEnd::LeaseLost))
        }),
        sometimes("a claim of what runs is refused", |_, world| {
            works(world).any(|work| {
                let row = world.store.rows[work.invocation].as_ref();
                work.stage == Stage::Refused && row.is_some_and(|row| row.facts.state == State::Running)
            })
        }),
    ];
    if bounds.faults >= MAX_LOSSES {
        let lost = |_: &Delivery, world: &World| ends(world, Kind::Exhausted);
        properties.push(sometimes("too many attempts are lost", lost));
    }
    if bounds.kinds == Faults::Any {
        properties.push(sometimes("a claim is made whose answer is lost", |_, world| {
            let mut unheard = world.managers.iter().filter_map(|manager| manager.unheard);
            unheard.any(|unheard| unheard.attempt.is_some())
        }));
    }
    if bounds.managers > 1 {
        properties.push(sometimes("it runs twice at once", |_, world| {
            works(world).filter(|work| work.stage.running().is_some()).count() > 1
        }));
    }
    if bounds.revisions > 1 {
        properties.push(sometimes("a claim for an older revision is not granted", |_, world| {
            works(world).any(|work| work.stage == Stage::Moved)
        }));
    }
    if bounds.deletes {
        properties.push(sometimes("it is cancelled while it waits", |_, world| {
            pairs(world).any(|(row, seen)| seen.began.is_empty() && row.is_some_and(is_cancelled))
        }));
        properties.push(sometimes("it is cancelled after its manager was lost", |_, world| {
            let mut rows = world.store.rows.iter().flatten();
            rows.any(|row| is_cancelled(row) && row.is_open)
        }));
    }
    properties
}

type Condition = fn(&Delivery, &World) -> bool;

fn always(name: &'static str, condition: Condition) -> Property<Delivery> {
    Property::always(name, condition)
}

fn sometimes(name: &'static str, condition: Condition) -> Property<Delivery> {
    Property::sometimes(name, condition)
}

fn pairs(world: &World) -> impl Iterator<Item = (Option<&Row>, &Seen)> {
    world.store.rows.iter().map(Option::as_ref).zip(&world.seen)
}

fn works(world: &World) -> impl Iterator<Item = &Work> {
    world.managers.iter().flat_map(|manager| &manager.works)
}

fn is_cancelled(row: &Row) -> bool {
    row.kind == Some(Kind::Cancelled)
}

fn never(world: &World, wrong: Wrong) -> bool {
    world.seen.iter().all(|seen| seen.wrong != Some(wrong))
}

fn ends(world: &World, kind: Kind) -> bool {
    world.store.rows.iter().flatten().any(|row| row.kind == Some(kind))
}

/// Whether an attempt is in the record, or is the one under way there.
fn knows(row: &Row, attempt: u32) -> bool {
    row.attempts.iter().any(|entry| entry.number == attempt)
        || (row.is_open && row.facts.attempt == attempt)
}

fn began_once(seen: &Seen) -> bool {
    let is_first = |(number, attempt)| seen.began[..number].iter().all(|began| began.attempt != attempt);
    seen.began.iter().map(|began| began.attempt).enumerate().all(is_first)
}

/// Whether the reason that the record tells is what has happened.
fn is_true(model: &Delivery, world: &World, row: &Row, seen: &Seen) -> bool {
    let came = |end: RunEnd| seen.began.iter().filter(|began| began.end == Some(end)).count();
    let lost =
        row.attempts.iter().filter(|entry| matches!(entry.came, None | Some(Came::Killed))).count();
    let at_least = |count: usize, least: u32| u32::try_from(count).is_ok_and(|count| count >= least);
    match row.kind {
        Some(Kind::Succeeded) => came(RunEnd::Came(Came::Returned)) > 0,
        Some(Kind::Failed) => at_least(came(RunEnd::Came(Came::Failed)), model.policy.attempts),
        Some(Kind::Exhausted) => at_least(lost, model.policy.max_losses),
        Some(Kind::Cancelled) => world.store.active.is_none(),
        Some(_) => false,
        None => !row.facts.state.is_terminal(),
    }
}
