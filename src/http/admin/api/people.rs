//! `/admin/api/v1/people`.

#![expect(unused_qualifications, reason = "`utoipa::path` writes the types of parameters with their paths")]

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::guard::{Asked, Looks};
use super::sessions::SessionTold;
use super::{PageQuery, Refused, answer, time};
use crate::domain::id::{ClientId, UserId};
use crate::domain::user::User;
use crate::http::admin::audit::plain;
use crate::oauth::error::OAuthError;
use crate::oauth::holding;
use crate::store::{people_page, users};

/// Whom to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::admin) struct Find {
    /// What a user name or an e-mail address begins with, or a whole identity (`id` or `sub`).
    #[serde(default)]
    find: String,
}

impl Find {
    pub(super) fn words(&self) -> String {
        plain(&self.find)
    }
}

/// People.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct People {
    /// Those of this page: the one with this identity, then by user name, then those whose e-mail address begins so.
    people: Vec<Person>,
    /// What to send as `after` for the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    /// The identity in this API.
    id: String,
    /// The subject in tokens.
    sub: String,
    /// What the person signs in with.
    username: String,
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the address is known to be theirs.
    email_verified: bool,
    /// Roles in this service.
    roles: Vec<String>,
    /// Standard claims, as they are registered.
    #[schema(value_type = Object)]
    claims: Map<String, Value>,
    /// Whether the person may sign in.
    active: bool,
    /// When the person was registered, RFC 3339.
    created_at: String,
    /// Since when the person may not sign in, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self {
            active: user.is_active(),
            id: user.id.as_str().to_owned(),
            sub: user.sub.as_str().to_owned(),
            username: user.username.as_str().to_owned(),
            email: user.email,
            email_verified: user.email_verified,
            roles: user.roles,
            claims: user.claims,
            created_at: time(user.created_at),
            disabled_at: user.disabled_at.map(time),
        }
    }
}

/// Sessions of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionsOf {
    /// Those that can still do something, the last used first.
    sessions: Vec<SessionTold>,
}

/// Apps of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppsOf {
    /// Those that have something of the person, by client id.
    apps: Vec<Held>,
}

/// What an app has of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Held {
    /// The app.
    client_id: String,
    /// What it may have.
    scope: String,
    /// Since when, RFC 3339.
    granted_at: String,
    /// When it last used that, RFC 3339; left out where it holds nothing now.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

impl From<(ClientId, holding::Held)> for Held {
    fn from((client, has): (ClientId, holding::Held)) -> Self {
        Self {
            client_id: client.as_str().to_owned(),
            scope: has.allows.scope.to_string(),
            granted_at: time(has.allows.granted_at),
            last_used_at: has.lately.map(|(at, _)| time(at)),
        }
    }
}

/// People, all of them or those who are looked for.
#[utoipa::path(get, operation_id = "people_list", path = "/admin/api/v1/people", tag = "people", params(Find, PageQuery),
    responses((status = 200, body = People), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn list(
    looks: Looks,
    Asked(find): Asked<Find>,
    Asked(page): Asked<PageQuery>,
) -> Response {
    answer(listed(&looks, &find, &page).await.map(Some))
}

async fn listed(looks: &Looks, find: &Find, page: &PageQuery) -> Result<People, OAuthError> {
    let mut db = looks.doors.app().store.read().await?;
    let found = people_page::page(&mut db, &find.words(), &page.after(), page.limit()).await?;
    Ok(People { people: found.people.into_iter().map(Person::from).collect(), next: found.next })
}

/// One person.
#[utoipa::path(get, operation_id = "people_one", path = "/admin/api/v1/people/{id}", tag = "people", params(("id" = String, Path, description = "The identity.")),
    responses((status = 200, body = Person), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn one(looks: Looks, at: Result<Path<String>, PathRejection>) -> Response {
    answer(find(&looks, at).await.map(|user| user.map(Person::from)))
}

/// The sessions of a person.
#[utoipa::path(get, operation_id = "people_sessions", path = "/admin/api/v1/people/{id}/sessions", tag = "people", params(("id" = String, Path, description = "The identity.")),
    responses((status = 200, body = SessionsOf), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn sessions_of(looks: Looks, at: Result<Path<String>, PathRejection>) -> Response {
    let told = async {
        let Some(user) = find(&looks, at).await? else { return Ok(None) };
        let used = holding::sessions_of(looks.doors.provider(), &user.id, None, looks.now).await?;
        let sessions = used.into_iter().map(|one| SessionTold::of(&one.session, looks.now)).collect();
        Ok(Some(SessionsOf { sessions }))
    };
    answer(told.await)
}

/// The apps that have something of a person.
#[utoipa::path(get, operation_id = "people_apps", path = "/admin/api/v1/people/{id}/apps", tag = "people", params(("id" = String, Path, description = "The identity.")),
    responses((status = 200, body = AppsOf), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn apps_of(looks: Looks, at: Result<Path<String>, PathRejection>) -> Response {
    let told = async {
        let Some(user) = find(&looks, at).await? else { return Ok(None) };
        let apps = holding::apps_of(looks.doors.provider(), &user.id, looks.now).await?;
        Ok(Some(AppsOf { apps: apps.into_iter().map(Held::from).collect() }))
    };
    answer(told.await)
}

async fn find(looks: &Looks, at: Result<Path<String>, PathRejection>) -> Result<Option<User>, OAuthError> {
    let Ok(Path(id)) = at else { return Ok(None) };
    let mut db = looks.doors.app().store.read().await?;
    Ok(users::find(&mut db, &UserId::new(plain(&id))).await?)
}
