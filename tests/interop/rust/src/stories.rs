//! What a relying app does, from discovery to sign-out.

use anyhow::{Context, Result, bail, ensure};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreErrorResponseType, CoreIdToken, CoreIdTokenClaims, CoreRequestTokenError,
    CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::reqwest::blocking::Client;
use openidconnect::url::Url;
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, CsrfToken, EndSessionUrl, LogoutRequest, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RefreshToken, Scope,
    TokenIntrospectionResponse as _, TokenResponse as _,
};

use crate::access_token;
use crate::browser::{Browser, Visit, required};
use crate::provider::{self, Metadata, RelyingApp};
use crate::settings::{Algorithm, Settings};
use crate::suite::Flow;

/// A kind of relying app.
pub struct Kind {
    pub name: &'static str,
    how: AuthType,
    secret: bool,
    redirect_uri: &'static str,
    bye: &'static str,
    /// Asks for access that outlives the session.
    offline: bool,
}

pub const KINDS: &[Kind] = &[
    Kind {
        name: "web-basic",
        how: AuthType::BasicAuth,
        secret: true,
        redirect_uri: "web_redirect_uri",
        bye: "web_post_logout_redirect_uri",
        offline: true,
    },
    Kind {
        name: "web-post",
        how: AuthType::RequestBody,
        secret: true,
        redirect_uri: "web_redirect_uri",
        bye: "web_post_logout_redirect_uri",
        offline: false,
    },
    Kind {
        name: "native",
        how: AuthType::RequestBody,
        secret: false,
        redirect_uri: "native_redirect_uri",
        bye: "native_post_logout_redirect_uri",
        offline: false,
    },
];

/// One app, one request after another.
struct App<'s> {
    settings: &'s Settings,
    http: Client,
    client: RelyingApp,
    id: String,
    redirect_uri: &'static str,
    scopes: Vec<String>,
}

/// An authorization request under way.
struct Asked {
    visit: Visit,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl App<'_> {
    fn ask(&self, browser: &mut Browser<'_>) -> Result<Asked> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let redirect_uri = provider::redirect_uri(self.settings, self.redirect_uri)?;
        let mut request = self
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&redirect_uri))
            .set_pkce_challenge(challenge);
        for scope in &self.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let visit = browser.act(url)?;
        ensure!(required(&visit, "state")? == *state.secret(), "another state came back");
        ensure!(required(&visit, "iss")? == self.settings.get("issuer")?, "another issuer answered");
        Ok(Asked { visit, state, nonce, verifier })
    }

    fn redeem(&self, code: &str, verifier: PkceCodeVerifier) -> Result<CoreTokenResponse, anyhow::Error> {
        let redirect_uri = provider::redirect_uri(self.settings, self.redirect_uri)?;
        Ok(self
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))?
            .set_pkce_verifier(verifier)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&redirect_uri))
            .request(&self.http)?)
    }

    fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse> {
        Ok(self.client.exchange_refresh_token(token)?.request(&self.http)?)
    }

    fn claims<'t>(&self, token: &'t CoreIdToken, nonce: &Nonce) -> Result<&'t CoreIdTokenClaims> {
        Ok(token.claims(&self.client.id_token_verifier(), nonce)?)
    }

    /// The library's revocation request accepts https addresses only, so this one is written out.
    fn revoke(&self, metadata: &Metadata, kind: &Kind, token: &str) -> Result<u16> {
        let secret = self.settings.get("client_secret")?;
        let request = self.http.post(metadata.additional_metadata().revocation_endpoint.as_str());
        let request = match (kind.secret, &kind.how) {
            (true, AuthType::BasicAuth) => request.basic_auth(&self.id, Some(secret)).form(&[("token", token)]),
            (true, _) => request.form(&[("client_id", self.id.as_str()), ("client_secret", secret), ("token", token)]),
            (false, _) => request.form(&[("client_id", self.id.as_str()), ("token", token)]),
        };
        Ok(request.send()?.status().as_u16())
    }
}

