//! What APIs learn by polling: the status lists (draft-ietf-oauth-status-list).

use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::ClientId;
use frontdesk::jobs::purge;
use frontdesk::oauth::registration::{House, Registrar};
use frontdesk::store::users;
use frontdesk::tokens::consequences::Lost;
use frontdesk::tokens::revoke::{self, What};
use tokio_util::sync::CancellationToken;

use super::keys::at_desk;
use crate::support::{ALICE, BOB, StatusList, TestProvider, place_of};

const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];
/// The longest life of a token, how far a process may be behind, and a margin.
const KEPT: u64 = 3600 + 30 + 900;

async fn later(provider: &TestProvider, seconds: u64) {
    provider.advance(seconds).await;
    provider.publish_status().await;
}

#[tokio::test]
async fn a_sign_out_sets_the_bit_of_every_token_of_the_session_and_no_other() {
    let provider = TestProvider::start().await;
    let (web, spa, second) = (provider.client("web"), provider.client("spa"), provider.client("second"));
    let browser = provider.browser();
    let (one, two) = (spa.signed_in_at(&browser, ALICE).await, second.signed_in_at(&browser, ALICE).await);
    let again = spa.refresh_at(&browser).await.expect_tokens();
    let offline = web.tokens_at(&browser, ALICE).await.access;
    let others = [offline, spa.signed_in_at(&provider.browser(), ALICE).await.access, web.tokens_of(BOB).await.access];
    assert_eq!(place_of(&one.access), place_of(&again.access), "one place for all tokens of a grant");
    for token in [&one.access, &two.access, &again.access] {
        assert!(!provider.is_revoked(token).await);
    }

    let page = browser.go("/logout").await;
    browser.submit(&page, "/logout", &[]).await;

    for token in [&one.access, &two.access, &again.access] {
        assert!(provider.is_revoked(token).await);
    }
    for token in &others {
        assert!(!provider.is_revoked(token).await);
    }
}

#[tokio::test]
async fn an_access_token_given_back_is_the_only_one_revoked() {
    let provider = TestProvider::start().await;
    let web = provider.client("web");
    let first = web.tokens_of(ALICE).await;
    web.revoke(&first.access).await.expect(200);
    let second = web.refresh(&first.refresh).await.expect_tokens();
    assert!(provider.is_revoked(&first.access).await);
    assert!(!provider.is_revoked(&second.access).await);
}

#[tokio::test]
async fn a_client_that_is_disabled_and_enabled_again_gets_a_fresh_place() {
    let provider = TestProvider::start().await;
    let worker = provider.client("worker");
    let before = worker.token(&CREDENTIALS).await.expect_tokens().access;
    assert!(!provider.is_revoked(&before).await);
    provider.disable_client("worker").await;
    assert!(provider.is_revoked(&before).await);
    provider.advance(1).await;
    let house = House::of(provider.app().config()).unwrap();
    let now = provider.app().clock.now();
    let enabled = provider.app().store.write(async move |tx| {
        let registrar = Registrar { house: &house, actor: "cli", now };
        registrar.enable_client(tx, &ClientId::new("worker")).await
    });
    assert!(enabled.await.unwrap().unwrap());
    provider.follow_changes().await;
    let after = worker.token(&CREDENTIALS).await.expect_tokens().access;
    assert_ne!(place_of(&before), place_of(&after));
    assert!(provider.is_revoked(&before).await, "a bit is never cleared by enabling");
    assert!(!provider.is_revoked(&after).await);
}

#[tokio::test]
async fn every_way_of_ending_reaches_the_lists() {
    let provider = TestProvider::start().await;
    let (web, spa) = (provider.client("web"), provider.client("spa"));
    let app = provider.app();
    let user = provider.user(ALICE).await;
    let client = ClientId::new("spa");
    for what in ["user", "client", "consent", "sessions"] {
        let token = spa.signed_in_at(&provider.browser(), ALICE).await.access;
        assert!(!provider.is_revoked(&token).await, "{what}");
        let (user, client, now) = (user.clone(), client.clone(), app.clock.now());
        app.store
            .write(async move |tx| {
                let what = match what {
                    "user" => What::User(&user),
                    "client" => What::Client(&client),
                    "consent" => What::Consent { user: &user, client: &client },
                    _ => What::SessionsOf { user: &user, keep: None },
                };
                revoke::end(tx, what, EndReason::Admin, "cli", now).await.map(drop)
            })
            .await
            .unwrap();
        assert!(provider.is_revoked(&token).await, "{what}");
        provider.advance(1).await;
    }
    // A removed person leaves no grant behind, and the bit stays.
    let token = web.tokens_of(BOB).await.access;
    let (bob, now) = (provider.user(BOB).await, app.clock.now());
    let until = now.plus(app.config().status_bit_kept());
    app.store
        .write(async move |tx| {
            revoke::end(tx, What::User(&bob), EndReason::UserDisabled, "cli", now).await?;
            users::remove(tx, &bob, until).await.map(drop)
        })
        .await
        .unwrap();
    assert!(provider.is_revoked(&token).await, "removed");
}

