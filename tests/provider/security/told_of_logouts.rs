//! Row 99: apps that are slow, broken or lead elsewhere when they are told that somebody signed out. Row 125: apps that would have us
//! call what only we can reach; what is refused when the connection is made has its tests beside `outbound/fetch.rs`.

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{ALICE, BOB, TestProvider, Told};

async fn signed_out(provider: &TestProvider, name: &str) {
    let (office, browser) = (provider.client("office"), provider.browser());
    office.code_at(&browser, name).await;
    browser.sign_out().await;
}

#[tokio::test]
async fn row_99_an_app_that_fails_is_told_again_with_the_same_jti_until_it_listens() {
    let told = Told::answering(&["500 x", "302 Found\r\nlocation: https://evil.example/", "200 OK"]).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    signed_out(&provider, ALICE).await;
    courier.deliver().await;
    // Before its time nothing is tried.
    provider.advance(9).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 1);
    provider.advance(1).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 2, "a redirect is no delivery");
    provider.advance(60).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 3);
    let mut jtis = Vec::new();
    for request in told.requests() {
        let claims = provider.verify(&request.logout_token()).await.1;
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 120);
        assert!(claims.get("nonce").is_none());
        jtis.push(claims["jti"].as_str().unwrap().to_owned());
    }
    assert!(jtis.iter().all(|jti| *jti == jtis[0]), "{jtis:?}");
    assert_eq!(provider.texts("SELECT outcome || ' ' || CAST(attempts AS TEXT) FROM outbox").await, ["delivered 3"]);
    assert_eq!(provider.audited("logout.undelivered").await, 0);
}

#[tokio::test]
async fn row_99_an_app_that_never_listens_is_given_up_within_an_hour_and_that_is_audited() {
    let told = Told::answering(&["404 x"]).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    signed_out(&provider, ALICE).await;
    let began = provider.now();
    let mut tries = Vec::new();
    while provider.waiting().await > 0 {
        courier.deliver().await;
        if told.requests().len() > tries.len() {
            tries.push(provider.now() - began);
        }
        provider.advance(10).await;
        assert!(provider.now() - began <= 3_600, "{tries:?}");
    }
    assert_eq!(tries, [0, 10, 70, 670, 3_370]);
    assert_eq!(provider.texts("SELECT outcome FROM outbox").await, ["given_up"]);
    assert_eq!(provider.audited("logout.undelivered").await, 1);
    provider.advance(86_400).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 5);
}

#[tokio::test]
async fn row_99_a_token_that_an_app_refuses_is_not_sent_again() {
    let told = Told::answering(&["400 Bad Request\r\nx: y", "200 OK"]).await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    signed_out(&provider, ALICE).await;
    courier.deliver().await;
    provider.advance(4_000).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 1);
    assert_eq!(provider.texts("SELECT outcome FROM outbox").await, ["refused"]);
    assert_eq!(provider.audited("logout.undelivered").await, 1);
    // The next one is told as ever.
    signed_out(&provider, BOB).await;
    courier.deliver().await;
    assert_eq!(told.requests().len(), 2);
}

#[tokio::test]
async fn row_99_nobody_who_signs_out_waits_for_an_app_that_is_silent() {
    let told = Told::silent().await;
    let provider = TestProvider::telling(&told).await;
    signed_out(&provider, ALICE).await;
    let courier = provider.courier();
    let mut tasks = JoinSet::new();
    let delivering = tasks.spawn(async move { courier.deliver().await });
    told.somebody_came().await;
    // In the midst of the call.
    signed_out(&provider, BOB).await;
    assert_eq!(provider.live_sessions().await, 0);
    assert!(!delivering.is_finished());
}

#[tokio::test]
async fn row_99_an_app_that_is_silent_rests_and_is_not_called_for_each_that_waits() {
    let told = Told::closed().await;
    let provider = TestProvider::telling(&told).await;
    let courier = provider.courier();
    for name in [ALICE, BOB, ALICE, BOB] {
        signed_out(&provider, name).await;
    }
    courier.deliver().await;
    let tried = "SELECT COUNT(*) FROM outbox WHERE attempts = 1";
    assert_eq!(provider.number(tried).await, 1);
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox WHERE attempts = 0").await, 3);
    provider.advance(9).await;
    courier.deliver().await;
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox WHERE attempts = 0").await, 3);
    // All of them come to an end.
    for _ in 0..200 {
        provider.advance(120).await;
        courier.deliver().await;
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox WHERE outcome = 'given_up'").await, 4);
    assert!(provider.audited("logout.undelivered").await > 0);
}

#[tokio::test]
async fn row_99_two_processes_tell_an_app_one_at_a_time() {
    let told = Told::silent().await;
    let provider = TestProvider::telling(&told).await;
    let twin = provider.twin(|_| ()).await;
    let (first, second) = (provider.courier(), twin.courier());
    signed_out(&provider, ALICE).await;
    signed_out(&provider, BOB).await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { first.deliver().await });
    told.somebody_came().await;
    second.deliver().await;
    assert_eq!(told.count(), 1, "the other process has the app");
    // It is killed: what it had is another's as soon as its lease is over.
    tasks.shutdown().await;
    second.deliver().await;
    assert_eq!(told.count(), 1);
    provider.advance(15).await;
    twin.follow_changes().await;
    tasks.spawn(async move { second.deliver().await });
    told.somebody_came().await;
    assert_eq!(told.count(), 2);
}

#[tokio::test]
async fn row_125_an_app_that_moved_into_our_network_is_not_called() {
    let told = Told::answering(&["200 OK"]).await;
    let provider = TestProvider::telling(&told).await;
    signed_out(&provider, ALICE).await;
    // The same rows under settings that no longer name the origin: it is loopback like any other.
    provider.twin(|config| config.outbound.allow = Vec::new()).await.courier().deliver().await;
    assert_eq!(told.requests().len(), 0);
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox WHERE attempts = 1 AND finished_at IS NULL").await, 1);
}

#[tokio::test]
async fn row_125_no_app_registers_an_address_within_our_network() {
    let provider = TestProvider::https().await;
    let app = |address: &str| {
        json!({
            "application_type": "web", "redirect_uris": ["https://office.example/callback"],
            "backchannel_logout_uri": address,
        })
    };
    for address in [
        "http://office.example/told",
        "https://office.example:22/told",
        "https://office.example:8443/told",
        "https://localhost/told",
        "https://app.localhost/told",
        "https://127.0.0.1/told",
        "https://127.1/told",
        "https://2130706433/told",
        "https://0x7f000001/told",
        "https://0177.0.0.1/told",
        "https://0.0.0.0/told",
        "https://10.0.0.1/told",
        "https://172.16.0.1/told",
        "https://192.168.0.1/told",
        "https://100.64.0.1/told",
        "https://169.254.169.254/latest/meta-data/",
        "https://224.0.0.1/told",
        "https://[::]/told",
        "https://[::1]/told",
        "https://[::ffff:127.0.0.1]/told",
        "https://[::ffff:7f00:1]/told",
        "https://[64:ff9b::7f00:1]/told",
        "https://[2002:7f00:1::]/told",
        "https://[fc00::1]/told",
        "https://[fe80::1]/told",
        "https://office.example@127.0.0.1/told",
        "https://127.0.0.1#@office.example/told",
        "file:///etc/passwd",
        "gopher://office.example/told",
        "ftp://office.example/told",
    ] {
        let objections = provider.objections_to("office", app(address)).await;
        assert_eq!(objections, ["backchannel_logout_uri"], "{address}");
    }
    assert_eq!(provider.objections_to("office", app("https://office.example/told")).await, Vec::<&str>::new());
}
