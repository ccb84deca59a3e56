//! Rows 37 to 40: codes that are used again, by others, elsewhere, or without their verifier. Row 38, the same code 32 times at
//! once, is `races::one_code_has_one_winner`.

use frontdesk::crypto::digest;
use serde_json::json;

use crate::support::{ALICE, Code, RelyingParty, TestProvider};

/// The code with another verifier.
fn with_verifier(code: &Code, verifier: &str) -> Code {
    Code { verifier: verifier.to_owned(), ..code.clone() }
}

#[tokio::test]
async fn row_37_a_code_used_twice_ends_all_it_gave_if_the_caller_shows_that_it_is_his() {
    let provider = TestProvider::start().await;
    let api = provider.client("api");
    let mut reuses = 0;
    for (id, verifier_fits, seconds_later, ends) in [
        ("web", true, 0, true),
        // Its own authentication is proof enough.
        ("web", false, 0, true),
        ("post", true, 30, true),
        ("post", false, 30, true),
        ("native", true, 0, true),
        ("native", true, 30, true),
        // Also when the code would have expired by now.
        ("native", true, 600, true),
        ("web", true, 600, true),
        // Whoever saw the code of a public client, but not its verifier, ends nothing.
        ("native", false, 0, false),
        ("native", false, 30, false),
        ("native", false, 600, false),
    ] {
        let case = format!("{id}, verifier fits: {verifier_fits}, {seconds_later} s later");
        let app = provider.client(id);
        let code = app.code_of(ALICE).await;
        let tokens = app.redeem(&code).await.expect_tokens();
        let newer = app.refresh(&tokens.refresh).await.expect_tokens();
        provider.advance(seconds_later).await;
        let before = provider.live_families().await;

        let again = if verifier_fits { code } else { with_verifier(&code, &"a".repeat(43)) };
        app.redeem(&again).await.expect_error("invalid_grant");

        reuses += 1;
        assert_eq!(provider.audited("code.reuse").await, reuses, "{case}");
        for token in [&tokens.access, &newer.access] {
            assert_eq!(app.userinfo(token).await.status == 401, ends, "{case}");
            assert_eq!(api.sees_alive(token).await, !ends, "{case}");
        }
        if ends {
            app.refresh(&newer.refresh).await.expect_error("invalid_grant");
        } else {
            app.refresh(&newer.refresh).await.expect_tokens();
        }
        assert_eq!(provider.live_families().await, before - i64::from(ends), "{case}");
    }
    assert!(provider.end_reasons().await.iter().all(|reason| reason == "code_reuse"));
}

#[tokio::test]
async fn row_37_another_client_with_a_used_code_ends_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let code = app.code_of(ALICE).await;
    let tokens = app.redeem(&code).await.expect_tokens();
    for other in ["own", "post", "native"] {
        provider.client(other).redeem(&code).await.expect_error("invalid_grant");
    }
    assert_eq!((provider.live_grants().await, provider.audited("code.reuse").await), (1, 0));
    app.userinfo(&tokens.access).await.expect(200);
    app.refresh(&tokens.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_39_a_code_is_for_one_client_one_address_and_one_minute_alone_and_in_pairs() {
    let provider = TestProvider::start().await;
    let mut metadata = json!({
        "application_type": "web", "first_party": true, "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://two.example/callback", "https://two.example/other"],
        "scope": "openid offline_access",
    });
    let owner = provider.register("two", metadata.clone()).await;
    // Another client with the very same addresses.
    metadata["client_name"] = json!("Twin");
    provider.register("twin", metadata).await;
    let right = owner.redirect_uri.clone();
    let browser = provider.browser();
    let (mut codes, mut redeemed, mut burnt) = (0, 0, 0);
    for caller in ["two", "twin", "own", "native"] {
        for address in [
            right.as_str(),
            "https://two.example/other",
            "https://two.example/callback/",
            "https://own.example/callback",
        ] {
            for age in [0, 59, 60, 61] {
                let case = format!("{caller} {address} {age}");
                let code = owner.code_at(&browser, ALICE).await;
                codes += 1;
                provider.advance(age).await;
                let presented = Code { redirect_uri: address.to_owned(), ..code.clone() };
                let (mine, here, in_time) = (caller == "two", address == right, age < 60);

                let answer = provider.client(caller).redeem(&presented).await;

                if mine && here && in_time {
                    answer.expect_tokens();
                    redeemed += 1;
                    continue;
                }
                answer.expect_error("invalid_grant");
                burnt += i64::from(mine && in_time);
                // Who is not its client cannot spoil it; what its own client did wrong, it cannot mend.
                let proper = owner.redeem(&code).await;
                if !mine && in_time {
                    proper.expect_tokens();
                    redeemed += 1;
                } else {
                    proper.expect_error("invalid_grant");
                }
                assert_eq!(provider.live_families().await, redeemed, "{case}");
            }
        }
    }
    assert_eq!(codes, 64);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await, burnt);
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, redeemed);
    assert_eq!((provider.audited("code.reuse").await, provider.end_reasons().await), (0, vec![]));
}

