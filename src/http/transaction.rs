//! An authorization transaction between its pages: load it, decide, go to the next page or answer.

use axum::response::Response;
use url::Url;

use super::language::Language;
use super::pages::AppShown;
use super::pages::error::{Trouble, WayBack};
use super::pages::form_post::FormPostView;
use super::reply::page::{FormAction, PageReply, Reach};
use super::reply::redirect::SeeOther;
use super::session_cookies;
use super::trouble;
use super::visit::Visitor;
use crate::domain::client::{ApplicationType, CallbackRedirects, Client, is_assured};
use crate::domain::id::{ClientId, RequestId};
use crate::domain::redirect_uri::{RedirectUri, Target};
use crate::oauth::authorize::answer::{self, ConsentGiven};
use crate::oauth::authorize::decide::{self, Decision, Progress, SignInReason, SignedIn};
use crate::oauth::authorize::parking::{self, Found};
use crate::oauth::authorize::return_address::{ResponseMode, ReturnAddress};
use crate::oauth::authorize::{Checked, Refusal, check};
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::params::Params;
use crate::oauth::session_state;
use crate::store::authorize_requests::Parked;
use crate::store::consents;

/// A request that waits for a person, loaded and checked again.
#[derive(Debug)]
pub struct Transaction {
    /// What is asked.
    pub checked: Checked,
    /// The row.
    pub parked: Parked,
    /// The token in our links.
    pub token: String,
}

impl Transaction {
    /// Loads the transaction that a link or form names, for this browser.
    ///
    /// # Errors
    /// The page to show: the transaction is over, or it is another browser's.
    pub async fn load(token: &str, visitor: &mut Visitor) -> Result<Self, Box<Response>> {
        let (parked, params) = match claimed(token, visitor).await {
            Ok(Found::Waiting(parked, params)) => (*parked, params),
            Ok(Found::Answered(client)) => return Err(Box::new(over(visitor, Trouble::Answered, Some(client)).await)),
            Ok(Found::Over(client)) => return Err(Box::new(over(visitor, Trouble::Expired, Some(client)).await)),
            Ok(Found::Unknown) => return Err(Box::new(over(visitor, Trouble::Expired, None).await)),
            Err(error) => return Err(Box::new(fault(visitor, &error))),
        };
        speak(&params, visitor);
        match check(&params, visitor.doors.provider(), visitor.now).await {
            Ok(checked) => Ok(Self { checked, parked, token: token.to_owned() }),
            Err(refusal) => Err(Box::new(refuse(*refusal, visitor))),
        }
    }

    /// What happened in it so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { authenticated: self.parked.authenticated_user.clone(), chosen: self.parked.chosen_user.clone() }
    }
}

/// Speaks the language that the app asks for, on every page of its transaction: its wish comes before the browser's.
pub fn speak(params: &Params, visitor: &mut Visitor) {
    if let Some(wanted) = params.get("ui_locales") {
        visitor.language = Language::negotiate(Some(wanted), None);
    }
}

/// The parked request, if it is this browser's. A browser without a cookie is given one only where the request is free to take:
/// whoever makes up tokens leaves nothing behind.
async fn claimed(token: &str, visitor: &mut Visitor) -> Result<Found, OAuthError> {
    let found = parking::find(token, visitor.doors.provider(), visitor.now).await?;
    let Found::Waiting(parked, _) = &found else { return Ok(found) };
    let over = Found::Over(parked.client_id.clone());
    if parked.browser_id.is_some() && visitor.browser.is_none() {
        return Ok(over);
    }
    let browser = visitor.browser_id().await?;
    Ok(if parking::claim(parked, &browser, visitor.doors.provider()).await? { found } else { over })
}

