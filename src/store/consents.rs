//! Remembered consent, person × client.

use super::{Db, StoreError, Tx, on};
use crate::domain::consent::Consent;
use crate::domain::id::{ClientId, UserId};
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;

type Row = (String, String, String, i64);

fn consent((scope, claims, resources, granted_at): Row) -> Result<Consent, StoreError> {
    Ok(Consent {
        scope: ScopeSet::parse(&scope).map_err(StoreError::corrupt)?,
        claims: claims.split_whitespace().map(str::to_owned).collect(),
        resources: resources.split_whitespace().map(str::to_owned).collect(),
        granted_at: Timestamp::from_seconds(granted_at),
    })
}

/// What a person lets a client have.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, user: &UserId, client: &ClientId) -> Result<Option<Consent>, StoreError> {
    let row: Option<Row> = on!(db, |db| sqlx::query_as(
        "SELECT scope, claims, resources, granted_at FROM consents WHERE user_id = $1 AND client_id = $2"
    )
    .bind(user.as_str())
    .bind(client.as_str())
    .fetch_optional(db)
    .await)?;
    row.map(consent).transpose()
}

/// The same, touched so that a grant may be born under it: who withdraws it meanwhile waits, and ends that grant too.
///
/// # Errors
/// If the database refuses.
pub async fn touch(tx: &mut Tx, user: &UserId, client: &ClientId) -> Result<Option<Consent>, StoreError> {
    let row: Option<Row> = on!(tx, |db| sqlx::query_as(
        "UPDATE consents SET granted_at = granted_at WHERE user_id = $1 AND client_id = $2 \
         RETURNING scope, claims, resources, granted_at"
    )
    .bind(user.as_str())
    .bind(client.as_str())
    .fetch_optional(db)
    .await)?;
    row.map(consent).transpose()
}

/// Everything a person lets clients have, by client.
///
/// # Errors
/// If the database refuses.
pub async fn of_user(db: &mut Db, user: &UserId) -> Result<Vec<(ClientId, Consent)>, StoreError> {
    let rows: Vec<(String, String, String, String, i64)> = on!(db, |db| sqlx::query_as(
        "SELECT client_id, scope, claims, resources, granted_at FROM consents WHERE user_id = $1 ORDER BY client_id"
    )
    .bind(user.as_str())
    .fetch_all(db)
    .await)?;
    rows.into_iter()
        .map(|(client, scope, claims, resources, at)| {
            Ok((ClientId::new(client), consent((scope, claims, resources, at))?))
        })
        .collect()
}

/// Remembers a consent in the place of an earlier one.
///
/// # Errors
/// If the database refuses.
pub async fn remember(tx: &mut Tx, user: &UserId, client: &ClientId, consent: &Consent) -> Result<(), StoreError> {
    let scope = consent.scope.to_string();
    let claims = consent.claims.join(" ");
    let resources = consent.resources.join(" ");
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO consents (user_id, client_id, scope, claims, resources, granted_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, claims = excluded.claims, \
         resources = excluded.resources, granted_at = excluded.granted_at"
    )
    .bind(user.as_str())
    .bind(client.as_str())
    .bind(scope.as_str())
    .bind(claims.as_str())
    .bind(resources.as_str())
    .bind(consent.granted_at.as_seconds())
    .execute(db)
    .await
    .map(drop)
    })
}

/// Forgets a consent.
///
/// # Errors
/// If the database refuses.
pub async fn forget(tx: &mut Tx, user: &UserId, client: &ClientId) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("DELETE FROM consents WHERE user_id = $1 AND client_id = $2")
        .bind(user.as_str())
        .bind(client.as_str())
        .execute(db)
        .await
        .map(drop))
}
