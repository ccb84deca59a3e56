use super::*;
use crate::store::testing::TestStore;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Two people (u1, u2), u1 with two sessions (s1, s2), u2 with s3; two clients (c1, c2). Grants by their names: g1 (s1, c1)
/// and g2 (s2, c2) linked, g3 (s1, c2) outliving, g4 (s3, c1) linked. Each has a family.
async fn house() -> TestStore {
    let store = TestStore::open().await;
    store.run("INSERT INTO users (id, sub, username, username_key, email_verified, claims, roles, created_at, updated_at, not_before) \
        VALUES ('u1', 'u1', 'u1', 'u1', FALSE, '{}', '', 0, 0, 0), ('u2', 'u2', 'u2', 'u2', FALSE, '{}', '', 0, 0, 0)").await;
    store.run("INSERT INTO sessions (id, cookie_digest, user_id, browser_id, created_at, auth_time, acr, amr, last_seen_at, \
        idle_expires_at, expires_at, persistent, direct, device, address) VALUES \
        ('s1', '', 'u1', 'b1', 0, 0, '', '', 0, 0, 0, FALSE, FALSE, '', ''), \
        ('s2', '', 'u1', 'b2', 0, 0, '', '', 0, 0, 0, FALSE, FALSE, '', ''), \
        ('s3', '', 'u2', 'b3', 0, 0, '', '', 0, 0, 0, FALSE, FALSE, '', '')").await;
    store.run("INSERT INTO clients (client_id, cookie_tag, settings, status_list, status_index, created_at, updated_at, not_before) \
        VALUES ('c1', 'c1', '{}', 0, 1, 0, 0, 0), ('c2', 'c2', '{}', 0, 2, 0, 0, 0)").await;
    store
        .run(
            "INSERT INTO consents (user_id, client_id, scope, claims, resources, granted_at) VALUES \
        ('u1', 'c1', '', '', '', 0), ('u1', 'c2', '', '', '', 0), ('u2', 'c1', '', '', '', 0)",
        )
        .await;
    store.run("INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, auth_time, \
        acr, amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, mac) VALUES \
        ('g1', 'u1', 'c1', 's1', '', TRUE, '', '', '', 0, '', '', 'body', 1, 1, 0, 0, 0, ''), \
        ('g2', 'u1', 'c2', 's2', '', TRUE, '', '', '', 0, '', '', 'body', 1, 2, 0, 0, 0, ''), \
        ('g3', 'u1', 'c2', 's1', '', FALSE, '', '', '', 0, '', '', 'body', 1, 3, 0, 0, 0, ''), \
        ('g4', 'u2', 'c1', 's3', '', TRUE, '', '', '', 0, '', '', 'body', 1, 4, 0, 0, 0, '')").await;
    store.run("INSERT INTO refresh_roots (id, sealed, kek_id, created_at) VALUES ('r', '', '', 0)").await;
    store.run("INSERT INTO refresh_families (id, grant_id, client_id, session_id, root_id, delivery, retry, grace, generation, \
        rotated_at, created_at, expires_at, idle_expires_at, retry_streak, retry_counted, retry_contexts) \
        SELECT id, id, client_id, session_id, 'r', 'body', '', 0, 0, 0, 0, 0, 0, 0, FALSE, '' FROM grants").await;
    store
}

async fn ended(store: &TestStore, what: What<'static>, reason: EndReason) -> (Ended, [String; 3]) {
    let mut ended = store.write(async move |tx| end(tx, what, reason, "system", NOW).await).await.unwrap();
    ended.sessions.sort();
    ended.grants.sort();
    let over = [
        "SELECT id FROM sessions WHERE ended_at IS NOT NULL ORDER BY id",
        "SELECT id FROM grants WHERE ended_at IS NOT NULL ORDER BY id",
        "SELECT grant_id FROM refresh_families WHERE ended_at IS NOT NULL ORDER BY id",
    ];
    let mut rows = Vec::new();
    for sql in over {
        rows.push(store.texts(sql).await.join(" "));
    }
    (ended, rows.try_into().unwrap())
}

fn id<T>(make: impl Fn(&str) -> T, text: &str) -> &'static T {
    Box::leak(Box::new(make(text)))
}

