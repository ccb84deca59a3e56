//! Whom the measured server knows.

/// The person.
pub(super) const USERNAME: &str = "load";
/// Her password.
pub(super) const PASSWORD: &str = "correct horse battery";
/// The client of her grants.
pub(crate) const WEB: &str = "load-web";
/// A client that acts for itself and is given ES256 tokens.
pub(crate) const SERVICE_ES256: &str = "load-es256";
/// A client that acts for itself and is given RS256 tokens.
pub(crate) const SERVICE_RS256: &str = "load-rs256";
/// The secret of all clients.
pub(crate) const SECRET: &str = "a-secret-for-measuring-on-loopback-only";
/// Where codes go.
pub(crate) const REDIRECT_URI: &str = "https://app.load.example/callback";
/// PKCE (RFC 7636, appendix B).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The declarative file.
pub(super) fn text() -> String {
    format!(
        r#"
[[users]]
username = "{USERNAME}"
email = "load@load.example"
email_verified = true
password = "{PASSWORD}"

[[resources]]
identifier = "https://es256.load.example"
name = "API with ES256"
scopes = ["es256:read", "es256:write"]
access_token_alg = "ES256"

[[resources]]
identifier = "https://rs256.load.example"
name = "API with RS256"
scopes = ["rs256:read", "rs256:write"]
access_token_alg = "RS256"

[[clients]]
client_id = "{WEB}"
client_name = "Web"
application_type = "web"
token_endpoint_auth_method = "client_secret_basic"
client_secret = "{SECRET}"
redirect_uris = ["{REDIRECT_URI}"]
grant_types = ["authorization_code", "refresh_token"]
scope = "openid es256:read es256:write"
id_token_signed_response_alg = "ES256"
first_party = true
refresh_token_issuance = "always"

[[clients]]
client_id = "{SERVICE_ES256}"
client_name = "Service with ES256"
application_type = "service"
token_endpoint_auth_method = "client_secret_basic"
client_secret = "{SECRET}"
grant_types = ["client_credentials"]
scope = "es256:read es256:write"

[[clients]]
client_id = "{SERVICE_RS256}"
client_name = "Service with RS256"
application_type = "service"
token_endpoint_auth_method = "client_secret_basic"
client_secret = "{SECRET}"
grant_types = ["client_credentials"]
scope = "rs256:read rs256:write"
"#
    )
}