#[tokio::test]
async fn a_bit_cleans_itself_when_no_token_can_need_it_and_that_of_a_copy_stays() {
    let provider = TestProvider::start().await;
    let web = provider.client("web");
    let quiet = web.tokens_of(ALICE).await;
    let copied = web.tokens_of(ALICE).await;
    web.revoke(&quiet.refresh).await.expect(200);
    let next = web.refresh(&copied.refresh).await.expect_tokens();
    web.refresh(&next.refresh).await.expect_tokens();
    provider.advance(60).await;
    web.refresh(&copied.refresh).await.expect_error("invalid_grant");
    assert!(provider.end_reasons().await.contains(&"refresh_reuse".to_owned()));
    assert!(provider.is_revoked(&quiet.access).await && provider.is_revoked(&copied.access).await);
    let (uri, _) = place_of(&quiet.access);
    let version = |list: &StatusList| list.claims["frontdesk_version"].as_i64().unwrap();
    let before = provider.status_list(&uri).await;

    later(&provider, KEPT - 61).await;
    assert!(provider.is_revoked(&quiet.access).await, "a token of it may still be about");
    later(&provider, 121).await;
    assert!(!provider.is_revoked(&quiet.access).await);
    assert!(provider.is_revoked(&copied.access).await);
    let after = provider.status_list(&uri).await;
    assert!(version(&after) > version(&before));
}

#[tokio::test]
async fn all_processes_answer_with_the_same_bytes_and_no_version_goes_back() {
    let provider = TestProvider::start().await;
    let other = provider.twin(|_| ()).await;
    let web = provider.client("web");
    let tokens = web.tokens_of(ALICE).await;
    let (uri, index) = place_of(&tokens.access);
    for each in [&provider, &other] {
        each.publish_status().await;
    }
    let (mine, theirs) = (provider.status_list(&uri).await, other.status_list(&uri).await);
    assert_eq!(mine.answer.body, theirs.answer.body);
    assert_eq!(mine.answer.header("etag"), theirs.answer.header("etag"));

    web.revoke(&tokens.refresh).await.expect(200);
    provider.advance(1).await;
    // The other process signs first; this one takes its list over.
    other.publish_status().await;
    provider.publish_status().await;
    let (mine, theirs) = (provider.status_list(&uri).await, other.status_list(&uri).await);
    assert!(mine.is_set(index) && theirs.is_set(index));
    assert_eq!(mine.answer.body, theirs.answer.body);
    assert_eq!(mine.claims["frontdesk_version"], 2);
    assert_eq!(provider.number("SELECT COUNT(*) FROM status_list_tokens WHERE version = 2").await, 1);
}

