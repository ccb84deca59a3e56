//! The master key is turned while people and apps are at work, and a new MAC root takes the place of the old one.

use std::sync::Arc;

use frontdesk::app::key_policy;
use frontdesk::jobs::Jobs;
use frontdesk::keys::rewrap::{self, CannotRewrap, Pass};
use frontdesk::keys::turning::{self, Wish};
use frontdesk::keys::vault::Vault;
use frontdesk::store::nodes;

use crate::support::{ALICE, Browser, MASTER, PASSWORD, Page, TestProvider};

const NEW: [u8; 32] = [8; 32];

fn both() -> Vault {
    Vault::over(NEW).after(MASTER)
}

/// A form that was opened some time ago.
struct Open {
    browser: Browser,
    page: Page,
}

impl Open {
    async fn at(provider: &TestProvider) -> Self {
        let browser = provider.browser();
        let page = browser.go("/login").await;
        Self { browser, page }
    }

    async fn send(&self) -> Page {
        self.browser.submit(&self.page, "/login", &[("username", ALICE), ("password", PASSWORD)]).await
    }
}

/// Signs in with a password, and uses what an app was given before, at one process. Returns the app's newest refresh token.
async fn all_works(provider: &TestProvider, refresh: &str) -> String {
    provider.follow_changes().await;
    let (app, api) = (provider.client("web"), provider.client("api"));
    let tokens = app.tokens_of(ALICE).await;
    app.userinfo(&tokens.access).await.expect(200);
    assert!(api.sees_alive(&tokens.access).await, "secret, key and grant are good");
    provider.verify(&tokens.access).await;
    let next = app.refresh(refresh).await.expect_tokens();
    assert!(api.sees_alive(&next.access).await);
    assert!(provider.app().unready().is_empty(), "{:?}", provider.app().unready());
    next.refresh
}

#[tokio::test]
async fn turning_the_master_key_breaks_nobody() {
    let former = TestProvider::start().await;
    let mut refresh = former.client("web").tokens_of(ALICE).await.refresh;
    // One process after the other starts again with the new key beside the old; those that lack it work on.
    let one = former.twin_with(both()).await;
    refresh = all_works(&one, &refresh).await;
    refresh = all_works(&former, &refresh).await;
    let (store, vault, now) = (&one.app().store, &one.app().vault, one.app().clock.now());
    let refused = rewrap::turn(store, vault, now).await.unwrap_err();
    let CannotRewrap::Lacking { nodes, .. } = &refused else { panic!("{refused}") };
    assert_eq!(nodes.iter().map(|node| node.process.as_str()).collect::<Vec<_>>(), [former.app().process_id()]);
    refresh = all_works(&former, &refresh).await;
    let gone = former.app().process_id().to_owned();
    store.write(async move |tx| nodes::remove(tx, &gone).await).await.unwrap();
    let two = former.twin_with(both()).await;

    let forms = [Open::at(&one).await, Open::at(&two).await];
    rewrap::turn(store, vault, now).await.unwrap();
    // The second process has not looked yet.
    refresh = all_works(&one, &refresh).await;
    let mut pass = Pass::begin(store, vault).await.unwrap();
    let mut steps = 0;
    loop {
        let went_on = pass.step().await.unwrap();
        for provider in [&two, &one] {
            refresh = all_works(provider, &refresh).await;
        }
        if !went_on {
            break;
        }
        steps += 1;
    }
    assert_eq!(steps, 4, "MAC root, refresh root, signing keys, passwords");
    let (new, old) = (vault.kek_id().to_owned(), Vault::over(MASTER).kek_id().to_owned());
    assert_ne!(new, old);
    for table in ["mac_roots", "refresh_roots", "signing_keys", "passwords"] {
        assert_eq!(one.texts(&format!("SELECT DISTINCT kek_id FROM {table}")).await, [new.as_str()], "{table}");
    }

    let three = one.twin_with(Vault::over(NEW)).await;
    for provider in [&three, &one, &two] {
        refresh = all_works(provider, &refresh).await;
    }
    for form in &forms {
        form.send().await.expect_at("/account");
    }
}

#[tokio::test]
async fn a_process_tells_what_it_holds_and_that_it_ends() {
    let former = TestProvider::start().await;
    let twin = former.twin_with(both()).await;
    let kek_ids = "SELECT kek_ids FROM nodes ORDER BY kek_ids";
    let (new, old) = (Vault::over(NEW).kek_id().to_owned(), Vault::over(MASTER).kek_id().to_owned());
    let mut held = vec![old.clone(), format!("{new} {old}")];
    held.sort_unstable();
    assert_eq!(twin.texts(kek_ids).await, held);
    // What it seals with is known once it serves.
    let seals_with = "SELECT seals_with FROM nodes ORDER BY seals_with";
    assert_eq!(twin.texts(seals_with).await, ["", ""]);
    let app = Arc::clone(twin.app());
    app.report(app.clock.now()).await.unwrap();
    assert_eq!(twin.texts(seals_with).await, ["", old.as_str()]);
    let jobs = Jobs::start(&app);
    jobs.stop().await;
    assert_eq!(twin.texts(kek_ids).await, [old]);
}

#[tokio::test]
async fn under_a_new_mac_root_client_secrets_count_and_forms_and_grants_do_not() {
    let provider = TestProvider::start().await;
    let (web, worker) = (provider.client("web"), provider.client("worker"));
    let tokens = web.tokens_of(ALICE).await;
    let form = Open::at(&provider).await;
    let signed_in = provider.browser();
    signed_in.sign_in(ALICE).await;
    let app = provider.app();
    let wish = Wish::RevokeAll { reason: "stolen".to_owned() };
    turning::carry_out(&app.store, &app.vault, &key_policy(app.config()), &wish, "cli", &|| app.clock.now())
        .await
        .unwrap();
    provider.follow_changes().await;

    worker.token(&[("grant_type", "client_credentials"), ("scope", "notes:read")]).await.expect(200);
    let wrong = [("authorization", "Basic d29ya2VyOmd1ZXNz")];
    provider
        .post("/oauth2/token", &wrong, &[("grant_type", "client_credentials")])
        .await
        .expect_error("invalid_client");
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    form.send().await.expect(403);
    // The rows of sessions are ended later; they count no more by now.
    assert!(signed_in.go("/account").await.path.starts_with("/login"));
    provider.advance(1).await;
    let tokens = web.tokens_of(ALICE).await;
    web.refresh(&tokens.refresh).await.expect_tokens();
    let late = provider.second_process().await;
    assert!(late.unready().is_empty());
    provider.register("fresh", serde_json::json!({"application_type": "service", "scope": "notes:read"})).await;
    provider.client("fresh").token(&[("grant_type", "client_credentials")]).await.expect(200);
}
