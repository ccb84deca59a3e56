//! `/admin/sessions`: who is signed in, and where.

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::audit::plain;
use super::guard::Admin;
use super::{ROWS, names_of, room};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::http::pages::admin::sessions::{SessionRow, SessionsView};
use crate::http::pages::device::Device;
use crate::http::people::account::apps::percent;
use crate::http::reply::page::PageReply;
use crate::oauth::error::OAuthError;
use crate::store::sessions;

/// Where the page begins.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    before: String,
}

/// The newest sessions.
pub(super) async fn list(mut admin: Admin, Query(wanted): Query<Wanted>) -> Response {
    match view(&mut admin, &wanted).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin, wanted: &Wanted) -> Result<SessionsView, OAuthError> {
    let room = room(admin, None).await?;
    let visitor = &admin.visitor;
    let mut db = visitor.doors.app().store.read().await?;
    let before = Some(SessionId::new(plain(&wanted.before))).filter(|before| !before.as_str().is_empty());
    let mut found = sessions::page(&mut db, before.as_ref(), ROWS + 1, visitor.now).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let next = found.last().filter(|_| more).map(|last| format!("/admin/sessions?before={}", last.id));
    let people = found.iter().map(|session| session.user_id.clone()).collect();
    let names = names_of(&mut db, people).await?;
    let rows = found.into_iter().map(|session| {
        let person = names.get(&session.user_id).map(|name| (name.clone(), href(&session.user_id)));
        SessionRow { person, ..row(&session, admin) }
    });
    Ok(SessionsView { t: visitor.language, brand: visitor.brand(), room, sessions: rows.collect(), next })
}

/// The path to a person.
pub(super) fn href(user: &UserId) -> String {
    format!("/admin/people/{}", percent(user.as_str()))
}

/// A session as it is shown, without its person and its apps.
pub(super) fn row(session: &Session, admin: &Admin) -> SessionRow {
    SessionRow {
        device: device(session),
        apps: Vec::new(),
        person: None,
        signed_in: session.auth_time.as_seconds(),
        last_used: session.last_seen_at.as_seconds(),
        idle: !session.is_live(admin.visitor.now),
        current: session.id == admin.session.id,
        end: format!("/admin/sessions/{}/end", percent(session.id.as_str())),
        id: session.id.as_str().to_owned(),
        seen_from: admin.visitor.seen_from(&session.address),
    }
}

/// What its browser said it is.
pub(super) fn device(session: &Session) -> Device {
    Device::from_user_agent(Some(session.device.as_str()).filter(|device| !device.is_empty()))
}
