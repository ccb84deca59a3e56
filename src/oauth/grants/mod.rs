//! The ways to get tokens.
//!
//! | `grant_type`         | file                    | says              |
//! |----------------------|-------------------------|-------------------|
//! | `authorization_code` | `authorization_code.rs` | RFC 6749 §4.1.3   |
//! | `refresh_token`      | `refresh_token.rs`      | RFC 6749 §6       |
//! | `client_credentials` | `client_credentials.rs` | RFC 6749 §4.4     |

pub mod authorization_code;
pub mod client_credentials;
pub mod person;
pub mod refresh_token;

use std::sync::Arc;

use super::client_auth::AuthenticatedClient;
use super::error::{ErrorCode, OAuthError};
use super::params::Params;
use super::provider::Provider;
use crate::domain::client::GrantType;
use crate::domain::time::Timestamp;
use crate::domain::token::OpaqueToken;
use crate::tokens::issuer::{Granted, Issued};
use crate::tokens::refresh::Context;
use authorization_code::AuthorizationCodeRequest;
use client_credentials::ClientCredentialsRequest;
use refresh_token::RefreshTokenRequest;
use zeroize::Zeroizing;

/// What a browser brought along, read only after the guards of cookie mode let it pass.
#[derive(Default)]
pub struct BrowserCookies {
    /// The session cookie.
    pub session: Option<OpaqueToken>,
    /// The refresh cookie of this client.
    pub refresh: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for BrowserCookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BrowserCookies(session: {}, refresh: {})", self.session.is_some(), self.refresh.is_some())
    }
}

/// Who asks, and from where.
#[derive(Debug)]
pub struct Caller {
    /// The client, authenticated if it can be.
    pub authenticated: AuthenticatedClient,
    /// The cookies, in cookie mode only; `None` elsewhere: the token endpoint has no ambient authority.
    pub cookies: Option<BrowserCookies>,
    /// Address prefix and user agent.
    pub context: Context,
}

/// A checked request to the token endpoint.
#[derive(Debug)]
pub enum TokenRequest {
    /// RFC 6749 §4.1.3.
    AuthorizationCode(AuthorizationCodeRequest),
    /// RFC 6749 §6.
    RefreshToken(RefreshTokenRequest),
    /// RFC 6749 §4.4.2.
    ClientCredentials(ClientCredentialsRequest),
}

impl TokenRequest {
    /// Reads the form.
    ///
    /// # Errors
    /// `invalid_request`, `unsupported_grant_type`, `unauthorized_client`, `invalid_scope`.
    pub fn parse(params: &Params, caller: &Caller) -> Result<Self, OAuthError> {
        let name = params.require("grant_type", "grant_type is missing")?;
        let grant = GrantType::ALL.into_iter().find(|grant| grant.as_str() == name).ok_or(OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            "grant_type is authorization_code, refresh_token or client_credentials",
        ))?;
        if !caller.authenticated.client.may(grant) {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not use this grant_type"));
        }
        Ok(match grant {
            GrantType::AuthorizationCode => Self::AuthorizationCode(AuthorizationCodeRequest::parse(params)?),
            GrantType::RefreshToken => Self::RefreshToken(RefreshTokenRequest::parse(params, caller)?),
            GrantType::ClientCredentials => Self::ClientCredentials(ClientCredentialsRequest::parse(params, caller)?),
        })
    }
}

/// Exchanges what was brought for tokens: decide and write, commit, and only then sign.
///
/// # Errors
/// The refusal; what it had to write is committed.
pub async fn exchange(
    request: TokenRequest,
    caller: Caller,
    provider: &Arc<Provider>,
    now: Timestamp,
) -> Result<Issued, OAuthError> {
    let granted: Granted = match request {
        TokenRequest::AuthorizationCode(request) => request.exchange(caller, provider, now).await?,
        TokenRequest::RefreshToken(request) => request.exchange(caller, provider, now).await?,
        TokenRequest::ClientCredentials(request) => request.exchange(&caller, provider, now)?,
    };
    provider.issuer.sign(granted, now).map_err(OAuthError::unavailable)
}
