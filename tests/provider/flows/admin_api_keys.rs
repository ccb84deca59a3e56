//! The keys at the admin API: what a program is told, what it can do, and what it cannot.

use std::time::Duration;

use frontdesk::domain::alg::Alg;
use serde_json::{Value, json};

use crate::support::{ADMIN, ALICE, Answer, TestProvider};

const PUBLISH_AHEAD: u64 = 900;

/// A house whose keys turn every half hour, a quarter of an hour ahead.
async fn house() -> TestProvider {
    house_with(&[Alg::ES256]).await
}

async fn house_with(algs: &[Alg]) -> TestProvider {
    TestProvider::with(|config| {
        config.keys.algorithms = algs.to_vec();
        config.keys.period = Duration::from_secs(1_800);
        config.keys.publish_ahead = Duration::from_secs(PUBLISH_AHEAD);
    })
    .await
}

/// A fresh token each time: some of these calls throw out the key that signed it.
async fn bearer(provider: &TestProvider) -> String {
    format!("Bearer {}", provider.client("robot").own_token("frontdesk:admin").await)
}

async fn keys(provider: &TestProvider) -> Vec<Value> {
    let answer = provider.get_with("/admin/api/v1/keys", &[("authorization", &bearer(provider).await)]).await;
    let told = answer.expect(200).json();
    assert_eq!(told["not_believed"], json!([]));
    told["keys"].as_array().unwrap().clone()
}

async fn key(provider: &TestProvider, alg: &str, state: &str) -> Value {
    let found = keys(provider).await.into_iter().find(|key| key["alg"] == alg && key["state"] == state);
    found.unwrap_or_else(|| panic!("no {alg} key is {state}"))
}

fn kid(key: &Value) -> &str {
    key["kid"].as_str().unwrap()
}

async fn post(provider: &TestProvider, path: &str, body: &str) -> Answer {
    let token = bearer(provider).await;
    let request = axum::http::Request::post(format!("/admin/api/v1/keys/{path}"))
        .header("authorization", token)
        .body(axum::body::Body::from(body.to_owned()))
        .unwrap();
    provider.send(request).await
}

async fn published(provider: &TestProvider) -> Vec<String> {
    let set = provider.get("/.well-known/jwks.json").await.expect(200).json();
    set["keys"].as_array().unwrap().iter().map(|key| kid(key).to_owned()).collect()
}

/// Everything about keys that could change, but who fetched them.
async fn ring(provider: &TestProvider) -> Vec<String> {
    provider.texts("SELECT kid || ' ' || state || ' ' || mac FROM signing_keys ORDER BY kid").await
}

async fn audited(provider: &TestProvider, action: &str) -> Vec<(String, Value)> {
    let sql = format!("SELECT actor || ' ' || subject || ' ' || data FROM audit WHERE action = '{action}' ORDER BY id");
    let rows = provider.texts(&sql).await;
    let split = |row: String| {
        let at = row.find('{').unwrap();
        (row[..at].trim_end().to_owned(), serde_json::from_str(&row[at..]).unwrap())
    };
    rows.into_iter().map(split).collect()
}