/// Decides what happens next, and does it.
pub async fn advance(
    checked: Checked,
    parked: Option<(Parked, String)>,
    params: &Params,
    mut visitor: Visitor,
) -> Response {
    let progress = parked.as_ref().map_or_else(Progress::default, |(parked, _)| Progress {
        authenticated: parked.authenticated_user.clone(),
        chosen: parked.chosen_user.clone(),
    });
    let signed_in = match signed_in(&checked.client, &visitor).await {
        Ok(signed_in) => signed_in,
        Err(error) => return visitor.fault(&error),
    };
    let decision = decide::decide(&checked, signed_in.as_ref(), &progress, visitor.now);
    let page = match decision {
        Decision::SignIn(SignInReason::NotSignedIn) => "/login",
        Decision::SignIn(SignInReason::Again) => "/login/again",
        Decision::SignIn(SignInReason::OtherPerson) => "/login/other",
        Decision::ChooseAccount => "/login/choose",
        Decision::AskConsent => "/consent",
        Decision::Answer => {
            return answer(checked, signed_in, ConsentGiven::Earlier, parked.map(|(row, _)| row.id), visitor).await;
        }
        Decision::Refuse(error) => {
            if let Some((row, _)) = parked
                && let Err(fault) = parking::close(row.id, visitor.doors.provider()).await
            {
                return visitor.fault(&fault);
            }
            let silent = checked.request.is_silent();
            let refusal = Refusal::Redirect { to: Box::new(checked.to), error, silent };
            let reply = refuse(refusal, &visitor);
            return visitor.answer(reply);
        }
    };
    let token = match parked {
        Some((_, token)) => Ok(token),
        None => park(&checked.client, params, &mut visitor).await,
    };
    match token {
        Ok(token) => {
            let location = format!("{page}?txn={token}");
            visitor.answer(SeeOther::within(&location))
        }
        Err(error) => visitor.fault(&error),
    }
}

/// Records the grant and answers the client.
pub async fn answer(
    checked: Checked,
    signed_in: Option<SignedIn>,
    given: ConsentGiven,
    parked: Option<RequestId>,
    mut visitor: Visitor,
) -> Response {
    let refused = match signed_in {
        Some(at) => {
            let granted = answer::grant_code(&checked, &at, given, parked, visitor.doors.provider(), visitor.now).await;
            match granted {
                Ok(None) => {
                    let page = over_at(&visitor, Trouble::Answered, Some(&checked.client));
                    return visitor.answer(page);
                }
                Ok(Some(code)) => {
                    let mut parameters = checked.to.success(code.expose());
                    parameters.extend(session_state(&checked, &at, &mut visitor).map(|state| ("session_state", state)));
                    let reply = deliver(&checked.to, parameters, &visitor);
                    return visitor.answer(reply);
                }
                Err(error) => error,
            }
        }
        None => OAuthError::new(ErrorCode::LoginRequired, "the person has to sign in"),
    };
    let reply = redirect_refusal(&checked.to, &refused, &visitor);
    visitor.answer(reply)
}

/// What the app is told of the session, with session management. The browser is given what that is held against: its session may be older
/// than the setting.
fn session_state(checked: &Checked, at: &SignedIn, visitor: &mut Visitor) -> Option<String> {
    let browser_state = session_state::browser_state(&at.session.id, visitor.doors.provider())?;
    let cookie = session_cookies::state(&visitor.doors, &browser_state, &at.session, visitor.now);
    visitor.set_cookie(cookie);
    session_state::session_state(&checked.client.id, checked.to.uri(), &browser_state)
}

/// Who is signed in, with what they let this client have so far.
///
/// # Errors
/// If the database refuses.
pub async fn signed_in(client: &Client, visitor: &Visitor) -> Result<Option<SignedIn>, OAuthError> {
    let Some((session, user)) = visitor.signed_in.clone() else { return Ok(None) };
    let mut db = visitor.doors.app().store.read().await?;
    let consent = consents::find(&mut db, &user.id, &client.id).await?;
    Ok(Some(SignedIn { session, user, consent }))
}

async fn park(client: &Client, params: &Params, visitor: &mut Visitor) -> Result<String, OAuthError> {
    let browser = visitor.browser_id().await?;
    let token = parking::park(params, &client.id, Some(browser), visitor.doors.provider(), visitor.now).await?;
    Ok(token.expose().to_owned())
}

