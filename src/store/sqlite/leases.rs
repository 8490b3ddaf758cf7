//! Leases of manager processes, and the instances that they report.

use std::time::Duration;

use sqlx::{SqliteConnection, query};

use super::{now, writer::Writer};
use crate::{
    model::{FunctionId, ManagerId, OwnerId},
    store::{
        Lease, ReportedInstance,
        failure::Failure,
        rows::{Id, clean, hex_ids, json, millis},
    },
};

pub async fn take_lease(
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
            " + $3)
             ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at, renewals = renewals + 1"
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

pub async fn renew_lease(writer: &Writer, owner: OwnerId, ttl: Duration) -> Result<bool, Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (owner, ttl): &(OwnerId, Duration),
    ) -> Result<bool, Failure> {
        let renewed = query(concat!(
            "UPDATE leases SET renewals = renewals + 1, expires_at = ",
            now!(),
            " + $2 WHERE owner = $1"
        ))
        .bind(Id(owner.0))
        .bind(millis(*ttl))
        .execute(&mut *tx)
        .await?;
        Ok(renewed.rows_affected() == 1)
    }
    writer.write((owner, ttl), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn end_lease(writer: &Writer, lease: &Lease) -> Result<bool, Failure> {
    async fn run(tx: &mut SqliteConnection, lease: &Lease) -> Result<bool, Failure> {
        let owner = Id(lease.owner.0);
        let ended = query("DELETE FROM leases WHERE owner = $1 AND renewals = $2 AND expires_at = $3")
            .bind(owner)
            .bind(lease.renewed.renewals)
            .bind(lease.renewed.expires_at)
            .execute(&mut *tx)
            .await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        query("DELETE FROM instances WHERE owner = $1").bind(owner).execute(&mut *tx).await?;
        Ok(true)
    }
    writer.write(*lease, |tx, lease| Box::pin(run(tx, lease))).await
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
        // Most are there already, as they are.
        query(
            "DELETE FROM instances WHERE owner = $1 AND id NOT IN (SELECT unhex(value) FROM json_each($2))",
        )
        .bind(Id(owner.0))
        .bind(hex_ids(instances.iter().map(|instance| instance.id.0))?)
        .execute(&mut *tx)
        .await?;
        let rows: Vec<_> = instances
            .iter()
            .map(|instance| {
                let hex = |id: uuid::Uuid| id.simple().to_string();
                (
                    hex(instance.id.0),
                    hex(instance.manager.0),
                    hex(instance.function.0),
                    instance.revision,
                    clean(&instance.sandbox),
                    instance.started_at.as_millisecond(),
                )
            })
            .collect();
        query(
            "INSERT INTO instances (owner, id, manager, function_id, revision, sandbox, started_at)
             SELECT $1, unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4,
                    value ->> 5
             FROM json_each($2) WHERE TRUE ON CONFLICT (owner, id) DO UPDATE SET manager = excluded.manager, function_id = excluded.function_id,
            revision = excluded.revision, sandbox = excluded.sandbox, started_at = excluded.started_at
             WHERE (instances.manager, instances.function_id, instances.revision, instances.sandbox, instances.started_at)
                <> (excluded.manager, excluded.function_id, excluded.revision, excluded.sandbox, excluded.started_at)",
        )
        .bind(Id(owner.0))
        .bind(json(&rows)?)
        .execute(&mut *tx)
        .await?;
        Ok(())
    }
    writer.write((owner, instances.to_vec()), |tx, arguments| Box::pin(run(tx, arguments))).await
}

pub async fn report_unusable(
    writer: &Writer,
    owner: OwnerId,
    manager: ManagerId,
    functions: &[(FunctionId, String)],
) -> Result<(), Failure> {
    async fn run(
        tx: &mut SqliteConnection,
        (owner, manager, functions): &(OwnerId, ManagerId, Vec<(FunctionId, String)>),
    ) -> Result<(), Failure> {
        query("DELETE FROM unusable WHERE owner = $1 OR owner NOT IN (SELECT owner FROM leases)")
            .bind(Id(owner.0))
            .execute(&mut *tx)
            .await?;
        for (function, reason) in functions {
            query("INSERT INTO unusable (owner, manager, function_id, reason) VALUES ($1, $2, $3, $4)")
                .bind(Id(owner.0))
                .bind(Id(manager.0))
                .bind(Id(function.0))
                .bind(&*clean(reason))
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
    let arguments = (owner, manager, functions.to_vec());
    writer.write(arguments, |tx, arguments| Box::pin(run(tx, arguments))).await
}
