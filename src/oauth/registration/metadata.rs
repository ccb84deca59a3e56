//! Client metadata as someone wrote it: every member may be missing.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::parse_duration;
use crate::domain::alg::Alg;
use crate::domain::client::{
    ApplicationType, AuthMethod, CallbackRedirects, ClientSettings, Delivery, GrantType, RefreshIssuance,
};
use crate::domain::refresh_family::Retry;
use crate::domain::web_uri::WebUri;

/// Client metadata by the names of RFC 7591 §2 and OIDC Registration §2, and ours beyond them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientMetadata {
    pub client_name: Option<String>,
    pub application_type: Option<ApplicationType>,
    pub token_endpoint_auth_method: Option<AuthMethod>,
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// OpenID Connect Back-Channel Logout 1.0 §2.2.
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: Option<bool>,
    /// OpenID Connect Front-Channel Logout 1.0 §2.
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: Option<bool>,
    pub allowed_origins: Option<Vec<String>>,
    pub grant_types: Option<Vec<GrantType>>,
    /// Only `code` is known.
    pub response_types: Option<Vec<String>>,
    pub scope: Option<String>,
    pub client_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Option<Vec<String>>,
    pub id_token_signed_response_alg: Option<Alg>,
    pub default_max_age: Option<Lifetime>,
    pub require_auth_time: Option<bool>,
    pub first_party: Option<bool>,
    pub require_pkce: Option<bool>,
    pub direct_login: Option<bool>,
    pub refresh_token_delivery: Option<Delivery>,
    pub refresh_token_issuance: Option<RefreshIssuance>,
    pub refresh_retry: Option<Retry>,
    pub refresh_grace: Option<Lifetime>,
    pub refresh_lifetime: Option<Lifetime>,
    pub access_token_ttl: Option<Lifetime>,
    pub callback_redirects: Option<CallbackRedirects>,
    pub admin_api: Option<bool>,
    pub owner: Option<String>,
}

impl From<&ClientSettings> for ClientMetadata {
    /// What one would write to get these settings.
    fn from(settings: &ClientSettings) -> Self {
        let texts = |uris: &[crate::domain::redirect_uri::RedirectUri]| {
            Some(uris.iter().map(|uri| uri.as_str().to_owned()).collect())
        };
        let text = |uri: Option<&WebUri>| uri.map(|uri| uri.as_str().to_owned());
        Self {
            client_name: Some(settings.client_name.clone()),
            application_type: Some(settings.application_type),
            token_endpoint_auth_method: Some(settings.token_endpoint_auth_method),
            redirect_uris: texts(&settings.redirect_uris),
            post_logout_redirect_uris: texts(&settings.post_logout_redirect_uris),
            backchannel_logout_uri: text(settings.backchannel_logout_uri.as_ref()),
            backchannel_logout_session_required: Some(settings.backchannel_logout_session_required),
            frontchannel_logout_uri: text(settings.frontchannel_logout_uri.as_ref()),
            frontchannel_logout_session_required: Some(settings.frontchannel_logout_session_required),
            allowed_origins: Some(settings.allowed_origins.iter().map(|origin| origin.as_str().to_owned()).collect()),
            grant_types: Some(settings.grant_types.clone()),
            response_types: None,
            scope: Some(settings.scope.to_string()),
            client_uri: settings.client_uri.clone(),
            policy_uri: settings.policy_uri.clone(),
            tos_uri: settings.tos_uri.clone(),
            contacts: Some(settings.contacts.clone()),
            id_token_signed_response_alg: Some(settings.id_token_signed_response_alg),
            default_max_age: settings.default_max_age.map(Lifetime),
            require_auth_time: Some(settings.require_auth_time),
            first_party: Some(settings.first_party),
            require_pkce: Some(settings.require_pkce),
            direct_login: Some(settings.direct_login),
            refresh_token_delivery: Some(settings.refresh_token_delivery),
            refresh_token_issuance: Some(settings.refresh_token_issuance),
            refresh_retry: Some(settings.refresh_retry),
            refresh_grace: settings.refresh_grace.map(Lifetime),
            refresh_lifetime: settings.refresh_lifetime.map(Lifetime),
            access_token_ttl: settings.access_token_ttl.map(Lifetime),
            callback_redirects: Some(settings.callback_redirects),
            admin_api: Some(settings.admin_api),
            owner: settings.owner.clone(),
        }
    }
}

/// A length of time in whole seconds, written as a number of seconds or for people: `900`, `"15m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime(pub u64);

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Lifetime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds, or a length of time in quotes such as \"15m\" or \"7d\"")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Lifetime, E> {
        Ok(Lifetime(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Lifetime, E> {
        u64::try_from(seconds).map(Lifetime).map_err(|_| E::invalid_value(Unexpected::Signed(seconds), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Lifetime, E> {
        let span = parse_duration(text).map_err(E::custom)?;
        if span.subsec_nanos() != 0 {
            return Err(E::custom(format!("{text:?} is not in whole seconds")));
        }
        Ok(Lifetime(Duration::as_secs(&span)))
    }
}
