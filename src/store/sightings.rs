//! Who fetched which key set, and where apps authenticate from. What that proves is decided in `keys/propagation.rs`.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::time::Timestamp;

/// Somebody who fetched a key set.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SightingRow {
    /// The app it says it is, or whose address it is; empty where nobody knows.
    pub app: String,
    /// The address where an app is named, else the network.
    pub origin: String,
    /// What the program calls itself.
    pub agent: String,
    /// The set.
    pub etag: String,
    /// When it was first seen with this set, in seconds.
    pub first_at: i64,
    /// When last.
    pub last_at: i64,
    /// How often.
    pub times: i64,
}

/// Where an app authenticated from.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AddressRow {
    /// The app.
    pub client_id: String,
    /// The address.
    pub address: String,
    /// When first, in seconds.
    pub first_at: i64,
    /// When last.
    pub last_at: i64,
}

/// Notes what stood in a key set. It is written once.
///
/// # Errors
/// If the database refuses.
pub async fn note_set(tx: &mut Tx, etag: &str, kids: &str, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("INSERT INTO key_sets (etag, kids, first_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(etag)
        .bind(kids)
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}

/// Adds sightings to what is known.
///
/// # Errors
/// If the database refuses.
pub async fn note(tx: &mut Tx, row: &SightingRow) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO key_sightings (app, origin, agent, etag, first_at, last_at, times) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (app, origin, agent, etag) DO UPDATE SET times = key_sightings.times + excluded.times, \
         last_at = CASE WHEN key_sightings.last_at < excluded.last_at THEN excluded.last_at ELSE key_sightings.last_at END"
    )
    .bind(row.app.as_str())
    .bind(row.origin.as_str())
    .bind(row.agent.as_str())
    .bind(row.etag.as_str())
    .bind(row.first_at)
    .bind(row.last_at)
    .bind(row.times)
    .execute(db)
    .await
    .map(drop)
    })
}

/// Notes that an app authenticated from an address.
///
/// # Errors
/// If the database refuses.
pub async fn note_address(tx: &mut Tx, client_id: &str, address: &str, at: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO app_addresses (client_id, address, first_at, last_at) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (client_id, address) DO UPDATE SET \
         last_at = CASE WHEN app_addresses.last_at < excluded.last_at THEN excluded.last_at ELSE app_addresses.last_at END"
    )
    .bind(client_id)
    .bind(address)
    .bind(at.as_seconds())
    .execute(db)
    .await
    .map(drop)
    })
}

/// How many rows of sightings there are whose app is not proven or not named: what strangers can make more of.
///
/// # Errors
/// If the database refuses.
pub async fn count_unproven(db: &mut Db) -> Result<i64, StoreError> {
    let (count,): (i64,) = on!(db, |db| sqlx::query_as(
        "SELECT COUNT(*) FROM key_sightings s WHERE NOT EXISTS \
         (SELECT 1 FROM app_addresses a WHERE a.client_id = s.app AND a.address = s.origin)"
    )
    .fetch_one(db)
    .await)?;
    Ok(count)
}

/// All key sets that were served: ETag and names of keys, parted by blanks.
///
/// # Errors
/// If the database refuses.
pub async fn sets(db: &mut Db) -> Result<Vec<(String, String)>, StoreError> {
    on!(db, |db| sqlx::query_as("SELECT etag, kids FROM key_sets ORDER BY first_at, etag").fetch_all(db).await)
}

/// All sightings, the newest last.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<SightingRow>, StoreError> {
    on!(db, |db| {
        sqlx::query_as(
        "SELECT app, origin, agent, etag, first_at, last_at, times FROM key_sightings ORDER BY last_at, app, origin, agent, etag"
    )
    .fetch_all(db)
    .await
    })
}

/// Where apps authenticated from since then.
///
/// # Errors
/// If the database refuses.
pub async fn addresses(db: &mut Db, since: Timestamp) -> Result<Vec<AddressRow>, StoreError> {
    on!(db, |db| {
        sqlx::query_as(
        "SELECT client_id, address, first_at, last_at FROM app_addresses WHERE last_at >= $1 ORDER BY client_id, address"
    )
    .bind(since.as_seconds())
    .fetch_all(db)
    .await
    })
}
