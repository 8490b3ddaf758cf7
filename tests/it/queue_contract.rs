//! What every queue promises, each property once, run against every backend; and what only a queue
//! over a network has to show. A new backend is one `Fixture` and one module in [`contract!`].
//!
//! Every test is a platform of its own, and removes it, also when it fails.

mod alarm;
mod crowd;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudfunc::{
    model::{FunctionId, Mode, PlatformName, message::Parcel},
    queue::{
        Address, Config, ConsumeOptions, Consumer, Delivery, Error, Message, PUBLISH_TIMEOUT, Queue,
        connect,
    },
};
use futures_util::{
    FutureExt as _,
    future::{join_all, try_join_all},
};

use crate::{need, support::eventually};

macro_rules! contract {
    ($($property:ident)*) => {
        mod embedded {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $property() {
                    check(Fixture::embedded().await, super::$property).await;
                }
            )*
        }

        mod rabbitmq {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $property() {
                    let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
                    check(Fixture::rabbitmq(&url).await, super::$property).await;
                }
            )*
        }
    };
}

contract! {
    publishing_to_a_queue_that_was_never_declared_is_an_error
    a_message_reaches_its_consumer_at_every_address
    consuming_declares_what_is_missing
    bytes_arrive_unchanged
    messages_are_delivered_in_the_order_of_publishing
    unsettled_deliveries_never_exceed_the_prefetch
    the_higher_priority_consumer_is_served_first
    two_consumers_share_the_messages
    a_message_that_nobody_took_expires
    a_dropped_delivery_comes_back_first_and_marked
    a_consumer_that_is_dropped_leaves_its_messages_to_others
    a_mark_is_kept_when_the_next_consumer_is_dropped
    a_delivery_outlives_its_consumer
    a_reply_reaches_who_opened_the_address_in_order
    a_reply_to_a_consumer_that_is_gone_does_not_hang
    who_replies_can_ask_whether_somebody_waits
    replies_are_taken_in_order_until_nobody_asks_for_them
    a_broadcast_reaches_every_subscriber
    what_waits_is_counted_without_what_is_in_hand
    removing_a_function_ends_its_consumers_and_its_queues
    a_thousand_publishes_at_once_are_all_confirmed
    what_found_no_queue_is_told_from_what_did
    of_thousands_of_publishes_at_once_each_gets_its_own_verdict
    a_broadcast_that_finds_no_exchange_fails_no_publish
    a_publish_that_is_abandoned_harms_no_other
    publishes_that_are_abandoned_together_harm_no_other
    what_is_acked_together_does_not_come_back
    acking_some_together_leaves_what_is_in_hand_before_and_between_them
    a_consumer_that_is_abandoned_while_it_starts_leaves_nothing_behind
    what_was_sent_to_a_consumer_that_was_abandoned_while_it_started_bears_no_mark
    a_closed_queue_ends_its_consumers_and_says_so
    what_is_ready_answers_a_ping
}

async fn publishing_to_a_queue_that_was_never_declared_is_an_error(fixture: &Fixture) {
    for mode in [Mode::Sync, Mode::Async] {
        let nowhere = Address::Function(FunctionId::new(), mode);
        let error = fixture.queue.publish(&nowhere, message("x")).await.unwrap_err();
        assert!(matches!(&error, Error::NoQueue(address) if *address == nowhere), "{error}");
    }
}

async fn a_message_reaches_its_consumer_at_every_address(fixture: &Fixture) {
    let function = fixture.function().await;
    let addresses = [
        Address::Function(function, Mode::Sync),
        Address::Function(function, Mode::Async),
        Address::Outcomes,
        Address::Builds,
    ];
    for address in addresses {
        let text = format!("{address:?}");
        fixture.other.publish(&address, message(&text)).await.unwrap();
        let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!((&delivery.parcel.to_bytes()[..], delivery.redelivered), (text.as_bytes(), false));
        delivery.ack().await.unwrap();
    }
}

async fn consuming_declares_what_is_missing(fixture: &Fixture) {
    let address = Address::Function(fixture.undeclared_function(), Mode::Async);
    let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
    fixture.other.publish(&address, message("x")).await.unwrap();
    next(&mut consumer).await.ack().await.unwrap();
}

async fn bytes_arrive_unchanged(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let mut consumer = fixture.queue.consume(&address, prefetch(10)).await.unwrap();
    // Empty, all values, around a frame of the wire, and the largest payload with a header.
    for size in [0, 256, 128 * 1024 - 8, 128 * 1024, 6 * 1024 * 1024 + 4096] {
        let bytes: Bytes = (0..size).map(|i: usize| (i % 251) as u8 ^ (i >> 16) as u8).collect();
        let sent = Message { parcel: bytes.clone().into(), expires: None };
        fixture.other.publish(&address, sent).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert!(delivery.parcel.to_bytes() == bytes, "{size} bytes");
        delivery.ack().await.unwrap();
    }
}

