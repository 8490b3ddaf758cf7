//! Whether everything that was accepted still comes to an end: from a state on, the parts take turns in a fixed order
//! and nothing fails any more. (`eventually` of the library misses endings in circles, and this graph has many.)

use std::hash::BuildHasher as _;

use super::{
    Delivery,
    action::Action,
    world::{Came, Request, Status, World},
};

/// More steps than any way to an end has.
const LONGEST: usize = 200;

impl Delivery {
    /// Whether every row reaches a terminal state. Its scheduler ends first, so that the sweeper has to find the row.
    pub fn can_end(&self, world: &World) -> bool {
        let mut world = world.clone();
        world.clients.iter_mut().for_each(|client| client.request = Request::Over);
        let mut way = Vec::new();
        while !world.has_ended() {
            let place = self.hasher.hash_one(&world);
            if self.ending.lock().unwrap().contains(&place) {
                break;
            }
            way.push(place);
            match self.next_on_the_way(&world) {
                Some(action) if way.len() < LONGEST => self.take(&mut world, action),
                _ => return false,
            }
        }
        self.ending.lock().unwrap().extend(way);
        true
    }

    fn next_on_the_way(&self, world: &World) -> Option<Action> {
        let mut actions = Vec::new();
        self.possible(world, &mut actions);
        let ranked = actions.into_iter().filter_map(|action| Some((rank(world, action)?, action)));
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, action)| action)
    }
}

/// Whose turn it is: the lowest goes first. None: it is a fault, or up to a user.
fn rank(world: &World, action: Action) -> Option<u8> {
    let is_down = |manager: usize| world.managers[manager].status == Status::Down;
    Some(match action {
        Action::Resume { .. } => 0,
        // Nobody needs one that crashed, as long as there is another.
        Action::Restart { .. } if (0..world.managers.len()).all(is_down) => 0,
        Action::MakeUnheardClaim { .. } | Action::MakeClaim { .. } => 1,
        Action::TakeLease { .. } | Action::Renew { .. } => 2,
        Action::EndLease { manager } if is_down(manager) => 3,
        Action::Settle { .. } | Action::AckOutcome { .. } => 4,
        Action::ReadActive { .. } | Action::Begin { .. } => 5,
        Action::End { came: Came::Returned, .. } | Action::SendOutcome { .. } => 5,
        Action::Ack { .. } => 6,
        Action::SendClaim { .. } => 7,
        Action::Deliver { .. } => 8,
        Action::BecomeDue { .. } => 9,
        Action::Sweep { .. } => 10,
        _ => return None,
    })
}
