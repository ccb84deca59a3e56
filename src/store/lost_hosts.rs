//! When machines of ours were lost: what people did there before counts no more.

use super::{StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Sessions in which the person proved who they are by this moment are over. [`super::sessions`] reads it with each of them.
///
/// # Errors
/// If the database refuses.
pub async fn add(tx: &mut Tx, at: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("INSERT INTO lost_hosts (at) VALUES ($1) ON CONFLICT (at) DO NOTHING")
        .bind(at.as_seconds())
        .execute(db)
        .await
        .map(drop))
}
