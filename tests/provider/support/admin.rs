//! An admin at work, and programs that use the admin API.

use serde_json::json;

use super::{ADMIN, ALICE, Browser, PASSWORD, Page, RelyingParty, TestProvider};

impl Browser {
    /// Signs in as the admin and proves it once more: what follows may change things.
    pub(crate) async fn elevated(&self) -> Page {
        self.sign_in(ADMIN).await;
        self.elevate().await
    }

    /// Proves once more who is there.
    pub(crate) async fn elevate(&self) -> Page {
        let page = self.go("/admin/elevate").await;
        self.submit(&page, "/admin/elevate", &[("current_password", PASSWORD)]).await.expect_at("/admin").expect(200)
    }

    /// Asks for a change, reads what it means, and does it. Where that led.
    pub(crate) async fn does(&self, path: &str) -> Page {
        let page = self.go(path).await.expect_at(path).expect(200);
        self.submit(&page, path, &[]).await
    }
}

impl TestProvider {
    /// A program that may use the admin API for itself.
    pub(crate) async fn robot(&self) -> RelyingParty {
        let metadata =
            json!({ "application_type": "service", "scope": "frontdesk:admin notes:read", "admin_api": true });
        self.register("robot", metadata).await
    }

    /// An app of admins that uses it for them.
    pub(crate) async fn panel(&self) -> RelyingParty {
        let metadata = json!({
            "client_name": "The panel", "application_type": "web", "admin_api": true, "first_party": true,
            "redirect_uris": ["https://panel.example/callback"], "scope": "openid frontdesk:admin notes:read",
            "grant_types": ["authorization_code", "refresh_token"], "refresh_token_issuance": "always",
        });
        self.register("panel", metadata).await
    }

    /// The path of a door, with people and things that are there.
    pub(crate) async fn address(&self, path: &str) -> String {
        let id = match path {
            _ if path.contains("/people/") => self.user(ALICE).await.as_str().to_owned(),
            _ if path.contains("/sessions/") => self.texts("SELECT id FROM sessions ORDER BY id").await.remove(0),
            _ if ["/rotate", "/canary", "/drill"].iter().any(|act| path.ends_with(act)) => "ES256".to_owned(),
            _ if path.contains("/keys/") => {
                self.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await.remove(0)
            }
            _ => "web".to_owned(),
        };
        path.replace("{id}", &id).replace("{client}", "web")
    }
}

impl RelyingParty {
    /// An access token of its own with this scope.
    pub(crate) async fn own_token(&self, scope: &str) -> String {
        self.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.expect(200).text("access_token")
    }

    /// An access token of this person with this scope, in a fresh browser.
    pub(crate) async fn token_of(&self, name: &str, scope: &str) -> String {
        let asked = self.ask().with("scope", scope);
        let code = self.code_for(&self.provider().browser(), &asked, name).await;
        self.redeem(&code).await.expect_tokens().access
    }
}
