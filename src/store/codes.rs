//! Authorization codes.

use sqlx::FromRow;

use super::grants::{Standing, StandingRow, standing};
use super::{Db, StoreError, Tx, on};
use crate::domain::code::{AuthorizationCode, CodeState};
use crate::domain::id::{ClientId, CodeId, GrantId};
use crate::domain::pkce::CodeChallenge;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

#[derive(FromRow)]
struct CodeRow {
    id: String,
    digest: String,
    grant_id: String,
    client_id: String,
    redirect_uri: String,
    nonce: Option<String>,
    challenge: Option<String>,
    expires_at: i64,
    used_at: Option<i64>,
    burnt_at: Option<i64>,
    #[sqlx(flatten)]
    standing: StandingRow,
}

/// A code with the grant it was born with, or `None` if there is none of that id.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &CodeId) -> Result<Option<(AuthorizationCode, Standing)>, StoreError> {
    let row: Option<CodeRow> = on!(db, |db| {
        sqlx::query_as(concat!(
        "SELECT k.id, k.digest, k.grant_id, k.client_id, k.redirect_uri, k.nonce, k.challenge, k.expires_at, k.used_at, k.burnt_at, ",
        standing!(columns),
        " FROM ",
        standing!(tables),
        " JOIN codes k ON k.grant_id = g.id WHERE k.id = $1"
    ))
    .bind(id.as_str())
    .fetch_optional(db)
    .await
    })?;
    row.map(|row| Ok((code(&row)?, Standing::try_from(row.standing)?))).transpose()
}

fn code(row: &CodeRow) -> Result<AuthorizationCode, StoreError> {
    let challenge = match row.challenge.as_deref() {
        Some(text) => Some(CodeChallenge::parse(text).ok_or_else(|| StoreError::corrupt("codes.challenge"))?),
        None => None,
    };
    let state = match (row.used_at, row.burnt_at) {
        (Some(at), _) => CodeState::Used { at: Timestamp::from_seconds(at) },
        (None, Some(at)) => CodeState::Burnt { at: Timestamp::from_seconds(at) },
        (None, None) => CodeState::Issued { until: Timestamp::from_seconds(row.expires_at) },
    };
    Ok(AuthorizationCode {
        id: CodeId::new(row.id.as_str()),
        digest: TokenDigest::stored(row.digest.clone()),
        grant_id: GrantId::new(row.grant_id.as_str()),
        client_id: ClientId::new(row.client_id.as_str()),
        redirect_uri: row.redirect_uri.clone(),
        nonce: row.nonce.clone(),
        challenge,
        state,
    })
}

/// Records a code. Its grant must have been inserted in the same unit.
///
/// # Errors
/// If the database refuses, or the code is not in its first state.
pub async fn insert(tx: &mut Tx, code: &AuthorizationCode) -> Result<(), StoreError> {
    let CodeState::Issued { until } = code.state else { return Err(StoreError::corrupt("a code is born issued")) };
    on!(tx, |db| sqlx::query(
        "INSERT INTO codes (id, digest, grant_id, client_id, redirect_uri, nonce, challenge, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )
    .bind(code.id.as_str())
    .bind(code.digest.as_str())
    .bind(code.grant_id.as_str())
    .bind(code.client_id.as_str())
    .bind(code.redirect_uri.as_str())
    .bind(code.nonce.as_deref())
    .bind(code.challenge.as_ref().map(CodeChallenge::as_str))
    .bind(until.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// Marks a code as used. The `WHERE` repeats the rule, so of two racing requests one wins. False: someone was faster.
///
/// # Errors
/// If the database refuses.
pub async fn redeem(tx: &mut Tx, id: &CodeId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query(
        "UPDATE codes SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND burnt_at IS NULL AND expires_at > $2"
    )
    .bind(id.as_str())
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Spoils a code that was presented wrongly. Kept apart from use, so that a later use is not taken for a second one.
///
/// # Errors
/// If the database refuses.
pub async fn burn(tx: &mut Tx, id: &CodeId, now: Timestamp) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query("UPDATE codes SET burnt_at = $2 WHERE id = $1 AND used_at IS NULL AND burnt_at IS NULL")
        .bind(id.as_str())
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(drop))
}
