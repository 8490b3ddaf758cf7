//! What each step does.

use super::{
    Bug, Delivery,
    action::Action,
    store::Answer,
    world::{
        Began, Came, Outcome, Owner, Place, Request, Row, RunEnd, Stage, Status, Told, Unheard, Work,
        World, Wrong,
    },
};

impl Delivery {
    /// Takes a step that is possible.
    pub fn take(&self, world: &mut World, action: Action) {
        world.faults -= u8::from(action.is_fault());
        match action {
            Action::Commit { invocation } => self.commit(world, invocation),
            Action::Refuse { invocation } => {
                world.clients[invocation].told = Some(Told::Refused);
                world.clients[invocation].request = Request::Over;
            }
            Action::Tell { invocation } => {
                world.clients[invocation].told = Some(Told::Accepted);
                world.clients[invocation].request = Request::Answered;
            }
            Action::Publish { invocation } => {
                world.broker.waiting[invocation] += 1;
                let request = &mut world.clients[invocation].request;
                *request = match request {
                    Request::Asked => Request::Early,
                    _ => Request::Over,
                };
            }
            Action::Sweep { invocation } => {
                let is_due = world.store.take_due(self, invocation);
                world.broker.waiting[invocation] += u8::from(is_due);
            }
            Action::EndLease { manager } => world.store.leases[manager] = None,
            Action::Settle { outcome } => self.settle(world, outcome),
            Action::AckOutcome { outcome } => drop(world.broker.outcomes.remove(outcome)),
            Action::MakeUnheardClaim { manager } => self.make_unheard_claim(world, manager),
            Action::BecomeDue { invocation } => set_due(world, invocation, true),
            Action::StepBack { invocation } => set_due(world, invocation, false),
            Action::Deploy => *world.store.active.as_mut().expect("it is possible") += 1,
            Action::Delete => world.store.delete(self),
            Action::CrashScheduler => crash_scheduler(world),
            Action::LoseMessage { invocation } => world.broker.waiting[invocation] -= 1,
            Action::RepeatMessage { invocation } => world.broker.waiting[invocation] += 1,
            Action::TakeLease { manager }
            | Action::Renew { manager }
            | Action::Resume { manager }
            | Action::Restart { manager }
            | Action::Crash { manager }
            | Action::Pause { manager }
            | Action::CutOff { manager }
            | Action::LoseConnection { manager } => self.manage(world, manager, action),
            Action::Deliver { manager, invocation } => deliver(world, manager, invocation),
            Action::SendClaim { manager, work }
            | Action::ReadActive { manager, work }
            | Action::Begin { manager, work }
            | Action::End { manager, work, .. }
            | Action::SendOutcome { manager, work }
            | Action::Ack { manager, work }
            | Action::MakeClaim { manager, work }
            | Action::LoseClaim { manager, work }
            | Action::RepeatOutcome { manager, work } => self.work(world, manager, work, action),
        }
        world.broker.outcomes.sort_unstable();
        for (row, seen) in world.store.rows.iter().zip(&mut world.seen) {
            let end = row.as_ref().map(|row| row.facts.state).filter(|state| state.is_terminal());
            seen.end = seen.end.or(end);
        }
    }

    fn commit(&self, world: &mut World, invocation: usize) {
        if world.store.active.is_none() {
            // Its function is gone: no row.
            world.clients[invocation] =
                super::world::Client { told: Some(Told::Refused), request: Request::Over };
            return;
        }
        world.store.rows[invocation] = Some(Row::accepted());
        world.clients[invocation].request = Request::Committed;
    }

    fn settle(&self, world: &mut World, number: usize) {
        let outcome = world.broker.outcomes[number];
        if outcome.place == Place::Queue && self.bug == Some(Bug::AckBeforeStore) {
            world.broker.outcomes[number].place = Place::Acked;
            return;
        }
        let at = world.store.settle(self, &outcome);
        if at.is_some_and(|at| at != outcome.held.attempt) {
            world.seen[outcome.invocation].wrong = Some(Wrong::StaleOutcome);
        }
        match outcome.place {
            Place::Acked => drop(world.broker.outcomes.remove(number)),
            _ => world.broker.outcomes[number].place = Place::Stored,
        }
    }

