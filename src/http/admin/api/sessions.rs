//! `/admin/api/v1/sessions`.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::guard::{Asked, Looks};
use super::{PageQuery, Refused, answer, cut, time};
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::oauth::error::OAuthError;
use crate::store::sessions;

/// Sessions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sessions {
    /// Those of this page, the newest first.
    sessions: Vec<SessionTold>,
    /// What to send as `after` for the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A person signed in at a browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionTold {
    /// The identity; not the cookie.
    id: String,
    /// Whose it is.
    person: String,
    /// The browser's own description of itself.
    device: String,
    /// The address it was signed in from.
    address: String,
    /// When the person signed in, RFC 3339.
    signed_in_at: String,
    /// When it was last used, RFC 3339.
    last_seen_at: String,
    /// When it ends in any case, RFC 3339.
    expires_at: String,
    /// Whether it opens something new. One that lies idle does not, while apps may live on by it.
    live: bool,
}

impl SessionTold {
    pub(super) fn of(session: &Session, now: Timestamp) -> Self {
        Self {
            id: session.id.as_str().to_owned(),
            person: session.user_id.as_str().to_owned(),
            device: session.device.clone(),
            address: session.address.clone(),
            signed_in_at: time(session.auth_time),
            last_seen_at: time(session.last_seen_at),
            expires_at: time(session.expires_at),
            live: session.is_live(now),
        }
    }
}

/// Sessions of everybody, the newest first.
#[utoipa::path(get, operation_id = "sessions_list", path = "/admin/api/v1/sessions", tag = "sessions", params(PageQuery),
    responses((status = 200, body = Sessions), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn list(looks: Looks, Asked(page): Asked<PageQuery>) -> Response {
    answer(listed(&looks, &page).await.map(Some))
}

async fn listed(looks: &Looks, page: &PageQuery) -> Result<Sessions, OAuthError> {
    let mut db = looks.doors.app().store.read().await?;
    let before = Some(SessionId::new(page.after())).filter(|before| !before.as_str().is_empty());
    let found = sessions::page(&mut db, before.as_ref(), page.limit() + 1, looks.now).await?;
    let (found, next) = cut(found, page.limit(), |session| session.id.as_str().to_owned());
    Ok(Sessions { sessions: found.iter().map(|session| SessionTold::of(session, looks.now)).collect(), next })
}