#[tokio::test]
async fn a_list_says_how_long_it_is_good_and_is_signed_again_in_time() {
    let provider = TestProvider::start().await;
    let token = provider.client("web").tokens_of(ALICE).await.access;
    let (uri, _) = place_of(&token);
    provider.publish_status().await;
    let first = provider.status_list(&uri).await;
    let now = provider.now();
    assert_eq!(first.claims["iss"], provider.issuer());
    assert_eq!((first.claims["iat"].as_i64(), first.claims["exp"].as_i64()), (Some(now), Some(now + 300)));
    assert_eq!(first.claims["ttl"], 10);
    assert_eq!(first.claims["status_list"]["aggregation_uri"], format!("{}/status", provider.issuer()));
    assert!(first.claims.get("denied_kids").is_none());
    assert_eq!(first.answer.header("cache-control"), "public, max-age=5");
    assert_eq!(first.answer.header("access-control-allow-origin"), "*");
    assert!(first.set().is_empty());

    provider.advance(119).await;
    provider.publish_status().await;
    assert_eq!(provider.status_list(&uri).await.answer.body, first.answer.body, "nothing has changed");
    provider.advance(1).await;
    provider.publish_status().await;
    let again = provider.status_list(&uri).await;
    assert_eq!(again.claims["iat"].as_i64(), Some(now + 120));
    assert_eq!(again.claims["frontdesk_version"], first.claims["frontdesk_version"], "the content is the same");

    // A process that reaches its database no more vouches for the list as long as the list says.
    provider.advance(299).await;
    provider.status_list(&uri).await;
    provider.advance(1).await;
    let path = uri.strip_prefix(provider.issuer()).unwrap();
    let gone = provider.get(path).await;
    assert_eq!(gone.json()["error"], "temporarily_unavailable");
    assert_eq!((gone.status.as_u16(), gone.header("retry-after")), (503, "1"));
    assert_eq!(gone.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn the_lists_are_found_and_nothing_else_is() {
    let provider = TestProvider::start().await;
    let token = provider.client("web").tokens_of(ALICE).await.access;
    let (uri, _) = place_of(&token);
    provider.publish_status().await;
    let all = provider.get("/status").await.expect(200);
    let lists = all.json()["status_lists"].as_array().unwrap().clone();
    assert!(lists.contains(&uri.clone().into()), "{lists:?}");
    assert_eq!(lists.len(), 2, "the clients' and that of the grants");
    let metadata = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["status_list_aggregation_endpoint"], format!("{}/status", provider.issuer()));

    let path = uri.strip_prefix(provider.issuer()).unwrap().to_owned();
    let etag = provider.get(&path).await.header("etag").to_owned();
    provider.get_with(&path, &[("if-none-match", &etag)]).await.expect(304);
    let past = provider.get(&format!("{path}?time=1686925000")).await;
    assert_eq!(past.status.as_u16(), 501);
    for other in [
        "/status/1",
        "/status/x",
        "/status/0",
        "/status/",
        &format!("{path}/1"),
        &path.replace("/status/", "/status/0"),
    ] {
        assert_eq!(provider.get(other).await.status.as_u16(), 404, "{other}");
    }
}

#[tokio::test]
async fn a_list_retires_with_the_last_token_of_its_day() {
    let provider = TestProvider::start().await;
    let token = provider.client("web").tokens_of(ALICE).await.access;
    let (uri, _) = place_of(&token);
    provider.publish_status().await;
    let path = uri.strip_prefix(provider.issuer()).unwrap().to_owned();
    let ends = provider.number("SELECT MAX(expires_at) FROM grants").await;
    let purge = async || {
        purge::once(provider.app(), provider.app().clock.now(), &CancellationToken::new()).await.unwrap();
        provider.publish_status().await;
        provider.get(&path).await.status.as_u16()
    };
    let until = |moment: i64| u64::try_from(moment - provider.now()).unwrap();
    provider.advance(until(ends + 3600)).await;
    assert_eq!(purge().await, 200);
    let day_over = (ends.div_euclid(86_400) + 1) * 86_400;
    provider.advance(until(day_over + 2 * 3600)).await;
    assert_eq!(purge().await, 404);
    assert_eq!(provider.get("/status").await.json()["status_lists"].as_array().unwrap().len(), 1, "the clients' stays");
}

#[tokio::test]
async fn a_revoked_key_is_denied_in_every_list_and_signs_none() {
    let provider = TestProvider::start().await;
    let token = provider.client("web").tokens_of(ALICE).await.access;
    let (uri, _) = place_of(&token);
    provider.publish_status().await;
    let before = provider.status_list(&uri).await;
    let kid = before.header.kid.clone().unwrap();

    at_desk(&provider, async |desk| desk.revoke(&kid, Lost::Key, "lost").await.unwrap()).await;
    provider.publish_status().await;

    let after = provider.status_list(&uri).await;
    assert_ne!(after.header.kid.as_ref(), Some(&kid));
    assert_eq!(after.claims["denied_kids"], serde_json::json!([kid]));
    // After two days everybody has had the new key set.
    provider.advance(48 * 3600).await;
    provider.publish_status().await;
    assert!(provider.status_list(&uri).await.claims.get("denied_kids").is_none());
}