#[tokio::test]
async fn each_choice_ends_what_hangs_on_it_and_nothing_else() {
    let user = id(|id| UserId::new(id), "u1");
    let (first, second) = (id(|id| SessionId::new(id), "s1"), id(|id| SessionId::new(id), "s2"));
    let client = id(|id| ClientId::new(id), "c2");
    for (what, reason, sessions, grants) in [
        (What::Session(first), EndReason::SignedOut, "s1", "g1"),
        (What::SessionsOf { user, keep: Some(second) }, EndReason::SignedOut, "s1", "g1"),
        (What::SessionsOf { user, keep: None }, EndReason::Admin, "s1 s2", "g1 g2"),
        (What::SessionsOf { user, keep: Some(second) }, EndReason::PasswordChanged, "s1", "g1 g2 g3"),
        (What::User(user), EndReason::UserDisabled, "s1 s2", "g1 g2 g3"),
        (What::Client(client), EndReason::ClientDisabled, "", "g2 g3"),
        (What::Consent { user, client }, EndReason::ConsentWithdrawn, "", "g2 g3"),
        (What::Grant(id(|id| GrantId::new(id), "g3")), EndReason::Revoked, "", "g3"),
    ] {
        let store = house().await;
        let (told, over) = ended(&store, what, reason).await;
        assert_eq!(over, [sessions, grants, grants], "{what:?}");
        assert_eq!(told.sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" "), sessions);
        assert_eq!(told.grants.iter().map(GrantId::as_str).collect::<Vec<_>>().join(" "), grants);
        assert_eq!(store.number("SELECT COUNT(*) FROM audit").await, 1);
        // Ending twice ends nothing and says nothing; the first reason stays.
        let (again, over) = ended(&store, what, EndReason::Admin).await;
        assert!(again.is_empty());
        assert_eq!(over, [sessions, grants, grants]);
        assert_eq!(store.texts("SELECT DISTINCT reason FROM grants WHERE reason IS NOT NULL").await, [reason.as_str()]);
        assert_eq!(store.number("SELECT COUNT(*) FROM audit").await, 1);
    }
}

#[tokio::test]
async fn parents_remember_since_when_grants_count() {
    let user = id(|id| UserId::new(id), "u1");
    let sessions = What::SessionsOf { user, keep: None };
    for (what, reason, users, clients, consents) in [
        (What::User(user), EndReason::Admin, "u1", "", 3),
        (sessions, EndReason::PasswordChanged, "u1", "", 3),
        (sessions, EndReason::Admin, "", "", 3),
        (What::Client(id(|id| ClientId::new(id), "c1")), EndReason::Admin, "", "c1", 3),
        (What::Consent { user, client: id(|id| ClientId::new(id), "c1") }, EndReason::Admin, "", "", 2),
    ] {
        let store = house().await;
        ended(&store, what, reason).await;
        assert_eq!(store.texts("SELECT id FROM users WHERE not_before = 1800000000").await.join(" "), users);
        assert_eq!(store.texts("SELECT client_id FROM clients WHERE not_before = 1800000000").await.join(" "), clients);
        assert_eq!(store.number("SELECT COUNT(*) FROM consents").await, consents);
    }
}

#[tokio::test]
async fn an_alarm_is_recorded_although_nothing_was_left_to_end() {
    let store = house().await;
    let grant = What::Grant(id(|id| GrantId::new(id), "g1"));
    ended(&store, grant, EndReason::Revoked).await;
    ended(&store, grant, EndReason::RefreshReuse).await;
    let rows = store.texts("SELECT data FROM audit ORDER BY id").await;
    assert_eq!(rows.len(), 2);
    assert!(!rows[0].contains("alarm") && rows[1].contains("\"alarm\":true"), "{rows:?}");
}