#[tokio::test]
async fn the_list_tells_states_times_and_whom_a_key_waits_for() {
    let provider = house_with(&[Alg::ES256, Alg::RS256]).await;
    provider.robot().await;
    let all = keys(&provider).await;
    let states: Vec<(&str, &str)> =
        all.iter().map(|key| (key["alg"].as_str().unwrap(), key["state"].as_str().unwrap())).collect();
    for alg in ["ES256", "RS256"] {
        for state in ["active", "pending"] {
            assert_eq!(states.iter().filter(|one| **one == (alg, state)).count(), 1, "{alg} {state} {states:?}");
        }
    }
    let next = key(&provider, "ES256", "pending").await;
    let members: Vec<&str> = next.as_object().unwrap().keys().map(String::as_str).collect();
    for member in ["kid", "alg", "state", "created_at", "published_at", "activate_at", "retire_at", "waiting_for"] {
        assert!(members.contains(&member), "{member} {members:?}");
    }
    for moment in ["created_at", "published_at", "activate_at"] {
        assert!(next[moment].as_str().unwrap().ends_with('Z'), "{next}");
    }
    assert!(next["activate_at"].as_str() > next["published_at"].as_str(), "{next}");
    // An API at work that was never seen to fetch the key; the one that signs waits for nobody.
    assert_eq!(next["waiting_for"], json!([]));
    let token = provider.client("web").tokens_of(ALICE).await;
    provider.client("api").introspect(&token.access).await.expect(200);
    let app = provider.app();
    frontdesk::jobs::note_sightings::once(app, app.clock.now()).await.unwrap();
    let waiting = key(&provider, "ES256", "pending").await["waiting_for"].clone();
    assert!(waiting.as_array().unwrap().contains(&json!("api")), "{waiting}");
    assert_eq!(key(&provider, "ES256", "active").await["waiting_for"], json!([]));
    // Nothing private and no MAC leaves the house.
    let text = Value::from(keys(&provider).await).to_string();
    for secret in ["private", "sealed", "mac\"", "\"d\"", "kek_id"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_turn_is_promised_for_a_safe_moment_and_kept_then() {
    let provider = house().await;
    provider.robot().await;
    let next = key(&provider, "ES256", "pending").await;
    let promised = post(&provider, "ES256/rotate", "").await.expect(202).json();
    assert_eq!(
        (&promised["alg"], &promised["kid"], &promised["active"]),
        (&json!("ES256"), &next["kid"], &json!(false))
    );
    assert_eq!(promised["activate_at"], key(&provider, "ES256", "pending").await["activate_at"], "as the list says");
    assert!(promised["activate_at"].as_str() < next["activate_at"].as_str(), "earlier than it was planned");
    assert_ne!(key(&provider, "ES256", "active").await["kid"], next["kid"], "not yet");
    // Asking again changes nothing, and after the moment has come it signs.
    provider.advance(PUBLISH_AHEAD).await;
    let again = post(&provider, "ES256/rotate", "").await.expect(202).json();
    assert_eq!(again["activate_at"], promised["activate_at"]);
    provider.advance(2).await;
    let app = provider.app();
    frontdesk::jobs::turn_keys::once(app, app.clock.now()).await.unwrap();
    assert_eq!(key(&provider, "ES256", "active").await["kid"], next["kid"]);
}

#[tokio::test]
async fn a_turn_at_once_is_made_at_once_and_recorded_by_whom() {
    let provider = house_with(&[Alg::ES256, Alg::RS256]).await;
    provider.robot().await;
    let (old, next) = (key(&provider, "ES256", "active").await, key(&provider, "ES256", "pending").await);
    let other = key(&provider, "RS256", "active").await;
    let turned = post(&provider, "ES256/rotate?now=true", "").await.expect(200).json();
    assert_eq!((&turned["kid"], &turned["active"]), (&next["kid"], &json!(true)));
    assert_eq!(key(&provider, "ES256", "active").await["kid"], next["kid"]);
    assert_eq!(key(&provider, "ES256", "retiring").await["kid"], old["kid"]);
    assert_eq!(key(&provider, "RS256", "active").await["kid"], other["kid"]);
    let set = published(&provider).await;
    assert!(set.contains(&kid(&old).to_owned()) && set.contains(&kid(&next).to_owned()), "what it signed stays good");
    let by = provider.texts("SELECT DISTINCT actor FROM audit WHERE action = 'key.activate'").await;
    assert!(by.contains(&"client:robot".to_owned()), "{by:?}");
    for (path, status, error) in [
        ("HS256/rotate", 404, "not_found"),
        ("none/rotate?now=true", 404, "not_found"),
        ("ES256/rotate?now=perhaps", 400, "invalid_request"),
    ] {
        let before = ring(&provider).await;
        assert_eq!(post(&provider, path, "").await.expect(status).json()["error"], error, "{path}");
        assert_eq!(ring(&provider).await, before, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_thrown_out_only_with_a_reason_that_can_be_published() {
    let provider = house().await;
    provider.robot().await;
    let lost = key(&provider, "ES256", "active").await;
    let path = format!("{}/revoke", kid(&lost));
    let before = ring(&provider).await;
    for body in [
        "",
        "lost",
        "null",
        "{}",
        "[]",
        r#"{"reason":""}"#,
        r#"{"reason":"  "}"#,
        r#"{"reason":7}"#,
        r#"{"reason":null}"#,
        r#"{"reason":"two\nlines"}"#,
        r#"{"reason":"lost","sure":true}"#,
        r#"{"reason":"lost"} trailing"#,
        &json!({ "reason": "x".repeat(201) }).to_string(),
    ] {
        let answer = post(&provider, &path, body).await.expect(400).json();
        assert_eq!(answer["error"], "invalid_request", "{body}");
        assert!(answer["error_description"].as_str().unwrap().contains("reason"), "{body}");
    }
    assert_eq!(ring(&provider).await, before);
    assert_eq!(provider.audited("key.compromise").await, 0);
    post(&provider, &path, &json!({ "reason": "x".repeat(200) }).to_string()).await.expect(200);
}

#[tokio::test]
async fn a_key_that_was_thrown_out_is_out_and_the_answer_says_what_that_meant() {
    let provider = house().await;
    provider.robot().await;
    let lost = key(&provider, "ES256", "active").await;
    let next = key(&provider, "ES256", "pending").await;
    let tokens = provider.client("web").tokens_of(ALICE).await;
    assert!(published(&provider).await.contains(&kid(&lost).to_owned()));
    let report = post(&provider, &format!("{}/revoke", kid(&lost)), r#"{"reason":" found on the street "}"#).await;
    let report = report.expect(200).json();
    assert_eq!((&report["kid"], &report["alg"], &report["state"]), (&lost["kid"], &json!("ES256"), &json!("active")));
    assert_eq!(report["people"], 1, "{report}");
    assert!(report["client_ids"].as_array().unwrap().contains(&json!("web")), "{report}");
    assert_eq!(report["apps"], report["client_ids"].as_array().unwrap().len());
    assert!(report["live_tokens"].as_u64().unwrap() >= 1, "{report}");
    assert!(report["recovered_by"].as_str().unwrap().ends_with('Z'), "{report}");

    assert!(!published(&provider).await.contains(&kid(&lost).to_owned()));
    provider.client("web").userinfo(&tokens.access).await.expect_error("invalid_token");
    let revoked = key(&provider, "ES256", "revoked").await;
    assert_eq!((&revoked["kid"], &revoked["reason"]), (&lost["kid"], &json!("found on the street")));
    assert_eq!(key(&provider, "ES256", "active").await["kid"], next["kid"], "what waited took over");
    let recorded = audited(&provider, "key.compromise").await;
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0].0, format!("client:robot {}", kid(&lost)));
    assert_eq!(recorded[0].1["reason"], "found on the street");
}

#[tokio::test]
async fn a_key_that_is_not_there_or_is_out_already_is_refused_and_that_is_recorded() {
    let provider = house().await;
    provider.robot().await;
    let lost = key(&provider, "ES256", "active").await;
    let path = format!("{}/revoke", kid(&lost));
    post(&provider, &path, r#"{"reason":"lost"}"#).await.expect(200);
    let before = ring(&provider).await;
    let answer = post(&provider, &path, r#"{"reason":"again"}"#).await.expect(409).json();
    assert_eq!(answer["error"], "not_possible");
    assert!(answer["error_description"].as_str().unwrap().contains("revoked before"), "{answer}");
    for path in ["nobody/revoke", "ES256/revoke", "%20/revoke", "a%00b/revoke"] {
        let answer = post(&provider, path, r#"{"reason":"again"}"#).await.expect(404).json();
        assert_eq!(answer["error"], "not_found", "{path}");
    }
    assert_eq!(post(&provider, "%ff/revoke", r#"{"reason":"again"}"#).await.expect(404).json()["error"], "not_found");
    assert_eq!(ring(&provider).await, before);
    assert_eq!(provider.audited("key.compromise").await, 1);
    let refused = audited(&provider, "key.refused").await;
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert_eq!(refused[0].0, format!("client:robot {}", kid(&lost)));
    assert_eq!(refused[1].0, "client:robot nobody");
    assert!(refused.iter().all(|(_, data)| data["act"] == "revoke"), "{refused:?}");
    assert_eq!(key(&provider, "ES256", "revoked").await["reason"], "lost", "the first reason stays");
}

#[tokio::test]
async fn a_drill_tells_what_a_revocation_would_and_changes_nothing() {
    let provider = house().await;
    provider.robot().await;
    provider.client("web").tokens_of(ALICE).await;
    let signs = key(&provider, "ES256", "active").await;
    let (before, set) = (ring(&provider).await, published(&provider).await);
    let report = post(&provider, "ES256/drill", "").await.expect(200).json();
    assert_eq!((ring(&provider).await, published(&provider).await), (before, set));
    let recorded = audited(&provider, "key.drill").await;
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0].0, format!("client:robot {}", kid(&signs)));
    assert_eq!(recorded[0].1["live_tokens"], report["live_tokens"]);
    assert_eq!((&report["kid"], &report["people"]), (&signs["kid"], &json!(1)));
    for alg in ["HS256", "es256", "nothing"] {
        assert_eq!(
            post(&provider, &format!("{alg}/drill"), "").await.expect(404).json()["error"],
            "not_found",
            "{alg}"
        );
    }
    assert_eq!(provider.audited("key.drill").await, 1);
    // And so it comes to pass.
    let meant = post(&provider, &format!("{}/revoke", kid(&signs)), r#"{"reason":"drilled"}"#).await.expect(200).json();
    for member in ["kid", "people", "apps", "client_ids"] {
        assert_eq!(meant[member], report[member], "{member}");
    }
}

#[tokio::test]
async fn an_admins_app_acts_in_the_admins_name() {
    let provider = house().await;
    provider.robot().await;
    let token = provider.panel().await.token_of(ADMIN, "openid frontdesk:admin").await;
    let request = axum::http::Request::post("/admin/api/v1/keys/ES256/drill")
        .header("authorization", format!("Bearer {token}"))
        .body(axum::body::Body::empty())
        .unwrap();
    provider.send(request).await.expect(200);
    let admin = provider.user(ADMIN).await;
    assert!(audited(&provider, "key.drill").await[0].0.starts_with(&format!("user:{admin} ")));
}
