//! `/admin`: how the house stands.

use axum::response::Response;

use super::guard::Admin;
use super::{audit, room};
use crate::domain::client::Client;
use crate::http::pages::admin::overview::OverviewView;
use crate::http::reply::page::PageReply;
use crate::oauth::error::OAuthError;
use crate::store::audit_page::Filter;
use crate::store::{clients, sessions, users};

/// How many events are shown.
const LATELY: u32 = 8;

/// How the house stands.
pub(super) async fn show(mut admin: Admin) -> Response {
    match view(&mut admin).await {
        Ok(view) => admin.visitor.answer(PageReply::new(&view)),
        Err(error) => admin.visitor.fault(&error),
    }
}

async fn view(admin: &mut Admin) -> Result<OverviewView, OAuthError> {
    let room = room(admin, None).await?;
    let visitor = &admin.visitor;
    let mut db = visitor.doors.app().store.read().await?;
    let (_, people) = users::count(&mut db).await?;
    let apps = clients::list(&mut db).await?.iter().filter(|client: &&Client| client.is_active()).count();
    let sessions = sessions::count_live(&mut db, visitor.now).await?;
    let (events, _) = audit::rows(&mut db, &Filter::default(), "", LATELY).await?;
    Ok(OverviewView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        people,
        apps: u64::try_from(apps).unwrap_or_default(),
        sessions,
        unready: visitor.doors.app().unready(),
        events,
    })
}
