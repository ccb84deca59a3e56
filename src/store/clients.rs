//! Relying apps. Every writing function first tells the other processes, which also makes writers wait for each other.

use sqlx::FromRow;

use super::changes::{self, Kind};
use super::endings::{self, Grants};
use super::{Db, StoreError, Tx, grants, on, status_lists};
use crate::crypto::digest::sha256_b64u;
use crate::domain::client::{Client, ClientSettings};
use crate::domain::id::ClientId;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;

/// The name of a client's refresh cookie after the prefix: 12 characters of the digest of its id.
#[must_use]
pub fn cookie_tag(id: &ClientId) -> String {
    sha256_b64u(id.as_str().as_bytes()).chars().take(12).collect()
}

/// Registers a client under a fresh status index. `secret_mac` is empty for public clients.
///
/// # Errors
/// [`StoreError::Conflict`] if the id or its cookie tag is taken.
pub async fn insert(
    tx: &mut Tx,
    id: &ClientId,
    settings: &ClientSettings,
    secret_mac: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    let status = status_lists::allocate(tx, None, 1, now).await?.start();
    let (tag, is_told) = (cookie_tag(id), settings.backchannel_logout_uri.is_some());
    let settings = text_of(settings)?;
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO clients (client_id, cookie_tag, settings, secret_mac, status_list, status_index, created_at, updated_at, \
         not_before, told_of_logouts) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0, $8)"
    )
    .bind(id.as_str())
    .bind(tag.as_str())
    .bind(settings.as_str())
    .bind(secret_mac)
    .bind(status.list)
    .bind(status.index)
    .bind(now.as_seconds())
    .bind(is_told)
    .execute(db)
    .await
    .map(drop)
    })
}

/// Replaces what was registered, whole. Secrets, status index and creation time stay. False: no such client.
///
/// # Errors
/// If the database refuses.
pub async fn replace(
    tx: &mut Tx,
    id: &ClientId,
    settings: &ClientSettings,
    now: Timestamp,
) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    let is_told = settings.backchannel_logout_uri.is_some();
    let settings = text_of(settings)?;
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE clients SET settings = $2, updated_at = $3, told_of_logouts = $4 WHERE client_id = $1"
    )
    .bind(id.as_str())
    .bind(settings.as_str())
    .bind(now.as_seconds())
    .bind(is_told)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Fills both slots of a client's secret. False: no such client.
///
/// # Errors
/// If the database refuses.
pub async fn set_secrets(
    tx: &mut Tx,
    id: &ClientId,
    current: Option<&str>,
    next: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE clients SET secret_mac = $2, next_secret_mac = $3, updated_at = $4 WHERE client_id = $1"
    )
    .bind(id.as_str())
    .bind(current)
    .bind(next)
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Whether one of a client's secrets has this MAC.
///
/// # Errors
/// If the database refuses.
pub async fn has_secret_mac(db: &mut Db, id: &ClientId, mac: &str) -> Result<bool, StoreError> {
    let row: Option<(String,)> = on!(db, |db| sqlx::query_as(
        "SELECT client_id FROM clients WHERE client_id = $1 AND (secret_mac = $2 OR next_secret_mac = $2)"
    )
    .bind(id.as_str())
    .bind(mac)
    .fetch_optional(db)
    .await)?;
    Ok(row.is_some())
}

/// Puts another MAC of the same secret in the place of one, in whichever slot it stands. What is said of the client does not
/// change, nor when that was. False: it stands in neither any more, and nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn replace_secret_mac(tx: &mut Tx, id: &ClientId, old: &str, new: &str) -> Result<bool, StoreError> {
    // Nobody need read the clients anew if another was first.
    changes::hold(tx, Kind::Clients).await?;
    if !has_secret_mac(tx, id, old).await? {
        return Ok(false);
    }
    changes::bump(tx, Kind::Clients).await?;
    on!(tx, |db| sqlx::query(
        "UPDATE clients SET secret_mac = CASE WHEN secret_mac = $2 THEN $3 ELSE secret_mac END, \
         next_secret_mac = CASE WHEN next_secret_mac = $2 THEN $3 ELSE next_secret_mac END WHERE client_id = $1"
    )
    .bind(id.as_str())
    .bind(old)
    .bind(new)
    .execute(db)
    .await
    .map(drop))?;
    Ok(true)
}

