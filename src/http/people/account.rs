//! `/account/…`: who I am, my password, my sessions, my apps.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::consent::{may_use, sees};
use super::login::fault;
use super::setup::{new_password_problems, weak_password};
use crate::accounts::change_password::{ChangePassword, Changed};
use crate::accounts::sessions;
use crate::domain::claims;
use crate::domain::consent::Consent;
use crate::domain::grant::EndReason;
use crate::domain::id::{ClientId, SessionId};
use crate::domain::scope::ScopeSet;
use crate::domain::secret::Secret;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::pages::account::apps::{AppRow, AppsView, WithdrawView};
use crate::http::pages::account::overview::OverviewView;
use crate::http::pages::account::password::PasswordView;
use crate::http::pages::account::sessions::{SessionRow, SessionsView};
use crate::http::pages::account::{Notice, Room};
use crate::http::pages::device::Device;
use crate::http::pages::error::Trouble;
use crate::http::pages::problem::{Problem, Problems};
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::submission::Submission;
use crate::http::transaction::app_shown;
use crate::http::trouble;
use crate::http::visit::{Visitor, shown};
use crate::oauth::error::OAuthError;
use crate::store::{consents, sessions as session_rows};
use crate::tokens::revoke::{self, What};

/// What was just done, told on the page after it.
#[derive(Debug, Deserialize)]
pub struct Done {
    done: Option<String>,
}

impl Done {
    fn notice(&self) -> Option<Notice> {
        match self.done.as_deref()? {
            "password" => Some(Notice::PasswordChanged),
            "session" => Some(Notice::SessionEnded),
            "others" => Some(Notice::OthersEnded),
            "app" => Some(Notice::AppWithdrawn),
            _ => None,
        }
    }
}

