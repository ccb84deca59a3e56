//! `/admin/api/v1/audit`.

#![expect(unused_qualifications, reason = "`utoipa::path` writes the types of parameters with their paths")]

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::guard::{Asked, Looks};
use super::{PageQuery, Refused, answer, cut, time};
use crate::http::admin::audit::filter;
use crate::oauth::error::OAuthError;
use crate::store::audit::Recorded;
use crate::store::audit_page;

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::admin) struct Fits {
    /// What was done (`user.disable`), or to which kind of thing (`user`).
    #[serde(default)]
    action: String,
    /// Who did it, or to what: an identity.
    #[serde(default)]
    about: String,
}

/// Events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    /// Those of this page, the newest first.
    events: Vec<EventTold>,
    /// What to send as `after` for the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Something that was done, or that was tried and refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventTold {
    /// Its place in the audit.
    id: String,
    /// When, RFC 3339.
    at: String,
    /// Who: `user:<id>`, `client:<id>`, `cli`, `system`.
    actor: String,
    /// What.
    action: String,
    /// To what.
    subject: String,
    /// More about it.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<Recorded> for EventTold {
    fn from(event: Recorded) -> Self {
        Self {
            id: event.id,
            at: time(event.at),
            actor: event.actor,
            action: event.action,
            subject: event.subject,
            data: serde_json::from_str(&event.data).unwrap_or_default(),
        }
    }
}

/// The audit, the newest events first.
#[utoipa::path(get, operation_id = "audit_list", path = "/admin/api/v1/audit", tag = "audit", params(Fits, PageQuery),
    responses((status = 200, body = Events), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn list(
    looks: Looks,
    Asked(fits): Asked<Fits>,
    Asked(page): Asked<PageQuery>,
) -> Response {
    answer(listed(&looks, &fits, &page).await.map(Some))
}

async fn listed(looks: &Looks, fits: &Fits, page: &PageQuery) -> Result<Events, OAuthError> {
    let mut db = looks.doors.app().store.read().await?;
    let filter = filter(&fits.action, &fits.about);
    let found = audit_page::page(&mut db, &filter, &page.after(), page.limit() + 1).await?;
    let (found, next) = cut(found, page.limit(), |entry| entry.id.clone());
    Ok(Events { events: found.into_iter().map(EventTold::from).collect(), next })
}
