//! `/account/apps`: the apps I have let in, and how to take it back.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::Response;

use super::{Done, at_home, room};
use crate::domain::client::Client;
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::http::pages::account::apps::{AppRow, AppsView, Lately, WithdrawView};
use crate::http::pages::device::Device;
use crate::http::pages::error::Trouble;
use crate::http::people::consent::{may_use, sees};
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::transaction::app_shown;
use crate::http::trouble;
use crate::http::visit::Visitor;
use crate::oauth::error::OAuthError;
use crate::oauth::holding::{self, Held};
use crate::store::sessions;
use crate::tokens::revoke::{self, What};

/// The apps I have let in.
pub async fn show(visitor: Visitor, Query(done): Query<Done>) -> Response {
    let (mut visitor, _, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let listed = match listed(&visitor, &user).await {
        Ok(listed) => listed,
        Err(error) => return visitor.fault(&error),
    };
    let known = match sessions_of(&visitor, &user).await {
        Ok(known) => known,
        Err(error) => return visitor.fault(&error),
    };
    let room = match room(&mut visitor, &user, done.notice()).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let snapshot = visitor.doors.provider().directory.snapshot();
    let rows = listed
        .into_iter()
        .map(|(client, has)| AppRow {
            id: client.id.as_str().to_owned(),
            app: app_shown(&client, client.settings.redirect_uris.first()),
            sees: sees(&user, &has.allows.scope, &has.allows.claims),
            may_use: may_use(&has.allows.scope, &has.allows.resources, &snapshot),
            since: has.allows.granted_at.as_seconds(),
            lately: has.lately.map(|(at, session)| lately(&visitor, at, &session, &known)),
            withdraw: format!("/account/apps/{}/withdraw", percent(client.id.as_str())),
        })
        .collect();
    let view =
        AppsView { t: visitor.language, brand: visitor.brand(), room, now: visitor.now.as_seconds(), apps: rows };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

async fn sessions_of(visitor: &Visitor, user: &User) -> Result<Vec<Session>, OAuthError> {
    let mut db = visitor.doors.app().store.read().await?;
    Ok(sessions::unended_of(&mut db, &user.id).await?)
}

/// When an app was last used, and where, as far as that is still known.
fn lately(visitor: &Visitor, at: Timestamp, session: &SessionId, known: &[Session]) -> Lately {
    let session = known.iter().find(|one| one.id == *session);
    Lately {
        at: at.as_seconds(),
        device: session
            .map(|session| Device::from_user_agent(Some(session.device.as_str()).filter(|device| !device.is_empty()))),
        seen_from: session.and_then(|session| visitor.seen_from(&session.address)),
    }
}

/// The apps that are shown: those that may have something and are still registered.
pub(super) async fn listed(visitor: &Visitor, user: &User) -> Result<Vec<(Arc<Client>, Held)>, OAuthError> {
    let snapshot = visitor.doors.provider().directory.snapshot();
    let apps = holding::apps_of(visitor.doors.provider(), &user.id, visitor.now).await?;
    Ok(apps.into_iter().filter_map(|(id, has)| Some((snapshot.client(id.as_str())?.clone(), has))).collect())
}

/// Says what withdrawing means, before it is done. An app that has nothing of this person is none to them.
pub async fn confirm_withdraw(visitor: Visitor, Path(id): Path<String>) -> Response {
    let (mut visitor, _, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let listed = match listed(&visitor, &user).await {
        Ok(listed) => listed,
        Err(error) => return visitor.fault(&error),
    };
    let Some((client, _)) = listed.into_iter().find(|(client, _)| client.id.as_str() == id) else {
        let page = trouble::page(&visitor, Trouble::NotFound, "not_found", None);
        return visitor.answer(page);
    };
    let room = match room(&mut visitor, &user, None).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let view = WithdrawView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        client_id: id,
        app: app_shown(&client, client.settings.redirect_uris.first()),
        asks: !client.settings.first_party,
        action: "/account/apps/withdraw".to_owned(),
    };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

/// Takes back what an app may have, and ends its grants.
pub async fn withdraw(Submission { visitor, params }: Submission) -> Response {
    let (visitor, _, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let id = ClientId::new(params.get("client_id").unwrap_or_default());
    let now = visitor.now;
    let store = visitor.doors.app().store.clone();
    let ended = store
        .write(async move |tx| {
            let what = What::Consent { user: &user.id, client: &id };
            let actor = format!("user:{}", user.id);
            revoke::end(tx, what, EndReason::ConsentWithdrawn, &actor, now).await.map(drop)
        })
        .await;
    match ended {
        Ok(()) => visitor.answer(SeeOther::within("/account/apps?done=app")),
        Err(error) => visitor.fault(&error.into()),
    }
}

/// A text as one part of a path.
pub(in crate::http) fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
