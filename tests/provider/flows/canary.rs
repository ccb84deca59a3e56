//! The next key tried on one app, by an admin in the console and by a program.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ALICE, Answer, TestProvider};

const PAGE: &str = "/admin/keys/ES256/canary";

/// A house whose keys are published a quarter of an hour ahead.
async fn house() -> TestProvider {
    TestProvider::with(|config| config.keys.publish_ahead = Duration::from_secs(900)).await
}

fn kid_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn waiting(provider: &TestProvider) -> String {
    provider.texts("SELECT kid FROM signing_keys WHERE alg = 'ES256' AND state = 'pending'").await.remove(0)
}

#[tokio::test]
async fn an_admin_tries_the_next_key_on_one_app_and_stops_when_that_has_shown_enough() {
    let provider = house().await;
    let (next, app) = (waiting(&provider).await, provider.client("web"));
    let browser = provider.browser();
    browser.elevated().await;
    let early = browser.go(PAGE).await.expect_at(PAGE).expect(200).expect_text("too-early");
    assert!(!early.answer.body.contains("name=\"client_id\""), "there is nothing to send yet");
    provider.advance(901).await;
    browser.elevate().await;

    let page = browser.go("/admin/keys").await;
    assert!(page.links().contains(&PAGE.to_owned()), "{:?}", page.links());
    let page = browser.go(PAGE).await.expect(200);
    for (typed, shown) in [("", "value=\"\""), ("nobody", "value=\"nobody\""), (" web2 ", "value=\"web2\"")] {
        let again = browser.submit(&page, PAGE, &[("client_id", typed)]).await.expect_at(PAGE).expect(400);
        again.expect_text("form-error").expect_text(shown);
    }
    assert_ne!(kid_of(&app.tokens_of(ALICE).await.access), next);
    let page = browser.submit(&page, PAGE, &[("client_id", "web")]).await.expect_at("/admin/keys").expect(200);
    let page = page.expect_text("id=\"said\"").expect_text("data-canary=\"web\"");
    assert_eq!(page.answer.body.matches("data-canary").count(), 1, "of the one algorithm");
    let tried = app.tokens_of(ALICE).await;
    assert_eq!(kid_of(&tried.access), next);
    assert_ne!(kid_of(&provider.client("post").tokens_of(ALICE).await.access), next);

    let page = browser.go(PAGE).await.expect(200).expect_text("data-canary=\"web\"");
    let fields = [("client_id", "web"), ("stop", "1")];
    let after = browser.submit(&page, PAGE, &fields).await.expect_at("/admin/keys").expect(200);
    assert!(after.answer.body.contains("id=\"said\"") && !after.answer.body.contains("data-canary"));
    assert_ne!(kid_of(&app.tokens_of(ALICE).await.access), next);
    app.userinfo(&tried.access).await.expect(200);
    browser.submit(&page, PAGE, &fields).await.expect_at(PAGE).expect(409);

    let subject = format!(
        "SELECT action || ' ' || actor FROM audit WHERE subject = '{next}' AND action LIKE 'key.canary%' ORDER BY id"
    );
    let admin = format!("user:{}", provider.user(crate::support::ADMIN).await);
    let acts = provider.texts(&subject).await;
    assert_eq!(acts, [format!("key.canary {admin}"), format!("key.canary_end {admin}")]);
    assert_eq!(provider.audited("key.refused").await, 1);
}

#[tokio::test]
async fn a_program_tries_the_next_key_on_one_app_and_stops() {
    let provider = house().await;
    let (next, app, robot) = (waiting(&provider).await, provider.client("web"), provider.robot().await);
    let send = async |alg: &str, body: Value| -> Answer {
        let bearer = format!("Bearer {}", robot.own_token("frontdesk:admin").await);
        let request = axum::http::Request::post(format!("/admin/api/v1/keys/{alg}/canary"))
            .header("authorization", bearer)
            .body(axum::body::Body::from(body.to_string()));
        provider.send(request.unwrap()).await
    };
    let wish = json!({"client_id": "web"});
    assert_eq!(send("ES256", wish.clone()).await.expect(409).json()["error"], "not_possible");
    provider.advance(901).await;
    for body in [json!({}), json!([]), json!({"client_id": 1}), json!({"client_id": "web", "hours": 2})] {
        assert_eq!(send("ES256", body).await.expect(400).json()["error"], "invalid_request");
    }
    for (alg, client) in [("ES256", "nobody"), ("none", "web")] {
        assert_eq!(send(alg, json!({"client_id": client})).await.expect(404).json()["error"], "not_found");
    }
    let stop = json!({"client_id": "web", "stop": true});
    assert_eq!(send("ES256", stop.clone()).await.expect(409).json()["error"], "not_possible");

    let until = provider.app().clock.now().plus(Duration::from_secs(3_600)).to_string();
    let begun = send("ES256", wish).await.expect(200).json();
    assert_eq!(begun, json!({"client_id": "web", "kid": next, "until": until}));
    assert_eq!(kid_of(&app.tokens_of(ALICE).await.access), next);
    let listed = async || {
        let bearer = format!("Bearer {}", robot.own_token("frontdesk:admin").await);
        provider.get_with("/admin/api/v1/keys", &[("authorization", &bearer)]).await.expect(200).json()["canaries"]
            .clone()
    };
    assert_eq!(listed().await, json!([begun]));
    provider.advance(60).await;
    assert_eq!(send("ES256", stop).await.expect(200).json()["until"], provider.app().clock.now().to_string());
    assert_eq!(listed().await, json!([]));
    assert_ne!(kid_of(&app.tokens_of(ALICE).await.access), next);
    let by = provider
        .texts("SELECT DISTINCT actor FROM audit WHERE action LIKE 'key.canary%' OR action = 'key.refused'")
        .await;
    assert_eq!(by, ["client:robot"]);
    assert_eq!(provider.audited("key.refused").await, 2);
}