/// Grants m1 to m4500 of u2 for c1, each with a family, some over by themselves.
async fn many(store: &TestStore) {
    for part in [
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)",
        "WITH RECURSIVE n (i) AS (SELECT 1501 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)",
        "WITH RECURSIVE n (i) AS (SELECT 3001 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)",
    ] {
        let grants = format!(
            "INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, auth_time, \
             acr, amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, mac) {part} \
             SELECT 'm' || CAST(i AS TEXT), 'u2', 'c1', 's3', '', TRUE, '', '', '', 0, '', '', 'body', 2, i, 0, 0, \
             1800000001 - i % 2, '' FROM n"
        );
        let families = format!(
            "INSERT INTO refresh_families (id, grant_id, client_id, session_id, root_id, delivery, retry, grace, generation, \
             rotated_at, created_at, expires_at, idle_expires_at, retry_streak, retry_counted, retry_contexts) {part} \
             SELECT 'm' || CAST(i AS TEXT), 'm' || CAST(i AS TEXT), 'c1', 's3', 'r', 'body', '', 0, 0, 0, 0, 0, 0, 0, FALSE, '' \
             FROM n"
        );
        store.run(Box::leak(grants.into_boxed_str())).await;
        store.run(Box::leak(families.into_boxed_str())).await;
    }
}

#[tokio::test]
async fn no_unit_ends_more_than_a_batch_and_the_rest_follows() {
    let left = "SELECT COUNT(*) FROM grants WHERE client_id = 'c1' AND ended_at IS NULL AND expires_at > 1800000000";
    for (what, whole) in [
        (What::Client(id(|id| ClientId::new(id), "c1")), Whole::Client(ClientId::new("c1"))),
        (What::User(id(|id| UserId::new(id), "u2")), Whole::User(UserId::new("u2"))),
        (
            What::SessionsOf { user: id(|id| UserId::new(id), "u2"), keep: None },
            Whole::SessionsOf { user: UserId::new("u2"), keep: None },
        ),
        (What::Session(id(|id| SessionId::new(id), "s3")), Whole::Session(SessionId::new("s3"))),
    ] {
        let store = house().await;
        many(&store).await;
        assert_eq!(store.number(left).await, 2_250);
        store.write(async move |tx| end(tx, what, EndReason::Admin, "cli", NOW).await).await.unwrap();
        assert_eq!(store.number(left).await, 250, "{what:?}");
        let rest = end_rest(&store, &whole, EndReason::Admin, "cli", NOW).await.unwrap();
        assert!(rest >= 250, "{rest}");
        assert_eq!(store.number(left).await, 0);
        assert_eq!(
            store
                .number(
                    "SELECT COUNT(*) FROM refresh_families f JOIN grants g ON g.id = f.grant_id \
                     WHERE g.ended_at IS NOT NULL AND f.ended_at IS NULL"
                )
                .await,
            0
        );
        assert_eq!(store.number("SELECT COUNT(*) FROM grants WHERE id IN ('g2', 'g3') AND ended_at IS NULL").await, 2);
        let audited = store.number("SELECT COUNT(*) FROM audit").await;
        assert_eq!(end_rest(&store, &whole, EndReason::Admin, "cli", NOW).await.unwrap(), 0);
        assert_eq!(store.number("SELECT COUNT(*) FROM audit").await, audited, "nothing ended, nothing is told");
        if matches!(whole, Whole::Session(_) | Whole::SessionsOf { .. }) {
            continue;
        }
        delete_grants(&store, &whole, NOW).await.unwrap();
        assert_eq!(store.number("SELECT COUNT(*) FROM grants WHERE id LIKE 'm%'").await, 0);
        assert_eq!(store.number("SELECT COUNT(*) FROM refresh_families WHERE id LIKE 'm%'").await, 0);
        assert_eq!(
            store
                .number("SELECT COUNT(*) FROM retired_indices WHERE status_list = 2 AND invalid_until = 1800000000")
                .await,
            4_500
        );
    }
}

#[tokio::test]
async fn the_status_bits_of_a_removed_person_stay_set() {
    let store = house().await;
    store.write(async move |tx| users::remove(tx, &UserId::new("u1"), NOW).await).await.unwrap();
    assert_eq!(store.texts("SELECT id FROM grants ORDER BY id").await, ["g4"]);
    assert_eq!(store.texts("SELECT id FROM sessions ORDER BY id").await, ["s3"]);
    assert_eq!(
        store
            .texts("SELECT CAST(status_index AS TEXT) FROM retired_indices WHERE invalid_until = 1800000000 ORDER BY status_index")
            .await,
        ["1", "2", "3"]
    );
}