    fn make_claim(&self, world: &mut World, invocation: usize, owner: Owner, revision: u8) -> Answer {
        let answer = world.store.claim(self, invocation, owner, revision);
        match answer {
            Answer::Granted(_) if !world.store.has_lease(owner) => {
                world.seen[invocation].wrong = Some(Wrong::ClaimWithoutLease);
            }
            Answer::NoRow => world.seen[invocation].wrong = Some(Wrong::SpentEarly),
            _ => {}
        }
        answer
    }

    fn make_unheard_claim(&self, world: &mut World, manager: usize) {
        let unheard = world.managers[manager].unheard.expect("it is possible");
        let owner = Owner { manager, life: unheard.life };
        let answer = self.make_claim(world, unheard.invocation, owner, unheard.revision);
        let this = &mut world.managers[manager];
        let remembers = this.status != Status::Down && this.life == unheard.life;
        this.unheard = match answer {
            Answer::Granted(held) if remembers => {
                Some(Unheard { attempt: Some(held.attempt), ..unheard })
            }
            _ => None,
        };
    }

    fn manage(&self, world: &mut World, manager: usize, action: Action) {
        let owner = world.owner(manager);
        let this = &mut world.managers[manager];
        match action {
            Action::TakeLease { .. } => {
                world.store.leases[manager] = Some(owner.life);
                (this.knows_lease, this.is_seen) = (true, true);
            }
            Action::Renew { .. } => self.renew(world, owner),
            Action::Pause { .. } => this.status = Status::Paused,
            Action::CutOff { .. } => this.status = Status::CutOff,
            Action::Resume { .. } => (this.status, this.is_seen) = (Status::Up, false),
            Action::Restart { .. } => {
                world.store.leases[manager] = None;
                this.status = Status::Up;
                begin_life(world, manager);
            }
            Action::Crash { .. } => end_process(world, manager),
            Action::LoseConnection { .. } => {
                for work in &mut this.works {
                    take_back(&mut world.broker.waiting, work);
                    work.is_delivered = false;
                }
            }
            _ => unreachable!("{action}"),
        }
    }

    fn renew(&self, world: &mut World, owner: Owner) {
        let Owner { manager, life } = owner;
        let this = &mut world.managers[manager];
        if let Some(Unheard { invocation, attempt: Some(attempt), .. }) = this.unheard {
            world.store.give_back(invocation, owner, attempt);
            this.unheard = None;
        }
        if self.bug == Some(Bug::LostLeaseNotTold) {
            world.store.leases[manager] = Some(life);
        }
        if world.store.has_lease(owner) {
            this.is_seen = true;
            return;
        }
        // It is told: what runs is stopped, then there may be new claims.
        for work in std::mem::take(&mut this.works) {
            match work.stage {
                Stage::Running(held) => {
                    take_back(&mut world.broker.waiting, &work);
                    end_run(world, &work, held.attempt, RunEnd::LeaseLost);
                }
                _ => world.managers[manager].works.push(work),
            }
        }
        begin_life(world, manager);
    }

