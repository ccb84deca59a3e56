//! Signing keys as rows. What their texts mean, and whether a row may be believed, is decided in `keys`.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};

/// A key as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SigningKeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Algorithm.
    pub alg: String,
    /// State.
    pub state: String,
    /// When it was made, in seconds.
    pub created_at: i64,
    /// Since when it stands in the key set.
    pub published_at: i64,
    /// When it shall sign, or began to.
    pub activate_at: i64,
    /// When it leaves the key set, once that is known.
    pub retire_at: Option<i64>,
    /// When the state changed last.
    pub changed_at: i64,
    /// The public half.
    pub public_jwk: String,
    /// The sealed private half, while it is kept.
    pub private_sealed: Option<String>,
    /// Which master key sealed it.
    pub kek_id: Option<String>,
    /// Why it was revoked.
    pub reason: Option<String>,
    /// The MAC over the row.
    pub mac: String,
}

/// All keys, by algorithm, the oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn list(db: &mut Db) -> Result<Vec<SigningKeyRow>, StoreError> {
    on!(db, |db| {
        sqlx::query_as(
            "SELECT kid, alg, state, created_at, published_at, activate_at, retire_at, changed_at, public_jwk, \
             private_sealed, kek_id, reason, mac FROM signing_keys ORDER BY alg, created_at, kid",
        )
        .fetch_all(db)
        .await
    })
}

/// Adds a key. False: its algorithm has an active key already, or the key is there already; nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, row: &SigningKeyRow) -> Result<bool, StoreError> {
    let written = on!(tx, |db| {
        sqlx::query(
            "INSERT INTO signing_keys (kid, alg, state, created_at, published_at, activate_at, retire_at, changed_at, \
             public_jwk, private_sealed, kek_id, reason, mac) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        )
        .bind(row.kid.as_str())
        .bind(row.alg.as_str())
        .bind(row.state.as_str())
        .bind(row.created_at)
        .bind(row.published_at)
        .bind(row.activate_at)
        .bind(row.retire_at)
        .bind(row.changed_at)
        .bind(row.public_jwk.as_str())
        .bind(row.private_sealed.as_deref())
        .bind(row.kek_id.as_deref())
        .bind(row.reason.as_deref())
        .bind(row.mac.as_str())
        .execute(db)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(written == 1)
}

/// Replaces a key's row, if it is still the one with the MAC that the caller read. The private half stays as it is unless the
/// new row has none. False: the row is another by now; nothing was written.
///
/// # Errors
/// If the database refuses.
pub async fn replace(tx: &mut Tx, row: &SigningKeyRow, read_mac: &str) -> Result<bool, StoreError> {
    let written = on!(tx, |db| {
        sqlx::query(
            "UPDATE signing_keys SET state = $1, activate_at = $2, retire_at = $3, changed_at = $4, reason = $5, mac = $6, \
             private_sealed = CASE WHEN $7 THEN private_sealed END, kek_id = CASE WHEN $7 THEN kek_id END \
             WHERE kid = $8 AND mac = $9",
        )
        .bind(row.state.as_str())
        .bind(row.activate_at)
        .bind(row.retire_at)
        .bind(row.changed_at)
        .bind(row.reason.as_deref())
        .bind(row.mac.as_str())
        .bind(row.private_sealed.is_some())
        .bind(row.kid.as_str())
        .bind(read_mac)
        .execute(db)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(written == 1)
}
