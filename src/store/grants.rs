//! Grants, and where they stand: the one joined read that every use of a grant begins with.

use sqlx::FromRow;

use super::{Db, StoreError, Tx, on};
use crate::domain::claims::ClaimsRequest;
use crate::domain::client::Delivery;
use crate::domain::grant::Grant;
use crate::domain::id::{ClientId, GrantId, SessionId, Sid, Subject, UserId};
use crate::domain::scope::ScopeSet;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenDigest;
use crate::domain::user::{User, Username};

/// A grant and all it hangs on, read at one moment.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// The MAC over its immutable columns as the row holds it.
    pub mac: String,
    /// The person.
    pub user: User,
    /// The session it was given in, while its row is there.
    pub session: Option<SessionStanding>,
    /// Whether the client may do nothing.
    pub client_disabled: bool,
    /// Grants of the client given before this moment count no more.
    pub client_not_before: Timestamp,
}

/// What a grant needs to know of its session.
#[derive(Debug, Clone)]
pub struct SessionStanding {
    /// The digest of its present cookie.
    pub cookie: TokenDigest,
    /// Whether its cookies outlive the browser's closing.
    pub persistent: bool,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

impl Standing {
    /// Whether grant, session, person and client all live. A grant linked to a session whose row is gone does not.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let session_lives = match &self.session {
            Some(session) => session.ended_at.is_none(),
            None => false,
        };
        self.grant.ended_at.is_none()
            && !self.grant.expires_at.has_passed(now)
            && (session_lives || !self.grant.session_linked)
            && self.user.is_active()
            && self.user.not_before <= self.grant.created_at
            && !self.client_disabled
            && self.client_not_before <= self.grant.created_at
    }
}

/// The columns of a standing, and the tables they come from; codes and families are joined to the same text.
macro_rules! standing {
    (columns) => {
        "g.id AS g_id, g.user_id AS g_user_id, g.client_id AS g_client_id, g.session_id AS g_session_id, g.sid AS g_sid, \
         g.session_linked AS g_session_linked, g.scope AS g_scope, g.resources AS g_resources, g.claims AS g_claims, \
         g.auth_time AS g_auth_time, g.acr AS g_acr, g.amr AS g_amr, g.delivery AS g_delivery, g.status_list AS g_status_list, \
         g.status_index AS g_status_index, g.created_at AS g_created_at, g.expires_at AS g_expires_at, g.ended_at AS g_ended_at, \
         g.mac AS g_mac, u.sub AS u_sub, u.username AS u_username, u.email AS u_email, u.email_verified AS u_email_verified, \
         u.claims AS u_claims, u.roles AS u_roles, u.created_at AS u_created_at, u.updated_at AS u_updated_at, \
         u.disabled_at AS u_disabled_at, u.not_before AS u_not_before, s.cookie_digest AS s_cookie_digest, \
         s.persistent AS s_persistent, s.ended_at AS s_ended_at, c.disabled_at AS c_disabled_at, c.not_before AS c_not_before"
    };
    (tables) => {
        "grants g JOIN users u ON u.id = g.user_id JOIN clients c ON c.client_id = g.client_id \
         LEFT JOIN sessions s ON s.id = g.session_id"
    };
}
pub(super) use standing;

#[derive(FromRow)]
pub(super) struct StandingRow {
    g_id: String,
    g_user_id: String,
    g_client_id: String,
    g_session_id: String,
    g_sid: String,
    g_session_linked: bool,
    g_scope: String,
    g_resources: String,
    g_claims: String,
    g_auth_time: i64,
    g_acr: String,
    g_amr: String,
    g_delivery: String,
    g_status_list: i64,
    g_status_index: i64,
    g_created_at: i64,
    g_expires_at: i64,
    g_ended_at: Option<i64>,
    g_mac: String,
    u_sub: String,
    u_username: String,
    u_email: Option<String>,
    u_email_verified: bool,
    u_claims: String,
    u_roles: String,
    u_created_at: i64,
    u_updated_at: i64,
    u_disabled_at: Option<i64>,
    u_not_before: i64,
    s_cookie_digest: Option<String>,
    s_persistent: Option<bool>,
    s_ended_at: Option<i64>,
    c_disabled_at: Option<i64>,
    c_not_before: i64,
}