    fn work(&self, world: &mut World, manager: usize, number: usize, action: Action) {
        let now = world.managers[manager].works[number];
        let life = world.managers[manager].life;
        match (action, now.stage) {
            (Action::SendClaim { .. }, _) => set(world, manager, number, Stage::Claiming(life)),
            (Action::MakeClaim { .. }, Stage::Claiming(life)) => {
                let owner = Owner { manager, life };
                match self.make_claim(world, now.invocation, owner, now.revision) {
                    Answer::Granted(held) => set(world, manager, number, Stage::Granted(held)),
                    Answer::Refused | Answer::NoRow => set(world, manager, number, Stage::Refused),
                    Answer::Moved => set(world, manager, number, Stage::Moved),
                    Answer::NoLease => come_back(world, manager, number),
                }
            }
            (Action::LoseClaim { .. }, Stage::Claiming(life)) => {
                world.managers[manager].unheard = Some(unheard(&now, life));
                come_back(world, manager, number);
            }
            (Action::ReadActive { .. }, _) => {
                let work = &mut world.managers[manager].works[number];
                match world.store.active {
                    Some(revision) => (work.revision, work.stage) = (revision, Stage::Waiting),
                    None => work.stage = Stage::Refused,
                }
            }
            (Action::Begin { .. }, Stage::Granted(held)) => {
                if held.life != life && self.bug != Some(Bug::BegunInNextLife) {
                    return come_back(world, manager, number);
                }
                set(world, manager, number, Stage::Running(held));
                let began = Began { attempt: held.attempt, end: None };
                world.seen[now.invocation].began.push(began);
            }
            (Action::End { came, .. }, Stage::Granted(held) | Stage::Running(held)) => {
                set(world, manager, number, Stage::Ended(held, came));
                if came != Came::NotRun {
                    end_run(world, &now, held.attempt, RunEnd::Came(came));
                }
            }
            (Action::SendOutcome { .. } | Action::RepeatOutcome { .. }, Stage::Ended(held, came)) => {
                let (invocation, place) = (now.invocation, Place::Queue);
                world.broker.outcomes.push(Outcome { invocation, held, came, place });
                if matches!(action, Action::SendOutcome { .. }) {
                    set(world, manager, number, Stage::Confirmed);
                }
            }
            (Action::Ack { .. }, _) => drop(world.managers[manager].works.remove(number)),
            _ => unreachable!("{action}"),
        }
    }
}

fn set_due(world: &mut World, invocation: usize, is_due: bool) {
    world.store.rows[invocation].as_mut().expect("it is possible").is_due = is_due;
}

/// Another scheduler takes over what is in the broker; what was in memory is gone.
fn crash_scheduler(world: &mut World) {
    for client in &mut world.clients {
        client.request = Request::Over;
    }
    world.broker.outcomes.retain(|outcome| outcome.place != Place::Acked);
    for outcome in &mut world.broker.outcomes {
        outcome.place = Place::Queue;
    }
}

fn deliver(world: &mut World, manager: usize, invocation: usize) {
    world.broker.waiting[invocation] -= 1;
    // An instance of a function that is gone asks for its claim, too.
    let revision = world.store.active.unwrap_or(1);
    let work = Work { invocation, is_delivered: true, revision, stage: Stage::Waiting };
    world.managers[manager].works.push(work);
}

fn set(world: &mut World, manager: usize, work: usize, stage: Stage) {
    world.managers[manager].works[work].stage = stage;
}

fn come_back(world: &mut World, manager: usize, work: usize) {
    let work = world.managers[manager].works.remove(work);
    take_back(&mut world.broker.waiting, &work);
}

fn take_back(waiting: &mut [u8], work: &Work) {
    waiting[work.invocation] += u8::from(work.is_delivered);
}

fn unheard(work: &Work, life: u8) -> Unheard {
    let Work { invocation, revision, .. } = *work;
    Unheard { invocation, revision, life, attempt: None }
}

fn begin_life(world: &mut World, manager: usize) {
    let this = &mut world.managers[manager];
    this.life += 1;
    (this.knows_lease, this.is_seen) = (false, false);
}

fn end_process(world: &mut World, manager: usize) {
    let this = &mut world.managers[manager];
    this.status = Status::Down;
    // What the process remembered is forgotten; what it has sent is still on its way.
    this.unheard = this.unheard.filter(|unheard| unheard.attempt.is_none());
    for work in std::mem::take(&mut this.works) {
        take_back(&mut world.broker.waiting, &work);
        if let Stage::Claiming(life) = work.stage {
            this.unheard = this.unheard.or(Some(unheard(&work, life)));
        }
    }
}

fn end_run(world: &mut World, work: &Work, attempt: u32, end: RunEnd) {
    let began = &mut world.seen[work.invocation].began;
    let run = began.iter_mut().rev().find(|began| began.attempt == attempt);
    run.expect("only what began ends").end = Some(end);
}
