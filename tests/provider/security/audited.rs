//! What is done and the row that tells of it are one: neither stands without the other.

use serde_json::json;

use crate::support::{ALICE, Browser, Code, PASSWORD, RelyingParty, TestProvider, Tokens};

const NEW: &str = "another fine password";

/// A house in which much can happen, and those it can happen to.
struct Scene {
    provider: TestProvider,
    browser: Browser,
    other: Browser,
    web: RelyingParty,
    spa: RelyingParty,
    native: RelyingParty,
    tokens: Tokens,
    /// A refresh token whose successor's successor was used.
    old: String,
    used: Code,
}

impl Scene {
    async fn set() -> Self {
        let provider = TestProvider::https().await;
        let (browser, other) = (provider.browser(), provider.browser());
        let (web, spa, native) = (provider.client("web"), provider.client("spa"), provider.client("native"));
        spa.signed_in_at(&browser, ALICE).await;
        other.sign_in(ALICE).await;
        let used = web.code_at(&browser, ALICE).await;
        let tokens = web.redeem(&used).await.expect_tokens();
        let old = native.tokens_of(ALICE).await.refresh;
        let next = native.refresh(&old).await.expect_tokens().refresh;
        native.refresh(&next).await.expect_tokens();
        Self { provider, browser, other, web, spa, native, tokens, old, used }
    }

    /// All that an act could change.
    async fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for query in [
            "SELECT id || COALESCE(reason, '') || cookie_digest FROM sessions ORDER BY id",
            "SELECT id || COALESCE(reason, '') FROM grants ORDER BY id",
            "SELECT id || COALESCE(reason, '') || CAST(generation AS TEXT) FROM refresh_families ORDER BY id",
            "SELECT sealed FROM passwords ORDER BY user_id",
            "SELECT user_id || client_id FROM consents ORDER BY user_id, client_id",
            "SELECT username || CAST(COALESCE(disabled_at, 0) AS TEXT) FROM users ORDER BY id",
        ] {
            state.extend(self.provider.texts(query).await);
        }
        state
    }

    async fn act(&self, act: &str) -> u16 {
        let Self { provider, browser, .. } = self;
        let page = match act {
            "change_password" => {
                let page = browser.go("/account/password").await;
                let fields = [("current_password", PASSWORD), ("new_password", NEW), ("repeat_password", NEW)];
                browser.submit(&page, "/account/password", &fields).await
            }
            "sign_out" => {
                let page = browser.go("/account").await;
                browser.submit(&page, "/logout", &[]).await
            }
            "end_a_session" => {
                let page = browser.go("/account/sessions").await;
                let id = page.hidden("/account/sessions/end", "session");
                browser.submit(&page, "/account/sessions/end", &[("session", &id)]).await
            }
            "end_the_others" => {
                let page = browser.go("/account/sessions").await;
                browser.submit(&page, "/account/sessions/end-others", &[]).await
            }
            "withdraw" => {
                let page = browser.go("/account/apps/web/withdraw").await;
                browser.submit(&page, "/account/apps/withdraw", &[]).await
            }
            "sign_in" => provider.browser().try_to_sign_in(ALICE, PASSWORD).await,
            "renew_a_sign_in" => {
                let page = self.other.go("/login/other").await;
                let fields = [("username", ALICE), ("password", PASSWORD)];
                self.other.submit(&page, "/login/other", &fields).await
            }
            _ => return self.call(act).await,
        };
        page.answer.status.as_u16()
    }

    async fn call(&self, act: &str) -> u16 {
        let answer = match act {
            "reuse_a_code" => self.web.redeem(&self.used).await,
            "reuse_a_refresh_token" => self.native.refresh(&self.old).await,
            "revoke" => self.web.revoke(&self.tokens.refresh).await,
            "sign_out_of_the_app" => self.spa.fetch(&self.browser, "/oauth2/browser/logout", &[]).await,
            "json_sign_in" => {
                let wish = json!({ "username": ALICE, "password": PASSWORD });
                self.provider.client("direct").fetch_json(&self.other, "/auth/login", wish).await
            }
            _ => panic!("{act}"),
        };
        answer.status.as_u16()
    }
}

/// The acts, and what the audit says of each.
const ACTS: [(&str, &str); 12] = [
    ("change_password", "user.change_password"),
    ("sign_out", "session.end"),
    ("end_a_session", "session.end"),
    ("end_the_others", "sessions.end"),
    ("withdraw", "consent.end"),
    ("sign_in", "sign_in.ok"),
    ("renew_a_sign_in", "sign_in.ok"),
    ("reuse_a_code", "code.reuse"),
    ("reuse_a_refresh_token", "grant.end"),
    ("revoke", "grant.end"),
    ("sign_out_of_the_app", "grant.end"),
    ("json_sign_in", "sign_in.ok"),
];

#[tokio::test]
async fn row_134_without_its_row_in_the_audit_nothing_is_done_and_with_it_it_is() {
    for (act, action) in ACTS {
        let scene = Scene::set().await;
        let provider = &scene.provider;
        let (before, told) = (scene.state().await, provider.audited(action).await);
        provider.run("ALTER TABLE audit RENAME TO audit_out_of_reach").await;

        let status = scene.act(act).await;

        assert_eq!(status, 503, "{act}: a fault of ours, and never a false yes or no");
        assert_eq!(scene.state().await, before, "{act}");
        provider.run("ALTER TABLE audit_out_of_reach RENAME TO audit").await;
        let status = scene.act(act).await;
        assert!(matches!(status, 200 | 204 | 400), "{act}: {status}");
        assert_ne!(scene.state().await, before, "{act}");
        assert_eq!(provider.audited(action).await, told + 1, "{act}");
    }
}
