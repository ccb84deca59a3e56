//! Passwords: taken whole, refused before they cost anything, hashed within bounds, and made stronger by the way.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{ALICE, BOB, PASSWORD, TestProvider};

async fn patient() -> TestProvider {
    TestProvider::with(|config| {
        crate::support::on_https(config);
        config.passwords.attempts_per_account_and_network = 1000;
        config.passwords.attempts_per_account = 1000;
        config.passwords.attempts_per_network = 1000;
    })
    .await
}

#[tokio::test]
async fn row_109_a_password_is_taken_whole_whatever_is_in_it() {
    let words = "tin-roof kettle mango ";
    let long = words.repeat(50);
    let same_start = long[..72].to_owned();
    let mut passwords: Vec<String> = [64, 65, 71, 73, 80, 127, 128, 129, 255, 256, 257, 512, 1000, 1023]
        .map(|length| long[..length].trim_end().to_owned() + "q")
        .to_vec();
    passwords.push(same_start.clone() + "x");
    passwords.push(same_start + "y");
    passwords.extend(
        [
            "  spaces at both ends  ",
            "пароль-пароль-пароль",
            "Ünïcödé and é in two ways",
            "e\u{301} the other way of e",
            "🐎🔋🪜🐎🔋🪜🐎🔋🪜🐎",
            "quotes \" ' ` and <b>&amp;",
            "100% %41 a+b=c&d=e;f",
            "tab\tand\\backslash",
            "back to front \u{202e}tneirap",
        ]
        .map(str::to_owned),
    );
    passwords.push(long[..1024].to_owned());
    assert!(passwords.len() >= 25);
    let provider = patient().await;
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let mut current = PASSWORD.to_owned();
    for new in passwords {
        let page = browser.go("/account/password").await;
        let fields = [("current_password", current.as_str()), ("new_password", &new), ("repeat_password", &new)];
        let taken = browser.submit(&page, "/account/password", &fields).await;
        assert!(taken.path.starts_with("/account?"), "{new:?}: {taken:#?}");
        // Anything that a truncation, a trim or another spelling would make the same.
        let start: String = new.chars().take(new.chars().count() - 1).collect();
        let mut others = vec![start, format!("{new}z"), new.to_uppercase(), current.clone()];
        others.extend([new.trim().to_owned(), new.replace("e\u{301}", "é"), new.replace('é', "e\u{301}")]);
        others.extend(new.get(..72).map(str::to_owned));
        others.retain(|other| *other != new);
        for other in others {
            let refused = provider.browser().try_to_sign_in(ALICE, &other).await;
            assert_eq!(refused.path, "/login", "{other:?} opened what {new:?} closes");
        }
        provider.browser().try_to_sign_in(ALICE, &new).await.expect_at("/account");
        current = new;
    }
    assert!(provider.audited("user.change_password").await >= 25);
}

