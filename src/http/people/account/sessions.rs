//! `/account/sessions`: where I am signed in, and how to end it.

use axum::extract::Query;
use axum::response::Response;

use super::{Done, at_home, room};
use crate::accounts::sessions as own;
use crate::domain::grant::EndReason;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::http::pages::account::sessions::{SessionRow, SessionsView};
use crate::http::pages::device::Device;
use crate::http::people::sign_out;
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::visit::Visitor;
use crate::oauth::end_session::EndSessionRequest;
use crate::oauth::holding::{self, Used};
use crate::store::directory::Snapshot;

/// Where I am signed in.
pub async fn show(visitor: Visitor, Query(done): Query<Done>) -> Response {
    let (mut visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let used = match holding::sessions_of(visitor.doors.provider(), &user.id, Some(&session.id), visitor.now).await {
        Ok(used) => used,
        Err(error) => return visitor.fault(&error),
    };
    let room = match room(&mut visitor, &user, done.notice()).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let snapshot = visitor.doors.provider().directory.snapshot();
    let view = SessionsView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        now: visitor.now.as_seconds(),
        sessions: used.into_iter().map(|one| session_row(&visitor, one, &session, &snapshot)).collect(),
        end: "/account/sessions/end".to_owned(),
        end_others: "/account/sessions/end-others".to_owned(),
    };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

fn session_row(visitor: &Visitor, used: Used, present: &Session, snapshot: &Snapshot) -> SessionRow {
    let one = used.session;
    let apps = used.clients.iter().filter_map(|id| snapshot.client(id.as_str()));
    SessionRow {
        device: Device::from_user_agent(Some(one.device.as_str()).filter(|device| !device.is_empty())),
        seen_from: visitor.seen_from(&one.address),
        apps: apps.map(|client| client.display_name().to_owned()).collect(),
        signed_in: one.auth_time.as_seconds(),
        last_used: used.last_used.as_seconds(),
        current: one.id == present.id,
        id: one.id.as_str().to_owned(),
    }
}

/// Ends one of my sessions.
pub async fn end(Submission { visitor, params }: Submission) -> Response {
    let (visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let id = SessionId::new(params.get("session").unwrap_or_default());
    if id == session.id {
        return sign_out::end(visitor, &session, &EndSessionRequest::default()).await;
    }
    let now = visitor.now;
    let store = visitor.doors.app().store.clone();
    let ended = store.write(async move |tx| own::end_one(tx, &user.id, &id, EndReason::SignedOut, now).await).await;
    match ended {
        Ok(_) => visitor.answer(SeeOther::within("/account/sessions?done=session")),
        Err(error) => visitor.fault(&error.into()),
    }
}

/// Ends all my sessions but this one.
pub async fn end_others(Submission { visitor, .. }: Submission) -> Response {
    let (visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let now = visitor.now;
    match own::end_others(&visitor.doors.app().store, &user.id, &session.id, now).await {
        Ok(()) => visitor.answer(SeeOther::within("/account/sessions?done=others")),
        Err(error) => visitor.fault(&error.into()),
    }
}
