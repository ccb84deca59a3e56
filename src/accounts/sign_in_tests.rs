use super::*;
use crate::accounts::passwords::PasswordPolicy;
use crate::accounts::people;
use crate::accounts::testing::{ACT, House, NOW, PASSWORD, later, policy, secret, wish};
use crate::store::testing::all_at_once;

fn is_wrong(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::WrongCredentials)
}

#[tokio::test]
async fn people_sign_in_by_name_or_verified_address_in_any_case() {
    let house = House::open().await;
    let alice = house.person("Alice", &[]).await;
    let browser = house.browser().await;
    for name in ["Alice", "alice", "ALICE", " alice ", "alice@EXAMPLE.com"] {
        let signed_in = house.signed_in(name, &browser).await;
        assert_eq!(signed_in.user.id, alice, "{name}");
        let session = house.session_of(signed_in.cookie.expose(), NOW).await.unwrap();
        assert_eq!((session.user_id, session.auth_time, session.acr.as_str()), (alice.clone(), NOW, ACR_PASSWORD));
    }
    house.store.run("UPDATE users SET email_verified = FALSE").await;
    assert!(is_wrong(&house.sign_in("alice@example.com", PASSWORD, &browser).await));
}

#[tokio::test]
async fn refusals_look_alike_and_open_nothing() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let bob = house.person("bob", &[]).await;
    house.person("carol", &[]).await;
    house.store.write(async move |tx| people::disable(tx, &bob, ACT).await).await.unwrap().unwrap();
    house.store.run("DELETE FROM passwords WHERE user_id IN (SELECT id FROM users WHERE username = 'carol')").await;
    let browser = house.browser().await;
    for (name, password) in [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", "correct horse batter"),
        ("alice", "correct horse battery "),
        ("nobody", PASSWORD),
        ("no\0body", PASSWORD),
        ("", PASSWORD),
        ("bob", PASSWORD),
        ("carol", PASSWORD),
    ] {
        assert!(is_wrong(&house.sign_in(name, password, &browser).await), "{name:?} {password:?}");
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM sessions").await, 0);
    assert_eq!(house.store.number("SELECT COUNT(*) FROM known_browsers").await, 0);
    assert_eq!(house.store.number("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.refused'").await, 9);
}

#[tokio::test]
async fn the_audit_tells_the_browser_and_the_network_of_every_try() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    assert!(is_wrong(&house.sign_in("alice", "x", &browser).await));
    house.signed_in("alice", &browser).await;
    let rows = house.store.texts("SELECT data FROM audit WHERE action LIKE 'sign_in.%' ORDER BY id").await;
    let told: Vec<serde_json::Value> = rows.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert_eq!(told.len(), 2);
    for data in &told {
        assert_eq!(data["browser"], browser.as_str());
        assert!(data["network"].as_str().is_some_and(|network| !network.is_empty()), "{data}");
    }
    assert_eq!(told[0]["network"], told[1]["network"]);
}

#[tokio::test]
async fn what_was_typed_is_not_written_down() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    // Into the wrong field, as happens.
    assert!(is_wrong(&house.sign_in("my-secret-password", "x", &browser).await));
    let rows = house.store.texts("SELECT subject || data || actor FROM audit").await.join("\n");
    assert!(rows.contains("name:"), "{rows}");
    assert!(!rows.contains("my-secret") && !rows.contains("192.0.2"), "{rows}");
    let buckets = house.store.texts("SELECT bucket FROM attempts").await.join("\n");
    assert!(!buckets.contains("my-secret") && !buckets.contains("192.0.2"), "{buckets}");
}

#[tokio::test]
async fn the_same_person_keeps_the_session_and_the_cookie_is_another() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    let first = house.signed_in("alice", &browser).await;
    let again = SignIn { keep: true, ..wish("alice", PASSWORD, &browser, "192.0.2.9") };
    let second = match house.accounts.sign_in(again, later(9 * 3600)).await.unwrap() {
        Outcome::SignedIn(signed_in) => *signed_in,
        other => panic!("{other:?}"),
    };
    assert_eq!(second.session.id, first.session.id);
    assert_eq!(second.session.created_at, NOW);
    assert!(house.session_of(first.cookie.expose(), later(9 * 3600)).await.is_none());
    let session = house.session_of(second.cookie.expose(), later(9 * 3600)).await.unwrap();
    assert_eq!(session.auth_time, later(9 * 3600));
    assert!(session.persistent && second.ended.is_empty());
    assert_eq!(house.store.number("SELECT COUNT(*) FROM sessions").await, 1);
}

