//! Claims of async invocations. Those that wait together share a statement; the next ones go out while that is under
//! way.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

use super::lives::{Life, Lives};
use crate::store::{self, Claiming, Leases, Wanted};

/// In one statement.
const TOGETHER: usize = 64;
/// Statements under way: a store commits several at once for less than each alone, and an instance waits meanwhile. Fewer
/// than a role has connections.
const AT_ONCE: usize = 6;

/// The store's answer to a claim, and the life of this manager under which the claim was made.
pub type Answer = (Result<Claiming, Arc<store::Error>>, Arc<Life>);

pub struct Request {
    wanted: Wanted,
    tell: oneshot::Sender<Answer>,
}

#[derive(Clone)]
pub struct Claims(mpsc::UnboundedSender<Request>);

impl Claims {
    /// The requests are bounded by the places of all instances. The second half is for [`run`].
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (requests, waiting) = mpsc::unbounded_channel();
        (Self(requests), waiting)
    }

    /// None: the manager has stopped, and nothing was claimed that its lease's end does not give back.
    pub async fn take(&self, wanted: Wanted) -> Option<Answer> {
        let (tell, told) = oneshot::channel();
        self.0.send(Request { wanted, tell }).ok()?;
        told.await.ok()
    }
}

/// Makes claims for as long as anybody may want one.
pub async fn run(
    store: Arc<dyn Leases>,
    lives: Arc<Lives>,
    mut waiting: mpsc::UnboundedReceiver<Request>,
) {
    let mut requests = Vec::with_capacity(TOGETHER);
    let mut claiming = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = claiming.next() => {}
            taken = waiting.recv_many(&mut requests, TOGETHER), if claiming.len() < AT_ONCE => {
                if taken == 0 {
                    break;
                }
                claiming.push(claim(&*store, lives.now(), std::mem::take(&mut requests)));
            }
        }
    }
    while claiming.next().await.is_some() {}
}

async fn claim(store: &dyn Leases, life: Arc<Life>, requests: Vec<Request>) {
    let wanted: Vec<Wanted> = requests.iter().map(|request| request.wanted).collect();
    match store.claim(&wanted, life.owner).await {
        Ok(answers) => {
            for (request, answer) in requests.into_iter().zip(answers) {
                let _ = request.tell.send((Ok(answer), life.clone()));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for request in requests {
                let _ = request.tell.send((Err(error.clone()), life.clone()));
            }
        }
    }
}
