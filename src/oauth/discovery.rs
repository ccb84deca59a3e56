//! The metadata document (OIDC Discovery §3, RFC 8414 §2), derived from what is enabled. It names nothing that is not there.

use serde_json::{Value, json};

use super::audience::is_house_scope;
use super::session_state;
use crate::config::Config;
use crate::domain::alg::Alg;
use crate::domain::claims::{OIDC_SCOPES, STANDARD};
use crate::domain::resource::Resource;
use crate::domain::session::ACR_VALUES;
use crate::domain::status;

/// The document. It lists the scopes of active resources too.
#[must_use]
pub fn document<'r>(config: &Config, resources: impl Iterator<Item = &'r Resource>) -> Value {
    let url = |path: &str| config.issuer_url(path);
    let algs: Vec<&str> = config.keys.algorithms.iter().map(|alg: &Alg| alg.as_str()).collect();
    let mut scopes: Vec<String> = OIDC_SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
    for resource in resources.filter(|resource| resource.disabled_at.is_none()) {
        scopes.extend(resource.scopes.iter().map(str::to_owned));
    }
    scopes.retain(|scope| !is_house_scope(scope));
    let mut claims = vec!["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    claims.extend(STANDARD.iter().map(|(name, _)| *name));
    let auth_methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    let mut document = json!({
        "issuer": config.server.issuer.as_str(),
        "authorization_endpoint": url("/oauth2/authorize"),
        "token_endpoint": url("/oauth2/token"),
        "jwks_uri": url("/.well-known/jwks.json"),
        "federation_historical_keys_endpoint": url("/.well-known/historical-keys.jwt"),
        "userinfo_endpoint": url("/oauth2/userinfo"),
        "introspection_endpoint": url("/oauth2/introspect"),
        "revocation_endpoint": url("/oauth2/revoke"),
        "status_list_aggregation_endpoint": url(status::PATH),
        "frontdesk_revocation_stream_endpoint": url("/revocations/stream"),
        "end_session_endpoint": url("/oauth2/logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "acr_values_supported": ACR_VALUES,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "display_values_supported": ["page"],
        "id_token_signing_alg_values_supported": algs,
        "token_endpoint_auth_methods_supported": auth_methods,
        "introspection_signing_alg_values_supported": algs,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": auth_methods,
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["en"],
        "frontdesk_refresh_delivery_modes_supported": ["body", "cookie"],
        "frontdesk_browser_logout_endpoint": url("/oauth2/browser/logout"),
    });
    if let (true, Some(members)) = (config.features.session_management, document.as_object_mut()) {
        members.insert("check_session_iframe".to_owned(), url(session_state::PATH).into());
    }
    document
}
