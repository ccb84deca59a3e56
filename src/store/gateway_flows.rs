//! Sign-ins at apps behind a proxy that are on their way.

use super::{Db, StoreError, Tx, on};
use crate::domain::gateway::AppFlow;
use crate::domain::id::AppFlowId;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

/// Records that a sign-in began.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, flow: &AppFlow) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO gateway_flows (id, digest, browser, host, path, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"
    )
    .bind(flow.id.as_str())
    .bind(flow.digest.as_str())
    .bind(flow.browser.as_str())
    .bind(flow.host.as_str())
    .bind(flow.path.as_str())
    .bind(flow.expires_at.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// A sign-in that began, although it may be too old.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &AppFlowId) -> Result<Option<AppFlow>, StoreError> {
    let row: Option<(String, String, String, String, String, i64)> = on!(db, |db| sqlx::query_as(
        "SELECT id, digest, browser, host, path, expires_at FROM gateway_flows WHERE id = $1"
    )
    .bind(id.as_str())
    .fetch_optional(db)
    .await)?;
    Ok(row.map(|(id, digest, browser, host, path, expires_at)| AppFlow {
        id: AppFlowId::new(id),
        digest: TokenDigest::stored(digest),
        browser: TokenDigest::stored(browser),
        host,
        path,
        expires_at: Timestamp::from_seconds(expires_at),
    }))
}

/// Takes a sign-in away: its one use. False: somebody was faster.
///
/// # Errors
/// If the database refuses.
pub async fn take(tx: &mut Tx, id: &AppFlowId) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("DELETE FROM gateway_flows WHERE id = $1")
        .bind(id.as_str())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}
