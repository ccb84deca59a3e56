//! Who lives in the demo, and what is registered there.

use serde_json::{Map, Value};

use super::{DemoUser, Failed};
use crate::accounts::declared::{Declared, declare_one};
use crate::accounts::people::{Act, NewPassword};
use crate::accounts::registration::Registration;
use crate::app::App;
use crate::crypto::random;
use crate::domain::alg::Alg;
use crate::domain::client::{ApplicationType, AuthMethod, Delivery, GrantType};
use crate::domain::id::ClientId;
use crate::domain::secret::Secret;
use crate::domain::user::{ADMIN, Username};
use crate::oauth::registration::{ClientMetadata, Declaration, DeclaredClient, House, Registrar, ResourceMetadata};
use crate::store::{StoreError, Tx, resources};

/// The browser app's `client_id`.
pub(super) const CLIENT: &str = "notes";

/// What the browser app asks for.
pub(super) const SCOPE: &str = "openid profile email notes:read";

/// The name of the API.
const API: &str = "Notes API";

const ACTOR: &str = "demo";

/// Registers everything, again and again the same; only the passwords are new each time.
pub(super) async fn register(app: &App, app_url: &str, api_url: &str) -> Result<Vec<DemoUser>, Failed> {
    let now = app.clock.now();
    let house = House::of(app.config())?;
    let declaration = declaration(app_url, api_url);
    let declared = app
        .store
        .write(async move |tx| {
            forget_moved_api(tx, &declaration).await?;
            Registrar { house: &house, actor: ACTOR, now }.declare(tx, &declaration).await
        })
        .await?;
    if let Err(refused) = declared {
        return Err(format!("the demo cannot register its app: {refused:?}").into());
    }
    let mut users = Vec::new();
    for (username, name, roles) in [("alice", "Alice Liddell", vec![]), ("admin", "Ada Admin", vec![ADMIN.to_owned()])]
    {
        let password = fresh_password();
        let mut claims = Map::new();
        claims.insert("name".to_owned(), Value::from(name));
        let registration = Registration {
            username: Username::parse(username)?,
            email: Some(format!("{username}@example.com")),
            email_verified: true,
            claims,
            roles: roles.clone(),
            password: None,
        };
        let hash = app.accounts.passwords().hash(Secret::new(password.clone())).await?;
        let vault = app.vault.clone();
        app.store
            .write(async move |tx| {
                let act = Act { actor: ACTOR, now };
                let password = NewPassword { hash: &hash, vault: &vault };
                declare_one(tx, Declared { registration: &registration, password: Some(password) }, true, act).await
            })
            .await??;
        users.push(DemoUser { username: username.to_owned(), password, roles });
    }
    Ok(users)
}

fn declaration(app_url: &str, api_url: &str) -> Declaration {
    let notes = ClientMetadata {
        client_name: Some("Notes".to_owned()),
        application_type: Some(ApplicationType::Browser),
        token_endpoint_auth_method: Some(AuthMethod::None),
        redirect_uris: Some(vec![format!("{app_url}/callback")]),
        post_logout_redirect_uris: Some(vec![format!("{app_url}/")]),
        allowed_origins: Some(vec![app_url.to_owned()]),
        grant_types: Some(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
        refresh_token_delivery: Some(Delivery::Cookie),
        id_token_signed_response_alg: Some(Alg::ES256),
        scope: Some(SCOPE.to_owned()),
        ..ClientMetadata::default()
    };
    Declaration {
        clients: vec![DeclaredClient { id: ClientId::new(CLIENT), metadata: notes, secret: None }],
        resources: vec![ResourceMetadata {
            identifier: api_url.to_owned(),
            name: Some(API.to_owned()),
            scopes: vec!["notes:read".to_owned(), "notes:write".to_owned()],
            introspected_by: Vec::new(),
            access_token_alg: Some(Alg::ES256),
        }],
        // What a person registered in the folder meanwhile stays.
        prune: false,
    }
}

/// A folder of an earlier start may know the demo's API under another port. That entry gives way: a scope has one owner.
async fn forget_moved_api(tx: &mut Tx, declaration: &Declaration) -> Result<(), StoreError> {
    for known in resources::list(tx).await? {
        let moved = |api: &ResourceMetadata| {
            api.identifier != known.identifier
                && known.name == API
                && api.scopes.iter().all(|scope| known.scopes.contains(scope))
        };
        if declaration.resources.iter().any(moved) {
            resources::remove(tx, &known.identifier).await?;
        }
    }
    Ok(())
}

/// Four groups of four letters and digits that are not mistaken for each other: 80 random bits.
fn fresh_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";
    let letters =
        random::bytes::<16>().map(|byte| char::from(LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'a')));
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}
