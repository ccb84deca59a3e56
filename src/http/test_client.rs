//! Clients for the unit tests of this layer.

use crate::domain::alg::Alg;
use crate::domain::client::{
    ApplicationType, AuthMethod, CallbackRedirects, Client, ClientSettings, Delivery, GrantType, RefreshIssuance,
};
use crate::domain::id::ClientId;
use crate::domain::origin::Origin;
use crate::domain::refresh_family::Retry;
use crate::domain::scope::ScopeSet;
use crate::domain::status::StatusIndex;
use crate::domain::time::Timestamp;

/// A public browser app at `https://app.example.com` that gets its refresh token in the body.
pub(super) fn client(id: &str) -> Client {
    let now = Timestamp::from_seconds(1_795_000_000);
    Client {
        id: ClientId::new(id),
        settings: ClientSettings {
            client_name: String::new(),
            application_type: ApplicationType::Browser,
            token_endpoint_auth_method: AuthMethod::None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            allowed_origins: vec![Origin::parse("https://app.example.com").unwrap()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope: ScopeSet::parse("openid").unwrap(),
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            id_token_signed_response_alg: Alg::ES256,
            default_max_age: None,
            require_auth_time: false,
            first_party: true,
            require_pkce: true,
            direct_login: false,
            refresh_token_delivery: Delivery::Body,
            refresh_token_issuance: RefreshIssuance::Always,
            refresh_retry: Retry::Grace,
            refresh_grace: None,
            refresh_lifetime: None,
            access_token_ttl: None,
            callback_redirects: CallbackRedirects::SameSite,
            admin_api: false,
            owner: None,
        },
        secret_macs: Vec::new(),
        status: StatusIndex { list: 1, index: 1 },
        created_at: now,
        disabled_at: None,
        not_before: now,
    }
}

/// The same app in cookie mode.
pub(super) fn cookie_client(id: &str) -> Client {
    let mut client = client(id);
    client.settings.refresh_token_delivery = Delivery::Cookie;
    client
}
