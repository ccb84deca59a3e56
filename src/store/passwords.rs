//! Passwords: Argon2 hashes, sealed.

use super::{Db, StoreError, Tx, on};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;

/// A password as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredPassword {
    /// The hash, sealed.
    pub sealed: String,
    /// Which master key sealed it.
    pub kek_id: String,
    /// When it was set. Grows with every new password, also within one second; a new hash of the same password keeps it.
    pub changed_at: Timestamp,
}

/// A person's password, or `None` if the person has none.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, user: &UserId) -> Result<Option<StoredPassword>, StoreError> {
    let row: Option<(String, String, i64)> =
        on!(db, |db| sqlx::query_as("SELECT sealed, kek_id, changed_at FROM passwords WHERE user_id = $1")
            .bind(user.as_str())
            .fetch_optional(db)
            .await)?;
    Ok(row.map(|(sealed, kek_id, at)| StoredPassword { sealed, kek_id, changed_at: Timestamp::from_seconds(at) }))
}

/// A sealed hash on its way into a row.
#[derive(Debug, Clone, Copy)]
pub struct SealedHash<'a> {
    /// The hash, sealed.
    pub text: &'a str,
    /// Which master key sealed it.
    pub kek_id: &'a str,
}

/// Gives a person a password in the place of an earlier one. The person must have been touched in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn put(tx: &mut Tx, user: &UserId, hash: SealedHash<'_>, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO passwords (user_id, sealed, kek_id, changed_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, kek_id = excluded.kek_id, changed_at = \
         CASE WHEN passwords.changed_at >= excluded.changed_at THEN passwords.changed_at + 1 ELSE excluded.changed_at END"
    )
    .bind(user.as_str())
    .bind(hash.text)
    .bind(hash.kek_id)
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop)
    })
}

/// Puts another hash of the same password in the place of `old`. False: `old` is there no more.
///
/// # Errors
/// If the database refuses.
pub async fn rehash(tx: &mut Tx, user: &UserId, old: &str, new: SealedHash<'_>) -> Result<bool, StoreError> {
    let hit =
        on!(tx, |db| sqlx::query("UPDATE passwords SET sealed = $3, kek_id = $4 WHERE user_id = $1 AND sealed = $2")
            .bind(user.as_str())
            .bind(old)
            .bind(new.text)
            .bind(new.kek_id)
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}
