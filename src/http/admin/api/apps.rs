//! `/admin/api/v1/apps`, `/admin/api/v1/resources`.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::guard::{Asked, Looks};
use super::people::Find;
use super::{PageQuery, Refused, answer, cut, time};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::domain::resource::Resource;
use crate::http::admin::audit::plain;
use crate::oauth::error::OAuthError;
use crate::oauth::holding;
use crate::oauth::registration::ClientMetadata;
use crate::store::{clients, holdings, resources};

/// Apps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Apps {
    /// Those of this page, by client id.
    apps: Vec<App>,
    /// What to send as `after` for the next page; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A relying app.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct App {
    /// The client id.
    client_id: String,
    /// What was registered, in the names of RFC 7591. Never a secret.
    #[schema(value_type = Object)]
    metadata: ClientMetadata,
    /// Whether it is in service.
    active: bool,
    /// When it was registered, RFC 3339.
    created_at: String,
    /// Since when it is out of service, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
    /// What it holds now; told of one app only.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<Holds>,
}

/// What an app holds now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holds {
    /// How many grants can do something now.
    grants: u64,
    /// Of how many people.
    people: u64,
}

impl App {
    fn of(client: &Client, holds: Option<Holds>) -> Self {
        Self {
            client_id: client.id.as_str().to_owned(),
            metadata: ClientMetadata::from(&client.settings),
            active: client.is_active(),
            created_at: time(client.created_at),
            disabled_at: client.disabled_at.map(time),
            holds,
        }
    }
}

/// APIs that check our access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resources {
    /// All of them, by identifier.
    resources: Vec<ResourceTold>,
}

/// An API that checks our access tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resource)]
pub(super) struct ResourceTold {
    /// Its identifier, the `aud` of its tokens.
    identifier: String,
    /// Its name for people.
    name: String,
    /// The scopes it understands.
    scopes: String,
    /// Clients that may introspect its tokens.
    introspected_by: Vec<String>,
    /// What its tokens are signed with.
    access_token_alg: String,
    /// Whether tokens are issued for it.
    active: bool,
}

impl From<Resource> for ResourceTold {
    fn from(resource: Resource) -> Self {
        Self {
            scopes: resource.scopes.to_string(),
            introspected_by: resource.introspected_by.iter().map(|id| id.as_str().to_owned()).collect(),
            access_token_alg: resource.access_token_alg.to_string(),
            active: resource.disabled_at.is_none(),
            identifier: resource.identifier,
            name: resource.name,
        }
    }
}

/// Apps by client id.
#[utoipa::path(get, operation_id = "apps_list", path = "/admin/api/v1/apps", tag = "apps", params(Find, PageQuery),
    responses((status = 200, body = Apps), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn list(
    looks: Looks,
    Asked(find): Asked<Find>,
    Asked(page): Asked<PageQuery>,
) -> Response {
    answer(listed(&looks, &find, &page).await.map(Some))
}

async fn listed(looks: &Looks, find: &Find, page: &PageQuery) -> Result<Apps, OAuthError> {
    let mut db = looks.doors.app().store.read().await?;
    let limit = page.limit();
    let found = crate::http::admin::apps::found(&mut db, &find.words(), &page.after(), limit as usize + 1).await?;
    let (found, next) = cut(found, limit, |client| client.id.as_str().to_owned());
    Ok(Apps { apps: found.iter().map(|client| App::of(client, None)).collect(), next })
}

/// One app, and what it holds.
#[utoipa::path(get, operation_id = "apps_one", path = "/admin/api/v1/apps/{id}", tag = "apps", params(("id" = String, Path, description = "The client id.")),
    responses((status = 200, body = App), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn one(looks: Looks, at: Result<Path<String>, PathRejection>) -> Response {
    let told = async {
        let Ok(Path(id)) = at else { return Ok(None) };
        let mut db = looks.doors.app().store.read().await?;
        let Some(client) = clients::find(&mut db, &ClientId::new(plain(&id))).await? else { return Ok(None) };
        let spent = holding::spent(looks.doors.provider(), looks.now);
        let (grants, people) = holdings::count_of_client(&mut db, &client.id, spent, looks.now).await?;
        Ok(Some(App::of(&client, Some(Holds { grants, people }))))
    };
    answer(told.await)
}

/// The APIs that check our access tokens.
#[utoipa::path(get, operation_id = "resources_list", path = "/admin/api/v1/resources", tag = "apps",
    responses((status = 200, body = Resources), (status = "4XX", body = Refused)))]
pub(in crate::http::admin) async fn resources(looks: Looks) -> Response {
    let told = async {
        let mut db = looks.doors.app().store.read().await?;
        let all = resources::list(&mut db).await?;
        Ok(Some(Resources { resources: all.into_iter().map(ResourceTold::from).collect() }))
    };
    answer(told.await)
}
