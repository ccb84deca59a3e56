//! Why a token was not accepted: a code for your log, never for the caller.

use std::fmt;
use std::time::Duration;

/// Why [`Verifier::verify`](crate::Verifier::verify) gave no principal.
///
/// `Display` is the same for every invalid token, so that passing it on tells an attacker nothing
/// (RFC 6750 §3.1). [`reason`](Self::reason) is for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is refused: 401 `invalid_token`.
    Invalid(Reason),
    /// There is nothing to check with, because the issuer cannot be reached: 503.
    Unavailable {
        /// What could not be had.
        missing: Missing,
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

impl VerifyError {
    /// A short stable code for logs and metrics, such as `expired`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(reason) => reason.code(),
            Self::Unavailable { missing, .. } => missing.code(),
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Invalid(_) => "the access token is not valid",
            Self::Unavailable { .. } => "access tokens cannot be checked at the moment",
        })
    }
}

impl std::error::Error for VerifyError {}

impl From<Reason> for VerifyError {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}

/// What the issuer could not be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missing {
    /// Its keys.
    Keys,
    /// The status list that the token names: never seen, or too old to be trusted.
    StatusList,
}

impl Missing {
    /// A short stable code for logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Keys => "no_keys",
            Self::StatusList => "no_status_list",
        }
    }
}

/// The check that refused a token, in the order in which the checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than 8 KiB.
    TooLong,
    /// Not three non-empty parts of unpadded base64url.
    Malformed,
    /// The header is not one JSON object with distinct member names.
    Header,
    /// `typ` is not `at+jwt` (RFC 9068 §2.1).
    Type,
    /// `alg` is missing or not on the list of allowed algorithms.
    Algorithm,
    /// `crit` names extensions; none is understood (RFC 7515 §4.1.11).
    Critical,
    /// `kid` is missing, empty or longer than 128 bytes.
    KeyId,
    /// A status list of the issuer says that the key with this `kid` is compromised.
    DeniedKey,
    /// The issuer publishes no key with this `kid`.
    UnknownKey,
    /// The key with this `kid` is for another algorithm.
    KeyMismatch,
    /// The signature does not fit.
    Signature,
    /// The claims are not one JSON object with distinct names, or a claim has the wrong type.
    Claims,
    /// `iss` is missing or another issuer.
    Issuer,
    /// `aud` is missing or does not name this API.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// `exp`, `iat`, `sub`, `client_id` or `jti` is missing.
    MissingClaim,
    /// The token is bound to a key (`cnf`) and came without proof (RFC 9449 §7.2, RFC 8705 §3).
    SenderConstrained,
    /// There is no `status`, and [`StatusPolicy::Required`](crate::StatusPolicy::Required) asks for it.
    StatusMissing,
    /// `status` is not a reference to a list under the issuer (draft-ietf-oauth-status-list §6).
    Status,
    /// `status` names a place that its list does not have.
    StatusIndex,
    /// The status list says that the token's grant has ended.
    Revoked,
}

impl Reason {
    /// Every reason, in the order in which they are declared.
    pub(crate) const ALL: [Self; 22] = [
        Self::TooLong,
        Self::Malformed,
        Self::Header,
        Self::Type,
        Self::Algorithm,
        Self::Critical,
        Self::KeyId,
        Self::DeniedKey,
        Self::UnknownKey,
        Self::KeyMismatch,
        Self::Signature,
        Self::Claims,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
        Self::MissingClaim,
        Self::SenderConstrained,
        Self::StatusMissing,
        Self::Status,
        Self::StatusIndex,
        Self::Revoked,
    ];

    /// A short stable code for logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Critical => "critical",
            Self::KeyId => "key_id",
            Self::DeniedKey => "denied_key",
            Self::UnknownKey => "unknown_key",
            Self::KeyMismatch => "key_mismatch",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::MissingClaim => "missing_claim",
            Self::SenderConstrained => "sender_constrained",
            Self::StatusMissing => "status_missing",
            Self::Status => "status",
            Self::StatusIndex => "status_index",
            Self::Revoked => "revoked",
        }
    }
}
