//! Authorization requests that wait for a person.

use super::{Db, StoreError, Tx, on};
use crate::domain::id::{BrowserId, ClientId, RequestId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

/// A parked request.
#[derive(Debug, Clone)]
pub struct Parked {
    /// The row.
    pub id: RequestId,
    /// What the presented token's digest must equal.
    pub digest: TokenDigest,
    /// Who asks.
    pub client_id: ClientId,
    /// The browser it belongs to, once one has shown up with it.
    pub browser_id: Option<BrowserId>,
    /// The parameters as a form body.
    pub parameters: String,
    /// When it was parked.
    pub created_at: Timestamp,
    /// When it is too late to go on.
    pub expires_at: Timestamp,
    /// Who signed in during this transaction.
    pub authenticated_user: Option<UserId>,
    /// Who was chosen during this transaction.
    pub chosen_user: Option<UserId>,
}

impl Parked {
    /// Whether the client was answered. The row then holds nothing but whose it was, until it is removed.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.expires_at <= self.created_at
    }
}

/// Parks a request.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, parked: &Parked) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO authorize_requests (id, digest, client_id, browser_id, parameters, created_at, expires_at, authenticated_user, chosen_user) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    )
    .bind(parked.id.as_str())
    .bind(parked.digest.as_str())
    .bind(parked.client_id.as_str())
    .bind(parked.browser_id.as_ref().map(BrowserId::as_str))
    .bind(parked.parameters.as_str())
    .bind(parked.created_at.as_seconds())
    .bind(parked.expires_at.as_seconds())
    .bind(parked.authenticated_user.as_ref().map(UserId::as_str))
    .bind(parked.chosen_user.as_ref().map(UserId::as_str))
    .execute(db)
    .await
    .map(drop)
    })
}

type Row = (String, String, String, Option<String>, String, i64, i64, Option<String>, Option<String>);

/// A parked request, although it may be answered or too old.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &RequestId) -> Result<Option<Parked>, StoreError> {
    let row: Option<Row> = on!(db, |db| {
        sqlx::query_as(
        "SELECT id, digest, client_id, browser_id, parameters, created_at, expires_at, authenticated_user, chosen_user \
         FROM authorize_requests WHERE id = $1"
    )
    .bind(id.as_str())
    .fetch_optional(db)
    .await
    })?;
    Ok(row.map(|row| Parked {
        id: RequestId::new(row.0),
        digest: TokenDigest::stored(row.1),
        client_id: ClientId::new(row.2),
        browser_id: row.3.map(BrowserId::new),
        parameters: row.4,
        created_at: Timestamp::from_seconds(row.5),
        expires_at: Timestamp::from_seconds(row.6),
        authenticated_user: row.7.map(UserId::new),
        chosen_user: row.8.map(UserId::new),
    }))
}

/// Binds a request to the browser that shows up with it first. False: it belongs to another.
///
/// # Errors
/// If the database refuses.
pub async fn bind(tx: &mut Tx, id: &RequestId, browser: &BrowserId) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE authorize_requests SET browser_id = $2 WHERE id = $1 AND (browser_id IS NULL OR browser_id = $2)"
    )
    .bind(id.as_str())
    .bind(browser.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Gives a request from one browser identity to another. False: it was not the first one's.
///
/// # Errors
/// If the database refuses.
pub async fn rebind(tx: &mut Tx, id: &RequestId, from: &BrowserId, to: &BrowserId) -> Result<bool, StoreError> {
    let hit =
        on!(tx, |db| sqlx::query("UPDATE authorize_requests SET browser_id = $3 WHERE id = $1 AND browser_id = $2")
            .bind(id.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .execute(db)
            .await
            .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Notes that a person proved who they are during this transaction.
///
/// # Errors
/// If the database refuses.
pub async fn note_sign_in(tx: &mut Tx, id: &RequestId, user: &UserId) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE authorize_requests SET authenticated_user = $2, chosen_user = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(user.as_str())
        .execute(db)
        .await
        .map(drop))
}

/// Notes that a person was chosen during this transaction.
///
/// # Errors
/// If the database refuses.
pub async fn note_choice(tx: &mut Tx, id: &RequestId, user: &UserId) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE authorize_requests SET chosen_user = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(user.as_str())
        .execute(db)
        .await
        .map(drop))
}

/// Closes a request when it is answered: once. What was asked is forgotten; whose it was stays for a while, to lead who comes
/// again by a second click or the back button. False: it was answered already, or is gone.
///
/// # Errors
/// If the database refuses.
pub async fn close(tx: &mut Tx, id: &RequestId) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE authorize_requests SET expires_at = created_at, parameters = '', authenticated_user = NULL, \
         chosen_user = NULL WHERE id = $1 AND expires_at > created_at"
    )
    .bind(id.as_str())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}