#[tokio::test]
async fn another_person_ends_the_session_that_was_there() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    let browser = house.browser().await;
    let alice = house.signed_in("alice", &browser).await;
    let bob = house.signed_in("bob", &browser).await;
    assert_eq!(bob.ended, std::slice::from_ref(&alice.session.id));
    assert_ne!(bob.session.id, alice.session.id);
    assert!(house.session_of(alice.cookie.expose(), NOW).await.is_none());
    assert_eq!(house.store.texts("SELECT reason FROM sessions WHERE ended_at IS NOT NULL").await, ["other_person"]);
}

#[tokio::test]
async fn the_expected_person_or_nobody() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    let browser = house.browser().await;
    let expecting =
        |name: &str| SignIn { expected_user: Some(alice.clone()), ..wish(name, PASSWORD, &browser, "192.0.2.1") };
    for _ in 0..7 {
        let outcome = house.accounts.sign_in(expecting("bob"), NOW).await.unwrap();
        assert!(matches!(outcome, Outcome::OtherPerson), "{outcome:?}");
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM sessions").await, 0);
    assert!(matches!(house.accounts.sign_in(expecting("alice"), NOW).await.unwrap(), Outcome::SignedIn(_)));
}

#[tokio::test]
async fn exactly_as_many_wrong_tries_as_allowed_whatever_runs_side_by_side() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    for name in ["alice", "nobody"] {
        let tries = (0..100).map(|number| {
            let (house, wish) = (house.clone(), wish(name, &format!("wrong {number}"), &browser, "192.0.2.1"));
            async move { house.accounts.sign_in(wish, NOW).await.unwrap() }
        });
        let outcomes = all_at_once(tries).await;
        assert_eq!(outcomes.iter().filter(|outcome| is_wrong(outcome)).count(), 5, "{name}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| is_wrong(outcome) || matches!(outcome, Outcome::Throttled { retry_after_seconds: 900 })),
        );
        // Even the right password waits now.
        assert!(matches!(house.sign_in(name, PASSWORD, &browser).await, Outcome::Throttled { .. }));
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM audit WHERE action = 'sign_in.limit'").await, 2);
}

#[tokio::test]
async fn nobody_is_locked_out_at_a_known_browser() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let (own, foreign) = (house.browser().await, house.browser().await);
    house.signed_in("alice", &own).await;
    // The same network, and others, until both buckets are empty.
    for network in [2, 2, 2, 2, 2, 2, 3, 4, 5, 6, 7] {
        let wish = wish("alice", "wrong", &foreign, &format!("192.0.{network}.1"));
        house.accounts.sign_in(wish, NOW).await.unwrap();
    }
    for address in ["192.0.2.1", "192.0.99.1"] {
        let refused = house.accounts.sign_in(wish("alice", PASSWORD, &foreign, address), NOW).await.unwrap();
        assert!(matches!(refused, Outcome::Throttled { .. }), "{refused:?}");
        let admitted = house.accounts.sign_in(wish("alice", PASSWORD, &own, address), NOW).await.unwrap();
        assert!(matches!(admitted, Outcome::SignedIn(_)), "{admitted:?}");
    }
    // A known browser is no licence to guess.
    let mut wrong = 0;
    for _ in 0..20 {
        wrong += usize::from(is_wrong(&house.sign_in("alice", "wrong", &own).await));
    }
    assert_eq!(wrong, 5);
}

#[tokio::test]
async fn two_names_of_one_person_are_throttled_like_two_names_of_nobody() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    let mut told = Vec::new();
    for (name, other) in [("alice", "alice@example.com"), ("nobody", "nobody@example.com")] {
        let mut answers = Vec::new();
        for typed in [name, &name.to_uppercase(), &format!(" {name} "), name, name, name, other, other, other] {
            answers.push(format!("{:?}", house.sign_in(typed, "wrong", &browser).await));
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].iter().filter(|answer| answer.contains("Throttled")).count(), 1, "{:?}", told[0]);
}

