//! The state of the Runtime API: the invocation that the program has, and the requests that may answer it. Pure but for the
//! channels to those that wait.
//!
//! An invocation is handed out once. If the client that has it asks for the next one, it has failed: the program says that
//! it is done with it. A client is a connection; after one has hung up, any other may be the same client, as each call of
//! `curl` is a connection of its own. Other clients wait, so a program may have several.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::call::{Answer, Call, FunctionError};

/// The reason why a request has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The invocation with this id does not wait for an answer, or never existed.
    OtherId,
    /// The initialisation has ended already.
    Initialised,
    /// The initialisation has failed.
    InitialisationFailed,
}

/// The way to tell how the initialisation ended.
pub(super) type Begun = oneshot::Sender<Result<(), FunctionError>>;

/// The invocations of an instance, one at a time.
pub(super) struct Invocations {
    /// The way to tell how the initialisation ended; none once it has.
    begun: Option<Begun>,
    failed: bool,
    waiting: VecDeque<(Box<Call>, oneshot::Sender<Answer>)>,
    clients: VecDeque<Client>,
    under_way: Option<UnderWay>,
}

/// A client that asks.
struct Client {
    connection: u64,
    next: oneshot::Sender<Box<Call>>,
}

struct UnderWay {
    id: String,
    reply: oneshot::Sender<Answer>,
    /// The connection that it was handed out on; none when that has hung up.
    connection: Option<u64>,
    /// The answer has begun to arrive.
    is_arriving: bool,
}

impl Invocations {
    pub(super) fn new(begun: Begun) -> Self {
        Self {
            begun: Some(begun),
            failed: false,
            waiting: VecDeque::new(),
            clients: VecDeque::new(),
            under_way: None,
        }
    }

    /// Takes an invocation from the host; its answer comes through what is returned.
    pub(super) fn arrive(&mut self, call: Call) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        self.waiting.push_back((Box::new(call), reply));
        self.hand_out();
        answer
    }

    /// Enters a client that asks for the next invocation; it comes through what is returned.
    pub(super) fn ask(&mut self, connection: u64) -> Result<oneshot::Receiver<Box<Call>>, Refusal> {
        if self.failed {
            return Err(Refusal::InitialisationFailed);
        }
        if let Some(begun) = self.begun.take() {
            let _ = begun.send(Ok(()));
        }
        let gives_up = |under_way: &UnderWay| {
            !under_way.is_arriving && under_way.connection.is_none_or(|holder| holder == connection)
        };
        if self.under_way.as_ref().is_some_and(gives_up) {
            self.end(Answer::Error(no_response()));
        }
        // Clients that have hung up.
        self.clients.retain(|client| !client.next.is_closed());
        let (next, call) = oneshot::channel();
        self.clients.push_back(Client { connection, next });
        self.hand_out();
        Ok(call)
    }

    /// Notes that a connection has ended.
    pub(super) fn hung_up(&mut self, connection: u64) {
        if let Some(under_way) = self.under_way.as_mut().filter(|one| one.connection == Some(connection))
        {
            under_way.connection = None;
        }
    }

    /// Begins the answer to an invocation. Nobody else can answer it from here on, and [`Invocations::end`] has to follow.
    pub(super) fn begin_answer(&mut self, id: &str) -> Result<(), Refusal> {
        match &mut self.under_way {
            Some(under_way) if under_way.id == id && !under_way.is_arriving => {
                under_way.is_arriving = true;
                Ok(())
            }
            _ => Err(Refusal::OtherId),
        }
    }

    /// Ends the invocation under way.
    pub(super) fn end(&mut self, answer: Answer) {
        if let Some(under_way) = self.under_way.take() {
            // A host that has given up does not listen any more.
            let _ = under_way.reply.send(answer);
        }
        self.hand_out();
    }

    /// Ends the initialisation with an error.
    pub(super) fn fail(&mut self, error: FunctionError) -> Result<(), Refusal> {
        match self.begun.take() {
            Some(begun) => {
                self.failed = true;
                let _ = begun.send(Err(error));
                Ok(())
            }
            None if self.failed => Err(Refusal::InitialisationFailed),
            None => Err(Refusal::Initialised),
        }
    }

    fn hand_out(&mut self) {
        while self.under_way.is_none() {
            let Some((call, reply)) = self.waiting.pop_front() else { return };
            if reply.is_closed() {
                continue;
            }
            let id = call.id.clone();
            match self.give(call) {
                Ok(connection) => {
                    let connection = Some(connection);
                    self.under_way = Some(UnderWay { id, reply, connection, is_arriving: false });
                }
                Err(call) => {
                    self.waiting.push_front((call, reply));
                    return;
                }
            }
        }
    }

    /// Gives it to the first client that still waits, and returns its connection; or gives it back.
    fn give(&mut self, mut call: Box<Call>) -> Result<u64, Box<Call>> {
        while let Some(client) = self.clients.pop_front() {
            match client.next.send(call) {
                Ok(()) => return Ok(client.connection),
                Err(back) => call = back,
            }
        }
        Err(call)
    }
}

