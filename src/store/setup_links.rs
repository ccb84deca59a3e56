//! The one-time link that creates the first admin.

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;
use crate::domain::token::{OpaqueToken, TokenDigest};

/// Records a link; only its digest is kept.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, link: &OpaqueToken, expires_at: Timestamp) -> Result<(), StoreError> {
    let digest = link.digest();
    on!(tx, |db| sqlx::query("INSERT INTO setup_links (id, digest, expires_at) VALUES ($1, $2, $3)")
        .bind(link.id())
        .bind(digest.as_str())
        .bind(expires_at.as_seconds())
        .execute(db)
        .await
        .map(drop))
}

/// Whether a link may be used.
///
/// # Errors
/// If the database refuses.
pub async fn is_good(db: &mut Db, link: &OpaqueToken, now: Timestamp) -> Result<bool, StoreError> {
    let row: Option<(String,)> = on!(db, |db| sqlx::query_as(
        "SELECT digest FROM setup_links WHERE id = $1 AND consumed_at IS NULL AND expires_at > $2"
    )
    .bind(link.id())
    .bind(now.as_seconds())
    .fetch_optional(db)
    .await)?;
    Ok(row.is_some_and(|(digest,)| TokenDigest::stored(digest).matches(&link.digest())))
}

/// Uses a link up. False: it was used, or its time is over.
///
/// # Errors
/// If the database refuses.
pub async fn consume(tx: &mut Tx, link: &OpaqueToken, now: Timestamp) -> Result<bool, StoreError> {
    if !is_good(tx, link, now).await? {
        return Ok(false);
    }
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE setup_links SET consumed_at = $2 WHERE id = $1 AND consumed_at IS NULL AND expires_at > $2"
    )
    .bind(link.id())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}
