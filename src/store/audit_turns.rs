//! Where the chain over the audit stood when its key was replaced.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};

/// A key of the audit was replaced.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Turn {
    /// The id of the former key.
    pub key_id: String,
    /// The number of the newest row by then.
    pub number: i64,
    /// Its MAC.
    pub mac: String,
    /// The MAC over this by the key that took its place.
    pub vouched: String,
}

/// All of them.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<Turn>, StoreError> {
    on!(db, |db| {
        sqlx::query_as("SELECT key_id, number, mac, vouched FROM audit_turns ORDER BY number").fetch_all(db).await
    })
}

/// Writes one down.
///
/// # Errors
/// If the database refuses, also because the key was replaced before.
pub async fn insert(tx: &mut Tx, turn: &Turn) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query("INSERT INTO audit_turns (key_id, number, mac, vouched) VALUES ($1, $2, $3, $4)")
            .bind(turn.key_id.as_str())
            .bind(turn.number)
            .bind(turn.mac.as_str())
            .bind(turn.vouched.as_str())
            .execute(db)
            .await
            .map(drop)
    })
}
