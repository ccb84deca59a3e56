//! What a stolen session must not be enough for.

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

const NEW: &str = "another fine password";

#[tokio::test]
async fn row_115_a_password_is_changed_only_by_who_knows_the_present_one() {
    let provider = TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = 1000;
    })
    .await;
    let (hers, bobs) = (provider.browser(), provider.browser());
    hers.sign_in(ALICE).await;
    bobs.sign_in(BOB).await;
    let page = bobs.go("/account/password").await;
    let bobs_own = "the other person's password";
    let fields = [("current_password", PASSWORD), ("new_password", bobs_own), ("repeat_password", bobs_own)];
    bobs.submit(&page, "/account/password", &fields).await.expect_at("/account");
    let before = provider.texts("SELECT sealed FROM passwords ORDER BY user_id").await;
    let thief = hers.copied_to("203.0.113.9");
    let page = thief.go("/account/password").await.expect(200);
    let hash = provider.texts("SELECT sealed FROM passwords").await.remove(0);
    let session = hers.cookie("sid").unwrap();
    for current in [
        "",
        " ",
        "not the password",
        "correct horse batter",
        "correct horse battery ",
        " correct horse battery",
        "Correct horse battery",
        "CORRECT HORSE BATTERY",
        "correct horse batteryx",
        "correct  horse battery",
        "correct+horse+battery",
        "correct%20horse%20battery",
        "correcthorsebattery",
        "correct horse",
        bobs_own,
        NEW,
        ALICE,
        "alice@example.com",
        "null",
        "undefined",
        "' OR '1'='1",
        "%",
        "*",
        &hash,
        &session,
    ] {
        let fields = [("current_password", current), ("new_password", NEW), ("repeat_password", NEW)];
        let refused = thief.submit(&page, "/account/password", &fields).await;
        assert_eq!((refused.path.as_str(), refused.answer.status.as_u16()), ("/account/password", 400), "{current:?}");
        assert_eq!(refused.answer.set_cookies(), Vec::<String>::new(), "{current:?}");
    }
    // Not asked for at all, and asked twice.
    let without = [("new_password", NEW), ("repeat_password", NEW)];
    thief.submit(&page, "/account/password", &without).await.expect(400);
    let csrf = page.hidden("/account/password", "csrf");
    let twice = crate::support::encode(&[
        ("csrf", &csrf),
        ("current_password", "not the password"),
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("repeat_password", NEW),
    ]);
    let own = provider.issuer().to_owned();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", own.as_str())];
    let answer = thief.fetch("/account/password", &headers, twice).await;
    assert!(matches!(answer.status.as_u16(), 400 | 403), "{answer:#?}");

    assert_eq!(provider.texts("SELECT sealed FROM passwords ORDER BY user_id").await, before);
    assert_eq!((provider.audited("user.change_password").await, provider.live_sessions().await), (1, 2));
    hers.go("/account").await.expect_at("/account");
    let page = hers.go("/account/password").await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW), ("repeat_password", NEW)];
    hers.submit(&page, "/account/password", &fields).await.expect_at("/account");
    thief.go("/account").await.expect_at("/login");
}
