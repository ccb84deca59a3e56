//! `/admin/people`: all of them, and one.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::audit::plain;
use super::deeds::{self, Deed, Told};
use super::guard::Admin;
use super::sessions::{href, row};
use super::{ROWS, audit, not_found, room};
use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::http::pages::AppShown;
use crate::http::pages::admin::people::{HeldRow, PeopleView, PersonRow, PersonView};
use crate::http::pages::admin::sessions::SessionRow;
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::http::transaction::app_shown;
use crate::http::visit::shown;
use crate::oauth::error::OAuthError;
use crate::oauth::holding;
use crate::store::audit_page::Filter;
use crate::store::{people_page, users};

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    find: String,
    #[serde(default)]
    after: String,
}

/// The people that fit.
pub(super) async fn list(mut admin: Admin, Query(wanted): Query<Wanted>) -> Response {
    match list_view(&mut admin, &wanted).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn list_view(admin: &mut Admin, wanted: &Wanted) -> Result<PeopleView, OAuthError> {
    let room = room(admin, None).await?;
    let visitor = &admin.visitor;
    let find = plain(&wanted.find);
    let mut db = visitor.doors.app().store.read().await?;
    let found = people_page::page(&mut db, &find, &plain(&wanted.after), ROWS).await?;
    let next = found.next.map(|next| format!("/admin/people?find={}&after={}", percent(&find), percent(&next)));
    let people = found.people.iter().map(|user| PersonRow {
        href: href(&user.id),
        person: shown(user),
        email: user.email.clone(),
        admin: user.is_admin(),
        disabled: !user.is_active(),
        since: user.created_at.as_seconds(),
    });
    Ok(PeopleView { t: visitor.language, brand: visitor.brand(), room, find, people: people.collect(), next })
}

/// How many events of a person are shown.
const LATELY: u32 = 5;

/// One person.
pub(super) async fn one(
    mut admin: Admin,
    at: Result<Path<String>, PathRejection>,
    Query(told): Query<Told>,
) -> Response {
    let id = at.map(|Path(id)| plain(&id)).unwrap_or_default();
    match view(&mut admin, &UserId::new(id), &told).await {
        Ok(Some(view)) => admin.visitor.answer(PageReply::new(&view)),
        Ok(None) => not_found(admin.visitor),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin, id: &UserId, told: &Told) -> Result<Option<PersonView>, OAuthError> {
    let room = room(admin, told.notice()).await?;
    let visitor = &admin.visitor;
    let (now, provider) = (visitor.now, visitor.doors.provider());
    let mut db = visitor.doors.app().store.read().await?;
    let Some(user) = users::find(&mut db, id).await? else { return Ok(None) };
    let filter = Filter { about: user.id.as_str().to_owned(), ..Filter::default() };
    let (events, _) = audit::rows(&mut db, &filter, "", LATELY).await?;
    drop(db);
    let snapshot = provider.directory.snapshot();
    let sessions = holding::sessions_of(provider, &user.id, Some(&admin.session.id), now).await?;
    let sessions = sessions.into_iter().map(|used| {
        let apps = used.clients.iter().filter_map(|id| snapshot.client(id.as_str()));
        let apps = apps.map(|client| client.display_name().to_owned()).collect();
        let last_used = used.last_used.as_seconds();
        SessionRow { apps, last_used, ..row(&used.session, admin) }
    });
    let apps = holding::apps_of(provider, &user.id, now).await?.into_iter().map(|(client_id, has)| {
        let client = snapshot.client(client_id.as_str());
        let app = client.map(|client| app_shown(client, client.settings.redirect_uris.first()));
        HeldRow {
            href: client.map(|_| format!("/admin/apps/{}", percent(client_id.as_str()))),
            app: app.unwrap_or_else(|| AppShown { name: client_id.as_str().to_owned(), host: None }),
            scopes: has.allows.scope.iter().map(str::to_owned).collect(),
            since: has.allows.granted_at.as_seconds(),
            withdraw: deeds::path(Deed::Withdraw, user.id.as_str(), Some(client_id.as_str())),
            id: client_id.as_str().to_owned(),
        }
    });
    Ok(Some(PersonView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        sub: user.sub.as_str().to_owned(),
        person: shown(&user),
        email: user.email.clone(),
        email_verified: user.email_verified,
        roles: user.roles.clone(),
        disabled: user.disabled_at.map(crate::domain::time::Timestamp::as_seconds),
        since: user.created_at.as_seconds(),
        deeds: possible(&user).into_iter().map(|deed| (deed, deeds::path(deed, user.id.as_str(), None))).collect(),
        sessions: sessions.collect(),
        apps: apps.collect(),
        events,
        audit: format!("/admin/audit?about={}", percent(user.id.as_str())),
        id: user.id.as_str().to_owned(),
    }))
}

/// What can be done to somebody. Signing out is offered also to whom it may be of no use: a session may begin meanwhile.
fn possible(user: &User) -> Vec<Deed> {
    let role = if user.is_admin() { Deed::UnmakeAdmin } else { Deed::MakeAdmin };
    if user.is_active() { vec![Deed::SignOut, Deed::EndPerson, Deed::Disable, role] } else { vec![Deed::Enable, role] }
}
