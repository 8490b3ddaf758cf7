//! The private addresses for replies.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::{Stream, future::BoxFuture};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    super::{Address, Consumer, Delivery, TakeReply},
    settled,
};
use crate::model::message::Parcel;

#[derive(Default)]
pub(super) struct Replies {
    places: Arc<RwLock<HashMap<String, Reply>>>,
    opened: AtomicU64,
}

impl Replies {
    /// Returns whether somebody took it.
    pub(super) fn take(&self, name: &str, parcel: Parcel) -> bool {
        let reply = self.places.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        match reply {
            Some(Reply::Wait(buffer)) => buffer.send(parcel).is_ok(),
            // On the sender's task: a wake-up costs more than what is done.
            Some(Reply::Take { take, .. }) => {
                take(&parcel);
                true
            }
            None => false,
        }
    }

    pub(super) fn open(&self) -> (Address, Consumer) {
        let (buffer, receiver) = mpsc::unbounded_channel();
        let place = self.place(Reply::Wait(buffer));
        let address = Address::Reply(place.name.clone());
        (address, Consumer::new(ReplyConsumer { _place: place, receiver }))
    }

    pub(super) fn open_taken(&self, take: TakeReply) -> (Address, BoxFuture<'static, ()>) {
        let lost = CancellationToken::new();
        let place = self.place(Reply::Take { take, _lost: Arc::new(lost.clone().drop_guard()) });
        let address = Address::Reply(place.name.clone());
        let taking = async move {
            let _place = place;
            lost.cancelled().await;
        };
        (address, Box::pin(taking))
    }

    pub(super) fn is_open(&self, name: &str) -> bool {
        self.places.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Ends all of them.
    pub(super) fn clear(&self) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn place(&self, reply: Reply) -> Place {
        let name = format!("reply-{}", self.opened.fetch_add(1, Ordering::Relaxed));
        self.places.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), reply);
        Place { name, places: self.places.clone() }
    }
}

/// Where replies to an address go.
#[derive(Clone)]
enum Reply {
    /// To a reader.
    Wait(mpsc::UnboundedSender<Parcel>),
    /// To a function. The guard tells its owner when the address is gone.
    Take { take: TakeReply, _lost: Arc<DropGuard> },
}

/// An address that lives as long as this.
struct Place {
    name: String,
    places: Arc<RwLock<HashMap<String, Reply>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

struct ReplyConsumer {
    _place: Place,
    receiver: mpsc::UnboundedReceiver<Parcel>,
}

impl Stream for ReplyConsumer {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.receiver.poll_recv(context).map(|parcel| parcel.map(settled))
    }
}
