//! Clients that post at the same time, and what became of what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use cloudfunc::{
    client::{Client, Error},
    model::{InvocationId, State},
};
use tokio::task::JoinSet;

use super::{
    home::SOON,
    platform::{function, json},
};

/// The ids of what was answered 202, each with the number that was sent, over all lives of the platform.
#[derive(Clone, Default)]
pub struct Accepted {
    ids: Arc<Mutex<BTreeMap<InvocationId, usize>>>,
    sent: Arc<AtomicUsize>,
}

impl Accepted {
    pub fn count(&self) -> usize {
        self.ids.lock().unwrap().len()
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// The id at this place in the order of ids.
    pub fn nth(&self, place: usize) -> Option<InvocationId> {
        self.ids.lock().unwrap().keys().nth(place).copied()
    }

    /// Starts clients that post to the function until `enough` invocations are accepted or the platform no longer answers.
    /// `payload` makes the payload of each number; the function must return that number.
    pub fn post(
        &self,
        client: &Client,
        clients: usize,
        enough: usize,
        name: &'static str,
        payload: fn(usize) -> String,
    ) -> JoinSet<()> {
        let mut posting = JoinSet::new();
        for _ in 0..clients {
            let (accepted, client) = (self.clone(), client.clone());
            posting.spawn(async move {
                while accepted.count() < enough {
                    let number = accepted.sent.fetch_add(1, Ordering::Relaxed);
                    let posted = client.invoke_async(&function(name), json(&payload(number))).await;
                    let Ok(answer) = posted else { return };
                    accepted.ids.lock().unwrap().insert(answer.id, number);
                }
            });
        }
        posting
    }

    /// Returns the ids that the platform does not know. Asserts that every other invocation succeeded exactly once, with its
    /// own result.
    pub async fn lost(&self, client: &Client) -> Vec<InvocationId> {
        let accepted = self.ids.lock().unwrap().clone();
        let mut lost = Vec::new();
        for (id, number) in accepted {
            let record = match client.record(id, Some(SOON)).await {
                Err(Error::Problem(problem)) if problem.status == 404 => {
                    lost.push(id);
                    continue;
                }
                record => record.unwrap(),
            };
            assert_eq!((record.id, record.state), (id, State::Succeeded), "{record:?}");
            let ends = record.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count();
            assert_eq!(ends, 1, "one attempt has ended it: {record:?}");
            assert_eq!(client.result(id).await.unwrap().bytes, number.to_string());
        }
        lost
    }
}
