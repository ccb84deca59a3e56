//! Refusals of the protocol, told three ways: a code to the client's program, a hint to its developer, a cause to our log.

use std::error::Error;
use std::fmt;

use crate::domain::rate_limit::TooSoon;
use crate::keys::vault::VaultError;
use crate::store::StoreError;

/// Every error code we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 §4.1.2.1, §5.2.
    InvalidRequest,
    /// RFC 6749 §5.2.
    InvalidClient,
    /// RFC 6749 §5.2.
    InvalidGrant,
    /// RFC 6749 §4.1.2.1, §5.2.
    UnauthorizedClient,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 §4.1.2.1, §5.2.
    InvalidScope,
    /// RFC 8707 §2.
    InvalidTarget,
    /// RFC 6749 §4.1.2.1.
    AccessDenied,
    /// RFC 6749 §4.1.2.1.
    ServerError,
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable,
    /// OIDC Core §3.1.2.6.
    LoginRequired,
    /// OIDC Core §3.1.2.6.
    ConsentRequired,
    /// OIDC Core §3.1.2.6.
    InteractionRequired,
    /// OIDC Core §3.1.2.6.
    AccountSelectionRequired,
    /// OIDC Core §3.1.2.6.
    RequestNotSupported,
    /// OIDC Core §3.1.2.6.
    RequestUriNotSupported,
    /// OIDC Core Unmet Authentication Requirements §2.
    UnmetAuthenticationRequirements,
    /// RFC 6750 §3.1.
    InvalidToken,
    /// RFC 6750 §3.1.
    InsufficientScope,
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType,
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnsupportedTokenType => "unsupported_token_type",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub struct OAuthError {
    code: ErrorCode,
    hint: &'static str,
    fault: Option<Box<dyn Error + Send + Sync>>,
    retry_after: Option<u64>,
}

impl OAuthError {
    /// A refusal with a hint for the client's developer. The hint is fixed text, so that nothing of a request is echoed, in
    /// the character set of RFC 6749 §5.2.
    #[must_use]
    pub const fn new(code: ErrorCode, hint: &'static str) -> Self {
        Self { code, hint, fault: None, retry_after: None }
    }

    /// The request itself is wrong.
    #[must_use]
    pub const fn invalid_request(hint: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, hint)
    }

    /// The client did not prove who it is. One hint for an unknown client and a wrong secret.
    #[must_use]
    pub const fn invalid_client() -> Self {
        Self::new(ErrorCode::InvalidClient, "the client is unknown or did not prove who it is")
    }

    /// The code or refresh token is not good, or not any more.
    #[must_use]
    pub const fn invalid_grant(hint: &'static str) -> Self {
        Self::new(ErrorCode::InvalidGrant, hint)
    }

    /// The access token is not good. Never says why (RFC 6750 §3.1).
    #[must_use]
    pub const fn invalid_token() -> Self {
        Self::new(ErrorCode::InvalidToken, "the access token is not valid")
    }

    /// A fault of ours that may pass; the cause goes to the log.
    #[must_use]
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            code: ErrorCode::TemporarilyUnavailable,
            hint: "the server cannot answer now, try again in a moment",
            fault: Some(cause.into()),
            retry_after: Some(1),
        }
    }

    /// A fault of ours that will not pass by itself; the cause goes to the log.
    #[must_use]
    pub fn fault(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            code: ErrorCode::ServerError,
            hint: "the server failed, its log tells why",
            fault: Some(cause.into()),
            retry_after: None,
        }
    }

    /// The request comes too soon after others; the hint says which limit it met. Not a fault of ours.
    #[must_use]
    pub const fn too_many_requests(hint: &'static str, limit: TooSoon) -> Self {
        let retry_after = Some(limit.retry_after);
        Self { code: ErrorCode::TemporarilyUnavailable, hint, fault: None, retry_after }
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Whether it was refused only for coming too soon.
    #[must_use]
    pub const fn is_too_many_requests(&self) -> bool {
        matches!(self.code, ErrorCode::TemporarilyUnavailable) && self.fault.is_none()
    }

    /// The HTTP status where the error is the answer itself and not a redirect.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.is_too_many_requests() { 429 } else { self.code.status() }
    }

    /// The hint.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.hint
    }

    /// The cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.fault.as_deref()
    }

    /// Seconds after which to try again.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.hint)?;
        self.fault.as_ref().map_or(Ok(()), |fault| write!(f, " ({fault})"))
    }
}

impl Error for OAuthError {}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        if error.is_passing() { Self::unavailable(error) } else { Self::fault(error) }
    }
}

/// A sealed value that does not open is never the client's fault: 503 and an alarm.
impl From<VaultError> for OAuthError {
    fn from(error: VaultError) -> Self {
        tracing::error!(alarm = "vault", %error, "a sealed value does not open");
        Self::unavailable(error)
    }
}
