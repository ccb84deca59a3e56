//! Refresh roots: sealed keys that the keys of refresh families are drawn from.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A root as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RefreshRootRow {
    /// Its identity.
    pub id: String,
    /// The sealed key.
    pub sealed: String,
    /// Which master key sealed it.
    pub kek_id: String,
    /// When it was made, in seconds.
    pub created_at: i64,
    /// When another took its place, in seconds.
    pub ended_at: Option<i64>,
}

/// All roots, the oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<RefreshRootRow>, StoreError> {
    on!(db, |db| {
        sqlx::query_as("SELECT id, sealed, kek_id, created_at, ended_at FROM refresh_roots ORDER BY created_at, id")
            .fetch_all(db)
            .await
    })
}

/// Adds a root.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, row: &RefreshRootRow) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query("INSERT INTO refresh_roots (id, sealed, kek_id, created_at, ended_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(row.id.as_str())
            .bind(row.sealed.as_str())
            .bind(row.kek_id.as_str())
            .bind(row.created_at)
            .bind(row.ended_at)
            .execute(db)
            .await
            .map(drop)
    })
}

/// Ends all roots that there are.
///
/// # Errors
/// If the database refuses.
pub async fn end(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE refresh_roots SET ended_at = $1 WHERE ended_at IS NULL")
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}
