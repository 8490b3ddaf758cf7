//! What can happen next, and when.

use cloudfunc::model::State;

use super::{
    Bug, Delivery, Faults,
    world::{Came, Manager, Outcome, Place, Request, Stage, Status, Work, World},
};

/// One step of one part. Numbers are places in the lists of [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    // A scheduler and a client.
    Commit { invocation: usize },
    Refuse { invocation: usize },
    Tell { invocation: usize },
    Publish { invocation: usize },
    // A scheduler's sweeper and watcher, and its consumer of outcomes.
    Sweep { invocation: usize },
    EndLease { manager: usize },
    Settle { outcome: usize },
    AckOutcome { outcome: usize },
    // A manager.
    TakeLease { manager: usize },
    Renew { manager: usize },
    Deliver { manager: usize, invocation: usize },
    SendClaim { manager: usize, work: usize },
    ReadActive { manager: usize, work: usize },
    Begin { manager: usize, work: usize },
    End { manager: usize, work: usize, came: Came },
    SendOutcome { manager: usize, work: usize },
    Ack { manager: usize, work: usize },
    // The store.
    MakeClaim { manager: usize, work: usize },
    MakeUnheardClaim { manager: usize },
    // The store's wall clock: time passes, or it is set forward or back.
    BecomeDue { invocation: usize },
    StepBack { invocation: usize },
    // Users.
    Deploy,
    Delete,
    // Recoveries.
    Resume { manager: usize },
    Restart { manager: usize },
    // Faults. A crash is a stop, too: after that, the lease ends at once.
    CrashScheduler,
    Crash { manager: usize },
    Pause { manager: usize },
    CutOff { manager: usize },
    LoseConnection { manager: usize },
    LoseClaim { manager: usize, work: usize },
    LoseMessage { invocation: usize },
    RepeatMessage { invocation: usize },
    RepeatOutcome { manager: usize, work: usize },
}

impl Action {
    /// Whether it is one of the faults that [`World::faults`] bounds.
    pub fn is_fault(self) -> bool {
        match self {
            Self::End { came, .. } => matches!(came, Came::Killed | Came::NotRun),
            Self::StepBack { .. }
            | Self::CrashScheduler
            | Self::Crash { .. }
            | Self::Pause { .. }
            | Self::CutOff { .. }
            | Self::LoseConnection { .. }
            | Self::LoseClaim { .. }
            | Self::LoseMessage { .. }
            | Self::RepeatMessage { .. }
            | Self::RepeatOutcome { .. } => true,
            _ => false,
        }
    }
}

impl Delivery {
    /// Everything that may happen next, except that
    /// - what concerns nobody else is not put off ([`Delivery::at_once`]): its order among the steps of others makes
    ///   no difference;
    /// - after the end of all invocations nothing new fails.
    pub fn possible(&self, world: &World, actions: &mut Vec<Action>) {
        if world.is_over() {
            return;
        }
        if !self.at_once(world, actions) {
            self.at_any_time(world, actions);
        }
        let may_fail = world.faults > 0 && !world.has_ended();
        actions.retain(|action| match self.bounds.kinds {
            _ if !action.is_fault() => true,
            Faults::Any => may_fail,
            Faults::OfManagers => {
                may_fail && matches!(action, Action::Crash { .. } | Action::Pause { .. })
            }
        });
    }

    /// A step that concerns nobody else, and what may come before it and make a difference. Returns whether there is
    /// one.
    fn at_once(&self, world: &World, actions: &mut Vec<Action>) -> bool {
        for (invocation, client) in world.clients.iter().enumerate() {
            match client.request {
                Request::Asked if self.bug == Some(Bug::PublishBeforeCommit) => {
                    actions.push(Action::Publish { invocation });
                }
                Request::Asked => {
                    actions.extend([Action::Commit { invocation }, Action::Refuse { invocation }]);
                    self.about_function(world, actions);
                }
                Request::Committed => actions.push(Action::Tell { invocation }),
                Request::Answered => actions.push(Action::Publish { invocation }),
                Request::Early | Request::Over => continue,
            }
            actions.push(Action::CrashScheduler);
            return true;
        }
        for (outcome, Outcome { place, .. }) in world.broker.outcomes.iter().enumerate() {
            if *place == Place::Stored {
                actions.extend([Action::AckOutcome { outcome }, Action::CrashScheduler]);
                return true;
            }
        }
        for (manager, this) in world.managers.iter().enumerate() {
            if !matches!(this.status, Status::Up | Status::CutOff) {
                continue;
            }
            for (work, Work { stage, .. }) in this.works.iter().enumerate() {
                match stage {
                    Stage::Ended(..) => {
                        actions.push(Action::SendOutcome { manager, work });
                        actions.push(Action::RepeatOutcome { manager, work });
                    }
                    Stage::Refused | Stage::Confirmed => actions.push(Action::Ack { manager, work }),
                    _ => continue,
                }
                faults_of(this, manager, actions);
                return true;
            }
        }
        false
    }

