//! Leases of manager processes, and the instances that they report.

use std::time::Duration;

use sqlx::{SqliteConnection, query};

use super::{now, writer::Writer};
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
    async fn run(
        tx: &mut SqliteConnection,
        (owner, manager, ttl): &(OwnerId, ManagerId, Duration),
    ) -> Result<(), Failure> {
        query(concat!(
        "INSERT INTO leases (owner, manager, expires_at) VALUES ($1, $2, ",
        now!(),
        " + $3) ON CONFLICT (owner) DO UPDATE SET manager = excluded.manager, expires_at = excluded.expires_at"
    ))
    .bind(Id(owner.0))
    .bind(Id(manager.0))
    .bind(millis(*ttl))
    .execute(&mut *tx)
    .await?;
        Ok(())
    }
    writer.write((owner, manager, ttl), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn release_lease(writer: &Writer, owner: OwnerId) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, owner: &OwnerId) -> Result<(), Failure> {
        query("DELETE FROM leases WHERE owner = $1").bind(Id(owner.0)).execute(&mut *tx).await?;
        query("DELETE FROM instances WHERE owner = $1").bind(Id(owner.0)).execute(&mut *tx).await?;
        Ok(())
    }
    writer.write(owner, |tx, owner| Box::pin(run(tx, owner))).await
}

pub async fn release_manager(writer: &Writer, manager: ManagerId) -> Result<(), Failure> {
    async fn run(tx: &mut SqliteConnection, manager: &ManagerId) -> Result<(), Failure> {
        query("DELETE FROM leases WHERE manager = $1").bind(Id(manager.0)).execute(&mut *tx).await?;
        query("DELETE FROM instances WHERE manager = $1").bind(Id(manager.0)).execute(&mut *tx).await?;
        Ok(())
    }
    writer.write(manager, |tx, manager| Box::pin(run(tx, manager))).await
}

pub async fn report_instances(
    writer: &Writer,
    owner: OwnerId,
    instances: &[ReportedInstance],
) -> Result<(), Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (owner, instances): &(OwnerId, Vec<ReportedInstance>),
    ) -> Result<(), Failure> {
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
        Ok(())
    }
    writer.write((owner, instances.to_vec()), |tx, arguments| Box::pin(run(tx, arguments))).await
}