/// The whole life of a person's sign-in.
pub fn person(flow: &mut Flow, settings: &Settings, kind: &Kind, one: Algorithm) -> Result<()> {
    let metadata = flow.check("discovery", || provider::discover(settings))?;
    let id = format!("{}-{}", kind.name, one.id());
    let secret = if kind.secret { Some(settings.get("client_secret")?) } else { None };
    let mut scopes = vec!["profile".to_owned(), "email".to_owned(), one.scope()];
    if kind.offline {
        scopes.push("offline_access".to_owned());
    }
    let app = App {
        settings,
        http: provider::http()?,
        client: provider::client(&metadata, &id, secret, kind.how.clone())?,
        id,
        redirect_uri: kind.redirect_uri,
        scopes,
    };
    let mut browser = Browser::new(settings)?;

    let asked = flow.check("the person signs in and consents", || {
        let asked = app.ask(&mut browser)?;
        ensure!(asked.visit.pages.starts_with(&["login"]), "pages: {:?}", asked.visit.pages);
        ensure!(!asked.state.secret().is_empty());
        Ok(asked)
    })?;
    let code = required(&asked.visit, "code")?;
    let tokens = flow.check("code and verifier", || app.redeem(&code, asked.verifier))?;
    let id_token = tokens.id_token().context("no ID token")?;
    let claims = flow.check("ID token: signature, issuer, audience, nonce, at_hash", || {
        let claims = app.claims(id_token, &asked.nonce)?;
        let verifier = app.client.id_token_verifier();
        let hash = AccessTokenHash::from_token(
            tokens.access_token(),
            id_token.signing_alg()?,
            id_token.signing_key(&verifier)?,
        )?;
        ensure!(claims.access_token_hash() == Some(&hash), "another at_hash");
        ensure!(
            format!("{:?}", id_token.signing_alg()?).contains(signs_as(one)),
            "alg is {:?}",
            id_token.signing_alg()?
        );
        Ok(claims)
    })?;
    flow.check("another nonce is refused by the library", || {
        ensure!(app.claims(id_token, &Nonce::new("another".to_owned())).is_err());
        Ok(())
    })?;
    flow.check("the access token verifies by JWKS", || {
        let verified = access_token::verified(tokens.access_token().secret(), metadata.jwks(), settings, one)?;
        ensure!(verified["sub"] == claims.subject().as_str());
        ensure!(verified["client_id"] == app.id.as_str());
        ensure!(
            access_token::verified(tokens.access_token().secret(), metadata.jwks(), settings, one.other()).is_err()
        );
        Ok(())
    })?;
    flow.check("userinfo", || {
        let info: CoreUserInfoClaims =
            app.client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?.request(&app.http)?;
        let name = info.name().and_then(|names| names.get(None)).context("no name")?;
        ensure!(name.as_str() == "Alice Liddell");
        ensure!(info.email().is_some_and(|email| email.as_str() == "alice@example.com"));
        ensure!(info.email_verified() == Some(true));
        Ok(())
    })?;
    flow.check("a code serves once", || {
        let again = app.ask(&mut browser)?;
        let code = required(&again.visit, "code")?;
        let verifier = again.verifier.secret().clone();
        app.redeem(&code, again.verifier)?;
        refused(app.redeem(&code, PkceCodeVerifier::new(verifier)), &CoreErrorResponseType::InvalidGrant)
    })?;
    flow.check("another verifier", || {
        let again = app.ask(&mut browser)?;
        let (_, another) = PkceCodeChallenge::new_random_sha256();
        refused(app.redeem(&required(&again.visit, "code")?, another), &CoreErrorResponseType::InvalidGrant)
    })?;

    let first = tokens.refresh_token().context("no refresh token")?;
    let refreshed = flow.check("refresh", || {
        let next = app.refresh(first)?;
        ensure!(next.refresh_token().context("no refresh token")?.secret() != first.secret());
        let id_token = next.id_token().context("no ID token")?;
        let verifier = app.client.id_token_verifier();
        let renewed = id_token.claims(&verifier, |nonce: Option<&Nonce>| match nonce {
            None => Ok(()),
            Some(_) => Err("a nonce on refresh".to_owned()),
        })?;
        ensure!(renewed.subject() == claims.subject());
        ensure!(renewed.auth_time() == claims.auth_time());
        access_token::verified(next.access_token().secret(), metadata.jwks(), settings, one)?;
        Ok(next)
    })?;
    let api = |one: Algorithm| -> Result<RelyingApp> {
        let id = format!("api-{}", one.id());
        provider::client(&metadata, &id, Some(settings.get("client_secret")?), AuthType::BasicAuth)
    };
    let active = |one: Algorithm, token: &AccessToken| -> Result<bool> {
        Ok(api(one)?.introspect(token).request(&app.http)?.active())
    };
    flow.check("introspection by the API, not by another", || {
        let known = api(one)?;
        let known = known.introspect(refreshed.access_token()).request(&app.http)?;
        ensure!(known.active());
        ensure!(known.sub() == Some(claims.subject().as_str()));
        ensure!(known.client_id().is_some_and(|id| id.as_str() == app.id));
        ensure!(!active(one.other(), refreshed.access_token())?);
        Ok(())
    })?;
    flow.check("revocation", || {
        ensure!(app.revoke(&metadata, kind, refreshed.access_token().secret())? == 200);
        ensure!(!active(one, refreshed.access_token())?);
        let next = app.refresh(refreshed.refresh_token().context("no refresh token")?)?;
        ensure!(active(one, next.access_token())?);
        let last = next.refresh_token().context("no refresh token")?;
        ensure!(app.revoke(&metadata, kind, last.secret())? == 200);
        ensure!(!active(one, next.access_token())?);
        refused(app.refresh(last), &CoreErrorResponseType::InvalidGrant)
    })?;
    flow.check("sign-out", || {
        let again = app.ask(&mut browser)?;
        let last = app.redeem(&required(&again.visit, "code")?, again.verifier)?;
        let state = CsrfToken::new_random();
        let bye = settings.get(kind.bye)?;
        let url: Url =
            LogoutRequest::from(EndSessionUrl::new(metadata.additional_metadata().end_session_endpoint.clone())?)
                .set_id_token_hint(last.id_token().context("no ID token")?)
                .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(bye.to_owned())?)
                .set_state(state.clone())
                .http_get_url();
        let visit = browser.act(url)?;
        ensure!(visit.pages == ["logout"], "pages: {:?}", visit.pages);
        ensure!(visit.url.as_str().starts_with(&format!("{bye}?")), "ended at {}", visit.url);
        ensure!(required(&visit, "state")? == *state.secret());
        let token = last.refresh_token().context("no refresh token")?;
        if kind.offline {
            app.refresh(token)?;
            return Ok(());
        }
        ensure!(!active(one, last.access_token())?);
        refused(app.refresh(token), &CoreErrorResponseType::InvalidGrant)
    })
}