/// Who would be told, as `client session`.
async fn told(store: &TestStore) -> Vec<String> {
    store.texts("SELECT client_id || ' ' || session_id FROM outbox ORDER BY client_id, session_id").await
}

/// The [`house`], whose apps want to be told of sign-outs.
async fn house_of_apps_that_ask() -> TestStore {
    let store = house().await;
    store.run("UPDATE clients SET told_of_logouts = TRUE").await;
    store
}

#[tokio::test]
async fn every_app_that_was_given_something_in_a_session_is_told_of_its_end() {
    let store = house_of_apps_that_ask().await;
    // One of c1 is over for long, and there are two of it in the session.
    store
        .run(
            "INSERT INTO grants (id, user_id, client_id, session_id, sid, session_linked, scope, resources, claims, auth_time, \
             acr, amr, delivery, status_list, status_index, created_at, last_used_at, expires_at, ended_at, reason, mac) VALUES \
             ('g0', 'u1', 'c1', 's1', '', TRUE, '', '', '', 0, '', '', 'body', 1, 9, 0, 0, 0, 7, 'revoked', '')",
        )
        .await;
    store.run("UPDATE grants SET ended_at = 9, reason = 'revoked' WHERE id = 'g1'").await;
    let session = id(|id| SessionId::new(id), "s1");
    ended(&store, What::Session(session), EndReason::SignedOut).await;
    assert_eq!(told(&store).await, ["c1 s1", "c2 s1"]);
    assert_eq!(store.texts("SELECT sub FROM outbox").await, ["u1", "u1"]);
    // What is over already is not told again.
    store.run("DELETE FROM outbox").await;
    ended(&store, What::Session(session), EndReason::Admin).await;
    assert_eq!(told(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn apps_are_told_of_what_others_end_and_not_of_what_they_end_themselves() {
    let (u1, c2) = (id(|id| UserId::new(id), "u1"), id(|id| ClientId::new(id), "c2"));
    let (s2, g3) = (id(|id| SessionId::new(id), "s2"), id(|id| GrantId::new(id), "g3"));
    for (what, reason, expected) in [
        (What::Session(s2), EndReason::OtherPerson, &["c2 s2"][..]),
        (What::SessionsOf { user: u1, keep: Some(s2) }, EndReason::SignedOut, &["c1 s1", "c2 s1"]),
        (What::SessionsOf { user: u1, keep: None }, EndReason::Admin, &["c1 s1", "c2 s1", "c2 s2"]),
        (What::SessionsOf { user: u1, keep: None }, EndReason::PasswordChanged, &["c1 s1", "c2 s1", "c2 s2"]),
        (What::User(u1), EndReason::UserDisabled, &["c1 s1", "c2 s1", "c2 s2"]),
        (What::Client(c2), EndReason::ClientDisabled, &["c2 s1", "c2 s2"]),
        (What::Consent { user: u1, client: c2 }, EndReason::ConsentWithdrawn, &["c2 s1", "c2 s2"]),
        (What::Grant(g3), EndReason::Admin, &["c2 s1"]),
        (What::Grant(g3), EndReason::ConsentWithdrawn, &["c2 s1"]),
        // The app itself, or what only looks like an end.
        (What::Grant(g3), EndReason::SignedOut, &[]),
        (What::Grant(g3), EndReason::Revoked, &[]),
        (What::Grant(g3), EndReason::Replaced, &[]),
        (What::Grant(g3), EndReason::CodeReuse, &[]),
        (What::Grant(g3), EndReason::RefreshReuse, &[]),
        (What::Grant(g3), EndReason::LostAnswer, &[]),
        (What::Grant(g3), EndReason::Retries, &[]),
        (What::Grant(g3), EndReason::Subject, &[]),
    ] {
        let store = house_of_apps_that_ask().await;
        ended(&store, what, reason).await;
        assert_eq!(told(&store).await, expected, "{what:?} {reason:?}");
    }
}

#[tokio::test]
async fn an_app_that_does_not_ask_is_not_told() {
    let store = house_of_apps_that_ask().await;
    store.run("UPDATE clients SET told_of_logouts = FALSE WHERE client_id = 'c1'").await;
    ended(&store, What::User(id(|id| UserId::new(id), "u1")), EndReason::UserDisabled).await;
    assert_eq!(told(&store).await, ["c2 s1", "c2 s2"]);
}

#[tokio::test]
async fn a_removed_person_is_still_known_to_the_notice() {
    let store = house_of_apps_that_ask().await;
    let user = id(|id| UserId::new(id), "u1");
    store
        .write(async move |tx| {
            end(tx, What::User(user), EndReason::UserDisabled, "cli", NOW).await?;
            users::remove(tx, user, NOW).await
        })
        .await
        .unwrap();
    assert_eq!(store.texts("SELECT DISTINCT sub FROM outbox").await, ["u1"]);
    assert_eq!(told(&store).await, ["c1 s1", "c2 s1", "c2 s2"]);
}

#[tokio::test]
async fn what_ends_in_batches_is_told_once_for_each_session_and_app() {
    for (what, whole) in [
        (What::Client(id(|id| ClientId::new(id), "c1")), Whole::Client(ClientId::new("c1"))),
        (What::User(id(|id| UserId::new(id), "u2")), Whole::User(UserId::new("u2"))),
        (
            What::SessionsOf { user: id(|id| UserId::new(id), "u2"), keep: None },
            Whole::SessionsOf { user: UserId::new("u2"), keep: None },
        ),
    ] {
        let store = house_of_apps_that_ask().await;
        many(&store).await;
        store.run("UPDATE grants SET session_id = 's4' WHERE id = 'm4499'").await;
        store.write(async move |tx| end(tx, what, EndReason::Admin, "cli", NOW).await).await.unwrap();
        end_rest(&store, &whole, EndReason::Admin, "cli", NOW).await.unwrap();
        let told = told(&store).await;
        for expected in ["c1 s3", "c1 s4"] {
            assert_eq!(told.iter().filter(|one| *one == expected).count(), 1, "{what:?}: {expected} in {told:?}");
        }
    }
    let store = house_of_apps_that_ask().await;
    end_all(&store, EndReason::HostLost, "cli", NOW).await.unwrap();
    assert_eq!(told(&store).await, ["c1 s1", "c1 s3", "c2 s1", "c2 s2"]);
}

#[tokio::test]
async fn the_rest_is_what_was_granted_by_then() {
    let store = house().await;
    many(&store).await;
    store.run("UPDATE grants SET created_at = 1800000001 WHERE id = 'm998'").await;
    let client = ClientId::new("c1");
    let of = client.clone();
    let first =
        store.write(async move |tx| end(tx, What::Client(&of), EndReason::Admin, "cli", NOW).await).await.unwrap();
    assert!(first.more);
    end_rest(&store, &Whole::Client(client), EndReason::Admin, "cli", NOW).await.unwrap();
    let left = "SELECT id FROM grants WHERE client_id = 'c1' AND ended_at IS NULL AND expires_at > 1800000000";
    assert_eq!(store.texts(left).await, ["m998"]);
    assert_eq!(store.texts("SELECT id FROM refresh_families WHERE id = 'm998' AND ended_at IS NULL").await, ["m998"]);
}

#[tokio::test]
async fn access_tokens_end_by_their_place_and_it_is_recorded_once() {
    let store = house().await;
    store.run("UPDATE grants SET status_list = 1, status_index = 9 WHERE id = 'g4'").await;
    let at = StatusIndex { list: 1, index: 9 };
    let fresh = StatusIndex { list: 1, index: 10 };
    for hit in [true, false] {
        let tokens = AccessTokens::OfGrant { grant: GrantId::new("g4"), at, fresh };
        let until = NOW.plus(std::time::Duration::from_secs(60));
        let ended = store.write(async move |tx| end_access_tokens(tx, &tokens, until, "client:c", NOW).await).await;
        assert_eq!(ended.unwrap(), hit);
    }
    let rows = store.texts("SELECT action || ' ' || subject || ' ' || actor FROM audit ORDER BY id").await;
    assert_eq!(rows, ["access_tokens.end g4 client:c"]);
    assert_eq!(store.texts("SELECT id FROM grants WHERE ended_at IS NOT NULL").await, Vec::<String>::new());
    assert_eq!(
        store.number("SELECT COUNT(*) FROM retired_indices WHERE status_list = 1 AND status_index = 9").await,
        1
    );
}