#[tokio::test]
async fn two_names_give_one_budget() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    for _ in 0..3 {
        assert!(is_wrong(&house.sign_in("alice", "wrong", &browser).await));
    }
    for _ in 0..2 {
        assert!(is_wrong(&house.sign_in("alice@example.com", "wrong", &browser).await));
    }
    // Five tries are over, by whichever names; a guess that happens to be right now tells nothing.
    for name in ["alice", "alice@example.com"] {
        assert!(is_wrong(&house.sign_in(name, PASSWORD, &browser).await), "{name}");
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM sessions").await, 0);
    let outcome = house.accounts.sign_in(wish("alice", PASSWORD, &browser, "192.0.2.1"), later(900)).await.unwrap();
    assert!(matches!(outcome, Outcome::SignedIn(_)), "{outcome:?}");
}

#[tokio::test]
async fn right_passwords_use_up_nothing() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    for _ in 0..30 {
        let browser = house.browser().await;
        house.signed_in("alice", &browser).await;
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM attempts WHERE taken > 0").await, 0);
}

#[tokio::test]
async fn parallel_sign_ins_at_one_browser_leave_one_session() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    for _ in 0..4 {
        let browser = house.browser().await;
        // Known already, so that the throttle is out of the way.
        house.signed_in("alice", &browser).await;
        house.signed_in("bob", &browser).await;
        let wishes = (0..8).map(|number| {
            let name = if number % 2 == 0 { "alice" } else { "bob" };
            let (house, wish) = (house.clone(), wish(name, PASSWORD, &browser, "192.0.2.1"));
            async move { house.accounts.sign_in(wish, NOW).await.unwrap() }
        });
        let outcomes = all_at_once(wishes).await;
        let mut live = 0;
        for outcome in &outcomes {
            if let Outcome::SignedIn(signed_in) = outcome {
                live += usize::from(house.session_of(signed_in.cookie.expose(), NOW).await.is_some());
            }
        }
        assert_eq!(live, 1);
        let sessions = sessions::at_browser(&mut house.store.read().await.unwrap(), &browser).await.unwrap();
        assert_eq!(sessions.len(), 1);
    }
}

#[tokio::test]
async fn a_hash_is_made_stronger_once_and_locks_nobody_out() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let strong = house.with(PasswordPolicy { memory_kib: 256, iterations: 2, ..policy() });
    let before = house.store.texts("SELECT sealed FROM passwords").await;
    let mut wishes = Vec::new();
    // As many as one network may have on the way at one moment.
    for _ in 0..5 {
        let browser = house.browser().await;
        let (house, wish) = (strong.clone(), wish("alice", PASSWORD, &browser, "192.0.2.1"));
        wishes.push(async move { house.accounts.sign_in(wish, NOW).await.unwrap() });
    }
    for outcome in all_at_once(wishes).await {
        assert!(matches!(outcome, Outcome::SignedIn(_)), "{outcome:?}");
    }
    let after = house.store.texts("SELECT sealed FROM passwords").await;
    assert_ne!(before, after);
    let stored = passwords::find(&mut house.store.read().await.unwrap(), &alice).await.unwrap().unwrap();
    assert!(sealed_hash::open(&house.vault, &alice, &stored).unwrap().expose().contains("m=256,t=2"));
    strong.signed_in("alice", &house.browser().await).await;
    assert_eq!(house.store.texts("SELECT sealed FROM passwords").await, after);
}

#[tokio::test]
async fn a_password_changed_while_the_old_one_was_compared_stays_and_the_old_one_opens_nothing() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let strong = house.with(PasswordPolicy { memory_kib: 256, ..policy() });
    let browser = house.browser().await;
    let signed_in = house.signed_in("alice", &browser).await;
    let attempt = Try {
        claimed: Claimed::Name("alice".to_owned()),
        password: secret(PASSWORD),
        browser: browser.clone(),
        address: "192.0.2.1".parse().unwrap(),
    };
    let proof = strong.accounts.prove(attempt, NOW).await.unwrap().unwrap();
    assert!(proof.stronger.is_some());
    // In the same second as the first password.
    house.set_password(&alice, "another fine password").await;
    let proven = Proven { proof, wanted: signed_in.session.clone(), came_with: None };
    let accounts = strong.accounts.clone();
    let opened = house.store.write(async move |tx| accounts.open_session(tx, proven, NOW).await).await.unwrap();
    assert!(opened.is_none());
    assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_none());
    assert!(is_wrong(&house.sign_in("alice", PASSWORD, &browser).await));
    assert!(matches!(house.sign_in("alice", "another fine password", &browser).await, Outcome::SignedIn(_)));
}

