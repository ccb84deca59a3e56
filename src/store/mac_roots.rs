//! MAC roots: sealed keys that all MAC keys are drawn from. One counts, the others have ended.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A root as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct MacRootRow {
    /// Its identity.
    pub id: String,
    /// The sealed root.
    pub sealed: String,
    /// Which master key sealed it.
    pub kek_id: String,
    /// When it was made, in seconds.
    pub created_at: i64,
    /// When another took its place, in seconds.
    pub ended_at: Option<i64>,
}

/// All roots: the one that counts, then the ended ones, the latest first.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<MacRootRow>, StoreError> {
    on!(db, |db| {
        sqlx::query_as(
            "SELECT id, sealed, kek_id, created_at, ended_at FROM mac_roots \
             ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id DESC",
        )
        .fetch_all(db)
        .await
    })
}

/// Adds the root that counts from now on. False: there is one already; nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, row: &MacRootRow) -> Result<bool, StoreError> {
    let written = on!(tx, |db| {
        sqlx::query(
            "INSERT INTO mac_roots (id, sealed, kek_id, created_at, ended_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(row.id.as_str())
        .bind(row.sealed.as_str())
        .bind(row.kek_id.as_str())
        .bind(row.created_at)
        .bind(row.ended_at)
        .execute(db)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(written == 1)
}

/// Ends the root that counts.
///
/// # Errors
/// If the database refuses.
pub async fn end(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE mac_roots SET ended_at = $1 WHERE ended_at IS NULL")
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}