impl TryFrom<StandingRow> for Standing {
    type Error = StoreError;

    fn try_from(row: StandingRow) -> Result<Self, StoreError> {
        let grant = Grant {
            id: GrantId::new(row.g_id),
            user_id: UserId::new(row.g_user_id.clone()),
            client_id: ClientId::new(row.g_client_id),
            session_id: SessionId::new(row.g_session_id),
            sid: Sid::new(row.g_sid),
            session_linked: row.g_session_linked,
            scope: ScopeSet::parse(&row.g_scope).map_err(StoreError::corrupt)?,
            resources: row.g_resources.split_whitespace().map(str::to_owned).collect(),
            claims: ClaimsRequest::stored(&row.g_claims).map_err(StoreError::corrupt)?,
            auth_time: Timestamp::from_seconds(row.g_auth_time),
            acr: row.g_acr,
            amr: row.g_amr,
            delivery: Delivery::parse(&row.g_delivery).ok_or_else(|| StoreError::corrupt("grants.delivery"))?,
            status: StatusIndex { list: row.g_status_list, index: row.g_status_index },
            created_at: Timestamp::from_seconds(row.g_created_at),
            expires_at: Timestamp::from_seconds(row.g_expires_at),
            ended_at: row.g_ended_at.map(Timestamp::from_seconds),
        };
        let user = User {
            id: UserId::new(row.g_user_id),
            sub: Subject::new(row.u_sub),
            username: Username::parse(&row.u_username).map_err(StoreError::corrupt)?,
            email: row.u_email,
            email_verified: row.u_email_verified,
            claims: serde_json::from_str(&row.u_claims).map_err(|_| StoreError::corrupt("users.claims"))?,
            roles: row.u_roles.split_whitespace().map(str::to_owned).collect(),
            created_at: Timestamp::from_seconds(row.u_created_at),
            updated_at: Timestamp::from_seconds(row.u_updated_at),
            disabled_at: row.u_disabled_at.map(Timestamp::from_seconds),
            not_before: Timestamp::from_seconds(row.u_not_before),
        };
        let session = match (row.s_cookie_digest, row.s_persistent) {
            (Some(digest), Some(persistent)) => Some(SessionStanding {
                cookie: TokenDigest::stored(digest),
                persistent,
                ended_at: row.s_ended_at.map(Timestamp::from_seconds),
            }),
            _ => None,
        };
        Ok(Self {
            grant,
            mac: row.g_mac,
            user,
            session,
            client_disabled: row.c_disabled_at.is_some(),
            client_not_before: Timestamp::from_seconds(row.c_not_before),
        })
    }
}

/// Where a grant stands, or `None` if there is none of that id.
///
/// # Errors
/// If the database refuses.
pub async fn standing_of(db: &mut Db, id: &GrantId) -> Result<Option<Standing>, StoreError> {
    let row: Option<StandingRow> = on!(db, |db| sqlx::query_as(concat!(
        "SELECT ",
        standing!(columns),
        " FROM ",
        standing!(tables),
        " WHERE g.id = $1"
    ))
    .bind(id.as_str())
    .fetch_optional(db)
    .await)?;
    row.map(Standing::try_from).transpose()
}

/// The session that a `sid` names for some client.
///
/// # Errors
/// If the database refuses.
pub async fn session_of_sid(db: &mut Db, sid: &str) -> Result<Option<SessionId>, StoreError> {
    let row: Option<(String,)> =
        on!(db, |db| sqlx::query_as("SELECT session_id FROM grants WHERE sid = $1 ORDER BY created_at DESC LIMIT 1")
            .bind(sid)
            .fetch_optional(db)
            .await)?;
    Ok(row.map(|(id,)| SessionId::new(id)))
}

