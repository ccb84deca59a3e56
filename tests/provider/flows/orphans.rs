//! Grants that are left over when what they hang on ends: too many for one unit of work, or a process was killed in between.

use std::time::Duration;

use frontdesk::domain::origin::Origin;
use frontdesk::jobs::orphans;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{ALICE, BOB, TestProvider, Told};

async fn heal(provider: &TestProvider) -> usize {
    let (back, now) = (Duration::from_secs(600), provider.app().clock.now());
    orphans::once(provider.app(), back, now, &CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn what_is_left_over_ends_and_apis_hear_of_it() {
    let provider = TestProvider::start().await;
    let (spa, web) = (provider.client("spa"), provider.client("web"));
    let of_session = spa.signed_in_at(&provider.browser(), ALICE).await.access;
    let of_person = web.tokens_of(BOB).await.access;
    let of_client = provider.client("post").tokens_of(ALICE).await.access;
    let alive = web.tokens_of(ALICE).await.access;
    provider.advance(10).await;
    // As a unit leaves it that ended the parent and only a first batch of grants.
    for text in [
        "UPDATE sessions SET ended_at = NOW WHERE id = (SELECT session_id FROM grants WHERE client_id = 'spa')",
        "UPDATE users SET not_before = NOW WHERE username = 'bob'",
        "UPDATE clients SET not_before = NOW WHERE client_id = 'post'",
    ] {
        provider.run(&text.replace("NOW", &provider.now().to_string())).await;
    }
    assert_eq!(heal(&provider).await, 0, "whoever ended the parent may be at it");
    assert!(!provider.is_revoked(&of_session).await);
    provider.advance(20).await;
    assert_eq!(heal(&provider).await, 3);
    for token in [&of_session, &of_person, &of_client] {
        assert!(provider.is_revoked(token).await);
    }
    assert!(!provider.is_revoked(&alive).await);
    assert_eq!(heal(&provider).await, 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM refresh_families WHERE reason = 'orphaned'").await, 3);
}

#[tokio::test]
async fn the_apps_of_what_is_left_over_are_told() {
    let told = Told::answering(&["200 OK"]).await;
    let origin = Origin::parse(told.origin()).unwrap();
    let provider = TestProvider::with(|config| config.outbound.allow = vec![origin]).await;
    let office = provider
        .register(
            "office",
            json!({
                "application_type": "web", "redirect_uris": ["https://office.example/callback"], "scope": "openid",
                "backchannel_logout_uri": format!("{}/told", told.origin()),
            }),
        )
        .await;
    office.tokens_of(BOB).await;
    office.tokens_of(ALICE).await;
    provider.advance(10).await;
    provider.run(&format!("UPDATE users SET not_before = {} WHERE username = 'bob'", provider.now())).await;
    provider.advance(20).await;
    assert_eq!(heal(&provider).await, 1);
    provider.courier().deliver().await;
    assert_eq!(told.requests().len(), 1);
    let (_, claims) = provider.verify_with(&told.requests()[0].logout_token(), &["iss", "aud", "exp", "sub"]).await;
    assert_eq!(claims["sub"], provider.sub(BOB).await);
}
