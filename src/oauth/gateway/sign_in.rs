//! A sign-in at an app behind a proxy: a code flow of the house with itself, since the house's own session cookie is not sent to
//! other hosts. `/.frontdesk/start` leads to the authorization endpoint, `/.frontdesk/callback` takes the code.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{callback_of, origin_of, visit};
use crate::config::GatewayApp;
use crate::crypto::digest;
use crate::domain::gateway::{AppFlow, AppSession};
use crate::domain::grant::EndReason;
use crate::domain::id::{AppFlowId, AppSessionId, GrantId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Kind, OpaqueToken};
use crate::oauth::client_auth::AuthenticatedClient;
use crate::oauth::error::{ErrorCode, OAuthError};
use crate::oauth::grants::Caller;
use crate::oauth::grants::authorization_code::AuthorizationCodeRequest;
use crate::oauth::params::Params;
use crate::oauth::provider::Provider;
use crate::store::grants::Standing;
use crate::store::{StoreError, Tx, gateway_flows, gateway_sessions};
use crate::tokens::refresh::Context;
use crate::tokens::revoke::{self, What};

/// A sign-in that begins.
#[derive(Debug)]
pub struct Started {
    /// The authorization endpoint, with everything it asks for.
    pub location: String,
    /// The browser's state cookie.
    pub cookie: OpaqueToken,
    /// How long both are good.
    pub lifetime: Duration,
    /// Whether the browser has a session cookie of the app's that opens nothing any more.
    pub stale: bool,
}

/// The cookies of a browser at an app's host.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The state cookie.
    pub state: Option<&'a str>,
    /// The app's session cookie.
    pub session: Option<&'a str>,
}

/// Begins a sign-in. A browser that is on its way already keeps its cookie, so that each of its tabs arrives.
///
/// # Errors
/// If the database refuses.
pub async fn start(
    app: &GatewayApp,
    to: Option<&str>,
    shown: Shown<'_>,
    provider: &Provider,
    now: Timestamp,
) -> Result<Started, OAuthError> {
    let stale = match shown.session {
        Some(session) => visit(&mut provider.store.read().await?, session, app, provider, now).await?.is_none(),
        None => false,
    };
    let cookie = shown.state.and_then(|value| OpaqueToken::parse(Kind::AppState, value));
    let cookie = cookie.unwrap_or_else(|| OpaqueToken::mint(Kind::AppState));
    let lifetime = provider.config.sessions.authorize_request_ttl;
    let state = OpaqueToken::mint(Kind::AppFlow);
    let flow = AppFlow {
        id: AppFlowId::new(state.id()),
        digest: state.digest(),
        browser: cookie.digest(),
        host: app.host.clone(),
        path: provider.gateway.kept_path(&app.host, to, now),
        expires_at: now.plus(lifetime),
    };
    provider.store.write(async move |tx| gateway_flows::insert(tx, &flow).await).await?;
    let challenge = digest::sha256_b64u(provider.gateway.verifier(&state, &cookie).as_bytes());
    let parameters = [
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", &callback_of(app, provider)),
        ("scope", &app.scope.to_string()),
        ("state", state.expose()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = Params::of(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()).encoded();
    let location = format!("{}?{query}", provider.config.issuer_url("/oauth2/authorize"));
    Ok(Started { location, cookie, lifetime, stale })
}

/// Who comes to the callback, and with what.
#[derive(Debug)]
pub struct Returning<'a> {
    /// The answer of the authorization endpoint.
    pub params: &'a Params,
    /// Its cookies; that of the app may be one that was there before.
    pub shown: Shown<'a>,
    /// The address.
    pub address: IpAddr,
    /// The browser's own description of itself.
    pub device: &'a str,
}

/// How a sign-in ended.
#[derive(Debug)]
pub enum Arrived {
    /// Somebody is signed in now.
    SignedIn {
        /// The app's session cookie.
        cookie: OpaqueToken,
        /// How long it lives; `None`: until the browser closes.
        lifetime: Option<Duration>,
        /// Where the person wanted to go, on the app's own origin.
        location: String,
    },
    /// Somebody was before, who came back by the back button or a second click.
    Already {
        /// The app's front page.
        location: String,
    },
    /// It did not come to an end.
    Refused {
        /// Why.
        error: OAuthError,
        /// Where the person wanted to go, on the app's own origin: there it begins anew.
        location: String,
    },
}

/// Ends a sign-in. Each works once, in the browser it began in, at its host and in its time.
///
/// # Errors
/// If the database refuses.
pub async fn arrive(
    returning: Returning<'_>,
    app: &GatewayApp,
    provider: &Arc<Provider>,
    now: Timestamp,
) -> Result<Arrived, OAuthError> {
    provider.must_be_fresh(now)?;
    let origin = origin_of(app, provider);
    let there_before = match returning.shown.session {
        Some(cookie) => visit(&mut provider.store.read().await?, cookie, app, provider, now).await?,
        None => None,
    };
    let there_before = there_before.map(|found| found.standing.grant.id);
    let began = begun(&returning, app, provider, now).await?;
    let (flow, state, browser) = match (began, &there_before) {
        (Some(began), _) => began,
        // What brought this person in was used up by it.
        (None, Some(_)) => return Ok(Arrived::Already { location: format!("{origin}/") }),
        (None, None) => {
            let error = OAuthError::invalid_request("the sign-in was not begun in this browser, or too long ago");
            return Ok(Arrived::Refused { error, location: format!("{origin}/") });
        }
    };
    let location = format!("{origin}{}", flow.path);
    let client = provider.client(&app.client_id, now).await?;
    let answer = match client {
        Some(client) => read_answer(returning.params, provider.issuer_id())
            .and_then(|code| redemption(code, app, provider.gateway.verifier(&state, &browser), provider))
            .map(|request| (client, request)),
        None => Err(OAuthError::invalid_request("the app's client is not registered, or it was switched off")),
    };
    let (client, request) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            provider.store.write(async move |tx| gateway_flows::take(tx, &flow.id).await.map(drop)).await?;
            return Ok(Arrived::Refused { error, location });
        }
    };
    let caller = Caller {
        authenticated: AuthenticatedClient { client, bound: None },
        cookies: None,
        context: Context::new(IpNet::from(returning.address), returning.device),
    };
    let cookie = OpaqueToken::mint(Kind::AppSession);
    let session = (AppSessionId::new(cookie.id()), cookie.digest());
    let (inside, host) = (provider.clone(), app.host.clone());
    let opened = provider
        .store
        .write(async move |tx| {
            if !gateway_flows::take(tx, &flow.id).await? {
                return Ok(Err(OAuthError::invalid_request("the sign-in was finished before")));
            }
            let standing = match request.take(tx, &caller, &inside, now).await? {
                Ok(standing) => standing,
                Err(error) => return Ok(Err(error)),
            };
            let (id, digest) = session;
            let grant_id = standing.grant.id.clone();
            gateway_sessions::insert(tx, &AppSession { id, digest, host, grant_id, created_at: now }).await?;
            Ok(Ok(standing))
        })
        .await?;
    let standing = match opened {
        Ok(standing) => standing,
        Err(error) => return Ok(Arrived::Refused { error, location }),
    };
    // In a unit of its own, since who holds several grants takes the older first, and the older one must not end before the code
    // has proven good. If it comes to nothing, the older visit lives as long as its session, as it would have without this one.
    if let Some(before) = there_before.filter(|before| *before != standing.grant.id) {
        provider.store.write(async move |tx| replace(tx, &before, now).await).await?;
    }
    Ok(Arrived::SignedIn { cookie, lifetime: lifetime_of(&standing, now), location })
}

