//! What apps hold of a person now: the living grants, for the person's own eyes.

use sqlx::FromRow;

use super::{Db, StoreError, on};
use crate::domain::claims::ClaimsRequest;
use crate::domain::consent::Consent;
use crate::domain::id::{ClientId, GrantId, SessionId, UserId};
use crate::domain::scope::ScopeSet;
use crate::domain::time::Timestamp;

/// A living grant, as far as it is shown to its person.
#[derive(Debug, Clone)]
pub struct Holding {
    /// The app.
    pub client_id: ClientId,
    /// The session it was given in.
    pub session_id: SessionId,
    /// Whether it ends with that session.
    pub session_linked: bool,
    /// What it allows, and since when.
    pub allows: Consent,
    /// When it was last used, by a code or a refresh.
    pub last_used_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    client_id: String,
    session_id: String,
    session_linked: bool,
    scope: String,
    claims: String,
    resources: String,
    created_at: i64,
    last_used_at: i64,
    rotated_at: Option<i64>,
}

impl TryFrom<Row> for Holding {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: ClientId::new(row.client_id),
            session_id: SessionId::new(row.session_id),
            session_linked: row.session_linked,
            allows: Consent {
                scope: ScopeSet::parse(&row.scope).map_err(StoreError::corrupt)?,
                claims: ClaimsRequest::stored(&row.claims).map_err(StoreError::corrupt)?.names(),
                resources: row.resources.split_whitespace().map(str::to_owned).collect(),
                granted_at: Timestamp::from_seconds(row.created_at),
            },
            // A refresh writes the family only.
            last_used_at: Timestamp::from_seconds(row.rotated_at.unwrap_or(row.created_at).max(row.last_used_at)),
        })
    }
}

/// The grants by which apps can do something for a person now, the oldest first. One without a refresh token can do nothing
/// more once its code and the access token for it are too old: those given before `spent` are left out.
///
/// # Errors
/// If the database refuses.
pub async fn of_user(db: &mut Db, user: &UserId, spent: Timestamp, now: Timestamp) -> Result<Vec<Holding>, StoreError> {
    let rows: Vec<Row> = on!(db, |db| {
        sqlx::query_as(
        "SELECT g.client_id, g.session_id, g.session_linked, g.scope, g.claims, g.resources, g.created_at, g.last_used_at, f.rotated_at \
         FROM grants g LEFT JOIN refresh_families f ON f.grant_id = g.id \
         WHERE g.user_id = $1 AND g.ended_at IS NULL AND g.expires_at > $2 \
         AND (CASE WHEN f.id IS NULL THEN g.created_at > $3 \
              ELSE f.ended_at IS NULL AND f.expires_at > $2 AND f.idle_expires_at > $2 END) \
         ORDER BY g.created_at, g.id"
    )
    .bind(user.as_str())
    .bind(now.as_seconds())
    .bind(spent.as_seconds())
    .fetch_all(db)
    .await
    })?;
    rows.into_iter().map(Holding::try_from).collect()
}

/// A grant that was used lately.
#[derive(Debug, Clone)]
pub struct Recent {
    /// The grant.
    pub id: GrantId,
    /// Whose it is.
    pub user_id: UserId,
    /// The app.
    pub client_id: ClientId,
    /// What it allows.
    pub scope: ScopeSet,
    /// The resources it names.
    pub resources: Vec<String>,
}

/// Grants read at once.
const PAGE: i64 = 5_000;

/// Living grants that a token may have been born of since then: a page of them in the order of their ids, those after `after`.
///
/// # Errors
/// If the database refuses.
pub async fn recent(db: &mut Db, after: Option<&GrantId>, since: Timestamp) -> Result<Vec<Recent>, StoreError> {
    let rows: Vec<(String, String, String, String, String)> = on!(db, |db| {
        sqlx::query_as(
            "SELECT g.id, g.user_id, g.client_id, g.scope, g.resources FROM grants g \
             LEFT JOIN refresh_families f ON f.grant_id = g.id \
             WHERE g.id > $1 AND g.ended_at IS NULL AND (g.last_used_at >= $2 OR f.rotated_at >= $2) ORDER BY g.id LIMIT $3",
        )
        .bind(after.map_or("", GrantId::as_str))
        .bind(since.as_seconds())
        .bind(PAGE)
        .fetch_all(db)
        .await
    })?;
    rows.into_iter()
        .map(|(id, user, client, scope, resources)| {
            Ok(Recent {
                id: GrantId::new(id),
                user_id: UserId::new(user),
                client_id: ClientId::new(client),
                scope: ScopeSet::parse(&scope).map_err(StoreError::corrupt)?,
                resources: resources.split_whitespace().map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// How many grants of a client can do something now, and how many people they are of. `spent` as in [`of_user`].
///
/// # Errors
/// If the database refuses.
pub async fn count_of_client(
    db: &mut Db,
    client: &ClientId,
    spent: Timestamp,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    let (grants, people): (i64, i64) = on!(db, |db| {
        sqlx::query_as(
        "SELECT COUNT(*), COUNT(DISTINCT g.user_id) FROM grants g LEFT JOIN refresh_families f ON f.grant_id = g.id \
         WHERE g.client_id = $1 AND g.ended_at IS NULL AND g.expires_at > $2 \
         AND (CASE WHEN f.id IS NULL THEN g.created_at > $3 \
              ELSE f.ended_at IS NULL AND f.expires_at > $2 AND f.idle_expires_at > $2 END)"
    )
    .bind(client.as_str())
    .bind(now.as_seconds())
    .bind(spent.as_seconds())
    .fetch_one(db)
    .await
    })?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok((number(grants), number(people)))
}
