//! Facts about the installation, one a row.

use super::{Db, StoreError, Tx, on};

/// The sealed probe that tells whether the master key is the right one.
pub const MASTER_KEY_CHECK: &str = "master_key_check";

/// A fact, if it was ever written.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = on!(db, |db| sqlx::query_as("SELECT value FROM installation WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await)?;
    Ok(row.map(|(value,)| value))
}

/// Writes a fact that is not there yet. False: it was there, and stays as it was.
///
/// # Errors
/// If the database refuses.
pub async fn write_once(tx: &mut Tx, name: &str, value: &str) -> Result<bool, StoreError> {
    let written = on!(tx, |db| sqlx::query(
        "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
    )
    .bind(name)
    .bind(value)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(written == 1)
}
