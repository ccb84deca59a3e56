//! What APIs learn at once: the stream of revocations.

use std::pin::pin;
use std::time::Duration;

use frontdesk::tokens::consequences::Lost;
use serde_json::json;
use tokio::time::timeout;

use super::keys::at_desk;
use crate::support::{ALICE, RelyingParty, TestProvider, place_of};

const SCOPE: &str = "frontdesk:revocations";

async fn listener(provider: &TestProvider) -> RelyingParty {
    provider
        .register("notes-api", json!({ "application_type": "service", "scope": "frontdesk:revocations notes:read" }))
        .await
}

async fn token(app: &RelyingParty) -> String {
    app.token(&[("grant_type", "client_credentials"), ("scope", SCOPE)]).await.expect_tokens().access
}

async fn look(provider: &TestProvider) {
    let app = provider.app();
    app.status_lists.look(app.status_sources(), app.clock.now()).await.unwrap();
}

#[tokio::test]
async fn a_listener_hears_of_a_revocation_before_the_list_says_it() {
    let provider = TestProvider::start().await;
    let (api, web) = (listener(&provider).await, provider.client("web"));
    let tokens = web.tokens_of(ALICE).await;
    provider.publish_status().await;
    let mut stream = provider.stream(&token(&api).await, None).await;
    assert_eq!(stream.event("reset").await.data, json!({}));

    web.revoke(&tokens.refresh).await.expect(200);
    look(&provider).await;

    let (list, index) = place_of(&tokens.access);
    assert_eq!(stream.event("revoked").await.data, json!({ "list": list, "set": [index] }));
    assert!(!provider.status_list(&list).await.is_set(index), "the list comes within a second");
    look(&provider).await;
    assert!(provider.is_revoked(&tokens.access).await);
}

/// Lists are signed in units of work, which may wait for others; listeners may not.
#[tokio::test]
async fn listeners_do_not_wait_for_lists_that_are_being_signed() {
    let provider = TestProvider::start().await;
    let (api, web) = (listener(&provider).await, provider.client("web"));
    let (first, second) = (web.tokens_of(ALICE).await, web.tokens_of(ALICE).await);
    provider.publish_status().await;
    let mut stream = provider.stream(&token(&api).await, None).await;
    stream.event("reset").await;
    web.revoke(&first.refresh).await.expect(200);
    look(&provider).await;
    stream.event("revoked").await;
    web.revoke(&second.refresh).await.expect(200);

    let held = provider.hold("UPDATE status_list_tokens SET version = version").await;
    let app = provider.app().clone();
    let mut signing = pin!(app.status_lists.publish(app.status_sources(), app.clock.now()));
    let waits = timeout(Duration::from_millis(300), signing.as_mut()).await;
    waits.expect_err("the change is in the way of the signature");
    timeout(Duration::from_secs(10), look(&provider)).await.expect("a look waits for nobody");
    let (list, index) = place_of(&second.access);
    assert_eq!(stream.event("revoked").await.data, json!({ "list": list, "set": [index] }));

    drop(held);
    signing.await.unwrap();
    for token in [&first.access, &second.access] {
        assert!(provider.is_revoked(token).await);
    }
}

#[tokio::test]
async fn whoever_was_away_hears_what_was_missed_also_from_another_process() {
    let provider = TestProvider::start().await;
    let (api, web) = (listener(&provider).await, provider.client("web"));
    provider.publish_status().await;
    let own = token(&api).await;
    let mut stream = provider.stream(&own, None).await;
    let heard = stream.event("reset").await.id;
    drop(stream);
    let tokens = web.tokens_of(ALICE).await;
    provider.advance(30).await;
    web.revoke(&tokens.refresh).await.expect(200);

    let other = provider.twin(|_| ()).await;
    let (list, index) = place_of(&tokens.access);
    for process in [&provider, &other] {
        let mut stream = process.stream(&own, Some(&heard)).await;
        assert_eq!(stream.event("revoked").await.data, json!({ "list": list, "set": [index] }));
    }
}

#[tokio::test]
async fn whoever_was_away_for_too_long_or_knows_no_moment_fetches_the_lists() {
    let provider = TestProvider::start().await;
    let api = listener(&provider).await;
    let own = token(&api).await;
    let long_ago = (provider.now() - 4_531).to_string();
    let to_come = (provider.now() + 3_600).to_string();
    for heard in [None, Some(""), Some("x"), Some("-1"), Some("0"), Some(long_ago.as_str()), Some(to_come.as_str())] {
        provider.stream(&own, heard).await.event("reset").await;
    }
}