/// The sign-in that comes to its end here, with what its browser proved.
async fn begun(
    returning: &Returning<'_>,
    app: &GatewayApp,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<(AppFlow, OpaqueToken, OpaqueToken)>, StoreError> {
    let state = returning.params.get("state").and_then(|state| OpaqueToken::parse(Kind::AppFlow, state));
    let browser = returning.shown.state.and_then(|cookie| OpaqueToken::parse(Kind::AppState, cookie));
    let (Some(state), Some(browser)) = (state, browser) else { return Ok(None) };
    let found = gateway_flows::find(&mut provider.store.read().await?, &AppFlowId::new(state.id())).await?;
    let own = found.filter(|flow| {
        flow.digest.matches(&state.digest())
            && flow.browser.matches(&browser.digest())
            && flow.host == app.host
            && !flow.expires_at.has_passed(now)
    });
    Ok(own.map(|flow| (flow, state, browser)))
}

/// The code, if the answer has one and is ours (RFC 9207).
fn read_answer(params: &Params, issuer: &str) -> Result<String, OAuthError> {
    params.refuse_duplicates()?;
    if params.get("iss") != Some(issuer) {
        return Err(OAuthError::invalid_request("the answer is not one of this server"));
    }
    if params.has("error") {
        return Err(OAuthError::new(ErrorCode::AccessDenied, "the sign-in was refused or given up"));
    }
    Ok(params.require("code", "code is missing")?.to_owned())
}

/// What an app would send to the token endpoint.
fn redemption(
    code: String,
    app: &GatewayApp,
    verifier: String,
    provider: &Provider,
) -> Result<AuthorizationCodeRequest, OAuthError> {
    AuthorizationCodeRequest::parse(&Params::of(vec![
        ("code".to_owned(), code),
        ("redirect_uri".to_owned(), callback_of(app, provider)),
        ("code_verifier".to_owned(), verifier),
    ]))
}

/// A newer sign-in in the same browser took the place of one that nobody can show any more.
async fn replace(tx: &mut Tx, before: &GrantId, now: Timestamp) -> Result<(), StoreError> {
    revoke::end(tx, What::Grant(before), EndReason::Replaced, "system", now).await.map(drop)
}

/// The cookie outlives the browser's closing only if that of the house does.
fn lifetime_of(standing: &Standing, now: Timestamp) -> Option<Duration> {
    let persistent = standing.session.as_ref().is_some_and(|session| session.persistent);
    persistent.then(|| Duration::from_secs(standing.grant.expires_at.seconds_since(now)))
}
