//! Refresh families: one row each, one guarded step at a time.

use sqlx::FromRow;

use super::grants::{Standing, StandingRow, standing};
use super::{Db, StoreError, Tx, on};
use crate::domain::client::Delivery;
use crate::domain::id::{ClientId, FamilyId, GrantId, SessionId};
use crate::domain::refresh_family::{RefreshFamily, Retries, Retry};
use crate::domain::time::Timestamp;

#[derive(FromRow)]
struct FamilyRow {
    id: String,
    grant_id: String,
    client_id: String,
    session_id: String,
    root_id: String,
    delivery: String,
    retry: String,
    grace: i64,
    generation: i64,
    rotated_at: i64,
    expires_at: i64,
    idle_expires_at: i64,
    retry_streak: i64,
    retry_counted: bool,
    retry_contexts: String,
    ended_at: Option<i64>,
    #[sqlx(flatten)]
    standing: StandingRow,
}

/// A family with the grant it belongs to, or `None` if there is none of that id.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &FamilyId) -> Result<Option<(RefreshFamily, Standing)>, StoreError> {
    let row: Option<FamilyRow> = on!(db, |db| {
        sqlx::query_as(concat!(
        "SELECT f.id, f.grant_id, f.client_id, f.session_id, f.root_id, f.delivery, f.retry, f.grace, f.generation, f.rotated_at, \
         f.expires_at, f.idle_expires_at, f.retry_streak, f.retry_counted, f.retry_contexts, f.ended_at, ",
        standing!(columns),
        " FROM ",
        standing!(tables),
        " JOIN refresh_families f ON f.grant_id = g.id WHERE f.id = $1"
    ))
    .bind(id.as_str())
    .fetch_optional(db)
    .await
    })?;
    row.map(|row| Ok((family(&row)?, Standing::try_from(row.standing)?))).transpose()
}

fn family(row: &FamilyRow) -> Result<RefreshFamily, StoreError> {
    let number = |value: i64, column: &str| u32::try_from(value).map_err(|_| StoreError::corrupt(column));
    Ok(RefreshFamily {
        id: FamilyId::new(row.id.as_str()),
        grant_id: GrantId::new(row.grant_id.as_str()),
        client_id: ClientId::new(row.client_id.as_str()),
        session_id: SessionId::new(row.session_id.as_str()),
        root_id: row.root_id.clone(),
        delivery: Delivery::parse(&row.delivery).ok_or_else(|| StoreError::corrupt("refresh_families.delivery"))?,
        retry: (
            Retry::parse(&row.retry).ok_or_else(|| StoreError::corrupt("refresh_families.retry"))?,
            u64::try_from(row.grace).map_err(|_| StoreError::corrupt("refresh_families.grace"))?,
        ),
        generation: number(row.generation, "refresh_families.generation")?,
        rotated_at: Timestamp::from_seconds(row.rotated_at),
        expires_at: Timestamp::from_seconds(row.expires_at),
        idle_expires_at: Timestamp::from_seconds(row.idle_expires_at),
        retries: Retries {
            streak: number(row.retry_streak, "refresh_families.retry_streak")?,
            counted: row.retry_counted,
            contexts: row.retry_contexts.split_whitespace().map(str::to_owned).collect(),
        },
        ended_at: row.ended_at.map(Timestamp::from_seconds),
    })
}

/// Records a family at generation 0. Its grant must have been touched in the same unit.
///
/// # Errors
/// If the database refuses: also where the session and client have a living cookie family already.
pub async fn insert(tx: &mut Tx, family: &RefreshFamily, now: Timestamp) -> Result<(), StoreError> {
    let contexts = family.retries.contexts.join(" ");
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO refresh_families (id, grant_id, client_id, session_id, root_id, delivery, retry, grace, generation, rotated_at, \
         created_at, expires_at, idle_expires_at, retry_streak, retry_counted, retry_contexts) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, 0, FALSE, $13)"
    )
    .bind(family.id.as_str())
    .bind(family.grant_id.as_str())
    .bind(family.client_id.as_str())
    .bind(family.session_id.as_str())
    .bind(family.root_id.as_str())
    .bind(family.delivery.as_str())
    .bind(family.retry.0.as_str())
    .bind(i64::try_from(family.retry.1).unwrap_or(i64::MAX))
    .bind(i64::from(family.generation))
    .bind(now.as_seconds())
    .bind(family.expires_at.as_seconds())
    .bind(family.idle_expires_at.as_seconds())
    .bind(contexts.as_str())
    .execute(db)
    .await
    .map(drop)
    })
}

/// What a use of a family changes in its row.
#[derive(Debug)]
pub struct Advance<'a> {
    /// The generation from now on.
    pub generation: u32,
    /// When the present generation was made.
    pub rotated_at: Timestamp,
    /// The new end if it is not used.
    pub idle_expires_at: Timestamp,
    /// The retries from now on.
    pub retries: &'a Retries,
}

/// Writes the use of a family that was read at generation `from`. False: someone else used or ended it meanwhile; read again.
///
/// # Errors
/// If the database refuses.
pub async fn advance(tx: &mut Tx, id: &FamilyId, from: u32, to: &Advance<'_>) -> Result<bool, StoreError> {
    let contexts = to.retries.contexts.join(" ");
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE refresh_families SET generation = $3, rotated_at = $4, idle_expires_at = $5, retry_streak = $6, retry_counted = $7, \
         retry_contexts = $8 WHERE id = $1 AND generation = $2 AND ended_at IS NULL"
    )
    .bind(id.as_str())
    .bind(i64::from(from))
    .bind(i64::from(to.generation))
    .bind(to.rotated_at.as_seconds())
    .bind(to.idle_expires_at.as_seconds())
    .bind(i64::from(to.retries.streak))
    .bind(to.retries.counted)
    .bind(contexts.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    Ok(hit == 1)
}