/// Takes a client out of service and retires its status index: its own tokens are shown as revoked until `invalid_until`.
/// Its grants are ended by whoever calls, in the same unit. False: no such client, or out of service already.
///
/// # Errors
/// If the database refuses.
pub async fn disable(tx: &mut Tx, id: &ClientId, invalid_until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    let row: Option<(i64, i64)> = on!(tx, |db| {
        sqlx::query_as(
        "UPDATE clients SET disabled_at = $2, updated_at = $2, not_before = $2 WHERE client_id = $1 AND disabled_at IS NULL \
         RETURNING status_list, status_index"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .fetch_optional(db)
    .await
    })?;
    let Some((list, index)) = row else { return Ok(false) };
    grants::retire_status(tx, StatusIndex { list, index }, Some(invalid_until), now).await?;
    Ok(true)
}

/// Puts a client into service again, under a fresh status index: no bit is ever cleared. False: no such client, or in service.
///
/// # Errors
/// If the database refuses.
pub async fn enable(tx: &mut Tx, id: &ClientId, now: Timestamp) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    let place = status_lists::allocate(tx, None, 1, now).await?.start();
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE clients SET disabled_at = NULL, updated_at = $2, status_list = $3, status_index = $4 \
         WHERE client_id = $1 AND disabled_at IS NOT NULL"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .bind(place.list)
    .bind(place.index)
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Revokes a living client's own tokens: its status index is retired, and a fresh one serves the tokens to come. False: no such
/// client, or out of service.
///
/// # Errors
/// If the database refuses.
pub async fn renew_status(
    tx: &mut Tx,
    id: &ClientId,
    invalid_until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    changes::bump(tx, Kind::Clients).await?;
    // Under the lock of the bump nobody else moves the index between these two statements.
    let Some(client) = find(tx, id).await?.filter(Client::is_active) else { return Ok(false) };
    let place = status_lists::allocate(tx, None, 1, now).await?.start();
    on!(tx, |db| sqlx::query(
        "UPDATE clients SET status_list = $2, status_index = $3, updated_at = $4 WHERE client_id = $1"
    )
    .bind(id.as_str())
    .bind(place.list)
    .bind(place.index)
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))?;
    grants::retire_status(tx, client.status, Some(invalid_until), now).await?;
    Ok(true)
}

/// Deletes a client with its consents and grants. The status bits of all of them stay set until `invalid_until`. Its grants are
/// ended by whoever calls, in the same unit and before. False: no such client.
///
/// # Errors
/// If the database refuses.
pub async fn remove(tx: &mut Tx, id: &ClientId, invalid_until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    disable(tx, id, invalid_until, now).await?;
    while endings::delete_grants(tx, Grants::Client(id), invalid_until).await? {}
    let hit = on!(tx, |db| sqlx::query("DELETE FROM clients WHERE client_id = $1")
        .bind(id.as_str())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// A client.
///
/// # Errors
/// If the database refuses, or the row holds what cannot be.
pub async fn find(db: &mut Db, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let row: Option<Row> = on!(db, |db| {
        sqlx::query_as(
        "SELECT client_id, settings, secret_mac, next_secret_mac, status_list, status_index, created_at, disabled_at, not_before \
         FROM clients WHERE client_id = $1"
    )
    .bind(id.as_str())
    .fetch_optional(db)
    .await
    })?;
    row.map(client_of).transpose()
}

/// All clients by their ids, those out of service too.
///
/// # Errors
/// If the database refuses, or a row holds what cannot be.
pub async fn list(db: &mut Db) -> Result<Vec<Client>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| {
        sqlx::query_as(
        "SELECT client_id, settings, secret_mac, next_secret_mac, status_list, status_index, created_at, disabled_at, not_before \
         FROM clients ORDER BY client_id"
    )
    .fetch_all(db)
    .await
    })?;
    rows.into_iter().map(client_of).collect()
}

#[derive(FromRow)]
struct Row {
    client_id: String,
    settings: String,
    secret_mac: Option<String>,
    next_secret_mac: Option<String>,
    status_list: i64,
    status_index: i64,
    created_at: i64,
    disabled_at: Option<i64>,
    not_before: i64,
}

fn client_of(row: Row) -> Result<Client, StoreError> {
    let settings = serde_json::from_str(&row.settings)
        .map_err(|error| StoreError::corrupt(format!("settings of client {}: {error}", row.client_id)))?;
    Ok(Client {
        id: ClientId::new(row.client_id),
        settings,
        secret_macs: [row.secret_mac, row.next_secret_mac].into_iter().flatten().collect(),
        status: StatusIndex { list: row.status_list, index: row.status_index },
        created_at: Timestamp::from_seconds(row.created_at),
        disabled_at: row.disabled_at.map(Timestamp::from_seconds),
        not_before: Timestamp::from_seconds(row.not_before),
    })
}

fn text_of(settings: &ClientSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(|error| StoreError::corrupt(format!("settings of a client: {error}")))
}
