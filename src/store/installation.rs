//! Facts about the installation, one a row.

use super::{Db, StoreError, Tx, on};

/// The value of a fact.
///
/// # Errors
/// If the database refuses.
pub async fn fact(db: &mut Db, name: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = on!(db, |db| sqlx::query_as("SELECT value FROM installation WHERE name = $1")
        .bind(name)
        .fetch_optional(db)
        .await)?;
    Ok(row.map(|(value,)| value))
}

/// Writes a fact unless it is there.
///
/// # Errors
/// If the database refuses.
pub async fn set_if_absent(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
        .bind(name)
        .bind(value)
        .execute(db)
        .await
        .map(drop))
}

/// Writes a fact, over what was there.
///
/// # Errors
/// If the database refuses.
pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
    .bind(name)
    .bind(value)
    .execute(db)
    .await
    .map(drop))
}
