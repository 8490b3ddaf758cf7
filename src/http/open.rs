//! The open connections of a port: how many there are, of whom, and who makes room.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    caps::{Room, room},
    progress::Progress,
};

/// Open connections, each in a task of its own. Dropped, they are dropped.
#[derive(Default)]
pub(super) struct Open {
    tasks: JoinSet<()>,
    connections: HashMap<Id, Connection>,
    /// The number of connections of each client that has a bound of its own.
    of_client: HashMap<IpAddr, usize>,
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
        let id = self.tasks.spawn(connection).id();
        self.connections.insert(id, Connection { progress, client });
        if let Some(client) = client {
            *self.of_client.entry(client).or_default() += 1;
        }
    }

    /// Returns when a connection has ended; never if there is none.
    pub(super) async fn one_has_ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => std::future::pending().await,
        };
        let Some(client) = self.connections.remove(&id).and_then(|connection| connection.client) else {
            return;
        };
        if let Some(count) = self.of_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.of_client.remove(&client);
            }
        }
    }

    /// Returns when the last connection has ended.
    pub(super) async fn all_have_ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Sees to room for one more connection of this client, of which there may be `most`. Returns whether there is.
    pub(super) fn has_room_of(&self, client: IpAddr, most: usize) -> bool {
        let count = self.of_client.get(&client).copied().unwrap_or_default();
        count < most || self.make_room(most, |connection| connection.client == Some(client))
    }

    /// Sees to room for one more connection, of which there may be `most`. Returns whether there is.
    pub(super) fn has_room(&self, most: usize) -> bool {
        self.len() < most || self.make_room(most, |_| true)
    }

    fn make_room(&self, most: usize, among: impl Fn(&Connection) -> bool) -> bool {
        let now = Instant::now();
        let connections = self.connections.values().filter(|connection| among(connection));
        match room(most, connections.map(|one| (&one.progress, one.progress.standing(now)))) {
            Room::Free => true,
            Room::After(progress) => {
                progress.evict();
                true
            }
            Room::None => false,
        }
    }

    /// Asks up to this number of connections for their files. Returns how many there are to ask.
    pub(super) fn give_up(&self, number: usize) -> usize {
        let staying = || {
            let standings = self.connections.values().map(|one| one.progress.standing(Instant::now()));
            standings.filter(|standing| *standing != super::caps::Standing::Leaving).count()
        };
        (0..number).take_while(|_| self.make_room(staying(), |_| true)).count()
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
}
