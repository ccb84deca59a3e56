//! `/login`: who are you?

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::accounts::AccountsError;
use crate::accounts::sign_in::{Outcome, SignIn, SignedIn};
use crate::domain::id::{RequestId, UserId};
use crate::domain::secret::Secret;
use crate::domain::user::User;
use crate::http::pages::login::{LoginView, Who};
use crate::http::pages::problem::{Problem, Problems};
use crate::http::reply::page::{FormAction, PageReply};
use crate::http::reply::redirect::SeeOther;
use crate::http::return_to::ReturnTo;
use crate::http::session_cookies;
use crate::http::submission::Submission;
use crate::http::transaction::{self, Transaction};
use crate::http::visit::{Visitor, shown};
use crate::oauth::authorize::request::AuthorizeRequest;
use crate::oauth::error::OAuthError;
use crate::oauth::params::Params;
use crate::store::{authorize_requests, users};

/// The query of the page.
#[derive(Debug, Deserialize)]
pub struct PageQuery {
    txn: Option<String>,
    to: Option<String>,
}

impl PageQuery {
    /// The transaction's token; empty if there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.txn.as_deref().unwrap_or_default()
    }
}

/// Which of the three forms of the page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Anybody may sign in.
    Anybody,
    /// The person signed in must prove it again.
    Again,
    /// Another person than the one signed in.
    Other,
}

impl Asked {
    const fn path(self) -> &'static str {
        match self {
            Self::Anybody => "/login",
            Self::Again => "/login/again",
            Self::Other => "/login/other",
        }
    }
}

/// Shows the page.
pub async fn show(visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    // Who is signed in already and asks for nothing else is where they want to be.
    if query.txn.is_none() && visitor.signed_in.as_ref().is_some_and(|(session, _)| !session.direct) {
        return visitor.answer(SeeOther::within(destination(query.to.as_deref().and_then(ReturnTo::parse).as_ref())));
    }
    page(visitor, query, Asked::Anybody).await
}

/// Shows the page for the person who is signed in.
pub async fn show_again(visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    page(visitor, query, Asked::Again).await
}

/// Shows the page for another person.
pub async fn show_other(visitor: Visitor, Query(query): Query<PageQuery>) -> Response {
    page(visitor, query, Asked::Other).await
}

/// Takes the form.
pub async fn submit(form: Submission) -> Response {
    sign_in(form, Asked::Anybody).await
}

/// Takes the form of the person who is signed in.
pub async fn submit_again(form: Submission) -> Response {
    sign_in(form, Asked::Again).await
}

/// Takes the form of another person.
pub async fn submit_other(form: Submission) -> Response {
    sign_in(form, Asked::Other).await
}