#[tokio::test]
async fn a_revoked_key_is_told_and_told_again_to_who_comes_later() {
    let provider = TestProvider::start().await;
    let api = listener(&provider).await;
    look(&provider).await;
    let mut stream = provider.stream(&token(&api).await, None).await;
    stream.event("reset").await;
    let kid = provider.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await.remove(0);
    at_desk(&provider, async |desk| desk.revoke(&kid, Lost::Key, "lost").await.unwrap()).await;
    look(&provider).await;
    assert_eq!(stream.event("kid-denied").await.data, json!({ "kid": kid }));
    let mut later = provider.stream(&token(&api).await, None).await;
    later.event("reset").await;
    assert_eq!(later.event("kid-denied").await.data, json!({ "kid": kid }));
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_house() {
    let provider = TestProvider::start().await;
    let api = listener(&provider).await;
    let (first, second) = (token(&api).await, token(&api).await);
    let mut stream = provider.stream(&first, None).await;
    stream.event("reset").await;
    provider.advance(900).await;
    // The end is seen at the next thing that happens.
    let kid = provider.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await.remove(0);
    at_desk(&provider, async |desk| desk.revoke(&kid, Lost::Key, "lost").await.unwrap()).await;
    look(&provider).await;
    while let Some(event) = stream.next().await {
        assert_eq!(event.event, "kid-denied");
    }
    assert_eq!(provider.stream(&second, None).await.status, 401, "its time is over too");

    let mut stream = provider.stream(&token(&api).await, None).await;
    stream.event("reset").await;
    stream.event("kid-denied").await;
    provider.app().stopping.cancel();
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_client_has_so_many_streams_and_a_place_that_is_given_back_serves_the_next() {
    let provider = TestProvider::with(|config| config.limits.streams_per_client = 2).await;
    let api = listener(&provider).await;
    let (first, second) = (token(&api).await, token(&api).await);
    let kept = provider.stream(&first, None).await;
    let given_back = provider.stream(&second, None).await;
    assert_eq!((kept.status, given_back.status), (200, 200));
    assert_eq!(provider.stream(&first, None).await.status, 429);
    drop(given_back);
    // Its task hears of it when it next speaks.
    let mut status = 429;
    for _ in 0..600 {
        status = provider.stream(&first, None).await.status;
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn nobody_listens_without_the_right() {
    let provider = TestProvider::start().await;
    let api = listener(&provider).await;
    let web = provider.client("web");
    let other =
        api.token(&[("grant_type", "client_credentials"), ("scope", "notes:read")]).await.expect_tokens().access;
    let person = web.tokens_of(ALICE).await.access;
    let worker = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens().access;
    for (token, status) in [(other, 401), (person, 403), (worker, 401), ("x.y.z".to_owned(), 401)] {
        assert_eq!(provider.stream(&token, None).await.status, status);
    }
    let nobody = provider.get("/revocations/stream").await.expect(401);
    assert!(nobody.header("www-authenticate").starts_with("Bearer"));
    // A token of before the client was disabled.
    let own = token(&api).await;
    provider.disable_client("notes-api").await;
    provider.follow_changes().await;
    assert_eq!(provider.stream(&own, None).await.status, 401);
}

#[tokio::test]
async fn the_scope_is_only_for_clients_that_act_for_themselves() {
    let provider = TestProvider::start().await;
    for metadata in [
        json!({ "application_type": "browser", "redirect_uris": ["https://a.example/c"], "scope": format!("openid {SCOPE}") }),
        json!({ "application_type": "web", "redirect_uris": ["https://a.example/c"], "scope": format!("openid {SCOPE}") }),
    ] {
        assert_eq!(provider.objections_to("a", metadata).await, ["scope"]);
    }
    // An app that also acts for people gets it for itself only.
    let both = provider
        .register(
            "both",
            json!({
                "application_type": "web", "redirect_uris": ["https://both.example/c"], "first_party": true,
                "grant_types": ["authorization_code", "client_credentials"], "scope": format!("openid {SCOPE}"),
            }),
        )
        .await;
    let person = both.tokens_of(ALICE).await.access;
    assert_eq!(provider.stream(&person, None).await.status, 403);
    assert!(!crate::support::claims_of(&person)["scope"].as_str().unwrap().contains(SCOPE));
}