    fn at_any_time(&self, world: &World, actions: &mut Vec<Action>) {
        for invocation in 0..world.clients.len() {
            self.about_invocation(world, invocation, actions);
        }
        for outcome in 0..world.broker.outcomes.len() {
            actions.push(Action::Settle { outcome });
        }
        if world.broker.outcomes.iter().any(|outcome| outcome.place == Place::Acked) {
            actions.push(Action::CrashScheduler);
        }
        for manager in 0..world.managers.len() {
            self.about_manager(world, manager, actions);
        }
        if !world.has_ended() {
            self.about_function(world, actions);
        }
    }

    fn about_function(&self, world: &World, actions: &mut Vec<Action>) {
        let Some(active) = world.store.active else { return };
        if active < self.bounds.revisions {
            actions.push(Action::Deploy);
        }
        if self.bounds.deletes {
            actions.push(Action::Delete);
        }
    }

    fn about_invocation(&self, world: &World, invocation: usize, actions: &mut Vec<Action>) {
        if world.clients[invocation].request == Request::Early {
            actions.push(Action::Commit { invocation });
        }
        let waiting = world.broker.waiting[invocation];
        let has_room = world.messages(invocation) < self.bounds.messages;
        if waiting > 0 {
            actions.push(Action::LoseMessage { invocation });
            if has_room {
                actions.push(Action::RepeatMessage { invocation });
            }
        }
        let Some(row) = &world.store.rows[invocation] else { return };
        if row.facts.state == State::Retrying {
            actions.push(match row.is_due {
                false => Action::BecomeDue { invocation },
                true => Action::StepBack { invocation },
            });
        }
        // One that is being published, or was, is swept only after a while. A second message is a fault here.
        let is_swept = waiting == 0 && has_room || world.store.active.is_none();
        if world.store.is_free(row) && is_swept {
            actions.push(Action::Sweep { invocation });
        }
    }

    fn about_manager(&self, world: &World, manager: usize, actions: &mut Vec<Action>) {
        let this = &world.managers[manager];
        let lease = world.store.leases[manager];
        // This is what watching guarantees: only who does not renew is found lost.
        if lease.is_some() && (this.status != Status::Up || !this.is_seen) {
            actions.push(Action::EndLease { manager });
        }
        if this.unheard.is_some_and(|unheard| unheard.attempt.is_none()) {
            actions.push(Action::MakeUnheardClaim { manager });
        }
        for (work, Work { stage, .. }) in this.works.iter().enumerate() {
            if matches!(stage, Stage::Claiming(_)) {
                actions.push(Action::MakeClaim { manager, work });
            }
        }
        match this.status {
            Status::Down => return actions.push(Action::Restart { manager }),
            Status::Paused => return actions.push(Action::Resume { manager }),
            Status::CutOff => actions.push(Action::Resume { manager }),
            Status::Up => {
                let was_heard = this.unheard.is_none_or(|unheard| unheard.attempt.is_none());
                if !this.knows_lease {
                    actions.push(Action::TakeLease { manager });
                } else if !this.is_seen || !was_heard || lease != Some(this.life) {
                    actions.push(Action::Renew { manager });
                }
            }
        }
        faults_of(this, manager, actions);
        if this.works.len() < self.bounds.prefetch {
            let waiting = world.broker.waiting.iter().enumerate().filter(|(_, waiting)| **waiting > 0);
            actions.extend(waiting.map(|(invocation, _)| Action::Deliver { manager, invocation }));
        }
        for (number, work) in this.works.iter().enumerate() {
            about_work(this, manager, number, *work, actions);
        }
    }
}

/// One that has nothing in hand may fail unnoticed.
fn faults_of(this: &Manager, manager: usize, actions: &mut Vec<Action>) {
    if this.works.is_empty() {
        return;
    }
    actions.push(Action::Crash { manager });
    if this.status == Status::Up {
        actions.push(Action::Pause { manager });
        // Without a claim, that is a pause.
        if this.works.iter().any(|work| matches!(work.stage, Stage::Granted(_) | Stage::Running(_))) {
            actions.push(Action::CutOff { manager });
        }
    }
    if this.works.iter().any(|work| work.is_delivered) {
        actions.push(Action::LoseConnection { manager });
    }
}

fn about_work(this: &Manager, manager: usize, work: usize, now: Work, actions: &mut Vec<Action>) {
    let hears_store = this.status == Status::Up;
    match now.stage {
        Stage::Waiting if hears_store => actions.push(Action::SendClaim { manager, work }),
        Stage::Moved if hears_store => actions.push(Action::ReadActive { manager, work }),
        Stage::Claiming(_) if this.unheard.is_none() => {
            actions.push(Action::LoseClaim { manager, work });
        }
        Stage::Granted(_) => {
            let came = Came::NotRun;
            actions.extend([Action::Begin { manager, work }, Action::End { manager, work, came }]);
        }
        Stage::Running(_) => {
            let ends = [Came::Returned, Came::Failed, Came::Killed];
            actions.extend(ends.map(|came| Action::End { manager, work, came }));
        }
        _ => {}
    }
}