async fn page(mut visitor: Visitor, query: PageQuery, asked: Asked) -> Response {
    let transaction = match load(query.txn.as_deref(), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    let username = match &transaction {
        Some(transaction) => match name_of(&visitor, &transaction.checked.request).await {
            Ok(name) => name,
            Err(error) => return visitor.fault(&error),
        },
        None => String::new(),
    };
    let to = query.to.as_deref().and_then(ReturnTo::parse);
    let filled = Filled { username, remember: false, to, problems: Problems::default() };
    render(visitor, transaction.as_ref(), asked, filled, None).await
}

/// Shows the page again with what was typed, the password apart.
pub(super) async fn again(
    mut visitor: Visitor,
    path: &str,
    params: &Params,
    (problems, status): (Problems, StatusCode),
) -> Response {
    let transaction = match load(params.get("txn"), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    let asked = [Asked::Again, Asked::Other].into_iter().find(|asked| asked.path() == path).unwrap_or(Asked::Anybody);
    let username = params.get("username").unwrap_or_default().trim().to_owned();
    let filled = Filled { username, remember: params.has("remember"), to: wanted(params), problems };
    render(visitor, transaction.as_ref(), asked, filled, Some((status, None))).await
}

/// The name to fill in: the one the app told, else that of the person whose ID token it showed (protocol 2.3). A bare `sub` in
/// `claims` fills in nothing: whoever learned a `sub` anywhere would learn the name that goes with it.
async fn name_of(visitor: &Visitor, request: &AuthorizeRequest) -> Result<String, OAuthError> {
    match (&request.login_hint, &request.hinted) {
        (Some(name), _) => Ok(name.clone()),
        (None, Some(subject)) => {
            let user = users::by_sub(&mut visitor.doors.app().store.read().await?, subject).await?;
            Ok(user.filter(User::is_active).map(|user| user.username.as_str().to_owned()).unwrap_or_default())
        }
        (None, None) => Ok(String::new()),
    }
}

async fn load(token: Option<&str>, visitor: &mut Visitor) -> Result<Option<Transaction>, Box<Response>> {
    match token {
        Some(token) => Transaction::load(token, visitor).await.map(Some),
        None => Ok(None),
    }
}

/// What stands in the form when it is shown.
struct Filled {
    username: String,
    remember: bool,
    to: Option<ReturnTo>,
    problems: Problems,
}

async fn render(
    mut visitor: Visitor,
    transaction: Option<&Transaction>,
    asked: Asked,
    filled: Filled,
    refused: Option<(StatusCode, Option<u64>)>,
) -> Response {
    let csrf = match visitor.csrf().await {
        Ok(csrf) => csrf,
        Err(error) => return visitor.fault(&error),
    };
    let txn = transaction.map(|txn| txn.token.clone());
    let again = visitor.signed_in.as_ref().filter(|_| asked == Asked::Again);
    let who = match again {
        Some((_, user)) => {
            let switch = txn.as_ref().map_or("/login/other".to_owned(), |txn| format!("/login/other?txn={txn}"));
            Who::Again { person: shown(user), switch }
        }
        None => Who::Anybody { username: filled.username },
    };
    let app = transaction.map(|txn| transaction::app_shown(&txn.checked.client, Some(txn.checked.to.uri())));
    let form_action = transaction
        .map_or_else(FormAction::default, |txn| transaction::form_action(&txn.checked.client, txn.checked.to.uri()));
    let view = LoginView {
        t: visitor.language,
        brand: visitor.brand(),
        action: asked.path().to_owned(),
        csrf,
        txn,
        to: filled.to.as_ref().map(|to| to.as_str().to_owned()),
        app,
        who,
        remember: filled.remember,
        problems: filled.problems,
    };
    let mut reply = PageReply::new(&view).with_form_action(form_action);
    if let Some((status, retry_after)) = refused {
        reply = reply.with_status(status);
        if let Some(seconds) = retry_after {
            reply = reply.with_retry_after(seconds);
        }
    }
    visitor.answer(reply)
}

async fn sign_in(Submission { mut visitor, params }: Submission, asked: Asked) -> Response {
    let transaction = match load(params.get("txn"), &mut visitor).await {
        Ok(transaction) => transaction,
        Err(reply) => return visitor.answer(*reply),
    };
    let again = visitor.signed_in.as_ref().filter(|_| asked == Asked::Again).map(|(_, user)| user.clone());
    let username = match &again {
        Some(user) => user.username.as_str().to_owned(),
        None => params.get("username").unwrap_or_default().trim().to_owned(),
    };
    let password = params.get("password").unwrap_or_default();
    let remember = params.has("remember");
    let to = wanted(&params);
    let missing: Vec<Problem> = [
        username.is_empty().then_some(Problem::UsernameMissing),
        password.is_empty().then_some(Problem::PasswordMissing),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !missing.is_empty() {
        let filled = Filled { username, remember, to, problems: missing.into_iter().collect() };
        return render(visitor, transaction.as_ref(), asked, filled, Some((StatusCode::BAD_REQUEST, None))).await;
    }
    let browser = match visitor.browser_id().await {
        Ok(browser) => browser,
        Err(error) => return visitor.fault(&error),
    };
    let persistent = visitor.signed_in.as_ref().is_some_and(|(session, _)| session.persistent);
    let wish = SignIn {
        username: username.clone(),
        password: Secret::new(password.to_owned()),
        browser,
        address: visitor.address,
        device: visitor.device.clone(),
        keep: remember || (again.is_some() && persistent),
        direct: false,
        cookie: None,
        expected_user: again.map(|user| user.id),
    };
    let outcome = visitor.doors.app().accounts.sign_in(wish, visitor.now).await;
    let (problem, status, retry_after) = match outcome {
        Ok(Outcome::SignedIn(signed_in)) => return go_on(visitor, transaction, *signed_in, to.as_ref()).await,
        Ok(Outcome::WrongCredentials | Outcome::OtherPerson) => (Problem::WrongCredentials, StatusCode::OK, None),
        Ok(Outcome::TooLong) => (Problem::WrongCredentials, StatusCode::BAD_REQUEST, None),
        Ok(Outcome::Throttled { retry_after_seconds }) => {
            (Problem::Throttled(retry_after_seconds), StatusCode::TOO_MANY_REQUESTS, Some(retry_after_seconds))
        }
        Ok(Outcome::Busy) => (Problem::Busy, StatusCode::SERVICE_UNAVAILABLE, Some(1)),
        Err(error) => return visitor.fault(&fault(error)),
    };
    let filled = Filled { username, remember, to, problems: problem.into() };
    render(visitor, transaction.as_ref(), asked, filled, Some((status, retry_after))).await
}

/// The page of ours that was wanted before this one.
fn wanted(params: &Params) -> Option<ReturnTo> {
    params.get("to").and_then(ReturnTo::parse)
}

/// Where people go who came without an app.
fn destination(to: Option<&ReturnTo>) -> &str {
    to.map_or("/account", ReturnTo::as_str)
}

/// The new cookie, and on to where the person wanted to go.
async fn go_on(
    mut visitor: Visitor,
    transaction: Option<Transaction>,
    signed_in: SignedIn,
    to: Option<&ReturnTo>,
) -> Response {
    set_session_cookies(&mut visitor, &signed_in);
    let Some(transaction) = transaction else { return visitor.answer(SeeOther::within(destination(to))) };
    if let Err(error) = note(&visitor, transaction.parked.id.clone(), signed_in.user.id.clone()).await {
        return visitor.fault(&error);
    }
    let location = format!("/oauth2/authorize/i/{}", transaction.token);
    visitor.answer(SeeOther::within(&location))
}

async fn note(visitor: &Visitor, id: RequestId, user: UserId) -> Result<(), OAuthError> {
    let store = &visitor.doors.app().store;
    Ok(store.write(async move |tx| authorize_requests::note_sign_in(tx, &id, &user).await).await?)
}

/// Hands out the session's cookies.
pub(in crate::http) fn set_session_cookies(visitor: &mut Visitor, signed_in: &SignedIn) {
    let cookies = session_cookies::given(&visitor.doors, &signed_in.session, &signed_in.cookie, visitor.now);
    cookies.into_iter().for_each(|cookie| visitor.set_cookie(cookie));
}

/// A fault of the accounts as the other faults.
pub(in crate::http) fn fault(error: AccountsError) -> OAuthError {
    match error {
        AccountsError::Store(error) => error.into(),
        AccountsError::Vault(error) => error.into(),
        AccountsError::Passwords(error) => OAuthError::unavailable(error),
    }
}