/// Touches a session so that a child may be born under it. False: it is over.
///
/// # Errors
/// If the database refuses.
pub async fn touch_session(tx: &mut Tx, session: &SessionId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(session.as_str())
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Touches a grant so that a child may be born under it, or used. False: it is over.
///
/// # Errors
/// If the database refuses.
pub async fn touch(tx: &mut Tx, id: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| sqlx::query("UPDATE grants SET last_used_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id.as_str())
        .bind(now.as_seconds())
        .execute(db)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(hit == 1)
}

/// Records a grant. Its session must have been touched in the same unit.
///
/// # Errors
/// If the database refuses.
pub async fn insert(tx: &mut Tx, grant: &Grant, mac: &str) -> Result<(), StoreError> {
    let resources = grant.resources.join(" ");
    let scope = grant.scope.to_string();
    let claims = grant.claims.to_text();
    on!(tx, |db| {
        sqlx::query(
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, auth_time, acr, \
         amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17, $18)"
    )
    .bind(grant.id.as_str())
    .bind(grant.user_id.as_str())
    .bind(grant.client_id.as_str())
    .bind(grant.session_id.as_str())
    .bind(grant.sid.as_str())
    .bind(grant.session_linked)
    .bind(scope.as_str())
    .bind(resources.as_str())
    .bind(claims.as_str())
    .bind(grant.auth_time.as_seconds())
    .bind(grant.acr.as_str())
    .bind(grant.amr.as_str())
    .bind(grant.delivery.as_str())
    .bind(grant.status.list)
    .bind(grant.status.index)
    .bind(grant.created_at.as_seconds())
    .bind(grant.expires_at.as_seconds())
    .bind(mac)
    .execute(db)
    .await
    .map(drop)
    })
}

/// Gives a living grant another place in the status lists and retires the old one: access tokens that carry the old one are
/// revoked, newer ones are not. False: the grant is over, or somebody else has moved it.
///
/// # Errors
/// If the database refuses.
pub async fn move_status(
    tx: &mut Tx,
    id: &GrantId,
    from: StatusIndex,
    to: StatusIndex,
    invalid_until: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let hit = on!(tx, |db| {
        sqlx::query(
        "UPDATE grants SET status_list = $4, status_index = $5 WHERE id = $1 AND status_list = $2 AND status_index = $3 AND ended_at IS NULL"
    )
    .bind(id.as_str())
    .bind(from.list)
    .bind(from.index)
    .bind(to.list)
    .bind(to.index)
    .execute(db)
    .await
    .map(|done| done.rows_affected())
    })?;
    if hit == 1 {
        retire_status(tx, from, Some(invalid_until), now).await?;
    }
    Ok(hit == 1)
}

/// Marks a place in the status lists as invalid until a moment, or until its list retires.
///
/// # Errors
/// If the database refuses.
pub async fn retire_status(
    tx: &mut Tx,
    place: StatusIndex,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |db| sqlx::query(
        "INSERT INTO retired_indices (status_list, status_index, invalid_until, retired_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (status_list, status_index) DO NOTHING"
    )
    .bind(place.list)
    .bind(place.index)
    .bind(until.map(Timestamp::as_seconds))
    .bind(now.as_seconds())
    .execute(db)
    .await
    .map(drop))
}

/// The living grant that a cookie-mode family of this session and client hangs on.
///
/// # Errors
/// If the database refuses.
pub async fn with_cookie_family(
    db: &mut Db,
    session: &SessionId,
    client: &ClientId,
) -> Result<Option<GrantId>, StoreError> {
    let row: Option<(String,)> = on!(db, |db| {
        sqlx::query_as(
        "SELECT grant_id FROM refresh_families WHERE session_id = $1 AND client_id = $2 AND delivery = 'cookie' AND ended_at IS NULL \
         ORDER BY id"
    )
    .bind(session.as_str())
    .bind(client.as_str())
    .fetch_optional(db)
    .await
    })?;
    Ok(row.map(|(id,)| GrantId::new(id)))
}

pub(super) const COOKIE_CLIENTS_OF: &str =
    "SELECT DISTINCT client_id FROM refresh_families WHERE session_id = $1 AND delivery = 'cookie' ORDER BY client_id";

/// The clients with a cookie-mode family in a session: whose refresh cookies its browser holds.
///
/// # Errors
/// If the database refuses.
pub async fn cookie_clients_of(db: &mut Db, session: &SessionId) -> Result<Vec<ClientId>, StoreError> {
    let rows: Vec<(String,)> =
        on!(db, |db| sqlx::query_as(COOKIE_CLIENTS_OF).bind(session.as_str()).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(id,)| ClientId::new(id)).collect())
}
