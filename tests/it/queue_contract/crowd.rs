//! More consumers than a connection to a broker has channels: what each of them has, and what it keeps when one of them
//! fails.

use lapin::{
    Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use super::*;

/// Consumers of each queue.
const CONSUMERS: usize = 35;
/// With so many queues there are more consumers than the 2,047 channels that a broker allows by default.
const MANY: usize = 60;
/// With so many, channels are shared.
const SOME: usize = 9;

/// The consumers of one queue, and the most that each of them may have in hand.
struct Crowd {
    address: Address,
    prefetch: u16,
    consumers: Vec<Consumer>,
}

impl Crowd {
    async fn start(fixture: &Fixture, number: usize) -> Self {
        let function = fixture.function().await;
        let mode = if number.is_multiple_of(3) { Mode::Async } else { Mode::Sync };
        let prefetch = if number.is_multiple_of(2) { 1 } else { 3 };
        let options = ConsumeOptions { prefetch, priority: 0 };
        let address = Address::Function(function, mode);
        let starting = (0..CONSUMERS).map(|_| fixture.queue.consume(&address, options));
        let consumers = try_join_all(starting).await.unwrap();
        Self { address, prefetch, consumers }
    }

    fn places(&self) -> usize {
        CONSUMERS * usize::from(self.prefetch)
    }

    /// Publishes so many more than all of them together may have, and returns what they have then.
    async fn fill(&mut self, fixture: &Fixture, more: usize) -> Vec<Delivery> {
        let publishes =
            (0..self.places() + more).map(|_| fixture.other.publish(&self.address, message("x")));
        try_join_all(publishes).await.unwrap();
        let mut hand = Vec::new();
        for consumer in &mut self.consumers {
            for _ in 0..self.prefetch {
                let delivery = next(consumer).await;
                assert!(!delivery.redelivered);
                hand.push(delivery);
            }
        }
        hand
    }
}

/// One queue after the other, as is everything here: thousands of calls at once would be a test of the machine.
async fn start_all(fixture: &Fixture, queues: usize) -> Vec<Crowd> {
    let mut crowds = Vec::new();
    for number in 0..queues {
        crowds.push(Crowd::start(fixture, number).await);
    }
    crowds
}

async fn fill_all(fixture: &Fixture, crowds: &mut [Crowd], more: usize) -> Vec<Vec<Delivery>> {
    let mut hands = Vec::new();
    for crowd in crowds {
        hands.push(crowd.fill(fixture, more).await);
    }
    hands
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_more_consumers_than_there_are_channels_each_gets_its_messages_and_no_more() {
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    check(Fixture::rabbitmq(&url).await, async |fixture| {
        let mut crowds = start_all(fixture, MANY).await;
        let hands = fill_all(fixture, &mut crowds, 1).await;
        fixture.settled().await;
        for (crowd, hand) in crowds.iter_mut().zip(hands) {
            for consumer in &mut crowd.consumers {
                assert!(consumer.next().now_or_never().is_none(), "its hands are full");
            }
            try_join_all(hand.into_iter().map(Delivery::ack)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_crowd_that_fails_harms_no_other() {
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    check(Fixture::rabbitmq(&url).await, async |fixture| {
        let mut crowds = start_all(fixture, SOME).await;
        let hands = fill_all(fixture, &mut crowds, 0).await;
        let odd = DeclaredDifferently::start(&url, fixture).await;
        let refused = (0..10).map(|_| fixture.queue.consume(&odd.address, prefetch(1)));
        for refused in join_all(refused).await {
            let error = refused.err().expect("a queue that is another one");
            assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        }
        odd.remove().await;
        let mut gone = crowds.pop().unwrap();
        let Address::Function(function, _) = gone.address else { unreachable!() };
        fixture.queue.remove(function).await.unwrap();
        for consumer in &mut gone.consumers {
            assert!(ends(consumer).await);
        }
        for delivery in hands.into_iter().flatten() {
            delivery.ack().await.expect("it is still ours; to ack what went with its queue is no error");
        }
        // Nothing of the others' has gone back: what comes next is new.
        fixture.settled().await;
        for hand in fill_all(fixture, &mut crowds, 0).await {
            try_join_all(hand.into_iter().map(Delivery::ack)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_to_one_of_a_crowd_goes_to_others_unmarked_when_it_is_dropped() {
    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    check(Fixture::rabbitmq(&url).await, async |fixture| {
        let mut crowds = start_all(fixture, SOME).await;
        // The first is a crowd of an async queue, where a mark means nothing.
        let crowd = &mut crowds[1];
        let publishes = (0..crowd.places()).map(|_| fixture.other.publish(&crowd.address, message("x")));
        try_join_all(publishes).await.unwrap();
        fixture.settled().await;
        let held = next(&mut crowd.consumers[0]).await;
        crowd.consumers.clear();
        let mut staying = fixture.other.consume(&crowd.address, prefetch(100)).await.unwrap();
        for _ in 1..crowd.places() {
            let delivery = next(&mut staying).await;
            assert!(!delivery.redelivered, "nobody had it in hand");
            delivery.ack().await.unwrap();
        }
        held.ack().await.unwrap();
        let crowd = &mut crowds[2];
        let hand = crowd.fill(fixture, 0).await;
        try_join_all(hand.into_iter().map(Delivery::ack)).await.unwrap();
    })
    .await;
}

/// A function's queue that an operator has made.
struct DeclaredDifferently {
    address: Address,
    name: String,
    connection: Connection,
}

impl DeclaredDifferently {
    async fn start(url: &str, fixture: &Fixture) -> Self {
        let function = FunctionId::new();
        let name = format!("cloudfunc.{}.fn.{function}.sync", fixture.platform);
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let (options, arguments) = (QueueDeclareOptions::default(), FieldTable::default());
        channel.queue_declare(name.as_str().into(), options, arguments).await.unwrap();
        Self { address: Address::Function(function, Mode::Sync), name, connection }
    }

    async fn remove(self) {
        let channel = self.connection.create_channel().await.unwrap();
        channel.queue_delete(self.name.into(), QueueDeleteOptions::default()).await.unwrap();
        self.connection.close(200, "done".into()).await.unwrap();
    }
}
