//! `/account/…`: who I am, my password, my sessions, my apps.

pub mod apps;
pub mod sessions;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::consent::sees;
use super::login::fault;
use super::setup::{new_password_problems, weak_password};
use crate::accounts::change_password::{ChangePassword, Changed};
use crate::domain::claims;
use crate::domain::scope::ScopeSet;
use crate::domain::secret::Secret;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::http::pages::account::overview::OverviewView;
use crate::http::pages::account::password::PasswordView;
use crate::http::pages::account::{Notice, Room};
use crate::http::pages::details::Detail;
use crate::http::pages::problem::{Problem, Problems};
use crate::http::reply::page::PageReply;
use crate::http::reply::redirect::SeeOther;
use crate::http::session_cookies;
use crate::http::submission::Submission;
use crate::http::visit::{Visitor, shown};
use crate::oauth::error::OAuthError;
use crate::oauth::holding;

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
        let sessions = {
            let provider = visitor.doors.provider();
            holding::sessions_of(provider, &user.id, Some(&session.id), visitor.now).await?.len()
        };
        let apps = apps::listed(&visitor, &user).await?.len();
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
    let known = sees(&user, &ScopeSet::default(), &everything).into_iter().filter(Detail::is_stored).collect();
    let view = OverviewView {
        t: visitor.language,
        brand: visitor.brand(),
        room,
        details: known,
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
    let present = session.clone();
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
            for header in session_cookies::given(&visitor.doors, &present, &cookie, visitor.now) {
                visitor.set_cookie(header);
            }
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

/// Only who signed in on the real page comes in here; a session of the JSON flow does not open the account.
fn at_home(visitor: Visitor) -> Result<(Visitor, Session, User), Box<Response>> {
    match visitor.signed_in.clone() {
        Some((session, user)) if !session.direct => Ok((visitor, session, user)),
        _ => Err(Box::new(visitor.answer(SeeOther::within("/login")))),
    }
}

async fn room(visitor: &mut Visitor, user: &User, notice: Option<Notice>) -> Result<Room, OAuthError> {
    let csrf = visitor.csrf().await?;
    Ok(Room { person: shown(user), csrf, sign_out: "/logout".to_owned(), notice, admin: user.is_admin() })
}