#[tokio::test]
async fn row_109_a_password_over_the_limit_is_refused_before_anything_is_counted_or_hashed() {
    let provider = patient().await;
    let app = provider.client("direct");
    let browser = provider.browser();
    for length in [1025, 1026, 2048, 4096, 8000] {
        let long = "x".repeat(length);
        browser.try_to_sign_in(ALICE, &long).await.expect(400);
        let wish = json!({ "username": ALICE, "password": long });
        app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_request");
    }
    // The limit is one of characters, however many bytes each has.
    browser.try_to_sign_in(ALICE, &"é".repeat(1025)).await.expect(400);
    // A body over the limit of all bodies is not even read.
    let megabyte = "x".repeat(1_000_000);
    browser.try_to_sign_in(ALICE, &megabyte).await.expect(413);
    let wish = json!({ "username": ALICE, "password": megabyte });
    assert_eq!(app.fetch_json(&browser, "/auth/login", wish).await.status.as_u16(), 413);
    // A NUL is no character of a password, and no end of one.
    let page = browser.go("/login").await;
    for password in [format!("{PASSWORD}\0"), format!("{PASSWORD}\0more"), format!("\0{PASSWORD}")] {
        let fields = [("username", ALICE), ("password", password.as_str())];
        let refused = browser.submit(&page, "/login", &fields).await;
        assert!(matches!(refused.answer.status.as_u16(), 400 | 403), "{refused:#?}");
        let wish = json!({ "username": ALICE, "password": password });
        app.fetch_json(&browser, "/auth/login", wish).await.expect_error("invalid_request");
    }
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts").await, 0);
    assert_eq!((provider.audited("sign_in.refused").await, provider.live_sessions().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_110_two_hundred_sign_ins_at_once_are_hashed_within_bounds_and_stop_nobody_else() {
    let provider = patient().await;
    let busy = provider
        .twin(|config| {
            config.passwords.memory_kib = 16 * 1024;
            config.passwords.iterations = 8;
            config.passwords.threads = 1;
            config.passwords.queue = 3;
        })
        .await;
    let worker = busy.client("worker");
    let (spa, direct) = (busy.client("spa"), busy.client("direct"));
    let signed_in = busy.browser();
    // The session comes from the process that has time.
    let tokens = provider.client("native").tokens_of(BOB).await;
    let page_browser = Arc::new(busy.browser());
    let page = page_browser.go("/login").await;
    let mut storm = JoinSet::new();
    for number in 0..200_u32 {
        let (browser, page, direct) = (page_browser.clone(), page.clone(), direct.clone());
        // Names that belong to nobody are hashed at the cost of now.
        let name = format!("nobody-{number}");
        storm.spawn(async move {
            if number % 2 == 0 {
                let fields = [("username", name.as_str()), ("password", "a guess")];
                browser.submit(&page, "/login", &fields).await.answer
            } else {
                direct.fetch_json(&browser, "/auth/login", json!({ "username": name, "password": "a guess" })).await
            }
        });
    }
    // Meanwhile everybody else is served.
    for _ in 0..20 {
        worker.token(&[("grant_type", "client_credentials")]).await.expect(200);
        spa.userinfo(&tokens.access).await.expect(200);
        busy.get("/.well-known/jwks.json").await.expect(200);
        signed_in.go("/login").await.expect(200);
    }
    let (mut compared, mut refused) = (0, 0);
    for answer in storm.join_all().await {
        match answer.status.as_u16() {
            200 | 401 => compared += 1,
            503 => {
                assert_eq!(answer.header("retry-after"), "1", "{answer:#?}");
                refused += 1;
            }
            _ => panic!("{answer:#?}"),
        }
    }
    assert_eq!(compared + refused, 200);
    assert!(refused > 0, "a queue of three takes no two hundred");
    // Who was sent away was not counted: nothing was told about the password.
    assert_eq!(provider.audited("sign_in.refused").await, compared);
    assert_eq!(provider.number("SELECT COUNT(*) FROM attempts WHERE taken = 1").await, 4 * compared);
    assert_eq!(provider.live_sessions().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_112_a_hash_is_made_stronger_at_sign_in_and_parallel_sign_ins_all_succeed() {
    let provider = patient().await;
    let stronger = provider
        .twin(|config| {
            config.passwords.memory_kib = 128;
            config.passwords.iterations = 2;
        })
        .await;
    let hash = format!("SELECT sealed FROM passwords WHERE user_id = '{}'", provider.user(ALICE).await);
    let changed_at = hash.replace("sealed", "changed_at");
    let (before, set) = (provider.texts(&hash).await, provider.number(&changed_at).await);
    stronger.browser().try_to_sign_in(ALICE, "not the password").await.expect_at("/login");
    assert_eq!(provider.texts(&hash).await, before, "only who knows the password makes a new hash");
    let mut sign_ins = JoinSet::new();
    for number in 0..32 {
        let process = if number % 2 == 0 { stronger.clone() } else { provider.clone() };
        sign_ins.spawn(async move { process.browser().try_to_sign_in(ALICE, PASSWORD).await });
    }
    for page in sign_ins.join_all().await {
        page.expect_at("/account").expect(200);
    }
    let after = provider.texts(&hash).await;
    assert_ne!(after, before);
    assert_eq!(provider.number(&changed_at).await, set, "it is the same password");
    // It is strong now: no sign-in makes it anew, and it serves both processes.
    for process in [&stronger, &provider] {
        process.browser().try_to_sign_in(ALICE, PASSWORD).await.expect_at("/account");
        process.browser().try_to_sign_in(ALICE, "not the password").await.expect_at("/login");
    }
    assert_eq!(provider.texts(&hash).await, after);
    assert_eq!(provider.live_sessions().await, 34);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn row_112_a_stronger_hash_of_the_old_password_never_takes_the_place_of_a_new_password() {
    let provider = patient().await;
    let stronger = provider.twin(|config| config.passwords.memory_kib = 256).await;
    let mut current = PASSWORD.to_owned();
    for round in 0..6 {
        let new = format!("fine password number {round}");
        let browser = Arc::new(provider.browser());
        browser.try_to_sign_in(ALICE, &current).await.expect_at("/account");
        let page = browser.go("/account/password").await;
        let mut race = JoinSet::new();
        for number in 0..12 {
            if number == 6 {
                let (browser, page, current, new) = (browser.clone(), page.clone(), current.clone(), new.clone());
                race.spawn(async move {
                    let fields = [("current_password", &*current), ("new_password", &*new), ("repeat_password", &*new)];
                    browser.submit(&page, "/account/password", &fields).await.expect_at("/account");
                });
            }
            let (stronger, current) = (stronger.clone(), current.clone());
            race.spawn(async move { drop(stronger.browser().try_to_sign_in(ALICE, &current).await) });
        }
        race.join_all().await;
        provider.browser().try_to_sign_in(ALICE, &current).await.expect_at("/login");
        provider.browser().try_to_sign_in(ALICE, &new).await.expect_at("/account");
        current = new;
        // A change counts from its second on; the next round's sessions come later.
        provider.advance(1).await;
    }
    assert_eq!(provider.audited("user.change_password").await, 6);
}