/// How a refusal leaves: on a page, or to the client. Where it is not sure that the client gets it, nobody is sent there
/// without knowing (RFC 9700 §4.11), unless the app asked that nothing be shown.
pub fn refuse(refusal: Refusal, visitor: &Visitor) -> Response {
    use axum::response::IntoResponse as _;
    match refusal {
        Refusal::Page { error, client_name } => {
            if error.cause().is_some() {
                return fault(visitor, &error);
            }
            let trouble = if client_name.is_some() { Trouble::ReturnAddress } else { Trouble::UnknownApp };
            trouble::page(visitor, trouble, error.code().as_str(), Some(error.hint())).into_response()
        }
        Refusal::Redirect { to, error, silent } if silent || is_assured(to.uri()) => {
            redirect_refusal(&to, &error, visitor)
        }
        Refusal::Redirect { to, error, .. } => {
            let href = to.with_query(&to.refusal(&error));
            let app = AppShown { name: host_or_scheme(to.uri()), host: None };
            let back = WayBack::App(app, href);
            trouble::page_back_to(visitor, Trouble::AppRequest, error.code().as_str(), Some(error.hint()), back)
                .into_response()
        }
    }
}

/// Sends a refusal to the client.
pub fn redirect_refusal(to: &ReturnAddress, error: &OAuthError, visitor: &Visitor) -> Response {
    if let Some(cause) = error.cause() {
        tracing::error!(%cause, code = error.code().as_str(), "an authorization request could not be answered");
    } else {
        tracing::info!(code = error.code().as_str(), hint = error.hint(), "an authorization request was refused");
    }
    deliver(to, to.refusal(error), visitor)
}

fn deliver(to: &ReturnAddress, parameters: Vec<(&'static str, String)>, visitor: &Visitor) -> Response {
    use axum::response::IntoResponse as _;
    match to.mode() {
        ResponseMode::Query => SeeOther::to_client(to.with_query(&parameters)).into_response(),
        ResponseMode::FormPost => PageReply::form_post(&FormPostView {
            t: visitor.language,
            brand: visitor.brand(),
            action: to.uri().as_str().to_owned(),
            fields: parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        })
        .into_response(),
    }
}

/// Where the forms of this transaction's pages may lead.
#[must_use]
pub fn form_action(client: &Client, uri: &RedirectUri) -> FormAction {
    let reach = match (client.settings.callback_redirects, client.settings.application_type) {
        (CallbackRedirects::Anywhere, _) => Reach::Anywhere,
        (CallbackRedirects::SameSite, ApplicationType::Web) => Reach::Site,
        (CallbackRedirects::SameSite, _) => Reach::Origin,
    };
    Url::parse(uri.as_str()).map_or_else(|_| FormAction::default(), |url| FormAction::towards(&url, reach))
}

/// The client as pages show apps.
#[must_use]
pub fn app_shown(client: &Client, uri: Option<&RedirectUri>) -> AppShown {
    let host = client
        .settings
        .client_uri
        .as_deref()
        .and_then(|uri| Url::parse(uri).ok()?.host_str().map(str::to_owned))
        .or_else(|| uri.map(host_or_scheme));
    AppShown { name: client.display_name().to_owned(), host }
}

fn host_or_scheme(uri: &RedirectUri) -> String {
    match uri.target() {
        Target::Https { host, .. } | Target::Loopback { host, .. } => host.clone(),
        Target::PrivateUse { scheme } => scheme.clone(),
    }
}

/// Where a client is at home, as far as it says so.
#[must_use]
pub fn home_of(client: &Client) -> Option<(AppShown, String)> {
    let href = client.settings.client_uri.clone()?;
    let proper = Url::parse(&href).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    proper.then(|| (app_shown(client, None), href))
}

/// The page about a transaction that leads no further, with a way to the app.
async fn over(visitor: &Visitor, trouble: Trouble, client: Option<ClientId>) -> Response {
    use axum::response::IntoResponse as _;
    let client = match client {
        Some(id) => visitor.doors.provider().client(id.as_str(), visitor.now).await,
        None => Ok(None),
    };
    match client {
        Ok(client) => over_at(visitor, trouble, client.as_deref()).into_response(),
        Err(error) => fault(visitor, &error),
    }
}

/// The same for a client that is at hand.
pub fn over_at(visitor: &Visitor, trouble: Trouble, client: Option<&Client>) -> PageReply {
    let code = if trouble == Trouble::Answered { "answered" } else { "expired" };
    match client.and_then(home_of) {
        Some((app, href)) => trouble::page_back_to(visitor, trouble, code, None, WayBack::App(app, href)),
        None => trouble::page(visitor, trouble, code, None),
    }
}

fn fault(visitor: &Visitor, error: &OAuthError) -> Response {
    use axum::response::IntoResponse as _;
    trouble::fault(error, visitor.language, visitor.brand(), visitor.request_id.clone()).into_response()
}
