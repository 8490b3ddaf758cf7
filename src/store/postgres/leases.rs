//! Leases of manager processes, and the instances that they report.

use std::time::Duration;

use sqlx::{PgPool, query, query_scalar};

use super::columns;
use crate::{
    model::{FunctionId, ManagerId, OwnerId},
    store::{
        Lease, ReportedInstance,
        failure::Failure,
        rows::{Id, clean, millis},
    },
};

pub async fn take_lease(
    pool: &PgPool,
    owner: OwnerId,
    manager: ManagerId,
    ttl: Duration,
) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "INSERT INTO leases (owner, manager, expires_at) VALUES ($1, $2, now_ms() + $3)
         ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at, renewals = leases.renewals + 1",
    )
    .bind(Id(owner.0))
    .bind(Id(manager.0))
    .bind(millis(ttl))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn renew_lease(pool: &PgPool, owner: OwnerId, ttl: Duration) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let renewed =
        query("UPDATE leases SET renewals = renewals + 1, expires_at = now_ms() + $2 WHERE owner = $1")
            .bind(Id(owner.0))
            .bind(millis(ttl))
            .execute(&mut *connection)
            .await
            .map_err(Failure::committing)?;
    Ok(renewed.rows_affected() == 1)
}

pub async fn end_lease(pool: &PgPool, lease: &Lease) -> Result<bool, Failure> {
    let mut connection = pool.acquire().await?;
    let ended: i64 = query_scalar(
        "WITH ended AS (
            DELETE FROM leases WHERE owner = $1 AND renewals = $2 AND expires_at = $3 RETURNING owner
         ), forgotten AS (
            DELETE FROM instances WHERE owner IN (SELECT owner FROM ended)
         )
         SELECT count(*) FROM ended",
    )
    .bind(Id(lease.owner.0))
    .bind(lease.renewed.renewals)
    .bind(lease.renewed.expires_at)
    .fetch_one(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(ended == 1)
}

pub async fn release_lease(pool: &PgPool, owner: OwnerId) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query("WITH ended AS (DELETE FROM instances WHERE owner = $1) DELETE FROM leases WHERE owner = $1")
        .bind(Id(owner.0))
        .execute(&mut *connection)
        .await
        .map_err(Failure::committing)?;
    Ok(())
}

pub async fn release_manager(pool: &PgPool, manager: ManagerId) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    query(
        "WITH ended AS (DELETE FROM instances WHERE manager = $1) DELETE FROM leases WHERE manager = $1",
    )
    .bind(Id(manager.0))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn report_instances(
    pool: &PgPool,
    owner: OwnerId,
    instances: &[ReportedInstance],
) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    // Most are there already, as they are.
    query(
        "WITH ended AS (DELETE FROM instances WHERE owner = $1 AND id <> ALL ($2))
         INSERT INTO instances (owner, id, manager, function_id, revision, sandbox, started_at)
         SELECT DISTINCT ON (t.id) $1, t.* FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[],
                                                       $6::text[], $7::bigint[])
            AS t (id, manager, function_id, revision, sandbox, started_at)
         ON CONFLICT (owner, id) DO UPDATE SET manager = excluded.manager, function_id = excluded.function_id,
            revision = excluded.revision, sandbox = excluded.sandbox, started_at = excluded.started_at
             WHERE (instances.manager, instances.function_id, instances.revision, instances.sandbox, instances.started_at)
                <> (excluded.manager, excluded.function_id, excluded.revision, excluded.sandbox, excluded.started_at)",
    )
    .bind(Id(owner.0))
    .bind(columns(instances, |instance| Id(instance.id.0)))
    .bind(columns(instances, |instance| Id(instance.manager.0)))
    .bind(columns(instances, |instance| Id(instance.function.0)))
    .bind(columns(instances, |instance| i64::from(instance.revision.0)))
    .bind(columns(instances, |instance| clean(&instance.sandbox)))
    .bind(columns(instances, |instance| instance.started_at.as_millisecond()))
    .execute(&mut *connection)
    .await
    .map_err(Failure::committing)?;
    Ok(())
}

pub async fn report_unusable(
    pool: &PgPool,
    owner: OwnerId,
    manager: ManagerId,
    functions: &[(FunctionId, String)],
) -> Result<(), Failure> {
    let mut tx = pool.begin().await?;
    query("DELETE FROM unusable WHERE owner = $1 OR owner NOT IN (SELECT owner FROM leases)")
        .bind(Id(owner.0))
        .execute(&mut *tx)
        .await?;
    query(
        "INSERT INTO unusable (owner, manager, function_id, reason)
         SELECT $1, $2, f, r FROM unnest($3::uuid[], $4::text[]) AS t (f, r)",
    )
    .bind(Id(owner.0))
    .bind(Id(manager.0))
    .bind(columns(functions, |(function, _)| Id(function.0)))
    .bind(columns(functions, |(_, reason): &(_, String)| clean(reason)))
    .execute(&mut *tx)
    .await?;
    tx.commit().await.map_err(Failure::committing)?;
    Ok(())
}
