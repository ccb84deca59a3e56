//! `/admin/apps`: all of them, and one.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::audit::plain;
use super::deeds::{self, Deed, Told};
use super::guard::Admin;
use super::{ROWS, not_found, room};
use crate::domain::client::Client;
use crate::domain::id::ClientId;
use crate::http::pages::admin::apps::{AppRow, AppView, AppsView, Kind, Setting};
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::http::transaction::app_shown;
use crate::oauth::error::OAuthError;
use crate::oauth::holding;
use crate::store::{Db, clients, holdings};

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    find: String,
    #[serde(default)]
    after: String,
}

/// The apps that fit.
pub(super) async fn list(mut admin: Admin, Query(wanted): Query<Wanted>) -> Response {
    match list_view(&mut admin, &wanted).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn list_view(admin: &mut Admin, wanted: &Wanted) -> Result<AppsView, OAuthError> {
    let room = room(admin, None).await?;
    let visitor = &admin.visitor;
    let find = plain(&wanted.find);
    let mut db = visitor.doors.app().store.read().await?;
    let mut found = found(&mut db, &find, &plain(&wanted.after), ROWS as usize + 1).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| format!("/admin/apps?find={}&after={}", percent(&find), percent(last.id.as_str())));
    let apps = found.iter().map(|client| AppRow {
        href: format!("/admin/apps/{}", percent(client.id.as_str())),
        id: client.id.as_str().to_owned(),
        app: app_shown(client, client.settings.redirect_uris.first()),
        kind: Kind(client.settings.application_type),
        disabled: !client.is_active(),
    });
    Ok(AppsView { t: visitor.language, brand: visitor.brand(), room, find, apps: apps.collect(), next })
}

/// A page of apps by id: those whose id or name contains `find`, after the id `after`. Apps are few enough to stand in memory
/// anyway.
pub(super) async fn found(db: &mut Db, find: &str, after: &str, most: usize) -> Result<Vec<Client>, OAuthError> {
    let find = find.to_lowercase();
    let mut all = clients::list(db).await?;
    // By their bytes: in which order a database puts them is its own affair.
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let fits = |client: &Client| {
        client.id.as_str().to_lowercase().contains(&find) || client.settings.client_name.to_lowercase().contains(&find)
    };
    Ok(all.into_iter().filter(|client| client.id.as_str() > after && fits(client)).take(most).collect())
}

/// One app.
pub(super) async fn one(
    mut admin: Admin,
    at: Result<Path<String>, PathRejection>,
    Query(told): Query<Told>,
) -> Response {
    let id = at.map(|Path(id)| plain(&id)).unwrap_or_default();
    match view(&mut admin, &ClientId::new(id), &told).await {
        Ok(Some(view)) => admin.visitor.answer(PageReply::new(&view)),
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin, id: &ClientId, told: &Told) -> Result<Option<AppView>, OAuthError> {
    let room = room(admin, told.notice()).await?;
    let visitor = &admin.visitor;
    let mut db = visitor.doors.app().store.read().await?;
    let Some(client) = clients::find(&mut db, id).await? else { return Ok(None) };
    let spent = holding::spent(visitor.doors.provider(), visitor.now);
    let (grants, people) = holdings::count_of_client(&mut db, &client.id, spent, visitor.now).await?;
    let possible = if client.is_active() { vec![Deed::EndApp, Deed::DisableApp] } else { vec![Deed::EnableApp] };
    Ok(Some(AppView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        app: app_shown(&client, client.settings.redirect_uris.first()),
        disabled: client.disabled_at.map(crate::domain::time::Timestamp::as_seconds),
        since: client.created_at.as_seconds(),
        grants,
        people,
        settings: Setting::all_of(&client),
        deeds: possible.into_iter().map(|deed| (deed, deeds::path(deed, client.id.as_str(), None))).collect(),
        audit: format!("/admin/audit?about={}", percent(client.id.as_str())),
        id: client.id.as_str().to_owned(),
    }))
}
