//! Rows 62 and 63: what is not the caller's to give back, what could not be stored, and what goes with a refresh token.

use crate::support::{ALICE, TestProvider};

#[tokio::test]
async fn row_62_what_is_anothers_stays_and_what_is_nobodys_is_no_error() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let oldest = app.tokens_of(ALICE).await;
    let older = app.refresh(&oldest.refresh).await.expect_tokens();
    let current = app.refresh(&older.refresh).await.expect_tokens();
    let machine = provider.client("worker").token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    for other in ["own", "post", "native", "api"] {
        for token in [&oldest.refresh, &older.refresh, &current.refresh, &current.access, &machine.access] {
            provider.client(other).revoke(token).await.expect_error("unauthorized_client");
        }
    }
    provider.client("web").revoke(&machine.access).await.expect_error("unauthorized_client");
    let forged = format!("{}{}", &current.refresh[..70], "AAAAAA");
    for caller in ["web", "own"] {
        for token in
            [forged.as_str(), "fd_rt_", "fd_rt_x", "x", "a.b.c", "fd_ac_x", "null", &current.id, &"a".repeat(8_000)]
        {
            let answer = provider.client(caller).revoke(token).await.expect(200);
            assert_eq!(answer.body, "", "{token}");
        }
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
    assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 0);
    let api = provider.client("api");
    assert!(api.sees_alive(&machine.access).await && api.sees_alive(&current.access).await);
    app.refresh(&current.refresh).await.expect_tokens();
}

#[tokio::test]
async fn row_62_what_could_not_be_stored_is_503_and_lives_on() {
    let provider = TestProvider::start().await;
    let (app, worker) = (provider.client("web"), provider.client("worker"));
    let tokens = app.tokens_of(ALICE).await;
    let machine = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    for (table, token, caller) in [
        ("grants", &tokens.refresh, &app),
        ("refresh_families", &tokens.refresh, &app),
        ("audit", &tokens.refresh, &app),
        ("grants", &tokens.access, &app),
        ("retired_indices", &tokens.access, &app),
        ("audit", &tokens.access, &app),
        ("retired_indices", &machine.access, &worker),
        ("audit", &machine.access, &worker),
    ] {
        provider.run(&format!("ALTER TABLE {table} RENAME TO {table}_away")).await;
        let answer = caller.revoke(token).await.expect(503);
        assert!(!answer.header("retry-after").is_empty(), "{table}: {answer:#?}");
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
        provider.run(&format!("ALTER TABLE {table}_away RENAME TO {table}")).await;
        // Half a revocation would be as wrong as a false 200.
        assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1), "{table}");
        assert_eq!(provider.number("SELECT COUNT(*) FROM retired_indices").await, 0, "{table}");
        app.userinfo(&tokens.access).await.expect(200);
        assert!(provider.client("api").sees_alive(&machine.access).await);
    }
    app.revoke(&tokens.refresh).await.expect(200);
    app.userinfo(&tokens.access).await.expect_error("invalid_token");
    assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
}

/// Who checks a token allows for clocks that differ, so a token is worth revoking for a moment after its end.
#[tokio::test]
async fn row_62_a_token_that_has_just_ended_is_revoked_all_the_same() {
    let provider = TestProvider::start().await;
    let (app, worker) = (provider.client("web"), provider.client("worker"));
    let tokens = app.tokens_of(ALICE).await;
    let machine = worker.token(&[("grant_type", "client_credentials")]).await.expect_tokens();
    let late = app.tokens_of(ALICE).await;
    provider.advance(15 * 60 + 30).await;
    for (caller, token) in [(&app, &tokens.access), (&worker, &machine.access)] {
        assert!(!provider.client("api").sees_alive(token).await, "it has ended");
        caller.revoke(token).await.expect(200);
        assert!(provider.is_revoked(token).await);
    }
    assert_eq!(provider.audited("access_tokens.end").await, 2);
    provider.advance(60).await;
    app.revoke(&late.access).await.expect(200);
    assert!(!provider.is_revoked(&late.access).await, "nobody takes it any more");
}

#[tokio::test]
async fn row_63_with_a_refresh_token_go_all_access_tokens_of_its_grant() {
    let provider = TestProvider::start().await;
    let api = provider.client("api");
    for id in ["web", "post", "native"] {
        let app = provider.client(id);
        let untouched = app.tokens_of(ALICE).await;
        // Whichever generation is given back.
        for given_back in 0..3 {
            let mut generations = vec![app.tokens_of(ALICE).await];
            for _ in 0..2 {
                let last = generations.last().unwrap().refresh.clone();
                generations.push(app.refresh(&last).await.expect_tokens());
            }
            for tokens in &generations {
                assert!(api.sees_alive(&tokens.access).await);
            }
            app.revoke(&generations[given_back].refresh).await.expect(200);
            for tokens in &generations {
                // At once, not within a second.
                assert!(!api.sees_alive(&tokens.access).await, "{id}, generation {given_back}");
                app.userinfo(&tokens.access).await.expect_error("invalid_token");
                app.refresh(&tokens.refresh).await.expect_error("invalid_grant");
            }
        }
        assert!(api.sees_alive(&untouched.access).await, "another grant of the same person and client lives on");
        app.refresh(&untouched.refresh).await.expect_tokens();
    }
    assert_eq!((provider.live_grants().await, provider.live_families().await), (3, 3));
    assert_eq!(provider.end_reasons().await, vec!["revoked"; 9]);
}