fn no_response() -> FunctionError {
    FunctionError::new(
        "Runtime.NoResponse",
        "the program asked for the next invocation before it had answered this one",
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use bytes::Bytes;
    use tokio::{sync::oneshot::error::TryRecvError, time::Instant};

    use super::*;

    fn call(id: &str) -> Call {
        Call {
            id: id.to_owned(),
            attempt: 1,
            deadline: Instant::now(),
            remaining: Duration::ZERO,
            headers: BTreeMap::new(),
            content_type: "application/json".to_owned(),
            http: None,
            body: Bytes::new(),
        }
    }

    fn result(text: &'static str) -> Answer {
        let content_type = "application/json".to_owned();
        Answer::Result { content_type, body: Bytes::from_static(text.as_bytes()), http: None }
    }

    fn started() -> (Invocations, oneshot::Receiver<Result<(), FunctionError>>) {
        let (begun, initialised) = oneshot::channel();
        (Invocations::new(begun), initialised)
    }

    #[test]
    fn one_invocation_follows_the_other() {
        let (mut invocations, mut initialised) = started();
        let mut first = invocations.arrive(call("1"));
        let mut second = invocations.arrive(call("2"));
        assert!(initialised.try_recv().is_err());
        assert_eq!(invocations.ask(1).unwrap().try_recv().unwrap().id, "1");
        assert_eq!(initialised.try_recv().unwrap(), Ok(()));
        invocations.begin_answer("1").unwrap();
        invocations.end(result("one"));
        assert!(matches!(first.try_recv().unwrap(), Answer::Result { body, .. } if body == "one"));
        assert_eq!(second.try_recv().unwrap_err(), TryRecvError::Empty);
        assert_eq!(invocations.ask(1).unwrap().try_recv().unwrap().id, "2");
    }

    #[test]
    fn a_second_answer_and_one_for_another_id_have_no_effect() {
        let (mut invocations, _initialised) = started();
        assert_eq!(invocations.begin_answer("1"), Err(Refusal::OtherId));
        let mut answer = invocations.arrive(call("1"));
        assert_eq!(invocations.begin_answer("1"), Err(Refusal::OtherId), "nobody has it");
        let _client = invocations.ask(1).unwrap();
        assert_eq!(invocations.begin_answer("2"), Err(Refusal::OtherId));
        invocations.begin_answer("1").unwrap();
        assert_eq!(invocations.begin_answer("1"), Err(Refusal::OtherId), "it arrives already");
        invocations.end(result("one"));
        assert_eq!(invocations.begin_answer("1"), Err(Refusal::OtherId));
        assert!(answer.try_recv().is_ok());
    }

    #[test]
    fn asking_again_without_an_answer_fails_the_invocation() {
        let (mut invocations, _initialised) = started();
        let mut answer = invocations.arrive(call("1"));
        let _client = invocations.ask(1).unwrap();
        let mut next = invocations.ask(1).unwrap();
        let Answer::Error(error) = answer.try_recv().unwrap() else { panic!("a result") };
        assert_eq!(error.kind, "Runtime.NoResponse");
        assert_eq!(
            error.message,
            "the program asked for the next invocation before it had answered this one"
        );
        assert_eq!(invocations.begin_answer("1"), Err(Refusal::OtherId), "too late");
        let _answer = invocations.arrive(call("2"));
        assert_eq!(next.try_recv().unwrap().id, "2");
    }

    #[test]
    fn whoever_asks_after_a_client_has_hung_up_is_taken_for_it() {
        let (mut invocations, _initialised) = started();
        let mut answer = invocations.arrive(call("1"));
        let _client = invocations.ask(1).unwrap();
        invocations.hung_up(7);
        let _next = invocations.ask(2).unwrap();
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty);
        invocations.hung_up(1);
        let _next = invocations.ask(3).unwrap();
        assert!(matches!(answer.try_recv().unwrap(), Answer::Error(_)));
    }

    #[test]
    fn asking_while_the_answer_arrives_is_no_failure() {
        let (mut invocations, _initialised) = started();
        let mut answer = invocations.arrive(call("1"));
        let _client = invocations.ask(1).unwrap();
        invocations.begin_answer("1").unwrap();
        let _next = invocations.ask(1).unwrap();
        invocations.end(result("one"));
        assert!(matches!(answer.try_recv().unwrap(), Answer::Result { .. }));
    }

    #[test]
    fn of_several_clients_the_first_one_that_still_waits_gets_it() {
        let (mut invocations, _initialised) = started();
        drop(invocations.ask(1).unwrap());
        let mut first = invocations.ask(2).unwrap();
        let mut answer = invocations.arrive(call("1"));
        let mut second = invocations.ask(3).unwrap();
        assert_eq!(first.try_recv().unwrap().id, "1");
        assert_eq!(second.try_recv().err(), Some(TryRecvError::Empty));
        assert_eq!(answer.try_recv().unwrap_err(), TryRecvError::Empty, "the first one has it still");
        invocations.begin_answer("1").unwrap();
        invocations.end(result("one"));
        let _answer = invocations.arrive(call("2"));
        assert_eq!(second.try_recv().unwrap().id, "2");
    }

    #[test]
    fn an_initialisation_fails_once_and_never_after_it_has_ended() {
        let (mut invocations, mut initialised) = started();
        let error = FunctionError::new("ImportError", "no module");
        invocations.fail(error.clone()).unwrap();
        assert_eq!(initialised.try_recv().unwrap(), Err(error.clone()));
        assert_eq!(invocations.fail(error.clone()), Err(Refusal::InitialisationFailed));
        assert_eq!(invocations.ask(1).err(), Some(Refusal::InitialisationFailed));

        let (mut invocations, _initialised) = started();
        let _client = invocations.ask(1).unwrap();
        assert_eq!(invocations.fail(error), Err(Refusal::Initialised));
    }

    #[test]
    fn an_invocation_that_its_host_has_given_up_is_not_handed_out() {
        let (mut invocations, _initialised) = started();
        drop(invocations.arrive(call("1")));
        let _answer = invocations.arrive(call("2"));
        assert_eq!(invocations.ask(1).unwrap().try_recv().unwrap().id, "2");
    }
}