#[tokio::test]
async fn a_person_disabled_while_the_password_was_compared_is_not_signed_in() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let browser = house.browser().await;
    let signed_in = house.signed_in("alice", &browser).await;
    let attempt = Try {
        claimed: Claimed::Person(alice.clone()),
        password: secret(PASSWORD),
        browser,
        address: "192.0.2.1".parse().unwrap(),
    };
    let proof = house.accounts.prove(attempt, NOW).await.unwrap().unwrap();
    house.store.write(async move |tx| people::disable(tx, &alice, ACT).await).await.unwrap().unwrap();
    let accounts = house.accounts.clone();
    let proven = Proven { proof, wanted: signed_in.session, came_with: None };
    let opened = house.store.write(async move |tx| accounts.open_session(tx, proven, NOW).await).await.unwrap();
    assert!(opened.is_none());
    assert_eq!(house.store.number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 0);
}

#[tokio::test]
async fn a_hash_that_does_not_open_is_a_fault_and_not_a_wrong_password() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    house.store.run("UPDATE passwords SET sealed = 'AAAA'").await;
    for _ in 0..10 {
        let fault = house.accounts.sign_in(wish("alice", PASSWORD, &browser, "192.0.2.1"), NOW).await;
        assert!(matches!(fault, Err(AccountsError::Vault(_))), "{fault:?}");
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM attempts WHERE taken > 0").await, 0);
}

#[tokio::test]
async fn a_password_over_the_limit_costs_nothing() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    for length in [1025, 1_000_000] {
        let outcome = house.sign_in("alice", &"x".repeat(length), &browser).await;
        assert!(matches!(outcome, Outcome::TooLong), "{outcome:?}");
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM attempts").await, 0);
    assert!(is_wrong(&house.sign_in("alice", &"x".repeat(1024), &browser).await));
}

#[tokio::test]
async fn a_full_queue_is_told_and_not_counted() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let slow = house.with(PasswordPolicy { memory_kib: 16 * 1024, iterations: 10, threads: 1, queue: 0, ..policy() });
    let browser = house.browser().await;
    let mut wishes = Vec::new();
    for network in 0..12 {
        let (house, wish) = (slow.clone(), wish(&format!("n{network}"), "x", &browser, &format!("192.0.{network}.1")));
        wishes.push(async move { house.accounts.sign_in(wish, NOW).await.unwrap() });
    }
    let outcomes = all_at_once(wishes).await;
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Busy)).count();
    let wrong = outcomes.iter().filter(|outcome| is_wrong(outcome)).count();
    assert_eq!(busy + wrong, 12);
    assert!(busy > 0);
    let counted = house.store.number("SELECT COUNT(*) FROM attempts WHERE taken > 0").await;
    assert_eq!(counted, i64::try_from(wrong * 5).unwrap());
}

#[tokio::test]
async fn a_direct_session_is_marked_and_a_sign_in_at_the_page_unmarks_it() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let browser = house.browser().await;
    let direct =
        SignIn { direct: true, device: "a\u{7}b".repeat(200), ..wish("alice", PASSWORD, &browser, "::ffff:192.0.2.1") };
    let Outcome::SignedIn(first) = house.accounts.sign_in(direct, NOW).await.unwrap() else { panic!("refused") };
    assert!(first.session.direct);
    assert_eq!(
        (first.session.device.as_str(), first.session.address.as_str()),
        ("ab".repeat(100).as_str(), "192.0.2.1")
    );
    let second = house.signed_in("alice", &browser).await;
    assert!(!second.session.direct);
    assert_eq!(second.session.id, first.session.id);
}

#[tokio::test]
async fn an_apps_own_form_takes_nothing_from_a_session_that_its_browser_shows() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    for (shows, after, stays) in [(true, 60, true), (false, 60, false), (true, 9 * 3600, false)] {
        let browser = house.browser().await;
        let real = house.signed_in("alice", &browser).await;
        let direct = SignIn {
            direct: true,
            cookie: shows.then_some(real.cookie),
            ..wish("alice", PASSWORD, &browser, "192.0.2.1")
        };
        let outcome = house.accounts.sign_in(direct, later(after)).await.unwrap();
        let Outcome::SignedIn(second) = outcome else { panic!("{outcome:?}") };
        assert_eq!((second.session.id.clone(), second.session.direct), (real.session.id, !stays), "{shows} {after}");
        let found = house.session_of(second.cookie.expose(), later(after)).await.unwrap();
        assert_eq!(found.direct, !stays);
    }
}
