//! Who lives in the house: two people, one API, and a relying app of each kind.

use frontdesk::domain::client::AuthMethod;

use super::relying_party::Registered;

pub(crate) const ALICE: &str = "alice";
pub(crate) const BOB: &str = "bob";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

const WEB_CALLBACK: &str = "https://web.example/callback";
const WEB_SCOPE: &str = "openid profile notes:read";
const SPA_CALLBACK: &str = "http://localhost:5173/callback";
const SPA_SCOPE: &str = "openid profile notes:read notes:write";

/// The secret of a client that has one.
pub(super) fn secret_of(id: &str) -> String {
    format!("fd_cs_of-{id}-0123456789abcdefghijklmnopqrstuvwxyz")
}

/// What is registered of the clients.
pub(super) fn registered(id: &str) -> Registered {
    let (method, redirect_uri, scope) = match id {
        "web" => (AuthMethod::ClientSecretBasic, WEB_CALLBACK, WEB_SCOPE),
        "spa" => (AuthMethod::None, SPA_CALLBACK, SPA_SCOPE),
        "worker" | "api" | "late" => (AuthMethod::ClientSecretBasic, "", "notes:read"),
        other => panic!("{other} is not registered"),
    };
    Registered { method, redirect_uri: redirect_uri.to_owned(), scope: scope.to_owned() }
}

/// The file for `apply`. The retry rules of both apps know no clock, so no test depends on how fast it runs.
pub(super) fn text() -> String {
    let (web, worker, api) = (secret_of("web"), secret_of("worker"), secret_of("api"));
    format!(
        r#"
[[users]]
username = "{ALICE}"
email = "alice@example.com"
email_verified = true
password = "{PASSWORD}"
roles = ["admin"]

[[users]]
username = "{BOB}"
email = "bob@example.com"
email_verified = true
password = "{PASSWORD}"

[[resources]]
identifier = "https://api.shop.test/"
name = "Notes"
scopes = ["notes:read", "notes:write"]
introspected_by = ["api"]

[[clients]]
client_id = "web"
client_name = "The web app"
application_type = "web"
first_party = true
client_secret = "{web}"
redirect_uris = ["{WEB_CALLBACK}"]
grant_types = ["authorization_code", "refresh_token"]
scope = "{WEB_SCOPE}"
refresh_token_issuance = "always"
refresh_retry = "until_successor_used"

[[clients]]
client_id = "spa"
client_name = "The browser app"
application_type = "browser"
first_party = true
refresh_token_delivery = "cookie"
redirect_uris = ["{SPA_CALLBACK}"]
allowed_origins = ["http://localhost:5173"]
scope = "{SPA_SCOPE}"

[[clients]]
client_id = "worker"
application_type = "service"
client_secret = "{worker}"
scope = "notes:read"

[[clients]]
client_id = "api"
application_type = "service"
client_secret = "{api}"
"#
    )
}

/// The same file after a change: the worker may write too, and an app has come late.
pub(crate) fn changed_text() -> String {
    let late = secret_of("late");
    let text = text().replace("scope = \"notes:read\"\n", "scope = \"notes:read notes:write\"\n");
    format!(
        r#"{text}
[[clients]]
client_id = "late"
application_type = "service"
client_secret = "{late}"
scope = "notes:read"
"#
    )
}
