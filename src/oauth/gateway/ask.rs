//! May a request pass, and as whom?

use super::pass::{self, For};
use super::{app_at, origin_of, visit};
use crate::accounts::sessions::{self, SessionPolicy};
use crate::config::GatewayApp;
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::oauth::audience;
use crate::oauth::error::OAuthError;
use crate::oauth::pointer::{self, Bearer};
use crate::oauth::provider::Provider;
use crate::tokens::access::Audience;

/// What a proxy asks about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The host the request is for.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Whether coming back to the path by GET does what the request wanted to do.
    pub repeatable: bool,
    /// The access token that it shows.
    pub bearer: Option<&'a str>,
    /// The app's session cookie.
    pub cookie: Option<&'a str>,
}

/// The answer.
#[derive(Debug)]
pub enum Answer {
    /// It may pass.
    Pass(Box<Passport>),
    /// Nobody is signed in. A browser may sign in there.
    SignIn {
        /// On the app's host, with where the person wanted to go.
        start: String,
    },
    /// The access token that was shown is not good here.
    BadToken,
    /// No app of ours is there.
    NoApp,
    /// The app is registered as an API, which was switched off.
    SwitchedOff,
}

/// As whom a request passes.
pub struct Passport {
    /// The person's `sub`, or the id of a client that acts for itself.
    pub subject: String,
    /// The person's address, if it was proven and the app is told it.
    pub email: Option<String>,
    /// The roles of a person who signed in at the app itself.
    pub groups: Vec<String>,
    /// An access token for the app, for a minute at most.
    pub token: String,
}

/// Whose it is; the token is a secret.
impl std::fmt::Debug for Passport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passport({})", self.subject)
    }
}

/// Decides. An access token that is shown decides alone: what stands behind the proxy may take it for checked.
///
/// # Errors
/// If the database refuses, or nothing signs.
pub async fn ask(
    asked: Asked<'_>,
    policy: &SessionPolicy,
    provider: &Provider,
    now: Timestamp,
) -> Result<Answer, OAuthError> {
    let Some(app) = app_at(asked.host, provider) else { return Ok(Answer::NoApp) };
    if audience::of_app(&app.audience, &app.scope, provider).is_none() {
        return Ok(Answer::SwitchedOff);
    }
    let passport = match (asked.bearer, asked.cookie) {
        (Some(token), _) => match by_token(token, app, provider, now).await? {
            Some(passport) => Some(passport),
            None => return Ok(Answer::BadToken),
        },
        (None, Some(cookie)) => by_cookie(cookie, app, policy, provider, now).await?,
        (None, None) => None,
    };
    Ok(match passport {
        Some(passport) => Answer::Pass(Box::new(passport)),
        None => Answer::SignIn { start: start_of(app, if asked.repeatable { asked.path } else { "/" }, provider, now) },
    })
}

/// Where a sign-in at an app begins.
fn start_of(app: &GatewayApp, path: &str, provider: &Provider, now: Timestamp) -> String {
    let until = now.plus(provider.config.sessions.authorize_request_ttl);
    let kept = provider.gateway.keep_path(&app.host, path, until);
    format!("{}/.frontdesk/start?to={kept}", origin_of(app, provider))
}

async fn by_token(
    token: &str,
    app: &GatewayApp,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<Passport>, OAuthError> {
    let Some(live) = pointer::follow(token, provider, now).await? else { return Ok(None) };
    let pointer = &live.pointer;
    let Some(target) = audience::of_app(&app.audience, &pointer.scope, provider) else { return Ok(None) };
    if !matches!(&target.audience, Audience::One(own) if pointer.audience.contains(own)) {
        return Ok(None);
    }
    let Some(client) = provider.client(pointer.client.as_str(), now).await? else { return Ok(None) };
    let person = match &live.bearer {
        Bearer::Person(standing) => Some((&standing.grant, &standing.user)),
        Bearer::Client(_) => None,
    };
    let key = format!("{}:{}", pointer.client, pointer.jti);
    let whom = For {
        key: &key,
        client: &client,
        person: person.map(|(grant, user)| (grant, user.sub.as_str())),
        until: pointer.expires_at,
    };
    Ok(Some(Passport {
        subject: pointer.subject.clone(),
        email: person.and_then(|(_, user)| email_of(user, pointer.scope.contains("email"))),
        // The token was given to some app for some scope, which is not all that the person is.
        groups: Vec::new(),
        token: pass::token(&whom, target, provider, now)?,
    }))
}

async fn by_cookie(
    cookie: &str,
    app: &GatewayApp,
    policy: &SessionPolicy,
    provider: &Provider,
    now: Timestamp,
) -> Result<Option<Passport>, OAuthError> {
    provider.must_be_fresh(now)?;
    let Some(found) = visit(&mut provider.store.read().await?, cookie, app, provider, now).await? else {
        return Ok(None);
    };
    let (grant, user) = (&found.standing.grant, &found.standing.user);
    // Whoever uses the app is there.
    if let (Some(ends), Some(session)) = (found.ends, &found.standing.session) {
        sessions::keep_awake(&provider.store, &grant.session_id, policy.idle(session.persistent), ends, now).await?;
    }
    let Some(client) = provider.client(&app.client_id, now).await? else { return Ok(None) };
    let whom = For {
        key: found.session.id.as_str(),
        client: &client,
        person: Some((grant, user.sub.as_str())),
        until: grant.expires_at,
    };
    // The browser carries the scope of its sign-in, and the settings may say less by now.
    let scope = grant.scope.narrow(&app.scope).narrow(&client.settings.scope);
    let Some(target) = audience::of_app(&app.audience, &scope, provider) else { return Ok(None) };
    Ok(Some(Passport {
        subject: user.sub.as_str().to_owned(),
        email: email_of(user, scope.contains("email")),
        groups: user.roles.clone(),
        token: pass::token(&whom, target, provider, now)?,
    }))
}

/// Apps take an address for who somebody is, so one that was not proven is not told.
fn email_of(user: &User, told: bool) -> Option<String> {
    user.email.clone().filter(|_| told && user.email_verified)
}