/// Who I am.
pub async fn overview(visitor: Visitor, Query(done): Query<Done>) -> Response {
    let (mut visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let counted = async {
        let mut db = visitor.doors.app().store.read().await?;
        let sessions = session_rows::live_of(&mut db, &session.user_id, visitor.now).await?.len();
        let apps = consents::of_user(&mut db, &session.user_id).await?.len();
        Ok::<_, OAuthError>((sessions, apps))
    }
    .await;
    let (sessions, apps) = match counted {
        Ok(counted) => counted,
        Err(error) => return visitor.fault(&error),
    };
    let room = match room(&mut visitor, &user, done.notice()).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let everything: Vec<String> = claims::STANDARD.iter().map(|(name, _)| (*name).to_owned()).collect();
    let view = OverviewView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        details: sees(&user, &ScopeSet::default(), &everything),
        email_verified: user.email.as_ref().map(|_| user.email_verified),
        since: user.created_at.as_seconds(),
        sessions: u64::try_from(sessions).unwrap_or_default(),
        apps: u64::try_from(apps).unwrap_or_default(),
    };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

/// The form for a new password.
pub async fn password(visitor: Visitor) -> Response {
    match at_home(visitor) {
        Ok((visitor, _, user)) => password_page(visitor, &user, Problems::default(), (StatusCode::OK, None)).await,
        Err(reply) => *reply,
    }
}

/// Takes a new password. The present session goes on under a new cookie; all others end.
pub async fn change_password(Submission { visitor, params }: Submission) -> Response {
    let (mut visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let current = params.get("current_password");
    let mut problems = Vec::new();
    if current.is_none() {
        problems.push(Problem::CurrentPasswordMissing);
    }
    problems.extend(new_password_problems(&params));
    if problems.is_empty() && current == params.get("new_password") {
        problems.push(Problem::NewPasswordUnchanged);
    }
    if !problems.is_empty() {
        let problems = problems.into_iter().collect();
        return password_page(visitor, &user, problems, (StatusCode::BAD_REQUEST, None)).await;
    }
    let browser = match visitor.browser_id().await {
        Ok(browser) => browser,
        Err(error) => return visitor.fault(&error),
    };
    let secret = |name: &str| Secret::new(params.get(name).unwrap_or_default().to_owned());
    let persistent = session.persistent;
    let expires_at = session.expires_at;
    let wish = ChangePassword {
        session,
        browser,
        address: visitor.address,
        current: secret("current_password"),
        new: secret("new_password"),
    };
    let accounts = visitor.doors.app().accounts.clone();
    let (problem, status) = match accounts.change_password(wish, visitor.now).await {
        Ok(Changed::Changed { cookie, .. }) => {
            let left = persistent.then(|| std::time::Duration::from_secs(expires_at.seconds_since(visitor.now)));
            let header = visitor.doors.cookies().session(cookie.expose(), left);
            visitor.set_cookie(header);
            return visitor.answer(SeeOther::within("/account?done=password"));
        }
        Ok(Changed::WrongPassword) => (Problem::CurrentPasswordWrong, (StatusCode::BAD_REQUEST, None)),
        Ok(Changed::Weak(weak)) => (weak_password(weak), (StatusCode::BAD_REQUEST, None)),
        Ok(Changed::Throttled { retry_after_seconds: seconds }) => {
            (Problem::Throttled(seconds), (StatusCode::TOO_MANY_REQUESTS, Some(seconds)))
        }
        Ok(Changed::Busy) => (Problem::Busy, (StatusCode::SERVICE_UNAVAILABLE, Some(1))),
        Ok(Changed::Gone) => return visitor.answer(SeeOther::within("/login")),
        Err(error) => return visitor.fault(&fault(error)),
    };
    password_page(visitor, &user, problem.into(), status).await
}

async fn password_page(
    mut visitor: Visitor,
    user: &User,
    problems: Problems,
    (status, retry_after): (StatusCode, Option<u64>),
) -> Response {
    let room = match room(&mut visitor, user, None).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let view = PasswordView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        action: "/account/password".to_owned(),
        password_min: u64::from(visitor.doors.app().config().passwords.min_length),
        problems,
    };
    let mut reply = PageReply::new(&view).with_status(status);
    if let Some(seconds) = retry_after {
        reply = reply.with_retry_after(seconds);
    }
    visitor.answer(reply)
}

/// Where I am signed in.
pub async fn sessions(visitor: Visitor, Query(done): Query<Done>) -> Response {
    let (mut visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let live = async {
        let mut db = visitor.doors.app().store.read().await?;
        Ok::<_, OAuthError>(session_rows::live_of(&mut db, &session.user_id, visitor.now).await?)
    }
    .await;
    let live = match live {
        Ok(live) => live,
        Err(error) => return visitor.fault(&error),
    };
    let room = match room(&mut visitor, &user, done.notice()).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let view = SessionsView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        now: visitor.now.as_seconds(),
        sessions: live.into_iter().map(|one| session_row(one, &session)).collect(),
        end: "/account/sessions/end".to_owned(),
        end_others: "/account/sessions/end-others".to_owned(),
    };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

fn session_row(one: Session, present: &Session) -> SessionRow {
    SessionRow {
        device: Device::from_user_agent(Some(one.device.as_str()).filter(|device| !device.is_empty())),
        address: Some(one.address).filter(|address| !address.is_empty()),
        signed_in: one.auth_time.as_seconds(),
        last_used: one.last_seen_at.as_seconds(),
        current: one.id == present.id,
        id: one.id.as_str().to_owned(),
    }
}

/// Ends one of my sessions.
pub async fn end_session(Submission { visitor, params }: Submission) -> Response {
    let (visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let id = SessionId::new(params.get("session").unwrap_or_default());
    if id == session.id {
        return super::sign_out::end(visitor, &session, None).await;
    }
    let now = visitor.now;
    let store = visitor.doors.app().store.clone();
    let ended =
        store.write(async move |tx| sessions::end_one(tx, &user.id, &id, EndReason::SignedOut, now).await).await;
    match ended {
        Ok(_) => visitor.answer(SeeOther::within("/account/sessions?done=session")),
        Err(error) => visitor.fault(&error.into()),
    }
}

/// Ends all my sessions but this one.
pub async fn end_other_sessions(Submission { visitor, .. }: Submission) -> Response {
    let (visitor, session, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let now = visitor.now;
    let store = visitor.doors.app().store.clone();
    let ended = store.write(async move |tx| sessions::end_others(tx, &user.id, &session.id, now).await).await;
    match ended {
        Ok(_) => visitor.answer(SeeOther::within("/account/sessions?done=others")),
        Err(error) => visitor.fault(&error.into()),
    }
}

/// The apps I have let in.
pub async fn apps(visitor: Visitor, Query(done): Query<Done>) -> Response {
    let (mut visitor, _, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let given = match consents_of(&visitor, &user).await {
        Ok(given) => given,
        Err(error) => return visitor.fault(&error),
    };
    let room = match room(&mut visitor, &user, done.notice()).await {
        Ok(room) => room,
        Err(error) => return visitor.fault(&error),
    };
    let snapshot = visitor.doors.provider().directory.snapshot();
    let rows = given
        .iter()
        .filter_map(|(id, consent)| {
            let client = snapshot.client(id.as_str())?;
            Some(AppRow {
                id: id.as_str().to_owned(),
                app: app_shown(client, client.settings.redirect_uris.first()),
                sees: sees(&user, &consent.scope, &consent.claims),
                may_use: may_use(&consent.scope, &snapshot),
                since: consent.granted_at.as_seconds(),
                withdraw: format!("/account/apps/{}/withdraw", percent(id.as_str())),
            })
        })
        .collect();
    let view = AppsView { t: visitor.language, brand: visitor.brand(), room, apps: rows };
    let reply = PageReply::new(&view);
    visitor.answer(reply)
}

async fn consents_of(visitor: &Visitor, user: &User) -> Result<Vec<(ClientId, Consent)>, OAuthError> {
    let mut db = visitor.doors.app().store.read().await?;
    Ok(consents::of_user(&mut db, &user.id).await?)
}

/// Says what withdrawing means, before it is done. An app that has nothing of this person is none to them.
pub async fn confirm_withdraw(visitor: Visitor, Path(id): Path<String>) -> Response {
    let (mut visitor, _, user) = match at_home(visitor) {
        Ok(home) => home,
        Err(reply) => return *reply,
    };
    let given = match consents_of(&visitor, &user).await {
        Ok(given) => given.iter().any(|(client, _)| client.as_str() == id),
        Err(error) => return visitor.fault(&error),
    };
    let snapshot = visitor.doors.provider().directory.snapshot();
    let Some(client) = snapshot.client(&id).filter(|_| given).cloned() else {
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

/// Only who signed in on the real page comes in here; a session of the JSON flow does not open the account.
fn at_home(visitor: Visitor) -> Result<(Visitor, Session, User), Box<Response>> {
    match visitor.signed_in.clone() {
        Some((session, user)) if !session.direct => Ok((visitor, session, user)),
        _ => Err(Box::new(visitor.answer(SeeOther::within("/login")))),
    }
}

async fn room(visitor: &mut Visitor, user: &User, notice: Option<Notice>) -> Result<Room, OAuthError> {
    let csrf = visitor.csrf().await?;
    Ok(Room { person: shown(user), csrf, sign_out: "/logout".to_owned(), notice })
}

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
