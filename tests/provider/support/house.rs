//! Who lives in every test's house: three people, one API, and a relying app of each kind.

use std::sync::Arc;

use frontdesk::accounts::people::{self, Act, NewPassword};
use frontdesk::accounts::registration::Registration;
use frontdesk::app::App;
use frontdesk::domain::id::ClientId;
use frontdesk::domain::secret::Secret;
use frontdesk::domain::user::Username;
use frontdesk::keys::vault::Purpose;
use frontdesk::oauth::registration::{
    ClientMetadata, Declaration, DeclaredClient, DeclaredSecret, House, Registrar, ResourceMetadata, secret_mac,
};
use serde_json::{Value, json};

pub(crate) const ALICE: &str = "alice";
pub(crate) const BOB: &str = "bob";
/// The operator.
pub(crate) const ADMIN: &str = "admin";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The API.
pub(super) const API: &str = "https://api.shop.test/";

/// The secret of a client that has one.
pub(super) fn secret_of(id: &str) -> String {
    format!("fd_cs_of-{id}-0123456789abcdefghijklmnopqrstuvwxyz")
}

/// Where the browser apps of this house live.
pub(super) fn app_origin(development: bool, name: &str) -> String {
    if development {
        // One host, a port for each: as on a developer's machine.
        let port = 5173 + name.bytes().map(u32::from).sum::<u32>() % 1000;
        format!("http://localhost:{port}")
    } else {
        format!("https://{name}.shop.test")
    }
}

/// Everything that is registered in every house.
pub(super) async fn furnish(app: &App) {
    let development = app.config().is_development();
    let full = "openid profile email offline_access notes:read notes:write";
    let both = json!(["authorization_code", "refresh_token"]);
    let browser = |name: &str| {
        let origin = app_origin(development, name);
        json!({
            "client_name": format!("The {name} app"), "application_type": "browser", "first_party": true,
            "refresh_token_delivery": "cookie", "allowed_origins": [origin],
            "redirect_uris": [format!("{origin}/callback")], "post_logout_redirect_uris": [format!("{origin}/bye")],
            "scope": "openid profile email notes:read notes:write", "owner": "shop",
        })
    };
    let mut direct = browser("direct");
    direct["direct_login"] = json!(true);
    let web = |name: &str, method: &str, first_party: bool| {
        json!({
            "client_name": format!("The {name} app"), "application_type": "web", "token_endpoint_auth_method": method,
            "redirect_uris": [format!("https://{name}.example/callback")], "client_uri": format!("https://{name}.example/"),
            "post_logout_redirect_uris": [format!("https://{name}.example/bye")],
            "grant_types": both, "scope": full, "first_party": first_party,
        })
    };
    let clients = [
        ("spa", browser("spa")),
        ("second", browser("second")),
        ("direct", direct),
        ("web", web("web", "client_secret_basic", false)),
        ("post", web("post", "client_secret_post", false)),
        ("own", web("own", "client_secret_basic", true)),
        (
            "native",
            json!({
                "client_name": "The native app", "application_type": "native", "grant_types": both, "scope": full,
                "redirect_uris": ["http://127.0.0.1/callback", "com.example.notes:/callback"],
            }),
        ),
        ("worker", json!({ "application_type": "service", "scope": "notes:read" })),
        ("api", json!({ "application_type": "service" })),
    ];
    let api = ResourceMetadata {
        identifier: API.to_owned(),
        name: Some("Notes".to_owned()),
        scopes: vec!["notes:read".to_owned(), "notes:write".to_owned()],
        introspected_by: vec!["api".to_owned()],
        access_token_alg: None,
    };
    let declared = clients.into_iter().map(|(id, metadata)| declared(app, id, metadata)).collect();
    declare(app, Declaration { clients: declared, resources: vec![api], prune: false }).await;
    for (name, roles) in [(ADMIN, vec!["admin"]), (ALICE, vec![]), (BOB, vec![])] {
        register(app, name, &roles).await;
    }
}

/// A client with everything that was said of it. Its secret, where it needs one, is [`secret_of`] its id.
pub(super) fn declared(app: &App, id: &str, metadata: Value) -> DeclaredClient {
    let metadata: ClientMetadata = serde_json::from_value(metadata).unwrap();
    let public = match metadata.token_endpoint_auth_method {
        Some(method) => method == frontdesk::domain::client::AuthMethod::None,
        None => {
            use frontdesk::domain::client::ApplicationType::{Browser, Native};
            matches!(metadata.application_type, Some(Browser | Native))
        }
    };
    let secret = (!public).then(|| DeclaredSecret {
        mac: secret_mac(&app.vault.mac_key(Purpose::ClientSecret), &Secret::new(secret_of(id))),
        chosen: true,
    });
    DeclaredClient { id: ClientId::new(id), metadata, secret }
}

/// Registers, as the command line would.
pub(super) async fn declare(app: &App, declaration: Declaration) {
    try_declare(app, declaration).await.unwrap();
}

/// Registers, or says which members are wrong, and then nothing was registered.
pub(super) async fn try_declare(app: &App, declaration: Declaration) -> Result<(), Vec<&'static str>> {
    let house = House::of(app.config()).unwrap();
    let now = app.clock.now();
    let declared = app
        .store
        .write(async move |tx| Registrar { house: &house, actor: "cli", now }.declare(tx, &declaration).await)
        .await
        .unwrap();
    declared.map(drop).map_err(|refused| refused.iter().map(|one| one.error.member).collect())
}

async fn register(app: &App, name: &str, roles: &[&str]) {
    let mut claims = serde_json::Map::new();
    let given = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    claims.insert("name".to_owned(), Value::from(format!("{given} Test")));
    claims.insert("given_name".to_owned(), Value::from(given));
    let registration = Registration {
        username: Username::parse(name).unwrap(),
        email: Some(format!("{name}@example.com")),
        email_verified: true,
        claims,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        password: None,
    };
    let hash = app.accounts.passwords().hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
    let (vault, now) = (Arc::clone(&app.vault), app.clock.now());
    app.store
        .write(async move |tx| {
            let password = NewPassword { hash: &hash, vault: &vault };
            people::register(tx, &registration, Some(password), Act { actor: "cli", now }).await
        })
        .await
        .unwrap()
        .unwrap();
}
