//! Browsers, and at which of them a person has signed in before.

use super::{Db, StoreError, Tx, on};
use crate::domain::id::{BrowserId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

/// A browser's row.
#[derive(Debug)]
pub struct Row {
    /// The digest of its cookie.
    pub digest: TokenDigest,
    /// Whether somebody has ever signed in at it.
    pub known: bool,
    /// When it was last noted that it came.
    pub last_seen_at: Timestamp,
}

/// The row of a browser.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &BrowserId) -> Result<Option<Row>, StoreError> {
    let row: Option<(String, bool, i64)> =
        on!(db, |db| sqlx::query_as("SELECT digest, known, last_seen_at FROM browsers WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(db)
            .await)?;
    Ok(row.map(|(digest, known, at)| Row {
        digest: TokenDigest::stored(digest),
        known,
        last_seen_at: Timestamp::from_seconds(at),
    }))
}

/// Records a browser.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, id: &BrowserId, digest: &TokenDigest, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO browsers (id, digest, known, created_at, last_seen_at) VALUES ($1, $2, FALSE, $3, $3)"
    )
    .bind(id.as_str())
    .bind(digest.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Notes that the browser was seen; makes sign-ins at one browser wait for each other. False: it is not known.
///
/// # Errors
/// If the database refuses.
pub async fn touch(tx: &mut Tx, id: &BrowserId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("UPDATE browsers SET last_seen_at = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Whether the person has signed in at this browser before.
///
/// # Errors
/// If the database refuses.
pub async fn is_known(db: &mut Db, browser: &BrowserId, user: &UserId) -> Result<bool, StoreError> {
    let row: Option<(i64,)> =
        on!(db, |db| sqlx::query_as("SELECT since FROM known_browsers WHERE browser_id = $1 AND user_id = $2")
            .bind(browser.as_str())
            .bind(user.as_str())
            .fetch_optional(db)
            .await)?;
    Ok(row.is_some())
}

/// Remembers that the person signed in at this browser. Both must have been touched in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn know(tx: &mut Tx, browser: &BrowserId, user: &UserId, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE browsers SET known = TRUE WHERE id = $1")
        .bind(browser.as_str())
        .execute(db)
        .await
        .map(drop))?;
    on!(tx, |db| sqlx::query(
        "INSERT INTO known_browsers (browser_id, user_id, since) VALUES ($1, $2, $3) \
         ON CONFLICT (browser_id, user_id) DO NOTHING"
    )
    .bind(browser.as_str())
    .bind(user.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))
}
