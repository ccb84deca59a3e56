//! Signing keys that are replaced, retired and revoked, as far as our own endpoints are concerned.

use frontdesk::keys::record::KeyRecord;
use frontdesk::keys::state::KeyState;
use frontdesk::keys::vault::{Purpose, Sealed};
use frontdesk::store::signing_keys;

use crate::support::{ALICE, TestProvider, encode};

/// Brings a key into a state, as turning the ring will: a MACed row, and word to all processes.
async fn turn(provider: &TestProvider, kid: &str, state: KeyState) {
    let app = provider.app();
    let rows = signing_keys::list(&mut app.store.read().await.unwrap()).await.unwrap();
    let row = rows.into_iter().find(|row| row.kid == kid).unwrap();
    let mut record = KeyRecord::read(&row).unwrap();
    record.state = state;
    let private = match state {
        KeyState::Pending | KeyState::Active => row.private_sealed.zip(row.kek_id),
        _ => None,
    };
    let sealed = private.map(|(text, kek_id)| Sealed { text, kek_id });
    let new = record.row(sealed, &app.vault.mac_key(Purpose::SigningKey));
    let private = new.private_sealed.map_or("NULL".to_owned(), |text| format!("'{text}'"));
    let mac = &new.mac;
    provider
        .run(&format!(
            "UPDATE signing_keys SET state = '{state}', mac = '{mac}', private_sealed = {private} WHERE kid = '{kid}'"
        ))
        .await;
    provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'keys'").await;
    provider.follow_changes().await;
}

async fn kid_in(provider: &TestProvider, state: &str) -> String {
    provider.texts(&format!("SELECT kid FROM signing_keys WHERE state = '{state}'")).await.remove(0)
}

async fn is_published(provider: &TestProvider, kid: &str) -> bool {
    provider.get("/.well-known/jwks.json").await.expect(200).body.contains(kid)
}

#[tokio::test]
async fn row_130_a_replaced_key_counts_until_it_retires_then_as_a_hint_and_revoked_never() {
    let provider = TestProvider::https().await;
    let (own, api) = (provider.client("own"), provider.client("api"));
    let (old, new) = (kid_in(&provider, "active").await, kid_in(&provider, "pending").await);
    assert!(is_published(&provider, &old).await && is_published(&provider, &new).await, "the next one is known ahead");
    let browser = provider.browser();
    let tokens = own.tokens_at(&browser, ALICE).await;
    let fresh = own.ask().with("scope", "openid notes:read");
    assert_eq!(provider.verify(&tokens.access).await.0.kid.as_ref(), Some(&old));
    // The answer to a sign-out by hint tells whether the hint is believed.
    let hinted = async || {
        let query = encode(&[("id_token_hint", &*tokens.id), ("post_logout_redirect_uri", "https://own.example/bye")]);
        provider.browser().come(&format!("/oauth2/logout?{query}")).await
    };

    turn(&provider, &old, KeyState::Retiring).await;
    turn(&provider, &new, KeyState::Active).await;
    assert!(is_published(&provider, &old).await);
    let page = own.visit(&browser, &fresh).await;
    let next = own.redeem(&fresh.code_in(page.left_for(), provider.issuer())).await.expect_tokens();
    assert_eq!(provider.verify(&next.access).await.0.kid.as_ref(), Some(&new));
    for token in [&tokens.access, &next.access] {
        own.userinfo(token).await.expect(200);
        assert!(api.sees_alive(token).await);
    }
    assert_eq!(hinted().await.left_for(), "https://own.example/bye");

    turn(&provider, &old, KeyState::Retired).await;
    assert!(!is_published(&provider, &old).await);
    own.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert!(!api.sees_alive(&tokens.access).await);
    own.userinfo(&next.access).await.expect(200);
    assert_eq!(hinted().await.left_for(), "https://own.example/bye", "as a hint it still counts");

    turn(&provider, &old, KeyState::Revoked).await;
    assert!(!is_published(&provider, &old).await);
    own.userinfo(&tokens.access).await.expect_error("invalid_token");
    let refused = hinted().await;
    assert_eq!((refused.away, refused.answer.status.as_u16()), (None, 400));
    let asked = own.ask().with("id_token_hint", &tokens.id).with("prompt", "none");
    let page = own.visit(&browser, &asked).await;
    assert_eq!(asked.error_in(page.left_for(), provider.issuer()), "invalid_request");
    // What does not hang on the key goes on.
    own.refresh(&tokens.refresh).await.expect_tokens();
    assert_eq!((provider.live_grants().await, provider.live_sessions().await), (2, 1));
}

#[tokio::test]
async fn row_130_a_key_that_is_revoked_while_it_signs_is_refused_at_once_and_nothing_is_signed_without_one() {
    let provider = TestProvider::https().await;
    let (own, api) = (provider.client("own"), provider.client("api"));
    let tokens = own.tokens_of(ALICE).await;
    let code = own.code_of(ALICE).await;
    let active = kid_in(&provider, "active").await;

    turn(&provider, &active, KeyState::Revoked).await;

    own.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert!(!api.sees_alive(&tokens.access).await);
    own.redeem(&code).await.expect(503);
    own.refresh(&tokens.refresh).await.expect(503);
    provider.get("/readyz").await.expect(503);
    let pending = kid_in(&provider, "pending").await;
    turn(&provider, &pending, KeyState::Active).await;
    provider.get("/readyz").await.expect(200);
    // The refresh that got no answer is given it now.
    let again = own.refresh(&tokens.refresh).await.expect_tokens();
    own.userinfo(&again.access).await.expect(200);
    // The code was spent before the signature failed; presented again it counts as a second use.
    own.redeem(&code).await.expect_error("invalid_grant");
    assert_eq!((provider.live_families().await, provider.end_reasons().await), (1, vec!["code_reuse".to_owned()]));
}

#[tokio::test]
async fn row_130_a_row_that_was_changed_behind_us_is_neither_published_nor_believed() {
    let changes = [
        "state = 'retiring'",
        "state = 'pending'",
        "created_at = created_at - 1",
        "published_at = published_at + 1",
        "activate_at = activate_at + 1",
        "retire_at = 2000000000",
        "alg = 'RS256'",
        "mac = ''",
        "mac = 'AAAA'",
        "mac = (SELECT MIN(other.mac) FROM signing_keys other WHERE other.state = 'pending')",
        "public_jwk = (SELECT MIN(other.public_jwk) FROM signing_keys other WHERE other.state = 'pending')",
        "kid = 'another-name'",
    ];
    for change in changes {
        let provider = TestProvider::https().await;
        let own = provider.client("own");
        let tokens = own.tokens_of(ALICE).await;
        let active = kid_in(&provider, "active").await;
        provider.run(&format!("UPDATE signing_keys SET {change} WHERE kid = '{active}'")).await;
        provider.run("UPDATE changes SET counter = counter + 1 WHERE name = 'keys'").await;
        provider.follow_changes().await;

        assert!(!is_published(&provider, &active).await, "{change}");
        own.userinfo(&tokens.access).await.expect_error("invalid_token");
        own.refresh(&tokens.refresh).await.expect(503);
        assert_eq!(provider.live_families().await, 1, "{change}");
    }
}
