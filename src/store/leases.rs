//! Which process runs which job.

use std::time::Duration;

use super::{StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Takes or renews a lease. False: another process holds it.
///
/// # Errors
/// If the database refuses.
pub async fn take(tx: &mut Tx, name: &str, holder: &str, lasts: Duration, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
         WHERE leases.until <= $4 OR leases.holder = excluded.holder"
    )
    .bind(name)
    .bind(holder)
    .bind(now.plus(lasts).as_seconds())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Gives a lease back before it runs out, so that another process need not wait for that. One that is another's stays.
///
/// # Errors
/// If the database refuses.
pub async fn give_back(tx: &mut Tx, name: &str, holder: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("DELETE FROM leases WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(holder)
        .execute(db)
        .await
        .map(drop))
}
