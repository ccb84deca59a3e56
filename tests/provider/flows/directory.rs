//! What another process changes is seen with the next look at the counters.

use std::sync::Arc;
use std::time::Duration;

use frontdesk::jobs::Jobs;
use serde_json::json;

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn a_client_that_another_process_disables_is_out_with_all_it_had() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let code = app.code_of(ALICE).await;

    provider.disable_client("web").await;
    provider.follow_changes().await;

    app.redeem(&code).await.expect_error("invalid_client");
    app.refresh(&tokens.refresh).await.expect_error("invalid_client");
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    let page = app.visit(&provider.browser(), &app.ask()).await;
    assert_eq!((page.away, page.answer.status.as_u16()), (None, 400));
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}

#[tokio::test]
async fn even_before_the_look_nothing_new_is_given_for_the_grant() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    provider.disable_client("web").await;
    let refused = app.refresh(&tokens.refresh).await;
    assert!(matches!(refused.status.as_u16(), 400 | 401), "{refused:#?}");
    assert_eq!(provider.live_families().await, 0);
}

#[tokio::test]
async fn two_processes_serve_one_house() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let second = provider.second_process().await;
    assert!(second.provider.directory.snapshot().client("new").is_none());

    provider.register("new", json!({ "application_type": "service", "scope": "notes:read" })).await;

    assert!(second.provider.directory.snapshot().client("new").is_none(), "it has not looked yet");
    second.follow_changes().await.unwrap();
    assert!(second.provider.directory.snapshot().client("new").is_some());
    assert_eq!(second.unready(), Vec::<&str>::new());
    // Both sign with the same keys, and know each other's refresh tokens.
    assert_eq!(second.provider.keys.ring().jwks().bytes, provider.app().provider.keys.ring().jwks().bytes);
    app.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!(provider.live_families().await, 1);
}

#[tokio::test]
async fn a_process_that_has_not_looked_for_too_long_gives_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    provider.app().clock.advance(Duration::from_secs(31));

    let answer = app.refresh(&tokens.refresh).await.expect(503);

    assert!(!answer.header("retry-after").is_empty());
    provider.get("/readyz").await.expect(503);
    provider.get("/healthz").await.expect(200);
    provider.follow_changes().await;
    provider.get("/readyz").await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!(provider.number("SELECT generation FROM refresh_families").await, 1);
}

#[tokio::test]
async fn what_is_given_without_asking_the_database_needs_a_younger_look_at_it() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let ask = async || worker.token(&[("grant_type", "client_credentials")]).await;
    provider.app().clock.advance(Duration::from_secs(10));
    ask().await.expect_tokens();
    provider.app().clock.advance(Duration::from_secs(1));

    ask().await.expect(503);

    provider.follow_changes().await;
    ask().await.expect_tokens();
}

#[tokio::test]
async fn a_running_process_hears_of_a_change_when_it_happens() {
    // PostgreSQL tells; on SQLite the poll has to be quick.
    let provider = TestProvider::start().await;
    let poll = if provider.is_on_postgres() { Duration::from_secs(3_600) } else { Duration::from_millis(5) };
    let provider = TestProvider::with(|config| config.limits.change_poll = poll).await;
    let second = Arc::new(provider.second_process().await);
    second.clock.advance(Duration::from_secs(1));
    let jobs = Jobs::start(&second);
    let directory = &second.provider.directory;
    let looked = async || {
        while directory.confirmed_at() != second.clock.now() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looked()).await.unwrap();

    provider.register("new", json!({ "application_type": "service", "scope": "notes:read" })).await;

    let followed = async || {
        while directory.snapshot().client("new").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), followed()).await.unwrap();
    jobs.stop().await;
}

#[tokio::test]
async fn a_new_app_gets_tokens_for_its_new_api_before_the_next_look() {
    let provider = TestProvider::start().await;
    let second = provider.twin(|_| ()).await;
    provider.register_resource("https://new.shop.test/", &["new:read"]).await;
    let metadata = json!({ "application_type": "service", "scope": "new:read" });
    provider.register("new", metadata).await;
    let form = [("grant_type", "client_credentials"), ("scope", "new:read")];
    let secret = provider.client("new").basic();
    let answer = second.post("/oauth2/token", &[("authorization", &secret)], &form).await.expect(200);
    let (_, claims) = second.verify(&answer.text("access_token")).await;
    assert_eq!(claims["aud"], "https://new.shop.test/");
}
