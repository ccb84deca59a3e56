//! Where tokens are signed: what was granted goes in, after its commit, and a token response comes out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::access::AccessClaims;
use super::id_token::IdClaims;
use super::logout::LogoutClaims;
use crate::domain::alg::Alg;
use crate::domain::client::Delivery;
use crate::domain::refresh_token::RefreshToken;
use crate::domain::time::Timestamp;
use crate::keys::ring::Keys;
use crate::keys::signer::Typ;

/// What an exchange decided and wrote down. It is signed only after the commit is durable.
#[derive(Debug)]
pub struct Granted {
    /// The access token's claims and algorithm.
    pub access: (Alg, AccessClaims),
    /// How long the access token lives.
    pub lifetime: Duration,
    /// What was granted, as told to the client.
    pub scope: String,
    /// The ID token's claims and algorithm.
    pub id: Option<(Alg, IdClaims)>,
    /// The refresh token.
    pub refresh: Option<GrantedRefresh>,
}

/// A refresh token and how it travels.
#[derive(Debug)]
pub struct GrantedRefresh {
    /// The token.
    pub token: RefreshToken,
    /// How it travels.
    pub delivery: Delivery,
    /// When its family ends in any case.
    pub expires_at: Timestamp,
    /// Whether its cookie outlives the browser's closing.
    pub persistent: bool,
}

/// The answer of the token endpoint (RFC 6749 §5.1). Its `Debug` shows no token.
#[derive(Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_delivery: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token_expires_in: Option<u64>,
}

impl TokenResponse {
    /// Only the access token and its life: the answer of `/auth/login` and `/auth/refresh`.
    #[must_use]
    pub fn without_id_token(mut self) -> Self {
        self.id_token = None;
        self
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenResponse(scope {})", self.scope)
    }
}

/// A refresh token on its way into a cookie.
pub struct RefreshCookie {
    /// The token.
    pub value: Zeroizing<String>,
    /// Seconds to live; `None`: until the browser closes.
    pub max_age: Option<u64>,
}

impl fmt::Debug for RefreshCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshCookie")
    }
}

/// A response, and the cookie that goes with it in cookie mode.
#[derive(Debug)]
pub struct Issued {
    /// The body.
    pub response: TokenResponse,
    /// The refresh cookie.
    pub cookie: Option<RefreshCookie>,
}

/// No key signs with the algorithm, or signing failed: 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CannotSign(Alg);

impl fmt::Display for CannotSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no token can be signed with {}", self.0)
    }
}

impl std::error::Error for CannotSign {}

/// Signs tokens.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    keys: Arc<Keys>,
}

impl TokenIssuer {
    /// Signs with the keys of a ring.
    #[must_use]
    pub fn new(keys: Arc<Keys>) -> Self {
        Self { keys }
    }

    /// Makes the tokens. Call it after the commit, never inside a unit of work.
    ///
    /// # Errors
    /// [`CannotSign`]: to be answered 503. What was written stays; the retry rules heal a refresh.
    pub fn sign(&self, granted: Granted, now: Timestamp) -> Result<Issued, CannotSign> {
        let (alg, claims) = &granted.access;
        let access_token = self.jws(claims.client(), *alg, Typ::AccessToken, claims, now)?;
        let id_token = match granted.id {
            Some((alg, mut claims)) => {
                claims.bind_to(&access_token);
                Some(self.jws(granted.access.1.client(), alg, Typ::IdToken, &claims, now)?)
            }
            None => None,
        };
        let mut response = TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: granted.lifetime.as_secs(),
            scope: granted.scope,
            id_token,
            refresh_token: None,
            refresh_token_delivery: None,
            refresh_token_expires_in: None,
        };
        let mut cookie = None;
        if let Some(refresh) = granted.refresh {
            let left = refresh.expires_at.seconds_since(now);
            match refresh.delivery {
                Delivery::Body => response.refresh_token = Some(refresh.token.expose()),
                Delivery::Cookie => {
                    response.refresh_token_delivery = Some("cookie");
                    response.refresh_token_expires_in = Some(left);
                    cookie = Some(RefreshCookie {
                        value: refresh.token.expose(),
                        max_age: refresh.persistent.then_some(left),
                    });
                }
            }
        }
        Ok(Issued { response, cookie })
    }

    /// Signs the claims of a logout token as its app takes ID tokens.
    ///
    /// # Errors
    /// [`CannotSign`]: to be tried again.
    pub fn sign_logout(&self, alg: Alg, claims: &LogoutClaims, now: Timestamp) -> Result<String, CannotSign> {
        self.jws(claims.client(), alg, Typ::LogoutToken, claims, now)
    }

    /// Signs an access token and nothing else.
    ///
    /// # Errors
    /// [`CannotSign`]: to be answered 503.
    pub fn sign_access(&self, alg: Alg, claims: &AccessClaims, now: Timestamp) -> Result<String, CannotSign> {
        self.jws(claims.client(), alg, Typ::AccessToken, claims, now)
    }

    /// Signs an ID token that comes with no access token.
    ///
    /// # Errors
    /// [`CannotSign`]: to be answered 503.
    pub fn sign_id(&self, client: &str, alg: Alg, claims: &IdClaims, now: Timestamp) -> Result<String, CannotSign> {
        self.jws(client, alg, Typ::IdToken, claims, now)
    }

    fn jws(
        &self,
        client: &str,
        alg: Alg,
        typ: Typ,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Result<String, CannotSign> {
        let body = serde_json::to_vec(claims).map_err(|_| CannotSign(alg))?;
        self.keys.ring().signer_for(client, alg, now).ok_or(CannotSign(alg))?.sign(typ, &body).map_err(|error| {
            tracing::error!(alarm = "signing", %alg, %error, "a token could not be signed");
            CannotSign(alg)
        })
    }
}
