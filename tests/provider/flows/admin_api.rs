//! The admin API: what a program is told, and what it can do.

use serde_json::{Value, json};

use crate::support::{ADMIN, ALICE, Answer, TestProvider};

async fn get(provider: &TestProvider, token: &str, path: &str) -> Answer {
    provider.get_with(&format!("/admin/api{path}"), &[("authorization", &format!("Bearer {token}"))]).await
}

async fn post(provider: &TestProvider, token: &str, path: &str) -> Answer {
    provider.post(&format!("/admin/api/v1{path}"), &[("authorization", &format!("Bearer {token}"))], &[]).await
}

#[tokio::test]
async fn a_program_reads_everything() {
    let provider = TestProvider::https().await;
    let robot = provider.robot().await.own_token("frontdesk:admin").await;
    let browser = provider.browser();
    provider.client("web").tokens_at(&browser, ALICE).await;
    let id = provider.user(ALICE).await;

    let people = get(&provider, &robot, "/v1/people?find=ALI").await.expect(200).json();
    let person = get(&provider, &robot, &format!("/v1/people/{id}")).await.expect(200).json();
    assert_eq!(people, json!({ "people": [person] }));
    assert_eq!(person["username"], "alice");
    assert_eq!(person["created_at"], "2027-01-15T08:00:00Z");
    assert_eq!(person["sub"], provider.sub(ALICE).await);
    assert!(person.get("password").is_none() && person.get("disabled_at").is_none(), "{person}");

    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(&provider, &robot, &format!("/v1/people?limit=1&after={after}")).await.expect(200).json();
        names.extend(page["people"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(names, ["admin", "alice", "bob"]);

    let sessions = get(&provider, &robot, &format!("/v1/people/{id}/sessions")).await.expect(200).json();
    assert_eq!(sessions["sessions"][0]["live"], true);
    assert_eq!(get(&provider, &robot, "/v1/sessions").await.expect(200).json()["sessions"], sessions["sessions"]);
    let apps = get(&provider, &robot, &format!("/v1/people/{id}/apps")).await.expect(200).json();
    assert_eq!(apps["apps"][0]["client_id"], "web");
    let app = get(&provider, &robot, "/v1/apps/web").await.expect(200).json();
    assert_eq!((&app["holds"], &app["active"]), (&json!({ "grants": 1, "people": 1 }), &json!(true)));
    assert_eq!(app["metadata"]["redirect_uris"], json!(["https://web.example/callback"]));
    let all = get(&provider, &robot, "/v1/apps?find=the%20&limit=2").await.expect(200).json();
    assert_eq!((all["apps"].as_array().unwrap().len(), &all["next"]), (2, &all["apps"][1]["client_id"]));
    let resources = get(&provider, &robot, "/v1/resources").await.expect(200).json();
    assert_eq!(resources["resources"][0]["scopes"], "notes:read notes:write");
    let audit = get(&provider, &robot, &format!("/v1/audit?action=sign_in&about={id}")).await.expect(200).json();
    assert_eq!(audit["events"][0]["action"], "sign_in.ok");
    assert!(audit["events"][0]["data"].is_object());

    for path in ["/v1/people/none", "/v1/people/none/sessions", "/v1/people/none/apps", "/v1/apps/none", "/v1/apps/%00"]
    {
        let answer = get(&provider, &robot, path).await.expect(404);
        assert_eq!(answer.json()["error"], "not_found", "{path}");
    }
    let answer = get(&provider, &robot, "/v1/people?limit=many").await.expect(400);
    assert_eq!(answer.json()["error"], "invalid_request");
    for secret in ["secret_mac", "cookie_digest", "fd_cs_", "fd_ss_", "$argon2"] {
        assert!(
            provider
                .answers()
                .iter()
                .filter(|one| one.header("content-type").contains("json"))
                .all(|one| !one.body.contains(secret))
        );
    }
}

#[tokio::test]
async fn a_program_changes_things_in_its_own_name() {
    let provider = TestProvider::https().await;
    let robot = provider.robot().await.own_token("frontdesk:admin").await;
    let web = provider.client("web");
    let tokens = web.tokens_of(ALICE).await;
    let (alice, admin) = (provider.user(ALICE).await, provider.user(ADMIN).await);
    let changed = |answer: Answer| answer.expect(200).json()["changed"].as_bool().unwrap();
    assert!(changed(post(&provider, &robot, &format!("/people/{alice}/apps/web/withdraw")).await));
    web.refresh(&tokens.refresh).await.expect_error("invalid_grant");
    assert!(changed(post(&provider, &robot, &format!("/people/{alice}/sign-out")).await));
    assert!(changed(post(&provider, &robot, &format!("/people/{alice}/disable")).await));
    assert!(!changed(post(&provider, &robot, &format!("/people/{alice}/disable")).await));
    assert!(changed(post(&provider, &robot, &format!("/people/{alice}/enable")).await));
    assert!(changed(post(&provider, &robot, "/apps/web/disable").await));
    assert!(!changed(post(&provider, &robot, "/apps/web/end").await));
    assert!(changed(post(&provider, &robot, "/apps/web/enable").await));
    for path in [format!("/people/{admin}/disable"), format!("/people/{admin}/unmake-admin")] {
        let refused = post(&provider, &robot, &path).await.expect(409).json();
        assert_eq!(refused["error"], "last_admin", "{path}");
    }
    assert_eq!(post(&provider, &robot, "/people/none/disable").await.expect(404).json()["error"], "not_found");
    let by = provider.texts("SELECT DISTINCT actor FROM audit WHERE action IN ('user.disable', 'user.enable', 'consent.end', 'client.disable', 'sessions.end', 'admin.refused')").await;
    assert_eq!(by, ["client:robot"]);
    assert_eq!(provider.audited("admin.refused").await, 2);
}

#[tokio::test]
async fn a_change_asks_for_a_fresh_sign_in_or_a_fresh_token() {
    let provider = TestProvider::https().await;
    let (robot, panel) = (provider.robot().await, provider.panel().await);
    let own = robot.own_token("frontdesk:admin").await;
    let code = panel.code_for(&provider.browser(), &panel.ask().with("scope", "openid frontdesk:admin"), ADMIN).await;
    let hers = panel.redeem(&code).await.expect_tokens();
    let path = format!("/people/{}/sign-out", provider.user(ALICE).await);
    provider.advance(600).await;
    for token in [&own, &hers.access] {
        post(&provider, token, &path).await.expect(200);
    }
    provider.advance(1).await;
    let refreshed = panel.refresh(&hers.refresh).await.expect_tokens();
    for token in [&hers.access, &refreshed.access] {
        get(&provider, token, "/v1/people").await.expect(200);
        let answer = post(&provider, token, &path).await.expect(401);
        assert_eq!(answer.json()["error"], "insufficient_user_authentication");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(challenge.contains("max_age=\"600\""), "{challenge}");
    }
    get(&provider, &own, "/v1/people").await.expect(200);
    assert_eq!(post(&provider, &own, &path).await.expect(401).json()["error"], "invalid_token");
    post(&provider, &robot.own_token("frontdesk:admin").await, &path).await.expect(200);
    let guards = provider.texts("SELECT data FROM audit WHERE action = 'admin.refused' ORDER BY id").await;
    let guards: Vec<Value> = guards.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let guard = |name: &str| json!({ "guard": name });
    assert_eq!(guards, [guard("elevation"), guard("elevation"), guard("token_age")]);
}

#[tokio::test]
async fn an_admin_who_is_none_any_more_is_out_at_once() {
    let provider = TestProvider::https().await;
    let panel = provider.panel().await;
    let token = panel.token_of(ADMIN, "openid frontdesk:admin").await;
    get(&provider, &token, "/v1/people").await.expect(200);
    provider.run("UPDATE users SET roles = 'administrator' WHERE username = 'admin'").await;
    get(&provider, &token, "/v1/people").await.expect(403);
}

#[tokio::test]
async fn the_scope_is_given_to_flagged_clients_alone_and_not_by_direct_login() {
    let provider = TestProvider::https().await;
    let plain = json!({ "application_type": "service", "scope": "frontdesk:admin" });
    assert_eq!(provider.objections_to("plain", plain).await, ["scope"]);
    let worker = provider.client("worker");
    let form = [("grant_type", "client_credentials"), ("scope", "frontdesk:admin")];
    worker.token(&form).await.expect_error("invalid_scope");
    let robot = provider.robot().await;
    let granted = robot.token(&form).await.expect(200);
    assert_eq!(granted.text("scope"), "frontdesk:admin");
    let (_, claims) = provider.verify(&granted.text("access_token")).await;
    assert_eq!(claims["aud"], provider.issuer());
    // Whoever is asked for it is told what it means.
    let metadata = json!({
        "application_type": "web", "admin_api": true, "redirect_uris": ["https://foreign.example/callback"],
        "scope": "openid frontdesk:admin",
    });
    let foreign = provider.register("foreign", metadata).await;
    let browser = provider.browser();
    browser.sign_in(ADMIN).await;
    let page = browser.go(&foreign.ask().path()).await.expect_at("/consent");
    assert!(page.answer.body.contains("Administer this service") && page.answer.body.contains("frontdesk:admin"));
    // Another app's request for it is granted what is left of it.
    let web = provider.client("web");
    let asked = web.ask().with("scope", "openid frontdesk:admin");
    let code = web.code_for(&provider.browser(), &asked, ADMIN).await;
    assert_eq!(web.redeem(&code).await.expect(200).text("scope"), "openid");
}

#[tokio::test]
async fn the_document_describes_it() {
    let provider = TestProvider::https().await;
    let robot = provider.robot().await.own_token("frontdesk:admin").await;
    let document = get(&provider, &robot, "/openapi.json").await.expect(200).json();
    assert_eq!(document["servers"][0]["url"], provider.issuer());
    let flow = &document["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], format!("{}/oauth2/token", provider.issuer()));
    assert!(document["paths"]["/admin/api/v1/people/{id}/disable"]["post"].is_object());
}