async fn messages_are_delivered_in_the_order_of_publishing(fixture: &Fixture) {
    let address = fixture.async_queue().await;
    let texts = (0..200).map(|i| i.to_string()).collect::<Vec<_>>();
    for text in &texts[..100] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    let mut consumer = fixture.queue.consume(&address, prefetch(7)).await.unwrap();
    for text in &texts[100..] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    for text in &texts {
        assert_eq!(take(&mut consumer).await, *text);
    }
}

async fn unsettled_deliveries_never_exceed_the_prefetch(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let first = ConsumeOptions { prefetch: 2, priority: 1 };
    let mut first = fixture.queue.consume(&address, first).await.unwrap();
    let mut overflow = fixture.other.consume(&address, prefetch(10)).await.unwrap();
    for text in ["1", "2", "3"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    let (one, two) = (next(&mut first).await, next(&mut first).await);
    assert_eq!(take(&mut overflow).await, "3", "it went past the one whose hands are full");
    one.ack().await.unwrap();
    fixture.settled().await;
    fixture.queue.publish(&address, message("4")).await.unwrap();
    assert_eq!(take(&mut first).await, "4", "room again, and priority with it");
    two.ack().await.unwrap();
}

async fn the_higher_priority_consumer_is_served_first(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let mut standing = fixture.other.consume(&address, prefetch(10)).await.unwrap();
    let warm = ConsumeOptions { prefetch: 3, priority: 5 };
    let mut warm = fixture.queue.consume(&address, warm).await.unwrap();
    for i in 0..6 {
        fixture.queue.publish(&address, message(&i.to_string())).await.unwrap();
    }
    let mut held = Vec::new();
    for expected in ["0", "1", "2"] {
        held.push(expect(&mut warm, expected).await);
    }
    for expected in ["3", "4", "5"] {
        held.push(expect(&mut standing, expected).await);
    }
}

async fn two_consumers_share_the_messages(fixture: &Fixture) {
    let address = fixture.async_queue().await;
    let mut one = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
    let mut two = fixture.other.consume(&address, prefetch(1)).await.unwrap();
    for text in ["a", "b"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    // Nothing is acked before both have one.
    let held = [next(&mut one).await, next(&mut two).await];
    let mut texts = held.each_ref().map(text);
    texts.sort();
    assert_eq!(texts, ["a", "b"]);
}

async fn a_message_that_nobody_took_expires(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let expires = |after| Message { expires: Some(after), ..message("expires") };
    fixture.queue.publish(&address, expires(Duration::from_millis(30))).await.unwrap();
    fixture.queue.publish(&address, expires(Duration::ZERO)).await.unwrap();
    let lasting = Message { expires: Some(Duration::from_secs(60)), ..message("lasts") };
    fixture.queue.publish(&address, lasting).await.unwrap();
    // The passing of time is what this is about.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut consumer = fixture.queue.consume(&address, prefetch(10)).await.unwrap();
    assert_eq!(take(&mut consumer).await, "lasts");
    fixture.queue.publish(&address, expires(Duration::from_secs(60))).await.unwrap();
    assert_eq!(take(&mut consumer).await, "expires", "not before its time");
}

async fn a_dropped_delivery_comes_back_first_and_marked(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    for text in ["a", "b"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((text(&delivery), delivery.redelivered), ("a".to_owned(), false));
    drop(delivery);
    let delivery = next(&mut consumer).await;
    assert_eq!((text(&delivery), delivery.redelivered), ("a".to_owned(), true));
    delivery.ack().await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((text(&delivery), delivery.redelivered), ("b".to_owned(), false));
    delivery.ack().await.unwrap();
}

async fn a_consumer_that_is_dropped_leaves_its_messages_to_others(fixture: &Fixture) {
    for address in [fixture.sync_queue().await, fixture.async_queue().await] {
        let mut leaving = fixture.queue.consume(&address, prefetch(10)).await.unwrap();
        for text in ["1", "2", "3", "4"] {
            fixture.queue.publish(&address, message(text)).await.unwrap();
        }
        let held = expect(&mut leaving, "1").await;
        drop(leaving);
        let mut staying = fixture.other.consume(&address, prefetch(10)).await.unwrap();
        let mut texts = Vec::new();
        for _ in 0..3 {
            let delivery = next(&mut staying).await;
            let sync = matches!(address, Address::Function(_, Mode::Sync));
            assert!(!(sync && delivery.redelivered), "nobody had it in hand: {}", text(&delivery));
            texts.push(text(&delivery));
            delivery.ack().await.unwrap();
        }
        texts.sort();
        assert_eq!(texts, ["2", "3", "4"]);
        held.ack().await.unwrap();
    }
}

async fn a_mark_is_kept_when_the_next_consumer_is_dropped(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    fixture.queue.publish(&address, message("x")).await.unwrap();
    let mut leaving = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
    drop(next(&mut leaving).await);
    // By now it is back in the hands of the same consumer, which nobody asks for it.
    fixture.settled().await;
    drop(leaving);
    let mut staying = fixture.other.consume(&address, prefetch(1)).await.unwrap();
    let delivery = expect(&mut staying, "x").await;
    assert!(delivery.redelivered, "it may have run");
    delivery.ack().await.unwrap();
}

async fn a_delivery_outlives_its_consumer(fixture: &Fixture) {
    let address = fixture.async_queue().await;
    for text in ["acked", "dropped"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    let mut consumer = fixture.queue.consume(&address, prefetch(2)).await.unwrap();
    let (acked, dropped) = (next(&mut consumer).await, next(&mut consumer).await);
    drop(consumer);
    fixture.queue.publish(&address, message("later")).await.unwrap();
    let mut other = fixture.other.consume(&address, prefetch(1)).await.unwrap();
    // Still in hand: neither of them comes here.
    let later = expect(&mut other, "later").await;
    acked.ack().await.unwrap();
    drop(dropped);
    later.ack().await.unwrap();
    let delivery = expect(&mut other, "dropped").await;
    assert!(delivery.redelivered);
    delivery.ack().await.unwrap();
    fixture.queue.publish(&address, message("end")).await.unwrap();
    assert_eq!(take(&mut other).await, "end", "what was acked does not come back");
}

async fn a_reply_reaches_who_opened_the_address_in_order(fixture: &Fixture) {
    let (one, mut replies) = fixture.queue.open_replies().await.unwrap();
    let (two, mut others) = fixture.queue.open_replies().await.unwrap();
    assert_ne!(one, two);
    for i in 0..50 {
        fixture.other.publish(&one, message(&i.to_string())).await.unwrap();
    }
    fixture.other.publish(&two, message("for two")).await.unwrap();
    for i in 0..50 {
        let delivery = next(&mut replies).await;
        assert_eq!((text(&delivery), delivery.redelivered), (i.to_string(), false));
    }
    let delivery = next(&mut others).await;
    assert_eq!(text(&delivery), "for two");
    delivery.ack().await.expect("an ack is not needed and does no harm");
    let error = fixture.queue.consume(&one, prefetch(1)).await.err().unwrap();
    assert!(matches!(error, Error::NoQueue(_)), "a reply address is private: {error}");
}

async fn a_reply_to_a_consumer_that_is_gone_does_not_hang(fixture: &Fixture) {
    let (address, replies) = fixture.queue.open_replies().await.unwrap();
    drop(replies);
    for _ in 0..10 {
        match fixture.other.publish(&address, message("too late")).await {
            Ok(()) => assert_eq!(fixture.queue.kind(), "rabbitmq", "not confirmed there"),
            Err(error) => assert!(matches!(error, Error::NoQueue(_)), "{error}"),
        }
    }
}

async fn who_replies_can_ask_whether_somebody_waits(fixture: &Fixture) {
    let (Address::Reply(name), replies) = fixture.queue.open_replies().await.unwrap() else {
        panic!("it is no reply address")
    };
    for _ in 0..2 {
        assert!(fixture.other.is_awaited(&name).await.unwrap());
    }
    drop(replies);
    eventually("nobody waits", || async {
        (!fixture.other.is_awaited(&name).await.unwrap()).then_some(())
    })
    .await;
    assert!(!fixture.other.is_awaited("amq.rabbitmq.reply-to.nobody").await.unwrap());
    // Asking has disturbed nothing.
    let (address, mut replies) = fixture.queue.open_replies().await.unwrap();
    fixture.other.publish(&address, message("reply")).await.unwrap();
    assert_eq!(text(&next(&mut replies).await), "reply");
}

async fn replies_are_taken_in_order_until_nobody_asks_for_them(fixture: &Fixture) {
    let (told, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let take = move |parcel: &Parcel| told.send(parcel.to_bytes()).unwrap();
    let (address, taking) = fixture.queue.take_replies(Arc::new(take)).await.unwrap();
    let taking = tokio::spawn(taking);
    for i in 0..50 {
        fixture.other.publish(&address, message(&i.to_string())).await.unwrap();
    }
    for i in 0..50 {
        assert_eq!(taken.recv().await.unwrap(), i.to_string());
    }
    taking.abort();
    assert_eq!(taken.recv().await, None, "the taker is let go");
}

async fn a_broadcast_reaches_every_subscriber(fixture: &Fixture) {
    fixture.queue.broadcast(Bytes::from_static(b"unheard")).await.unwrap();
    let mut subscribers = [
        fixture.queue.subscribe().await.unwrap(),
        fixture.queue.subscribe().await.unwrap(),
        fixture.other.subscribe().await.unwrap(),
    ];
    for text in ["a", "b"] {
        fixture.queue.broadcast(Bytes::from(text)).await.unwrap();
    }
    for subscriber in &mut subscribers {
        assert_eq!(text(&next(subscriber).await), "a");
        assert_eq!(text(&next(subscriber).await), "b");
    }
    let [gone, mut staying, _] = subscribers;
    drop(gone);
    fixture.other.broadcast(Bytes::from("c")).await.unwrap();
    assert_eq!(text(&next(&mut staying).await), "c");
}

async fn what_waits_is_counted_without_what_is_in_hand(fixture: &Fixture) {
    let (function, empty) = (fixture.function().await, FunctionId::new());
    let counts = async || {
        let waiting = fixture.queue.waiting(&[empty, function]).await.unwrap();
        waiting.iter().map(|waiting| (waiting.messages, waiting.is_full)).collect::<Vec<_>>()
    };
    assert_eq!(counts().await, [(0, false), (0, false)]);
    let address = Address::Function(function, Mode::Async);
    for _ in 0..3 {
        fixture.queue.publish(&address, message("x")).await.unwrap();
    }
    eventually("all wait", async || (counts().await[1].0 == 3).then_some(())).await;
    let mut consumer = fixture.other.consume(&address, prefetch(1)).await.unwrap();
    let in_hand = consumer.next().await.unwrap();
    eventually("one is in hand", async || (counts().await[1].0 == 2).then_some(())).await;
    in_hand.ack().await.unwrap();
    drop(consumer);
    fixture.queue.remove(empty).await.unwrap();
}

async fn removing_a_function_ends_its_consumers_and_its_queues(fixture: &Fixture) {
    let (function, neighbour) = (fixture.function().await, fixture.async_queue().await);
    let mut staying = fixture.queue.consume(&neighbour, prefetch(1)).await.unwrap();
    let mut consumers = Vec::new();
    for mode in [Mode::Sync, Mode::Async] {
        let address = Address::Function(function, mode);
        consumers.push(fixture.queue.consume(&address, prefetch(1)).await.unwrap());
        consumers.push(fixture.other.consume(&address, prefetch(1)).await.unwrap());
    }
    fixture.queue.remove(function).await.unwrap();
    for consumer in &mut consumers {
        assert!(ends(consumer).await);
        assert!(ends(consumer).await, "it stays at its end");
    }
    for mode in [Mode::Sync, Mode::Async] {
        let address = Address::Function(function, mode);
        let error = fixture.other.publish(&address, message("x")).await.unwrap_err();
        assert!(matches!(error, Error::NoQueue(_)), "{error}");
    }
    fixture.queue.remove(function).await.expect("removing what is missing is no error");
    fixture.queue.publish(&neighbour, message("still here")).await.unwrap();
    assert_eq!(take(&mut staying).await, "still here");
    fixture.queue.declare(function).await.unwrap();
    fixture.queue.publish(&Address::Function(function, Mode::Sync), message("x")).await.unwrap();
}

async fn a_thousand_publishes_at_once_are_all_confirmed(fixture: &Fixture) {
    let address = fixture.async_queue().await;
    let mut consumer = fixture.other.consume(&address, prefetch(100)).await.unwrap();
    let texts = (0..1000).map(|i| i.to_string()).collect::<Vec<_>>();
    let publishes = texts.iter().map(|text| fixture.queue.publish(&address, message(text)));
    let received = async {
        let mut received = Vec::new();
        while received.len() < texts.len() {
            received.push(take(&mut consumer).await);
        }
        received
    };
    let (published, mut received) = tokio::join!(try_join_all(publishes), received);
    published.unwrap();
    received.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(received, texts);
}

async fn what_found_no_queue_is_told_from_what_did(fixture: &Fixture) {
    let there = fixture.async_queue().await;
    let missing = Address::Function(FunctionId::new(), Mode::Async);
    let publishes = (0..400).map(|i| {
        let (address, taken) = if i % 3 == 0 { (&missing, false) } else { (&there, true) };
        fixture.queue.publish(address, message("x")).map(move |result| (taken, result))
    });
    for (taken, result) in join_all(publishes).await {
        match result {
            Ok(()) => assert!(taken, "refused, but told as taken"),
            Err(Error::NoQueue(_)) => assert!(!taken, "taken, but told as refused"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Also in memory and on disk mixed; what is told must agree with what arrives.
async fn of_thousands_of_publishes_at_once_each_gets_its_own_verdict(fixture: &Fixture) {
    const PUBLISHES: usize = 4000;
    let there = fixture.function().await;
    let missing = [FunctionId::new(), FunctionId::new()];
    let publishes = (0..PUBLISHES).map(|i| {
        let mode = if i / 3 % 2 == 0 { Mode::Sync } else { Mode::Async };
        // In no regular pattern: none, some and many of those that go together come back.
        let function = match (i * i / 7) % 11 {
            0 | 3 | 4 => missing[0],
            _ if i / 200 % 4 == 3 => missing[i % 2],
            _ => there,
        };
        let (text, queue) = (i.to_string(), fixture.queue.clone());
        let publish = tokio::spawn(async move {
            queue.publish(&Address::Function(function, mode), message(&text)).await
        });
        publish.map(move |result| (i, function == there, result.unwrap()))
    });
    let mut taken = Vec::new();
    for (i, is_there, result) in join_all(publishes).await {
        match result {
            Ok(()) => assert!(is_there, "{i} was refused, but told as taken"),
            Err(Error::NoQueue(_)) => assert!(!is_there, "{i} was taken, but told as refused"),
            Err(error) => panic!("{i}: {error}"),
        }
        taken.extend(is_there.then_some(i));
    }
    let mut arrived = Vec::new();
    let mut consumers = Vec::new();
    for mode in [Mode::Sync, Mode::Async] {
        let from = Address::Function(there, mode);
        consumers.push(fixture.other.consume(&from, prefetch(500)).await.unwrap());
    }
    let [sync, asynchronous] = &mut consumers[..] else { unreachable!() };
    while arrived.len() < taken.len() {
        let delivery = tokio::select! {
            delivery = next(sync) => delivery,
            delivery = next(asynchronous) => delivery,
        };
        arrived.push(text(&delivery).parse::<usize>().unwrap());
        delivery.ack().await.unwrap();
    }
    arrived.sort_unstable();
    assert!(arrived == taken, "what arrived is what was told as taken");
}

async fn a_broadcast_that_finds_no_exchange_fails_no_publish(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    fixture.other.remove_platform().await.unwrap();
    let publishes = (0..300).map(|_| fixture.queue.publish(&address, message("x")));
    let broadcasts = (0..20).map(|_| fixture.queue.broadcast(Bytes::from_static(b"nobody hears it")));
    let (published, broadcast) = tokio::join!(try_join_all(publishes), try_join_all(broadcasts));
    published.unwrap();
    broadcast.unwrap();
}

async fn a_publish_that_is_abandoned_harms_no_other(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let missing = Address::Function(FunctionId::new(), Mode::Async);
    for _ in 0..100 {
        // Polled once, then dropped: at whatever point it is then.
        let _ = fixture.queue.publish(&address, message("x")).now_or_never();
        let _ = fixture.queue.publish(&missing, message("x")).now_or_never();
        fixture.queue.publish(&address, message("x")).await.unwrap();
    }
    let error = fixture.queue.publish(&missing, message("x")).await.unwrap_err();
    assert!(matches!(error, Error::NoQueue(_)), "{error}");
}

/// While they wait for others, and while they are under way with others who still want their answer.
async fn publishes_that_are_abandoned_together_harm_no_other(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let missing = Address::Function(FunctionId::new(), Mode::Sync);
    for round in 0..20 {
        let publishes = (0..200).map(|i| {
            let (to, is_there) = if i % 5 == 0 { (&missing, false) } else { (&address, true) };
            let publish = fixture.queue.publish(to, message("x"));
            // Every other one gives up, some at once and some later.
            let patience = Duration::from_micros(i % 7 * round * 50);
            async move {
                if i % 2 == 0 {
                    let _ = tokio::time::timeout(patience, publish).await;
                } else {
                    assert_eq!(publish.await.is_ok(), is_there);
                }
            }
        });
        join_all(publishes).await;
    }
    fixture.queue.publish(&address, message("x")).await.unwrap();
}

async fn what_is_acked_together_does_not_come_back(fixture: &Fixture) {
    let address = Address::Outcomes;
    let mut consumer = fixture.queue.consume(&address, prefetch(8)).await.unwrap();
    for text in ["1", "2", "3", "4", "5", "6", "7", "8", "9"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    Delivery::ack_all(Vec::new()).await.unwrap();
    let mut expected = 1..;
    for size in [3, 1, 4] {
        let mut batch = Vec::new();
        for number in expected.by_ref().take(size) {
            batch.push(expect(&mut consumer, &number.to_string()).await);
        }
        Delivery::ack_all(batch).await.unwrap();
    }
    drop(consumer);
    let mut consumer = fixture.other.consume(&address, prefetch(8)).await.unwrap();
    assert_eq!(take(&mut consumer).await, "9");
}

async fn acking_some_together_leaves_what_is_in_hand_before_and_between_them(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    for text in ["1", "2", "3", "4", "5", "6"] {
        fixture.queue.publish(&address, message(text)).await.unwrap();
    }
    let mut consumer = fixture.queue.consume(&address, prefetch(6)).await.unwrap();
    let mut hand = Vec::new();
    for text in ["1", "2", "3", "4", "5", "6"] {
        hand.push(expect(&mut consumer, text).await);
    }
    drop(consumer);
    let (fourth, first) = (hand.remove(3), hand.remove(0));
    Delivery::ack_all(hand).await.unwrap();
    fixture.settled().await;
    drop((fourth, first));
    let mut consumer = fixture.other.consume(&address, prefetch(6)).await.unwrap();
    let mut back = [take(&mut consumer).await, take(&mut consumer).await];
    back.sort();
    assert_eq!(back, ["1", "4"]);
    fixture.queue.publish(&address, message("7")).await.unwrap();
    assert_eq!(take(&mut consumer).await, "7");
}

async fn a_consumer_that_is_abandoned_while_it_starts_leaves_nothing_behind(fixture: &Fixture) {
    let address = fixture.async_queue().await;
    for step in 0..40 {
        // Dropped at whatever point it is by then.
        let patience = Duration::from_micros(100 * step);
        let _ = tokio::time::timeout(patience, fixture.queue.consume(&address, prefetch(1))).await;
        let _ = tokio::time::timeout(patience, fixture.queue.open_replies()).await;
    }
    let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
    for i in 0..100 {
        fixture.queue.publish(&address, message(&i.to_string())).await.unwrap();
    }
    let mut received = Vec::new();
    for _ in 0..100 {
        received.push(take(&mut consumer).await.parse::<u32>().unwrap());
    }
    received.sort();
    assert_eq!(received, (0..100).collect::<Vec<_>>(), "nothing stays with who is gone");
}

/// Otherwise its caller would be told that it was interrupted, though nobody ever had it.
async fn what_was_sent_to_a_consumer_that_was_abandoned_while_it_started_bears_no_mark(
    fixture: &Fixture,
) {
    let address = fixture.sync_queue().await;
    for step in 0..60 {
        fixture.queue.publish(&address, message(&step.to_string())).await.unwrap();
        // Dropped at whatever point it is by then, with the message on its way to it.
        let patience = Duration::from_micros(100 * step);
        let _ = tokio::time::timeout(patience, fixture.queue.consume(&address, prefetch(1))).await;
        let mut staying = fixture.other.consume(&address, prefetch(1)).await.unwrap();
        let delivery = expect(&mut staying, &step.to_string()).await;
        assert!(!delivery.redelivered, "after {patience:?}");
        delivery.ack().await.unwrap();
    }
}

async fn a_closed_queue_ends_its_consumers_and_says_so(fixture: &Fixture) {
    let address = fixture.sync_queue().await;
    let queue = fixture.another().await;
    let function = FunctionId::new();
    queue.declare(function).await.unwrap();
    queue.remove(function).await.unwrap();
    let mut consumers = [
        queue.consume(&Address::Function(function, Mode::Sync), prefetch(1)).await.unwrap(),
        queue.open_replies().await.unwrap().1,
        queue.subscribe().await.unwrap(),
    ];
    let (_, taking) = queue.take_replies(Arc::new(|_: &Parcel| ())).await.unwrap();
    queue.remove(function).await.unwrap();
    queue.close().await;
    tokio::time::timeout(Duration::from_secs(10), taking).await.expect("it has ended");
    for consumer in &mut consumers {
        assert!(ends(consumer).await);
    }
    let results = [
        queue.ping().await,
        queue.declare(function).await,
        queue.publish(&address, message("x")).await,
        queue.consume(&address, prefetch(1)).await.map(drop),
    ];
    for result in results {
        assert!(matches!(result, Err(Error::Closed)), "{result:?}");
    }
}

async fn what_is_ready_answers_a_ping(fixture: &Fixture) {
    fixture.queue.ping().await.unwrap();
    fixture.other.ping().await.unwrap();
}

/// A queue in memory is bounded: it refuses, and takes again when there is room.
#[tokio::test]
async fn a_full_embedded_queue_says_so_and_takes_more_when_there_is_room() {
    check(Fixture::embedded().await, async |fixture| {
        for mode in [Mode::Sync, Mode::Async] {
            let address = Address::Function(fixture.function().await, mode);
            let mut taken = 0;
            let error = loop {
                match fixture.queue.publish(&address, message("x")).await {
                    Ok(()) => taken += 1,
                    Err(error) => break error,
                }
            };
            assert_eq!(taken, 10_000);
            assert!(matches!(&error, Error::Full(full) if *full == address), "{error:?}");
            assert!(error.is_transient());
            let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
            let held = next(&mut consumer).await;
            fixture.queue.publish(&address, message("y")).await.expect("one has gone out");
            fixture.queue.publish(&address, message("z")).await.unwrap_err();
            drop(held);
            let outcomes = fixture.queue.publish(&Address::Outcomes, message("x")).await;
            outcomes.expect("one full queue is no other's concern");
        }
    })
    .await;
}

/// What only a queue over a network has to show.
mod rabbitmq_connection {
    use std::time::Instant;

    use super::*;
    use crate::support::proxy::Proxy;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_lost_connection_ends_what_runs_on_it_and_the_next_calls_make_a_new_one() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.sync_queue().await;
            let mut consumers = [
                fixture.queue.consume(&address, prefetch(1)).await.unwrap(),
                fixture.queue.open_replies().await.unwrap().1,
                fixture.queue.subscribe().await.unwrap(),
            ];
            proxy.cut();
            for consumer in &mut consumers {
                assert!(ends(consumer).await);
            }
            eventually("publishing again", async || {
                fixture.queue.publish(&address, message("again")).await.ok()
            })
            .await;
            let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
            assert_eq!(take(&mut consumer).await, "again");
            let (reply_to, mut replies) = fixture.queue.open_replies().await.unwrap();
            fixture.queue.publish(&reply_to, message("reply")).await.unwrap();
            assert_eq!(text(&next(&mut replies).await), "reply");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_is_gone_is_an_error_at_once() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.sync_queue().await;
            proxy.refuse(true);
            proxy.cut();
            let start = Instant::now();
            for _ in 0..5 {
                let error = fixture.queue.publish(&address, message("x")).await.unwrap_err();
                assert!(error.is_transient(), "{error:?}");
            }
            assert!(fixture.queue.ping().await.unwrap_err().is_transient());
            assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
            proxy.refuse(false);
            eventually("ready again", async || fixture.queue.ping().await.ok()).await;
            fixture.queue.publish(&address, message("x")).await.unwrap();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_callers_share_one_new_connection() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.async_queue().await;
            proxy.cut();
            // Whatever was underway fails first; none of it may count below.
            eventually("a new connection", async || fixture.queue.ping().await.ok()).await;
            let before = proxy.accepted();
            proxy.cut();
            eventually("the loss to be noticed", async || {
                let publishes = (0..100).map(|_| fixture.queue.publish(&address, message("x")));
                let results = join_all(publishes).await;
                results.iter().all(Result::is_ok).then_some(())
            })
            .await;
            assert_eq!(proxy.accepted() - before, 1);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_publishes_none_waits_for_a_connection_that_was_lost() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.async_queue().await;
            let start = Instant::now();
            let publishes = (0..2000).map(|_| fixture.queue.publish(&address, message("x")));
            let cut = async {
                // In the middle: the first were confirmed, the last still wait for a channel.
                fixture.queue.publish(&address, message("first")).await.unwrap();
                proxy.cut();
            };
            let (_, results) = tokio::join!(cut, join_all(publishes));
            assert!(start.elapsed() < PUBLISH_TIMEOUT, "{:?}", start.elapsed());
            for error in results.into_iter().filter_map(Result::err) {
                assert!(error.is_transient(), "{error:?}");
            }
            eventually("publishing again", async || {
                fixture.queue.publish(&address, message("again")).await.ok()
            })
            .await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_in_hand_when_the_connection_was_lost_comes_back_marked() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.sync_queue().await;
            for text in ["in hand", "sent ahead"] {
                fixture.other.publish(&address, message(text)).await.unwrap();
            }
            let mut lost = fixture.queue.consume(&address, prefetch(2)).await.unwrap();
            let held = expect(&mut lost, "in hand").await;
            proxy.cut();
            let mut other = fixture.other.consume(&address, prefetch(2)).await.unwrap();
            for expected in ["in hand", "sent ahead"] {
                let delivery = expect(&mut other, expected).await;
                assert!(delivery.redelivered, "{expected}");
                delivery.ack().await.unwrap();
            }
            assert!(ends(&mut lost).await, "what the broker took back is not handed out");
            held.ack().await.expect_err("the ack cannot have arrived");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn closing_gives_back_what_is_in_hand() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        check(Fixture::rabbitmq(&url).await, async |fixture| {
            let address = fixture.async_queue().await;
            fixture.queue.publish(&address, message("x")).await.unwrap();
            let mut consumer = fixture.other.consume(&address, prefetch(1)).await.unwrap();
            let held = expect(&mut consumer, "x").await;
            fixture.other.close().await;
            let mut consumer = fixture.queue.consume(&address, prefetch(1)).await.unwrap();
            let delivery = expect(&mut consumer, "x").await;
            assert!(delivery.redelivered);
            delivery.ack().await.unwrap();
            held.ack().await.unwrap_err();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_falls_silent_costs_a_publish_its_time_and_no_more() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.async_queue().await;
            proxy.pause(true);
            let start = Instant::now();
            let publishes = (0..300).map(|_| fixture.queue.publish(&address, message("silence")));
            for result in join_all(publishes).await {
                assert!(result.unwrap_err().is_transient());
            }
            let took = start.elapsed();
            assert!(took >= PUBLISH_TIMEOUT && took < PUBLISH_TIMEOUT * 2, "{took:?}");
            proxy.pause(false);
            fixture.queue.publish(&address, message("speech")).await.unwrap();
        })
        .await;
    }

    /// As with a memory alarm: the broker says that it is blocked, and the library stops writing.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_broker_that_blocks_publishers_costs_a_publish_its_time_and_no_more() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let (fixture, proxy) = behind_a_proxy(&url).await;
        check(fixture, async |fixture| {
            let address = fixture.async_queue().await;
            // connection.blocked and connection.unblocked, as frames on channel 0.
            proxy.inject(b"\x01\0\0\0\0\0\x08\0\x0a\0\x3c\x03low\xce");
            eventually("the publisher to be blocked", async || {
                let publish = fixture.queue.publish(&address, message("blocked"));
                let quick = tokio::time::timeout(Duration::from_millis(500), publish).await;
                quick.is_err().then_some(())
            })
            .await;
            let start = Instant::now();
            let error = fixture.queue.publish(&address, message("blocked")).await.unwrap_err();
            assert!(error.is_transient(), "{error:?}");
            assert!(start.elapsed() < PUBLISH_TIMEOUT + Duration::from_secs(1));
            proxy.inject(b"\x01\0\0\0\0\0\x04\0\x0a\0\x3d\xce");
            fixture.queue.publish(&address, message("free")).await.unwrap();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn wrong_credentials_are_refused_and_not_repeated() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let mut url = url::Url::parse(&url).unwrap();
        url.set_password(Some("hunter2")).unwrap();
        let error = connect_to(url.as_str(), &platform()).await.err().unwrap();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_unknown_virtual_host_is_refused() {
        let url = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
        let mut url = url::Url::parse(&url).unwrap();
        url.set_path("/no-such-host");
        let error = connect_to(url.as_str(), &platform()).await.err().unwrap();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_address_where_nobody_listens_is_unavailable() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let url = format!("amqp://guest:hunter2@{address}/%2f");
        let error = connect_to(&url, &platform()).await.err().unwrap();
        assert!(error.is_transient(), "{error:?}");
        let told = format!("{error} {error:?}");
        assert!(told.contains(&address.to_string()) && !told.contains("hunter2"), "{told}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_listener_that_says_nothing_is_unavailable_in_time_and_is_hung_up_on() {
        use tokio::io::AsyncReadExt as _;
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("amqp://guest:guest@{}/%2f", silent.local_addr().unwrap());
        let read = async {
            let (mut stream, _) = silent.accept().await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all
        };
        let start = Instant::now();
        let platform = platform();
        let (error, read) = tokio::join!(connect_to(&url, &platform), read);
        assert!(error.err().unwrap().is_transient());
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        assert_eq!(&read[..4], b"AMQP");
    }

    async fn behind_a_proxy(url: &str) -> (Fixture, Proxy) {
        let mut behind = url::Url::parse(url).unwrap();
        let target = format!("{}:{}", behind.host_str().unwrap(), behind.port().unwrap_or(5672));
        let proxy = Proxy::start(target).await;
        behind.set_port(Some(proxy.port())).unwrap();
        let direct = Fixture::rabbitmq(url).await;
        let queue = connect_to(behind.as_str(), &direct.platform).await.unwrap();
        (Fixture { queue, ..direct }, proxy)
    }
}

/// A test's platform: one queue, and another of the same platform as from a second process.
struct Fixture {
    queue: Arc<dyn Queue>,
    other: Arc<dyn Queue>,
    /// None: in process.
    url: Option<String>,
    platform: PlatformName,
    functions: std::sync::Mutex<Vec<FunctionId>>,
}

impl Fixture {
    async fn embedded() -> Self {
        let platform = platform();
        let queue = connect(&Config::Embedded, &platform).await.unwrap();
        let functions = Default::default();
        Self { other: queue.clone(), queue, url: None, platform, functions }
    }

    async fn rabbitmq(url: &str) -> Self {
        let platform = platform();
        let queue = connect_to(url, &platform).await.unwrap();
        let other = connect_to(url, &platform).await.unwrap();
        Self { queue, other, url: Some(url.to_owned()), platform, functions: Default::default() }
    }

    /// One that the test may close.
    async fn another(&self) -> Arc<dyn Queue> {
        let config = self.url.as_deref().unwrap_or("embedded").parse().unwrap();
        connect(&config, &self.platform).await.unwrap()
    }

    fn undeclared_function(&self) -> FunctionId {
        let function = FunctionId::new();
        self.functions.lock().unwrap().push(function);
        function
    }

    async fn function(&self) -> FunctionId {
        let function = self.undeclared_function();
        self.queue.declare(function).await.unwrap();
        self.queue.declare(function).await.expect("declaring again is no error");
        function
    }

    async fn sync_queue(&self) -> Address {
        Address::Function(self.function().await, Mode::Sync)
    }

    async fn async_queue(&self) -> Address {
        Address::Function(self.function().await, Mode::Async)
    }

    /// Until the broker has seen the acks that were sent: they travel on another connection than
    /// what is published next. Requests on one connection are answered in turn.
    async fn settled(&self) {
        let (_, replies) = self.queue.open_replies().await.unwrap();
        drop(replies);
        let builds = self.queue.consume(&Address::Builds, prefetch(1)).await.unwrap();
        drop(builds);
    }
}

/// Runs one property, and removes its platform whatever comes of it.
async fn check(fixture: Fixture, property: impl AsyncFnOnce(&Fixture)) {
    let result = AssertUnwindSafe(property(&fixture)).catch_unwind().await;
    // The queue may have been closed or cut off by the test.
    let queue = fixture.another().await;
    let functions = std::mem::take(&mut *fixture.functions.lock().unwrap());
    for function in functions {
        queue.remove(function).await.unwrap();
    }
    queue.remove_platform().await.unwrap();
    queue.close().await;
    fixture.queue.close().await;
    fixture.other.close().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

async fn connect_to(url: &str, platform: &PlatformName) -> Result<Arc<dyn Queue>, Error> {
    connect(&url.parse().unwrap(), platform).await
}

fn platform() -> PlatformName {
    format!("test-{}", FunctionId::new().0.simple()).parse().unwrap()
}

fn message(text: &str) -> Message {
    Message { parcel: Bytes::copy_from_slice(text.as_bytes()).into(), expires: None }
}

fn prefetch(prefetch: u16) -> ConsumeOptions {
    ConsumeOptions { prefetch, priority: 0 }
}

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await;
    delivery.expect("a delivery in time").expect("a delivery, not the end")
}

async fn expect(consumer: &mut Consumer, expected: &str) -> Delivery {
    let delivery = next(consumer).await;
    assert_eq!(text(&delivery), expected);
    delivery
}

/// Acks it, too.
async fn take(consumer: &mut Consumer) -> String {
    let delivery = next(consumer).await;
    let text = text(&delivery);
    delivery.ack().await.unwrap();
    text
}

async fn ends(consumer: &mut Consumer) -> bool {
    let end = tokio::time::timeout(PATIENCE, consumer.next()).await;
    end.expect("the end in time").is_none()
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.parcel.to_bytes().to_vec()).unwrap()
}
