//! Histories in words.

use std::fmt;

use super::{
    action::Action,
    world::{Row, World},
};

const NAMES: [&str; 2] = ["A", "B"];

/// Prints a history, a line for each step.
pub fn print(path: &[(World, Option<Action>)]) {
    for (number, steps) in path.windows(2).enumerate() {
        let (Some(action), after) = (&steps[0].1, &steps[1].0) else { continue };
        println!("{:4}. {action}{}", number + 1, rows(after));
    }
}

fn rows(world: &World) -> String {
    let row = |row: &Row| {
        let owner = row.owner.map(|owner| format!(" of {}{}", NAMES[owner.manager], owner.life));
        format!("{} {}{}", row.facts.state, row.facts.attempt, owner.unwrap_or_default())
    };
    let rows: Vec<String> = world.store.rows.iter().flatten().map(row).collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("  [{}]", rows.join(", ")),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |manager: usize| NAMES[manager];
        match *self {
            Self::Commit { .. } => write!(f, "the scheduler commits the row"),
            Self::Refuse { .. } => write!(f, "the scheduler refuses the request"),
            Self::Tell { .. } => write!(f, "the client is told 202"),
            Self::Publish { .. } => write!(f, "the scheduler publishes the message"),
            Self::Sweep { .. } => write!(f, "the sweeper takes the row as due"),
            Self::EndLease { manager } => write!(f, "the watcher ends the lease of {}", name(manager)),
            Self::Settle { .. } => write!(f, "the scheduler takes the outcome on"),
            Self::AckOutcome { .. } => write!(f, "the scheduler acks the outcome that it has stored"),
            Self::TakeLease { manager } => write!(f, "{} takes its lease", name(manager)),
            Self::Renew { manager } => write!(f, "{} renews its lease", name(manager)),
            Self::Deliver { manager, .. } => write!(f, "{} gets the message", name(manager)),
            Self::SendClaim { manager, .. } => write!(f, "{} sends a claim", name(manager)),
            Self::ReadActive { manager, .. } => write!(f, "{} reads the active revision", name(manager)),
            Self::Begin { manager, .. } => write!(f, "{} looks at its claim and begins", name(manager)),
            Self::End { manager, came, .. } => write!(f, "the run at {} ends: {came:?}", name(manager)),
            Self::SendOutcome { manager, .. } => write!(f, "{} publishes the outcome", name(manager)),
            Self::Ack { manager, .. } => write!(f, "{} acks the message", name(manager)),
            Self::MakeClaim { manager, .. } => {
                write!(f, "the store answers the claim of {}", name(manager))
            }
            Self::MakeUnheardClaim { manager } => {
                write!(f, "the store answers the claim of {}, which does not hear of it", name(manager))
            }
            Self::BecomeDue { .. } => write!(f, "the retry becomes due"),
            Self::StepBack { .. } => write!(f, "the store's clock is set back, before the retry is due"),
            Self::Deploy => write!(f, "a revision is deployed"),
            Self::Delete => write!(f, "the function is deleted"),
            Self::Resume { manager } => write!(f, "{} goes on", name(manager)),
            Self::Restart { manager } => write!(f, "{} starts again", name(manager)),
            Self::CrashScheduler => write!(f, "the scheduler crashes"),
            Self::Crash { manager } => write!(f, "{} crashes", name(manager)),
            Self::Pause { manager } => write!(f, "{} stands still", name(manager)),
            Self::CutOff { manager } => write!(f, "{} is cut off from the store", name(manager)),
            Self::LoseConnection { manager } => {
                write!(f, "{} loses the broker's connection", name(manager))
            }
            Self::LoseClaim { manager, .. } => {
                write!(f, "{} loses the answer to its claim", name(manager))
            }
            Self::LoseMessage { .. } => write!(f, "the broker loses a message"),
            Self::RepeatMessage { .. } => write!(f, "the message is published again"),
            Self::RepeatOutcome { manager, .. } => {
                write!(f, "{} publishes the outcome, and the confirm is lost", name(manager))
            }
        }
    }
}
