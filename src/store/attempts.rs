//! Permits of the throttle: how many a bucket has given in its window.

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A permit that a bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The how many-th of the window it is.
    pub number: i64,
    /// When the window ends.
    pub until: Timestamp,
}

/// Takes a permit, or `None` if the bucket has given all of this window. Exact among any number of processes: one guarded
/// statement. `until` is when a window that begins now will end.
///
/// # Errors
/// If the database refuses.
pub async fn take(
    tx: &mut Tx,
    bucket: &str,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Taken>, StoreError> {
    let row: Option<(i64, i64)> = on!(tx, |db| sqlx::query_as(
        "INSERT INTO attempts (bucket, taken, until) VALUES ($1, 1, $4) ON CONFLICT (bucket) DO UPDATE SET \
         taken = CASE WHEN attempts.until <= $3 THEN 1 ELSE attempts.taken + 1 END, \
         until = CASE WHEN attempts.until <= $3 THEN excluded.until ELSE attempts.until END \
         WHERE attempts.taken < $2 OR attempts.until <= $3 RETURNING taken, until"
    )
    .bind(bucket)
    .bind(i64::from(limit))
    .bind(now.as_seconds())
    .bind(until.as_seconds())
    .fetch_optional(db)
    .await)?;
    Ok(row.map(|(number, until)| Taken { number, until: Timestamp::from_seconds(until) }))
}

/// Gives a permit back to the window it was taken from.
///
/// # Errors
/// If the database refuses.
pub async fn refund(tx: &mut Tx, bucket: &str, until: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE attempts SET taken = taken - 1 WHERE bucket = $1 AND until = $2 AND taken > 0")
        .bind(bucket)
        .bind(until.as_seconds())
        .execute(db)
        .await
        .map(drop))
}

/// When the bucket's window ends, or `None` if it never gave a permit.
///
/// # Errors
/// If the database refuses.
pub async fn until(db: &mut Db, bucket: &str) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(i64,)> = on!(db, |db| sqlx::query_as("SELECT until FROM attempts WHERE bucket = $1")
        .bind(bucket)
        .fetch_optional(db)
        .await)?;
    Ok(row.map(|(until,)| Timestamp::from_seconds(until)))
}
