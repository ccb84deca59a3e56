//! Clients: relying apps and how they may behave (RFC 7591 §2, and our members beyond it).

use std::time::Duration;

use super::alg::Alg;
use super::id::ClientId;
use super::origin::Origin;
use super::redirect_uri::{RedirectUri, Target};
use super::refresh_family::Retry;
use super::scope::ScopeSet;
use super::status::StatusIndex;
use super::time::Timestamp;
use super::web_uri::WebUri;

/// What kind of program a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// Runs on a server.
    Web,
    /// Runs on a person's machine or telephone.
    Native,
    /// Runs in a browser.
    Browser,
    /// Acts for itself, without people.
    Service,
}

/// How a client proves who it is (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// It does not: a public client.
    None,
    /// Name and secret in the `Authorization` header.
    ClientSecretBasic,
    /// Name and secret in the form.
    ClientSecretPost,
}

/// A way to get tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
}

impl GrantType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    /// The value of `grant_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// How a refresh token reaches its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// In the JSON answer (RFC 6749 §5.1).
    Body,
    /// Only ever as an HttpOnly cookie of ours.
    Cookie,
}

impl Delivery {
    /// The text for a row.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Cookie => "cookie",
        }
    }

    /// Reads the text of a row.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Body, Self::Cookie].into_iter().find(|delivery| delivery.as_str() == text)
    }
}

/// When a client is given a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshIssuance {
    /// Whenever it has the grant.
    Always,
    /// Only with the scope `offline_access` (OIDC Core §11).
    OfflineAccess,
}

/// Where the page that answers a client's redirect URI may itself redirect to, as far as our pages' CSP is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallbackRedirects {
    /// Hosts of its own registrable domain.
    SameSite,
    /// Any https host: for brokers.
    Anywhere,
}

/// What was registered of a client, every default filled in. `oauth::registration` makes and checks it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    pub client_name: String,
    pub application_type: ApplicationType,
    pub token_endpoint_auth_method: AuthMethod,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where it is told by us that somebody signed out.
    #[serde(default)]
    pub backchannel_logout_uri: Option<WebUri>,
    /// Whether it asks for `sid` there. It always gets it.
    #[serde(default)]
    pub backchannel_logout_session_required: bool,
    /// Where it is told by the browser that somebody signed out.
    #[serde(default)]
    pub frontchannel_logout_uri: Option<WebUri>,
    /// Whether it asks for `iss` and `sid` there. It always gets them.
    #[serde(default)]
    pub frontchannel_logout_session_required: bool,
    pub allowed_origins: Vec<Origin>,
    pub grant_types: Vec<GrantType>,
    pub scope: ScopeSet,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Vec<String>,
    pub id_token_signed_response_alg: Alg,
    /// Seconds.
    pub default_max_age: Option<u64>,
    pub require_auth_time: bool,
    /// Built by the operator: consent is not asked.
    pub first_party: bool,
    pub require_pkce: bool,
    /// May use `/auth/login`.
    pub direct_login: bool,
    pub refresh_token_delivery: Delivery,
    pub refresh_token_issuance: RefreshIssuance,
    pub refresh_retry: Retry,
    /// Seconds; `None`: the house's default for the delivery.
    pub refresh_grace: Option<u64>,
    /// Seconds; `None`: the house's default for the application type.
    pub refresh_lifetime: Option<u64>,
    /// Seconds; `None`: the house's default.
    pub access_token_ttl: Option<u64>,
    pub callback_redirects: CallbackRedirects,
    /// May be granted `frontdesk:admin`.
    pub admin_api: bool,
    /// Who runs it. Clients of one owner may share origins.
    pub owner: Option<String>,
}

impl ClientSettings {
    /// Whether it cannot keep a secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.token_endpoint_auth_method == AuthMethod::None
    }

    /// Whether its refresh token travels as a cookie only.
    #[must_use]
    pub fn is_cookie_mode(&self) -> bool {
        self.refresh_token_delivery == Delivery::Cookie
    }

    /// The registered redirect URI that a presented one counts as, spelled as presented (ports of native apps).
    #[must_use]
    pub fn redirect_uri(&self, presented: &str) -> Option<RedirectUri> {
        find(&self.redirect_uris, presented, self.application_type)
    }

    /// The same for the URI after sign-out (OIDC RP-Initiated Logout §3).
    #[must_use]
    pub fn post_logout_redirect_uri(&self, presented: &str) -> Option<RedirectUri> {
        find(&self.post_logout_redirect_uris, presented, self.application_type)
    }

    /// Whether requests of this browser app may come from the origin.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed.as_str() == origin)
    }
}

fn find(registered: &[RedirectUri], presented: &str, kind: ApplicationType) -> Option<RedirectUri> {
    let native = kind == ApplicationType::Native;
    registered.iter().find(|uri| uri.matches(presented, native)).map(|uri| uri.presented_as(presented))
}

/// Whether an answer sent to this URI surely reaches the client it is registered for. A loopback address or a private-use
/// scheme may be answered by any program of the machine (RFC 8252 §8.6).
#[must_use]
pub fn is_assured(uri: &RedirectUri) -> bool {
    matches!(uri.target(), Target::Https { .. })
}

/// A relying app.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its `client_id`.
    pub id: ClientId,
    /// What was registered.
    pub settings: ClientSettings,
    /// HMAC of its secret, base64url, and of the next one while it is being turned. Empty for public clients.
    pub secret_macs: Vec<String>,
    /// Where its bit stands, for tokens of `client_credentials`.
    pub status: StatusIndex,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Since when it may do nothing.
    pub disabled_at: Option<Timestamp>,
    /// Tokens given before this moment count no more.
    pub not_before: Timestamp,
}

impl Client {
    /// Whether it may act.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Whether it may use a way to get tokens.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.settings.grant_types.contains(&grant)
    }

    /// The name for people: the registered one, else the id.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.settings.client_name.is_empty() { self.id.as_str() } else { &self.settings.client_name }
    }

    /// The longest grace that a cookie may have where access tokens live for so long. The library spreads its refreshes over a
    /// fifth of that life, and over a minute at most; the grace is at most half of it, so that a copied cookie shows itself by
    /// coming outside the grace.
    #[must_use]
    pub fn longest_cookie_grace(access_token: Duration) -> Duration {
        Duration::from_secs(access_token.as_secs() / 10).min(Duration::from_secs(30))
    }

    /// How long its access tokens live, between one minute and one hour.
    #[must_use]
    pub fn access_token_ttl(&self, default: Duration) -> Duration {
        self.settings.access_token_ttl.map_or(default, Duration::from_secs)
    }
}
