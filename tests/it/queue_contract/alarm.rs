//! A broker that is short of memory: it takes nothing from publishers, and goes on delivering.

use super::*;
use crate::support::broker::Broker;

/// What was sent ahead of a consumer that ends would be published again, without a mark; now it cannot be. It is not lost:
/// the next one gets it as what may have run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_ahead_to_a_consumer_that_ends_in_an_alarm_comes_back_marked() {
    // Where there is one, there can be another.
    let _ = need!("CLOUDFUNC_TEST_RABBITMQ_URL");
    let broker = Broker::start().await;
    check(Fixture::rabbitmq(&broker.url()).await, async |fixture| {
        let (address, probed) = (fixture.sync_queue().await, fixture.async_queue().await);
        let mut ended = fixture.queue.consume(&address, prefetch(2)).await.unwrap();
        for text in ["in hand", "sent ahead"] {
            fixture.other.publish(&address, message(text)).await.unwrap();
        }
        let held = expect(&mut ended, "in hand").await;
        broker.control("set_vm_memory_high_watermark 0.000001").await;
        eventually("the publisher to be blocked", async || {
            let publish = fixture.queue.publish(&probed, message("blocked"));
            let quick = tokio::time::timeout(Duration::from_millis(500), publish).await;
            quick.is_err().then_some(())
        })
        .await;
        drop(ended);
        let mut next = fixture.other.consume(&address, prefetch(2)).await.unwrap();
        let delivery = expect(&mut next, "sent ahead").await;
        assert!(delivery.redelivered);
        delivery.ack().await.unwrap();
        held.ack().await.unwrap();
        broker.control("set_vm_memory_high_watermark 0.6").await;
        eventually("publishing again", async || {
            fixture.queue.publish(&address, message("again")).await.ok()
        })
        .await;
        expect(&mut next, "again").await.ack().await.unwrap();
    })
    .await;
}
