//! People signed in at apps behind a proxy.

use sqlx::FromRow;

use super::grants::{Standing, StandingRow, standing};
use super::{Db, StoreError, Tx, on};
use crate::domain::gateway::AppSession;
use crate::domain::id::{AppSessionId, GrantId};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;

#[derive(FromRow)]
struct Row {
    w_id: String,
    w_digest: String,
    w_host: String,
    w_grant_id: String,
    w_created_at: i64,
    s_idle_expires_at: Option<i64>,
    s_expires_at: Option<i64>,
    #[sqlx(flatten)]
    standing: StandingRow,
}

/// A sign-in at an app and all it hangs on, read at one moment.
#[derive(Debug)]
pub struct Found {
    /// The sign-in.
    pub session: AppSession,
    /// Where its grant stands.
    pub standing: Standing,
    /// When the session at the house goes idle, and when it ends; `None`: its row is gone.
    pub ends: Option<(Timestamp, Timestamp)>,
}

/// A sign-in at an app, alive or not: one read by the keys of five tables.
///
/// # Errors
/// If the database refuses.
pub async fn find(db: &mut Db, id: &AppSessionId) -> Result<Option<Found>, StoreError> {
    let row: Option<Row> = on!(db, |db| sqlx::query_as(concat!(
        "SELECT w.id AS w_id, w.digest AS w_digest, w.host AS w_host, w.grant_id AS w_grant_id, \
         w.created_at AS w_created_at, s.idle_expires_at AS s_idle_expires_at, s.expires_at AS s_expires_at, ",
        standing!(columns),
        " FROM ",
        standing!(tables),
        " JOIN gateway_sessions w ON w.grant_id = g.id WHERE w.id = $1"
    ))
    .bind(id.as_str())
    .fetch_optional(db)
    .await)?;
    row.map(|row| {
        let ends = row.s_idle_expires_at.zip(row.s_expires_at);
        Ok(Found {
            session: AppSession {
                id: AppSessionId::new(row.w_id),
                digest: TokenDigest::stored(row.w_digest),
                host: row.w_host,
                grant_id: GrantId::new(row.w_grant_id),
                created_at: Timestamp::from_seconds(row.w_created_at),
            },
            standing: Standing::try_from(row.standing)?,
            ends: ends.map(|(idle, end)| (Timestamp::from_seconds(idle), Timestamp::from_seconds(end))),
        })
    })
    .transpose()
}

/// Records a sign-in. Its grant must have been touched in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, session: &AppSession) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO gateway_sessions (id, digest, host, grant_id, created_at) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(session.id.as_str())
    .bind(session.digest.as_str())
    .bind(session.host.as_str())
    .bind(session.grant_id.as_str())
    .bind(session.created_at.as_seconds())
    .execute(db)
    .await
    .map(drop))
}