#[tokio::test]
async fn row_40_a_wrong_or_absent_verifier_burns_the_code() {
    let provider = TestProvider::start().await;
    let browser = provider.browser();
    for id in ["native", "web"] {
        let app = provider.client(id);
        let another = app.code_at(&browser, ALICE).await.verifier;
        let before = provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await;
        let mut tried = 0;
        let good = app.code_at(&browser, ALICE).await;
        for which in 0..wrong_verifiers(&good.verifier, &another).len() {
            let code = app.code_at(&browser, ALICE).await;
            let wrong = wrong_verifiers(&code.verifier, &another).swap_remove(which);
            assert_ne!(wrong, code.verifier);
            let presented = with_verifier(&code, &wrong);
            app.redeem(&presented).await.expect_error("invalid_grant");
            app.redeem(&code).await.expect_error("invalid_grant");
            tried += 1;
            assert_eq!(
                provider.number("SELECT COUNT(*) FROM codes WHERE burnt_at IS NOT NULL").await,
                before + tried,
                "{:?}",
                presented.verifier
            );
        }
        absent(&app, &good).await;
        app.redeem(&good).await.expect_error("invalid_grant");
    }
    // Burnt is not used: nothing was given, so there is nothing to take back, and nobody is alarmed.
    assert_eq!(provider.number("SELECT COUNT(*) FROM codes WHERE used_at IS NOT NULL").await, 0);
    assert_eq!((provider.live_families().await, provider.audited("code.reuse").await), (0, 0));
    assert_eq!(provider.end_reasons().await, Vec::<String>::new());
}

/// What is not the verifier: near it, made of it, or of another code.
fn wrong_verifiers(right: &str, another: &str) -> Vec<String> {
    vec![
        String::new(),
        with_last(right),
        format!("{}{}", if right.starts_with('A') { 'B' } else { 'A' }, &right[1..]),
        right[..42].to_owned(),
        right[1..].to_owned(),
        format!("{right}A"),
        format!("A{right}"),
        format!("{right}="),
        format!("{right} "),
        format!(" {right}"),
        format!("{right}\n"),
        right.to_lowercase(),
        right.to_uppercase(),
        right.chars().rev().collect(),
        right.repeat(2),
        digest::sha256_b64u(right.as_bytes()),
        digest::sha256_b64u(digest::sha256_b64u(right.as_bytes()).as_bytes()),
        "a".repeat(42),
        "a".repeat(43),
        "~".repeat(128),
        "a".repeat(129),
        "ä".repeat(43),
        "null".to_owned(),
        another.to_owned(),
    ]
}

/// Another last character, of those that stand for other bits.
fn with_last(verifier: &str) -> String {
    let (rest, last) = verifier.split_at(verifier.len() - 1);
    format!("{rest}{}", if last == "A" { "Q" } else { "A" })
}

async fn absent(app: &RelyingParty, code: &Code) {
    app.token(&[("grant_type", "authorization_code"), ("code", &code.code), ("redirect_uri", &code.redirect_uri)])
        .await
        .expect_error("invalid_grant");
}