/// Tokens without a person.
pub fn service(flow: &mut Flow, settings: &Settings, one: Algorithm) -> Result<()> {
    let metadata = provider::discover(settings)?;
    let http = provider::http()?;
    let client = provider::client(&metadata, "service", Some(settings.get("client_secret")?), AuthType::BasicAuth)?;
    flow.check("client credentials", || {
        let tokens = client.exchange_client_credentials()?.add_scope(Scope::new(one.scope())).request(&http)?;
        let claims = access_token::verified(tokens.access_token().secret(), metadata.jwks(), settings, one)?;
        ensure!(claims["sub"] == "service" && claims["scope"] == one.scope().as_str(), "claims: {claims}");
        ensure!(tokens.refresh_token().is_none() && tokens.id_token().is_none());
        Ok(())
    })?;
    flow.check("an unknown scope", || {
        let scope = Scope::new("moon:read".to_owned());
        let answer = client.exchange_client_credentials()?.add_scope(scope).request(&http);
        refused(answer.map_err(anyhow::Error::from), &CoreErrorResponseType::InvalidScope)
    })
}

/// What is refused whoever asks.
pub fn refusals(flow: &mut Flow, settings: &Settings) -> Result<()> {
    let metadata = provider::discover(settings)?;
    let http = provider::http()?;
    flow.check("a wrong secret", || {
        let client = provider::client(&metadata, "service", Some(&"x".repeat(40)), AuthType::BasicAuth)?;
        let answer = client.exchange_client_credentials()?.request(&http);
        refused(answer.map_err(anyhow::Error::from), &CoreErrorResponseType::InvalidClient)
    })?;
    flow.check("a secret of signs that form encoding changes", || {
        let client =
            provider::client(&metadata, "web-awkward", Some(settings.get("awkward_secret")?), AuthType::BasicAuth)?;
        client.exchange_client_credentials()?.add_scope(Scope::new(Algorithm::Es256.scope())).request(&http)?;
        Ok(())
    })?;
    flow.check("the person says no", || {
        let client =
            provider::client(&metadata, "web-post-es256", Some(settings.get("client_secret")?), AuthType::RequestBody)?;
        let (challenge, _) = PkceCodeChallenge::new_random_sha256();
        let redirect_uri = provider::redirect_uri(settings, "web_redirect_uri")?;
        let (url, state, _) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&redirect_uri))
            .set_pkce_challenge(challenge)
            .add_prompt(openidconnect::core::CoreAuthPrompt::Consent)
            .url();
        let visit = Browser::new(settings)?.refuse(url)?;
        ensure!(required(&visit, "error")? == "access_denied", "ended at {}", visit.url);
        ensure!(required(&visit, "state")? == *state.secret());
        ensure!(visit.parameter("code").is_none());
        Ok(())
    })
}

fn signs_as(one: Algorithm) -> &'static str {
    match one {
        Algorithm::Es256 => "EcdsaP256Sha256",
        Algorithm::Rs256 => "RsaSsaPkcs1V15Sha256",
    }
}

/// The answer must be this OAuth error.
fn refused<T>(answer: Result<T>, wanted: &CoreErrorResponseType) -> Result<()> {
    let Err(error) = answer else { bail!("not refused with {wanted}") };
    type Refusal = CoreRequestTokenError<openidconnect::HttpClientError<openidconnect::reqwest::Error>>;
    match error.downcast_ref::<Refusal>() {
        Some(CoreRequestTokenError::ServerResponse(answer)) if answer.error() == wanted => Ok(()),
        _ => Err(error.context(format!("not refused with {wanted}"))),
    }
}
