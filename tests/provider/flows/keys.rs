//! Keys that turn while apps are at work.

use std::sync::Arc;
use std::time::Duration;

use frontdesk::app::key_policy;
use frontdesk::audit::chain::ChainKey;
use frontdesk::audit::verify::verify;
use frontdesk::domain::alg::Alg;
use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::ClientId;
use frontdesk::jobs::{note_sightings, seal_audit, turn_keys};
use frontdesk::keys::KeysError;
use frontdesk::keys::rotation::Refused;
use frontdesk::keys::state::KeyState;
use frontdesk::keys::vault::Vault;
use frontdesk::tokens::consequences::Lost;
use frontdesk::tokens::key_desk::{KeyDesk, Listed};
use frontdesk::tokens::revoke;
use serde_json::Value;

use crate::support::{ALICE, Answer, BOB, TestProvider, claims_of};

const PUBLISH_AHEAD: u64 = 900;

/// A house whose keys turn every half hour, a quarter of an hour ahead.
async fn house() -> TestProvider {
    TestProvider::with(|config| {
        config.keys.period = Duration::from_secs(1_800);
        config.keys.publish_ahead = Duration::from_secs(PUBLISH_AHEAD);
        config.keys.patience = Duration::from_secs(600);
    })
    .await
}

pub(super) async fn at_desk<T>(provider: &TestProvider, act: impl AsyncFnOnce(&KeyDesk<'_>) -> T) -> T {
    let app = provider.app();
    let folder = tempfile::tempdir().unwrap();
    let vault: &Vault = &app.vault;
    let desk = KeyDesk {
        store: &app.store,
        vault,
        policy: key_policy(app.config()),
        data_folder: folder.path(),
        actor: "cli",
        now: app.clock.now(),
        clock: &app.clock,
    };
    let outcome = act(&desk).await;
    provider.follow_changes().await;
    outcome
}

async fn listed(provider: &TestProvider, alg: Alg, state: KeyState) -> Listed {
    at_desk(provider, async |desk| {
        let (records, forged) = desk.records().await.unwrap();
        assert_eq!(forged, Vec::<String>::new());
        let known = desk.propagation().await.unwrap();
        let mut found = records.iter().filter(|key| key.alg() == alg && key.state == state);
        let key = found.next().unwrap_or_else(|| panic!("no {alg} key is {state}"));
        Listed::of(key, known.waiting_for(key, desk.now))
    })
    .await
}

async fn key_set(provider: &TestProvider, query: &str, from: &str) -> Answer {
    let mut request = axum::http::Request::get(format!("/.well-known/jwks.json{query}"))
        .header("user-agent", "shop/1.0 (test)")
        .body(axum::body::Body::empty())
        .unwrap();
    let from: std::net::SocketAddr = format!("{from}:4711").parse().unwrap();
    request.extensions_mut().insert(axum::extract::ConnectInfo(from));
    let answer = provider.send(request).await;
    note_sightings::once(provider.app(), provider.app().clock.now()).await.unwrap();
    answer
}

fn kid_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[tokio::test]
async fn a_key_turns_by_itself_and_every_token_stays_good_to_its_end() {
    let provider = house().await;
    let app = provider.client("web");
    let (old, next) =
        (listed(&provider, Alg::ES256, KeyState::Active).await, listed(&provider, Alg::ES256, KeyState::Pending).await);
    provider.advance(1_700).await;
    let before = app.tokens_of(ALICE).await;
    assert_eq!(kid_of(&before.access), old.kid);
    provider.client("api").introspect(&before.access).await.expect(200);
    note_sightings::once(provider.app(), provider.app().clock.now()).await.unwrap();
    // The API that checks these tokens is at work and never fetched anything: it is waited for, as long as the patience lasts.
    provider.advance(150).await;
    turn_keys::once(provider.app(), provider.app().clock.now()).await.unwrap();
    assert_eq!(listed(&provider, Alg::ES256, KeyState::Active).await.kid, old.kid);
    assert!(listed(&provider, Alg::ES256, KeyState::Pending).await.waiting_for.contains(&ClientId::new("api")));
    provider.advance(549).await;
    turn_keys::once(provider.app(), provider.app().clock.now()).await.unwrap();
    assert_eq!(listed(&provider, Alg::ES256, KeyState::Active).await.kid, old.kid);
    provider.advance(1).await;
    turn_keys::once(provider.app(), provider.app().clock.now()).await.unwrap();
    assert_eq!(listed(&provider, Alg::ES256, KeyState::Active).await.kid, next.kid);
    let after = app.tokens_of(ALICE).await;
    assert_eq!(kid_of(&after.access), next.kid);
    let (header, _) = provider.verify(&before.access).await;
    assert_eq!(header.kid, Some(old.kid.clone()), "the key set still has the old key");
    app.userinfo(&before.access).await.expect(200);
    app.userinfo(&after.access).await.expect(200);
    assert_eq!(listed(&provider, Alg::ES256, KeyState::Retiring).await.kid, old.kid);
}

#[tokio::test]
async fn an_app_is_waited_for_until_it_fetched_the_key_from_where_it_authenticates() {
    let provider = house().await;
    let app = provider.client("web");
    let alg = provider.app().provider.directory.snapshot().client("web").unwrap().settings.id_token_signed_response_alg;
    app.tokens_of(ALICE).await;
    let waiting_for = async || {
        note_sightings::once(provider.app(), provider.app().clock.now()).await.unwrap();
        listed(&provider, alg, KeyState::Pending).await.waiting_for
    };
    assert_eq!(waiting_for().await, [ClientId::new("web")]);
    key_set(&provider, "?app=web", "203.0.113.99").await.expect(200);
    assert_eq!(waiting_for().await, [ClientId::new("web")], "a stranger said its name");
    key_set(&provider, "?app=web", "192.0.2.7").await.expect(200);
    assert_eq!(waiting_for().await, Vec::<ClientId>::new());
    let sightings = provider.texts("SELECT app || ' ' || origin || ' ' || agent FROM key_sightings ORDER BY 1").await;
    assert_eq!(sightings, ["web 192.0.2.7 shop/1.0", "web 203.0.113.99 shop/1.0"]);
}

#[tokio::test]
async fn an_app_is_known_by_its_address_and_by_what_the_verifier_says_and_a_304_counts() {
    let provider = house().await;
    let app = provider.client("web");
    app.tokens_of(ALICE).await;
    key_set(&provider, "", "192.0.2.7").await.expect(200);
    key_set(&provider, "", "198.51.100.77").await.expect(200);
    let answer = key_set(&provider, "", "192.0.2.7").await;
    let etag = answer.header("etag").to_owned();
    provider
        .get_with("/.well-known/jwks.json", &[("if-none-match", &etag), ("frontdesk-app", "post")])
        .await
        .expect(304);
    note_sightings::once(provider.app(), provider.app().clock.now()).await.unwrap();
    let sightings =
        provider.texts("SELECT app || ' ' || origin || ' ' || CAST(times AS TEXT) FROM key_sightings ORDER BY 1").await;
    assert_eq!(sightings, [" 198.51.100.0/24 1", "post 192.0.2.7 1", "web 192.0.2.7 2"]);
    // Two that authenticate at one address cannot be told apart by it.
    provider.client("post").tokens_of(ALICE).await;
    key_set(&provider, "", "192.0.2.7").await;
    key_set(&provider, "", "192.0.2.7").await;
    let strangers = "SELECT CAST(SUM(times) AS BIGINT) FROM key_sightings WHERE app = '' AND origin = '192.0.2.0/24'";
    assert!(provider.number(strangers).await >= 1);
}

#[tokio::test]
async fn a_lost_key_is_out_at_once_and_people_stay_signed_in() {
    let provider = house().await;
    let app = provider.client("web");
    let tokens = app.tokens_of(ALICE).await;
    let second = provider.second_process().await;
    provider.advance(60).await;
    let lost = kid_of(&tokens.access);
    let report = at_desk(&provider, async |desk| {
        let report = desk.consequences(&lost, Lost::Key).await.unwrap().unwrap();
        desk.revoke(&lost, Lost::Key, "found on the street").await.unwrap();
        report
    })
    .await;
    assert_eq!((report.people, report.apps, report.client_ids.as_slice()), (1, 1, &["web".to_owned()][..]));
    assert!(report.live_tokens >= 1, "{report:?}");
    assert!(report.recovered_by > provider.app().clock.now().to_string());

    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert!(!app.sees_alive(&tokens.access).await);
    let next = app.refresh(&tokens.refresh).await.expect_tokens();
    assert_ne!(kid_of(&next.access), lost);
    provider.verify(&next.access).await;
    app.userinfo(&next.access).await.expect(200);
    let set: Value = key_set(&provider, "", "192.0.2.7").await.json();
    assert!(set["keys"].as_array().unwrap().iter().all(|key| key["kid"] != lost.as_str()), "{set}");
    let answer = provider.get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=30");
    // The other process, at its next look.
    second.follow_changes().await.unwrap();
    assert_eq!(second.provider.keys.ring().jwks().bytes, provider.app().provider.keys.ring().jwks().bytes);
    provider.advance(48 * 3_600).await;
    let answer = provider.get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");

    let again = at_desk(&provider, async |desk| desk.revoke(&lost, Lost::Key, "again").await).await;
    assert!(matches!(again, Err(KeysError::Refused(Refused::AlreadyRevoked(_)))), "{again:?}");
    assert_eq!(provider.audited("key.compromise").await, 1);
    assert_eq!(provider.audited("key.refused").await, 1);
}

#[tokio::test]
async fn a_lost_host_replaces_all_that_lay_on_it_and_everyone_signs_in_again() {
    let provider = house().await;
    let (app, worker) = (provider.client("web"), provider.client("worker"));
    let browser = provider.browser();
    let before = app.tokens_at(&browser, ALICE).await;
    let service = worker.token(&[("grant_type", "client_credentials"), ("scope", "notes:read")]).await.expect(200);
    let service = service.text("access_token");
    let (behind, ahead) = (provider.twin(|_| {}).await, provider.second_process().await);
    let on_the_way = behind.client("web").code_of(ALICE).await;
    seal_audit::once(provider.app(), false).await.unwrap();
    note_sightings::once(provider.app(), provider.app().clock.now()).await.unwrap();
    provider.advance(60).await;
    let lost = kid_of(&before.access);
    let old: Vec<String> = provider.texts("SELECT kid FROM signing_keys").await;
    // One was thrown out long before.
    let first = old.iter().find(|kid| **kid != lost).unwrap();
    at_desk(&provider, async |desk| desk.revoke(first, Lost::Key, "a drill").await.unwrap()).await;

    behind.follow_changes().await;
    let report = at_desk(&provider, async |desk| {
        let nobody = desk.revoke("nobody", Lost::Host, "stolen").await;
        assert!(matches!(nobody, Err(KeysError::Refused(Refused::UnknownKey(_)))), "{nobody:?}");
        let report = desk.consequences(&lost, Lost::Host).await.unwrap().unwrap();
        desk.revoke(&lost, Lost::Host, "the machine was stolen").await.unwrap();
        report
    })
    .await;
    assert_eq!((report.people, report.sessions), (1, 2), "{report:?}");
    assert!(report.live_tokens >= 3, "access and ID token of a person, and that of the service: {report:?}");
    assert_eq!(report.client_ids, ["web", "worker"]);

    // Nothing from before is good, nowhere.
    ahead.follow_changes().await.unwrap();
    for (token, client) in [(&before.access, &app), (&service, &worker)] {
        assert!(!client.sees_alive(token).await);
    }
    app.userinfo(&before.access).await.expect_error("invalid_token");
    app.refresh(&before.refresh).await.expect_error("invalid_grant");
    assert!(browser.go("/account").await.path.starts_with("/login"), "the session is over");
    let old_and_good = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL";
    assert_eq!(provider.number(old_and_good).await, 0);
    let reasons = provider.texts("SELECT DISTINCT reason FROM grants").await;
    assert_eq!(reasons, ["host_lost"]);
    // Also what a process which has not heard of it yet gave out since: it was given under roots that are lost.
    let late = behind.client("web").redeem(&on_the_way).await;
    assert_eq!(late.status, 400, "{late:?}");
    provider.advance(1).await;
    let late = behind.client("post").tokens_of(BOB).await;
    provider.client("post").refresh(&late.refresh).await.expect_error("invalid_grant");

    // The ring is whole and new, for every process.
    let states = "SELECT alg || ' ' || state FROM signing_keys WHERE state <> 'revoked' ORDER BY 1";
    assert_eq!(provider.texts(states).await, ["ES256 active", "ES256 pending"]);
    behind.follow_changes().await;
    for process in [provider.app(), behind.app(), &Arc::new(ahead)] {
        assert!(process.unready().is_empty());
        let published: Vec<String> =
            process.provider.keys.ring().published().map(|key| key.kid().to_string()).collect();
        assert!(published.len() == 2 && published.iter().all(|kid| !old.contains(kid)), "{published:?}");
    }
    // Who signs in again is served, by all of them; and by one that starts now.
    app.tokens_at(&browser, ALICE).await;
    let current = provider.texts("SELECT id FROM refresh_roots WHERE ended_at IS NULL").await;
    let roots = "SELECT root_id FROM refresh_families WHERE ended_at IS NULL AND grant_id IN \
                 (SELECT id FROM grants WHERE client_id = 'web')";
    assert_eq!(provider.texts(roots).await, current);
    // The end of older rows comes by and by; those who are back already stay.
    let moment = provider.app().clock.now();
    provider.advance(1).await;
    let early = app.tokens_at(&provider.browser(), BOB).await;
    revoke::end_all(&provider.app().store, EndReason::HostLost, "cli", moment).await.unwrap();
    app.refresh(&early.refresh).await.expect_tokens();
    let after = app.tokens_at(&browser, ALICE).await;
    behind.follow_changes().await;
    let after = behind.client("web").refresh(&after.refresh).await.expect_tokens();
    let newcomer = provider.twin(|_| {}).await;
    newcomer.client("web").refresh(&after.refresh).await.expect_tokens();
    newcomer.client("worker").token(&[("grant_type", "client_credentials")]).await.expect(200);

    // The audit goes on under the new key, and is whole.
    seal_audit::once(provider.app(), false).await.unwrap();
    let keys = "SELECT COUNT(DISTINCT key_id) FROM audit WHERE number IS NOT NULL";
    assert_eq!((provider.number(keys).await, provider.audited("all.end").await), (2, 2));
    let app = provider.app();
    let chain = verify(&app.store, &ChainKey::from_vault(&app.vault), &[]).await.unwrap();
    assert_eq!(chain.problems, []);
    let history = provider.get("/.well-known/historical-keys.jwt").await.expect(200);
    for kid in old {
        assert!(claims_of(&history.body)["keys"].to_string().contains(&kid), "{kid}");
    }
}

#[tokio::test]
async fn a_canary_gets_tokens_of_the_next_key_and_nobody_else() {
    let provider = house().await;
    let (app, other) = (provider.client("web"), provider.client("post"));
    provider.advance(PUBLISH_AHEAD + 1).await;
    let next = listed(&provider, Alg::ES256, KeyState::Pending).await.kid;
    at_desk(&provider, async |desk| desk.canary(&ClientId::new("web"), &[Alg::ES256]).await.unwrap()).await;
    let (tried, usual) = (app.tokens_of(ALICE).await, other.tokens_of(ALICE).await);
    assert_eq!(kid_of(&tried.access), next);
    assert_ne!(kid_of(&usual.access), next);
    provider.verify(&tried.access).await;
    app.userinfo(&tried.access).await.expect(200);
    assert!(app.sees_alive(&tried.access).await);
    provider.advance(3_600).await;
    assert_ne!(kid_of(&app.tokens_of(ALICE).await.access), next, "it stops by itself");
}

#[tokio::test]
async fn a_turn_by_hand_waits_for_what_is_safe_and_can_be_forced() {
    let provider = house().await;
    let next = listed(&provider, Alg::ES256, KeyState::Pending).await;
    let rotated = at_desk(&provider, async |desk| desk.rotate(&[Alg::ES256], false).await.unwrap()).await.remove(0);
    assert_eq!((rotated.kid.as_str(), rotated.active), (next.kid.as_str(), false));
    let safe = rotated.activate_at.clone();
    provider.advance(PUBLISH_AHEAD).await;
    let rotated = at_desk(&provider, async |desk| desk.rotate(&[Alg::ES256], false).await.unwrap()).await.remove(0);
    assert_eq!((rotated.active, &rotated.activate_at), (false, &safe), "asking twice changes nothing");
    provider.advance(1).await;
    assert_eq!(turn_keys::once(provider.app(), provider.app().clock.now()).await.unwrap().len(), 3);
    assert_eq!(listed(&provider, Alg::ES256, KeyState::Active).await.kid, next.kid);

    let next = listed(&provider, Alg::ES256, KeyState::Pending).await;
    let rotated = at_desk(&provider, async |desk| desk.rotate(&[Alg::ES256], true).await.unwrap()).await.remove(0);
    assert_eq!((rotated.kid.as_str(), rotated.active), (next.kid.as_str(), true));
}

#[tokio::test]
async fn a_drill_counts_and_changes_nothing() {
    let provider = house().await;
    provider.client("web").tokens_of(ALICE).await;
    provider.client("post").tokens_of(ALICE).await;
    let rows = "SELECT kid || state || mac FROM signing_keys ORDER BY kid";
    let before = provider.texts(rows).await;
    let report = at_desk(&provider, async |desk| desk.drill(Alg::ES256).await.unwrap()).await;
    assert_eq!((report.people, report.apps), (1, 2), "{report:?}");
    assert_eq!(report.kid, listed(&provider, Alg::ES256, KeyState::Active).await.kid);
    assert_eq!(provider.texts(rows).await, before);
    assert_eq!(provider.audited("key.drill").await, 1);
}

#[tokio::test]
async fn the_key_set_says_when_to_come_back() {
    let provider = house().await;
    let answer = provider.get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let expires = provider.app().clock.now().plus(Duration::from_secs(300)).http_date();
    assert_eq!(answer.header("expires"), expires);
    let planned = listed(&provider, Alg::ES256, KeyState::Pending).await.activate_at;
    provider.advance(1_800 - 40).await;
    assert_eq!(planned, provider.app().clock.now().plus(Duration::from_secs(40)).to_string());
    let answer = provider.get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=40");
}

#[tokio::test]
async fn past_keys_and_why_one_was_revoked_stand_in_a_signed_document() {
    let provider = house().await;
    let lost = listed(&provider, Alg::ES256, KeyState::Active).await.kid;
    at_desk(&provider, async |desk| desk.revoke(&lost, Lost::Key, "found on the street").await.unwrap()).await;
    let metadata: Value = provider.get("/.well-known/openid-configuration").await.json();
    let url = metadata["federation_historical_keys_endpoint"].as_str().unwrap();
    let answer = provider.get(url.strip_prefix(provider.issuer()).unwrap()).await;
    assert_eq!(answer.header("content-type"), "application/jwk-set+jwt");
    let (header, claims) = provider.verify_with(&answer.body, &["iss"]).await;
    assert_eq!(header.typ.as_deref(), Some("jwk-set+jwt"));
    assert_eq!(claims["iss"], provider.issuer());
    let key = &claims["keys"][0];
    assert_eq!((key["kid"].as_str(), key["kty"].as_str()), (Some(lost.as_str()), Some("EC")));
    assert_eq!(key["revoked"]["revoked_at"], provider.now());
    assert_eq!(key["revoked"]["reason"], "compromised");
    assert_eq!(key["revoked"]["frontdesk_reason"], "found on the street");
    assert_eq!((key["nbf"].as_i64(), key["exp"].as_i64()), (Some(provider.now()), Some(provider.now())));
    // It is no token of ours.
    provider.client("web").userinfo(&answer.body).await.expect_error("invalid_token");
}
