use super::*;
use crate::accounts::testing::{ACT, House, registration};

async fn declared(house: &House, people: Vec<Registration>) -> Result<Vec<Applied>, Vec<Refused>> {
    house
        .store
        .write(async move |tx| {
            let all: Vec<Declared<'_>> =
                people.iter().map(|registration| Declared { registration, password: None }).collect();
            declare(tx, &all, false, ACT).await
        })
        .await
        .unwrap()
}

fn with_address(name: &str, address: Option<&str>) -> Registration {
    Registration { email: address.map(str::to_owned), email_verified: address.is_some(), ..registration(name, &[]) }
}

async fn addresses(house: &House) -> Vec<String> {
    house.store.texts("SELECT username || ' ' || COALESCE(email, '') FROM users ORDER BY username").await
}

#[tokio::test]
async fn the_role_admin_moves_in_either_order_and_never_goes() {
    for swapped in [false, true] {
        let house = House::open().await;
        let alice = house.person("alice", &["admin"]).await;
        let bob = house.person("bob", &[]).await;
        let mut people = vec![registration("alice", &[]), registration("bob", &["admin"])];
        if swapped {
            people.reverse();
        }
        let applied = declared(&house, people).await.unwrap();
        assert!(applied.contains(&Applied::Changed(alice)) && applied.contains(&Applied::Changed(bob)), "{applied:?}");
        assert_eq!(house.store.texts("SELECT username FROM users WHERE roles = 'admin'").await, ["bob"]);
        // To somebody new, too; but not to nobody, and not to somebody who may not sign in.
        declared(&house, vec![registration("bob", &[]), registration("carol", &["admin"])]).await.unwrap();
        let refused = declared(&house, vec![registration("alice", &["editor"]), registration("carol", &[])]).await;
        assert_eq!(refused, Err(vec![Refused { position: 1, error: PeopleError::LastAdmin }]));
        house.store.run("UPDATE users SET disabled_at = 1 WHERE username = 'bob'").await;
        let refused = declared(&house, vec![registration("bob", &["admin"]), registration("carol", &[])]).await;
        assert_eq!(refused, Err(vec![Refused { position: 1, error: PeopleError::LastAdmin }]));
        let roles = house.store.texts("SELECT username || ' ' || roles FROM users ORDER BY username").await;
        assert_eq!(roles, ["alice ", "bob ", "carol admin"], "a refusal has written nothing");
    }
}

#[tokio::test]
async fn addresses_move_between_people_and_belong_to_one() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    let swapped = vec![with_address("alice", Some("bob@example.com")), with_address("bob", Some("Alice@example.com"))];
    declared(&house, swapped).await.unwrap();
    assert_eq!(addresses(&house).await, ["alice bob@example.com", "bob Alice@example.com"]);
    // One who comes gets what one who stays gives up.
    let passed_on = vec![with_address("carol", Some("bob@example.com")), with_address("alice", None)];
    declared(&house, passed_on).await.unwrap();
    assert_eq!(addresses(&house).await, ["alice ", "bob Alice@example.com", "carol bob@example.com"]);
    for people in [
        vec![with_address("alice", None), with_address("carol", Some("alice@example.com"))],
        vec![with_address("alice", Some("new@example.com")), with_address("carol", Some("NEW@example.com"))],
        vec![with_address("carol", Some("bob@example.com")), with_address("alice", Some("bob@example.com"))],
    ] {
        let refused = declared(&house, people).await;
        assert_eq!(refused, Err(vec![Refused { position: 1, error: PeopleError::EmailTaken }]));
    }
    assert_eq!(addresses(&house).await, ["alice ", "bob Alice@example.com", "carol bob@example.com"]);
}

#[tokio::test]
async fn a_declaration_that_changes_nothing_writes_nothing_and_waits_for_nobody() {
    let house = House::open().await;
    house.person("alice", &["admin"]).await;
    house.person("bob", &[]).await;
    house.store.run("DELETE FROM installation").await;
    let audited = house.store.number("SELECT COUNT(*) FROM audit").await;
    let applied = declared(&house, vec![registration("alice", &["admin"]), registration("bob", &[])]).await.unwrap();
    assert!(applied.iter().all(|one| matches!(one, Applied::Unchanged(_))), "{applied:?}");
    assert_eq!(house.store.number("SELECT COUNT(*) FROM audit").await, audited);
    // The row that admins are counted under.
    assert_eq!(house.store.number("SELECT COUNT(*) FROM installation").await, 0);
}

#[tokio::test]
async fn each_member_that_differs_is_written_and_named_in_the_audit() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let is = registration("alice", &[]);
    let claims = serde_json::Map::from_iter([("name".to_owned(), json!("Alice Liddell"))]);
    for (shall, member) in [
        (Registration { email: Some("other@example.com".to_owned()), ..is.clone() }, "email"),
        (Registration { email_verified: !is.email_verified, ..is.clone() }, "email_verified"),
        (Registration { claims, ..is.clone() }, "claims"),
        (Registration { roles: vec!["editor".to_owned()], ..is.clone() }, "roles"),
    ] {
        let changed = vec![Applied::Changed(alice.clone())];
        house.store.run("UPDATE users SET updated_at = 1").await;
        assert_eq!(declared(&house, vec![shall.clone()]).await, Ok(changed.clone()), "{member}");
        assert_eq!(declared(&house, vec![shall]).await, Ok(vec![Applied::Unchanged(alice.clone())]), "{member}");
        let audited = house.store.texts("SELECT data FROM audit WHERE action = 'user.update' ORDER BY id DESC").await;
        assert_eq!(audited[0], json!({ "changed": [member] }).to_string());
        assert_eq!(house.store.number("SELECT updated_at FROM users").await, ACT.now.as_seconds());
        assert_eq!(declared(&house, vec![is.clone()]).await, Ok(changed), "{member}");
    }
}
