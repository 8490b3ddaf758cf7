//! Leases of manager processes, and the instances that they report.

use std::time::Duration;

use sqlx::query;

use super::{
    now,
    writer::{Writer, begin},
};
use crate::{
    model::{ManagerId, OwnerId},
    store::{
        ReportedInstance,
        failure::Failure,
        rows::{Id, clean, millis},
    },
};

pub async fn renew_lease(
    writer: &Writer,
    owner: OwnerId,
    manager: ManagerId,
    ttl: Duration,
) -> Result<(), Failure> {
    let mut connection = writer.lock().await?;
    let mut tx = begin(&mut connection).await?;
    query(concat!(
        "INSERT INTO leases (owner, manager, expires_at) VALUES ($1, $2, ",
        now!(),
        " + $3) ON CONFLICT (owner) DO UPDATE SET manager = excluded.manager, expires_at = excluded.expires_at"
    ))
    .bind(Id(owner.0))
    .bind(Id(manager.0))
    .bind(millis(ttl))
    .execute(&mut *tx)
    .await?;
    tx.commit().await.map_err(Failure::Committing)
}

pub async fn release_lease(writer: &Writer, owner: OwnerId) -> Result<(), Failure> {
    let mut connection = writer.lock().await?;
    let mut tx = begin(&mut connection).await?;
    query("DELETE FROM leases WHERE owner = $1").bind(Id(owner.0)).execute(&mut *tx).await?;
    query("DELETE FROM instances WHERE owner = $1").bind(Id(owner.0)).execute(&mut *tx).await?;
    tx.commit().await.map_err(Failure::Committing)
}

pub async fn release_manager(writer: &Writer, manager: ManagerId) -> Result<(), Failure> {
    let mut connection = writer.lock().await?;
    let mut tx = begin(&mut connection).await?;
    query("DELETE FROM leases WHERE manager = $1").bind(Id(manager.0)).execute(&mut *tx).await?;
    query("DELETE FROM instances WHERE manager = $1").bind(Id(manager.0)).execute(&mut *tx).await?;
    tx.commit().await.map_err(Failure::Committing)
}

pub async fn report_instances(
    writer: &Writer,
    owner: OwnerId,
    instances: &[ReportedInstance],
) -> Result<(), Failure> {
    let mut connection = writer.lock().await?;
    let mut tx = begin(&mut connection).await?;
    query("DELETE FROM instances WHERE owner = $1").bind(Id(owner.0)).execute(&mut *tx).await?;
    for instance in instances {
        query(
            "INSERT INTO instances (owner, id, manager, function_id, revision, sandbox, started_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(Id(owner.0))
        .bind(Id(instance.id.0))
        .bind(Id(instance.manager.0))
        .bind(Id(instance.function.0))
        .bind(i64::from(instance.revision.0))
        .bind(&*clean(&instance.sandbox))
        .bind(instance.started_at.as_millisecond())
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await.map_err(Failure::Committing)
}
