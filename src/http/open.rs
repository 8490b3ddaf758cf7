//! The open connections of a port: how many there are, of whom, and who makes room.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
};

use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    caps::{Room, room},
    progress::Progress,
};

/// The number of connections that are looked at for one that makes room.
const SAMPLE: usize = 64;

/// Open connections, each in a task of its own. Dropped, they are dropped.
#[derive(Default)]
pub(super) struct Open {
    tasks: JoinSet<()>,
    /// The numbers of connections by their tasks.
    numbers: HashMap<Id, u64>,
    connections: BTreeMap<u64, Connection>,
    /// The connections of each client that has a bound of its own.
    of_client: HashMap<IpAddr, BTreeSet<u64>>,
    /// The number of the next connection.
    next: u64,
    /// Where the next sample begins, so that each has its turn.
    turn: u64,
}

struct Connection {
    progress: Arc<Progress>,
    client: Option<IpAddr>,
}

impl Open {
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Serves a connection, which counts as one of this client if there is one.
    pub(super) fn serve(
        &mut self,
        progress: Arc<Progress>,
        client: Option<IpAddr>,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        let number = self.next;
        self.next += 1;
        self.numbers.insert(self.tasks.spawn(connection).id(), number);
        self.connections.insert(number, Connection { progress, client });
        if let Some(client) = client {
            self.of_client.entry(client).or_default().insert(number);
        }
    }

    /// Returns when a connection has ended; never if there is none.
    pub(super) async fn one_has_ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => std::future::pending().await,
        };
        let Some(number) = self.numbers.remove(&id) else { return };
        let Some(client) = self.connections.remove(&number).and_then(|connection| connection.client)
        else {
            return;
        };
        if let Some(numbers) = self.of_client.get_mut(&client) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.of_client.remove(&client);
            }
        }
    }

    /// Returns when the last connection has ended.
    pub(super) async fn all_have_ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Sees to room for one more connection of this client, of which there may be `most`. Returns whether there is.
    pub(super) fn has_room_of(&mut self, client: IpAddr, most: usize) -> bool {
        let Some(numbers) = self.of_client.get(&client) else { return most > 0 };
        if numbers.len() < most {
            return true;
        }
        let turn = numbers.range(self.turn..).chain(numbers.range(..self.turn));
        let (open, sample) = (numbers.len(), turn.take(SAMPLE).copied().collect::<Vec<_>>());
        self.make_room(most, open, &sample)
    }

    /// Sees to room for one more connection, of which there may be `most`. Returns whether there is.
    pub(super) fn has_room(&mut self, most: usize) -> bool {
        self.len() < most || self.make_room(most, self.len(), &self.sample())
    }

    fn sample(&self) -> Vec<u64> {
        let turn = self.connections.range(self.turn..).chain(self.connections.range(..self.turn));
        turn.take(SAMPLE).map(|(number, _)| *number).collect()
    }

    /// Has one of a sample make room beside this number of connections.
    fn make_room(&mut self, most: usize, open: usize, sample: &[u64]) -> bool {
        let now = Instant::now();
        self.turn = sample.last().map_or(0, |last| last + 1);
        let sample = sample.iter().filter_map(|number| self.connections.get(number));
        match room(most, open, sample.map(|one| (&one.progress, one.progress.standing(now)))) {
            Room::Free => true,
            Room::After(progress) => {
                progress.evict();
                true
            }
            Room::None => false,
        }
    }

    /// Asks up to this number of connections for their files. Returns how many there are to ask.
    pub(super) fn give_up(&mut self, number: usize) -> usize {
        // There are no files for any, so there is never room.
        (0..number).take_while(|_| self.make_room(0, self.len(), &self.sample())).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::progress::Bounds, *};

    /// A connection that ends once its place is needed.
    fn serve(open: &mut Open, client: Option<IpAddr>) -> Arc<Progress> {
        let progress = Arc::new(Progress::new(Bounds::default(), false));
        let own = progress.clone();
        open.serve(progress.clone(), client, async move {
            own.ends().await;
        });
        progress
    }

    #[tokio::test]
    async fn a_client_makes_room_for_itself_and_others_keep_their_places() {
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut open = Open::default();
        let other = serve(&mut open, Some(there));
        let first = serve(&mut open, Some(here));
        let second = serve(&mut open, Some(here));
        second.begin(true);
        assert!(open.has_room_of(here, 2) && open.has_room_of(there, 2));
        open.one_has_ended().await;
        assert_eq!((open.len(), Arc::strong_count(&first)), (2, 1), "the idle one has gone");
        let third = serve(&mut open, Some(here));
        third.begin(true);
        assert!(!open.has_room_of(here, 2), "both are being answered");
        assert!(open.has_room(4) && open.has_room(3));
        open.one_has_ended().await;
        assert_eq!((open.len(), Arc::strong_count(&other)), (2, 1), "the only idle one has gone");
        assert!(!open.has_room(2) && open.has_room_of(there, 1));
    }

    #[tokio::test]
    async fn as_many_are_given_up_as_there_are_to_give() {
        let mut open = Open::default();
        serve(&mut open, None);
        serve(&mut open, None);
        serve(&mut open, None).begin(true);
        assert_eq!(open.give_up(5), 2);
        open.one_has_ended().await;
        open.one_has_ended().await;
        assert_eq!((open.len(), open.give_up(5)), (1, 0));
    }

    #[tokio::test]
    async fn each_has_its_turn_where_there_are_many() {
        let mut open = Open::default();
        for _ in 0..3 * SAMPLE {
            serve(&mut open, None).begin(true);
        }
        let idle = serve(&mut open, None);
        let most = open.len();
        let looks = (0..4).filter(|_| open.has_room(most)).count();
        assert_eq!(looks, 1, "it is found within a round, and has been told then");
        open.one_has_ended().await;
        assert_eq!((open.len(), Arc::strong_count(&idle)), (most - 1, 1));
    }
}
