//! Many at once, and requests that are given up half way.

use std::future::{Future, poll_fn};
use std::task::Poll;

use tokio::task::JoinSet;

use crate::support::{ALICE, Answer, TestProvider};

const AT_ONCE: usize = 32;
const ROUNDS: usize = 3;

/// Runs all of them side by side, on tasks of their own.
async fn all_at_once<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for future in futures {
        tasks.spawn(future);
    }
    tasks.join_all().await
}

/// Polls a future so often, then drops it where it stands. `None`: it was dropped.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

fn granted(answers: &[Answer]) -> usize {
    for answer in answers {
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{answer:#?}");
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_code_has_one_winner() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    for round in 1..=ROUNDS {
        let code = app.code_of(ALICE).await;
        let answers = all_at_once((0..AT_ONCE).map(|_| {
            let (app, code) = (app.clone(), code.clone());
            async move { app.redeem(&code).await }
        }))
        .await;

        assert_eq!(granted(&answers), 1);
        let winner = answers.into_iter().find(|answer| answer.status == 200).unwrap().expect_tokens();
        app.refresh(&winner.refresh).await.expect_error("invalid_grant");
        app.userinfo(&winner.access).await.expect_error("invalid_token");
        assert_eq!(provider.end_reasons().await, vec!["code_reuse"; round]);
        assert_eq!(provider.number("SELECT COUNT(*) FROM refresh_families").await, i64::try_from(round).unwrap());
        assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_generation_makes_one_step() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let mut token = app.tokens_of(ALICE).await.refresh;
    for round in 1..=ROUNDS {
        let answers = all_at_once((0..AT_ONCE).map(|_| {
            let (app, token) = (app.clone(), token.clone());
            async move { app.refresh(&token).await }
        }))
        .await;

        assert_eq!(granted(&answers), AT_ONCE);
        let mut successors: Vec<String> = answers.into_iter().map(|answer| answer.expect_tokens().refresh).collect();
        successors.dedup();
        assert_eq!(successors.len(), 1, "all get the same successor");
        token = successors.remove(0);
        assert_eq!(provider.number("SELECT generation FROM refresh_families").await, i64::try_from(round).unwrap());
        assert_eq!(provider.live_families().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_tabs_get_the_same_cookie() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    app.signed_in_at(&browser, ALICE).await;
    for round in 1..=ROUNDS {
        let name = browser.refresh_cookie_name();
        let answers = all_at_once((0..AT_ONCE).map(|_| {
            let (app, tab) = (app.clone(), browser.copied_to("192.0.2.7"));
            async move { app.refresh_at(&tab).await }
        }))
        .await;

        assert_eq!(granted(&answers), AT_ONCE);
        let mut cookies: Vec<String> = answers.iter().flat_map(Answer::set_cookies).collect();
        assert_eq!(cookies.len(), AT_ONCE);
        cookies.dedup();
        assert_eq!(cookies.len(), 1);
        let value = cookies[0].split([';', '=']).nth(1).unwrap();
        browser.plant(&name, value);
        assert_eq!(provider.number("SELECT generation FROM refresh_families").await, i64::try_from(round).unwrap());
        assert_eq!(provider.live_families().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_codes_of_one_session_leave_one_family() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    for _ in 0..ROUNDS {
        let mut codes = Vec::new();
        for _ in 0..AT_ONCE {
            codes.push(app.code_at(&browser, ALICE).await);
        }
        let answers = all_at_once(codes.into_iter().map(|code| {
            let (app, tab) = (app.clone(), browser.copied_to("192.0.2.7"));
            async move { app.redeem_at(&tab, &code).await }
        }))
        .await;

        assert_eq!(granted(&answers), AT_ONCE, "each replaces the one before it");
        assert_eq!((provider.live_grants().await, provider.live_families().await), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_out_leaves_no_family_behind_however_the_race_ends() {
    let provider = TestProvider::https().await;
    let apps = [provider.client("spa"), provider.client("second")];
    for _ in 0..ROUNDS {
        let browser = std::sync::Arc::new(provider.browser());
        browser.sign_in(ALICE).await;
        let room = browser.go("/account").await;
        let mut redemptions = Vec::new();
        for turn in 0..AT_ONCE / 2 {
            let app = apps[turn % 2].clone();
            let code = app.code_at(&browser, ALICE).await;
            redemptions.push((app, code));
        }
        let mut tasks = JoinSet::new();
        for (turn, (app, code)) in redemptions.into_iter().enumerate() {
            if turn == AT_ONCE / 4 {
                let (browser, room) = (browser.clone(), room.clone());
                tasks.spawn(async move { browser.submit(&room, "/logout", &[]).await.answer });
            }
            let tab = browser.copied_to("192.0.2.7");
            tasks.spawn(async move { app.redeem_at(&tab, &code).await });
        }
        let answers = tasks.join_all().await;

        granted(&answers);
        assert_eq!(provider.live_sessions().await, 0);
        assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_disabled_person_keeps_nothing_however_the_race_ends() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    for _ in 0..ROUNDS {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(app.tokens_of(ALICE).await.refresh);
        }
        let code = app.code_of(ALICE).await;
        let mut tasks = JoinSet::new();
        for turn in 0..AT_ONCE {
            let (native, token) = (app.clone(), tokens[turn % 4].clone());
            tasks.spawn(async move { drop(native.refresh(&token).await) });
            if turn == AT_ONCE / 2 {
                let (provider, app, code) = (provider.clone(), app.clone(), code.clone());
                tasks.spawn(async move { provider.disable(ALICE).await });
                tasks.spawn(async move { drop(app.redeem(&code).await) });
            }
        }
        tasks.join_all().await;

        assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
        for token in tokens {
            app.refresh(&token).await.expect_error("invalid_grant");
        }
        provider.enable(ALICE).await;
        // `not_before` is whole seconds: who signs in after it comes later.
        provider.advance(1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withdrawal_leaves_no_grant_behind_however_the_race_ends() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = std::sync::Arc::new(provider.browser());
    for _ in 0..ROUNDS {
        app.code_at(&browser, ALICE).await;
        let page = browser.go("/account/apps/web/withdraw").await;
        let mut tasks = JoinSet::new();
        for turn in 0..AT_ONCE {
            if turn == AT_ONCE / 2 {
                let (browser, page) = (browser.clone(), page.clone());
                tasks.spawn(async move {
                    browser.submit(&page, "/account/apps/withdraw", &[]).await;
                });
            }
            let (app, tab) = (app.clone(), browser.copied_to("192.0.2.7"));
            tasks.spawn(async move { drop(app.visit(&tab, &app.ask()).await) });
        }
        tasks.join_all().await;

        assert_eq!(provider.number("SELECT COUNT(*) FROM consents").await, 0);
        assert_eq!(provider.live_grants().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_code_that_a_stranger_spoils_meanwhile_is_no_second_use() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    for _ in 0..ROUNDS {
        let code = app.code_of(ALICE).await;
        let before = (provider.live_grants().await, provider.audited("code.reuse").await);
        let mut wrong = code.clone();
        wrong.verifier = "w".repeat(43);
        let (right, spoilt) = tokio::join!(
            all_at_once([(app.clone(), code)].map(|(app, code)| async move { app.redeem(&code).await })),
            all_at_once([(app.clone(), wrong)].map(|(app, code)| async move { app.redeem(&code).await })),
        );
        granted(&spoilt);
        // Whoever was first: the right one won, and the wrong one after it is a use by the client itself; or the wrong one
        // spoilt the code, and then nothing that was given ends.
        if granted(&right) == 0 {
            assert_eq!((provider.live_grants().await, provider.audited("code.reuse").await), before);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_is_disabled_amid_redemptions_leaves_nothing_and_nobody_waits_in_vain() {
    for _ in 0..ROUNDS {
        let provider = TestProvider::https().await;
        let app = provider.client("spa");
        let browser = provider.browser();
        app.signed_in_at(&browser, ALICE).await;
        let mut codes = Vec::new();
        for _ in 0..AT_ONCE {
            codes.push(app.code_at(&browser, ALICE).await);
        }
        let mut tasks = JoinSet::new();
        let mut disabling = JoinSet::new();
        for (turn, code) in codes.into_iter().enumerate() {
            if turn == AT_ONCE / 2 {
                let provider = provider.clone();
                disabling.spawn(async move { provider.disable_client("spa").await });
            }
            let (app, tab) = (app.clone(), browser.copied_to("192.0.2.7"));
            tasks.spawn(async move { app.redeem_at(&tab, &code).await });
        }
        let answers = tasks.join_all().await;
        disabling.join_all().await;

        granted(&answers);
        assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0));
    }
}

/// Other people's requests that run meanwhile, so that the dropped one meets full batches.
async fn load(provider: &TestProvider, token: &mut String) {
    let app = provider.client("native");
    let answers = all_at_once((0..4).map(|_| {
        let (app, token) = (app.clone(), token.clone());
        async move { app.refresh(&token).await }
    }))
    .await;
    *token = answers.into_iter().map(|answer| answer.expect_tokens().refresh).next().unwrap();
}

/// No future of a request takes more turns than this.
const MOST_TURNS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redemption_given_up_at_any_point_is_whole_or_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    let mut other = provider.client("native").tokens_of(ALICE).await.refresh;
    for turns in 0..MOST_TURNS {
        let code = app.code_at(&browser, ALICE).await;
        let before = provider.live_families().await;
        let (finished, ()) = tokio::join!(dropped_after(turns, app.redeem(&code)), load(&provider, &mut other));
        let done = finished.is_some();
        let again = app.redeem(&code).await;
        let odd = "SELECT COUNT(*) FROM codes c LEFT JOIN refresh_families f ON f.grant_id = c.grant_id \
                   WHERE (c.used_at IS NULL) <> (f.id IS NULL)";
        assert_eq!(provider.number(odd).await, 0, "after {turns} turns");
        if again.status == 200 {
            assert!(!done);
            assert_eq!(provider.live_families().await, before + 1);
        } else {
            again.expect_error("invalid_grant");
            assert_eq!(provider.live_families().await, before, "a second use ended what the first gave");
        }
        if done {
            return;
        }
    }
    panic!("a redemption takes more than {MOST_TURNS} turns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_given_up_at_any_point_can_be_repeated() {
    let provider = TestProvider::start().await;
    let app = provider.client("native");
    let mut other = app.tokens_of(ALICE).await.refresh;
    let mut token = app.tokens_of(ALICE).await.refresh;
    for turns in 0..MOST_TURNS {
        let (finished, ()) = tokio::join!(dropped_after(turns, app.refresh(&token)), load(&provider, &mut other));
        let next = app.refresh(&token).await.expect_tokens().refresh;
        assert_ne!(next, token);
        token = next;
        let steps = i64::try_from(turns).unwrap() + 1;
        assert_eq!(
            provider.texts("SELECT CAST(generation AS TEXT) FROM refresh_families").await,
            vec![steps.to_string(); 2]
        );
        assert_eq!(provider.live_families().await, 2);
        if finished.is_some() {
            return;
        }
    }
    panic!("a refresh takes more than {MOST_TURNS} turns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_consent_given_up_at_any_point_is_whole_or_nothing() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browser = provider.browser();
    browser.sign_in(ALICE).await;
    let mut other = provider.client("native").tokens_of(ALICE).await.refresh;
    let odd = "SELECT COUNT(*) FROM grants g LEFT JOIN codes c ON c.grant_id = g.id WHERE c.id IS NULL";
    for turns in 0..MOST_TURNS {
        let asked = app.ask().with("prompt", "consent");
        let page = app.visit(&browser, &asked).await.expect_at("/consent");
        let before = provider.live_grants().await;
        let accept = browser.submit(&page, "/consent", &[("decision", "accept")]);
        let (finished, ()) = tokio::join!(dropped_after(turns, accept), load(&provider, &mut other));
        let again = browser.submit(&page, "/consent", &[("decision", "accept")]).await;
        assert_eq!(provider.number(odd).await, 0, "after {turns} turns");
        // Once given, whichever of the two forms it was that arrived.
        assert_eq!(provider.live_grants().await, before + 1, "after {turns} turns: {again:#?}");
        if let Some(first) = finished {
            asked.code_in(first.left_for(), provider.issuer());
            return;
        }
    }
    panic!("a consent takes more than {MOST_TURNS} turns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_out_given_up_at_any_point_is_whole_or_nothing() {
    let provider = TestProvider::https().await;
    let app = provider.client("spa");
    for turns in 0..MOST_TURNS {
        let browser = provider.browser();
        app.signed_in_at(&browser, ALICE).await;
        let page = browser.go("/account").await;
        let finished = dropped_after(turns, browser.submit(&page, "/logout", &[])).await.is_some();
        let later = browser.submit(&page, "/logout", &[]).await;
        assert!(matches!(later.answer.status.as_u16(), 200 | 403), "{later:#?}");
        assert_eq!(provider.live_sessions().await, 0, "after {turns} turns");
        assert_eq!((provider.live_grants().await, provider.live_families().await), (0, 0), "after {turns} turns");
        if finished {
            return;
        }
    }
    panic!("a sign-out takes more than {MOST_TURNS} turns");
}
