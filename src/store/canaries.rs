//! Apps whose tokens are signed with the key that waits, for a while.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// A canary as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct CanaryRow {
    /// The app.
    pub client_id: String,
    /// The key that signs for it.
    pub kid: String,
    /// Until when, in seconds.
    pub until: i64,
}

/// All of them, those that are over too.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<CanaryRow>, StoreError> {
    on!(db, |db| sqlx::query_as("SELECT client_id, kid, until FROM key_canaries ORDER BY client_id, kid")
        .fetch_all(db)
        .await)
}

/// Begins one, or goes on with it.
///
/// # Errors
/// If the database refuses.
pub async fn begin(tx: &mut Tx, client_id: &str, kid: &str, until: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO key_canaries (client_id, kid, until) VALUES ($1, $2, $3) \
         ON CONFLICT (client_id, kid) DO UPDATE SET until = excluded.until"
    )
    .bind(client_id)
    .bind(kid)
    .bind(until.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Ends one at once. Its row stays for a while: tokens that the key signed are about.
///
/// # Errors
/// If the database refuses.
pub async fn end(tx: &mut Tx, client_id: &str, kid: &str, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE key_canaries SET until = $3 WHERE client_id = $1 AND kid = $2 AND until > $3")
        .bind(client_id)
        .bind(kid)
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}
