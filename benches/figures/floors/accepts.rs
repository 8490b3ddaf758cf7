//! The least that a durable accept takes: rows of whoever waits together are committed to PostgreSQL with one
//! statement, the callers are answered, and messages are published and confirmed beside that.

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use super::{accepted, broker, broker::Publisher, until_eof};

/// Rows in one commit, publishes under way at once, batches that wait to be published.
const BATCH: usize = 512;
const PUBLISHES: usize = 256;
const BEHIND: usize = 8;

type Request = (String, Bytes, oneshot::Sender<()>);

pub async fn serve(listener: TcpListener, queue: &str, database: &str) {
    let pool = PgPoolOptions::new().max_connections(1).connect(database).await.unwrap();
    sqlx::query("CREATE TABLE IF NOT EXISTS floor (id uuid PRIMARY KEY, state text, payload bytea)")
        .execute(&pool)
        .await
        .unwrap();
    let connection = broker::connect().await;
    let publisher = Publisher::new(&connection, queue, true).await;
    let (sender, receiver) = mpsc::channel(BATCH);
    let (committed, publishing) = mpsc::channel(BEHIND);
    tokio::spawn(insert(pool, receiver, committed));
    tokio::spawn(publish(publisher, publishing));
    let accept = async |State(sender): State<mpsc::Sender<Request>>, payload: Bytes| {
        let (tell, told) = oneshot::channel();
        let id = uuid::Uuid::now_v7();
        sender.send((id.to_string(), payload, tell)).await.unwrap();
        told.await.unwrap();
        accepted(id)
    };
    until_eof(listener, Router::new().route("/", post(accept)).with_state(sender)).await;
}

async fn insert(
    pool: PgPool,
    mut waiting: mpsc::Receiver<Request>,
    committed: mpsc::Sender<Vec<String>>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<String> = batch.iter().map(|(id, ..)| id.clone()).collect();
        let payloads: Vec<&[u8]> = batch.iter().map(|(_, payload, _)| &payload[..]).collect();
        sqlx::query(
            "INSERT INTO floor SELECT id, 'queued', payload
             FROM unnest($1::text[]::uuid[], $2::bytea[]) AS t (id, payload)",
        )
        .bind(&ids)
        .bind(&payloads)
        .execute(&pool)
        .await
        .unwrap();
        for (.., tell) in batch.drain(..) {
            let _ = tell.send(());
        }
        committed.send(ids).await.unwrap();
    }
}

async fn publish(publisher: Publisher, mut committed: mpsc::Receiver<Vec<String>>) {
    while let Some(ids) = committed.recv().await {
        let publisher = &publisher;
        stream::iter(ids)
            .for_each_concurrent(PUBLISHES, async |id| publisher.publish(&id, b"").await)
            .await;
    }
}
