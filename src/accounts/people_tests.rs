use super::*;
use crate::accounts::declared::{Applied, Declared, declare_one};
use crate::accounts::sign_in::Outcome;
use crate::accounts::testing::{ACT, House, NOW, PASSWORD, registration, secret};
use crate::store::testing::all_at_once;

async fn applied(
    house: &House,
    registration: &Registration,
    password: Option<&str>,
    reset: bool,
) -> Result<Applied, PeopleError> {
    let hash = match password {
        Some(password) => Some(house.accounts.passwords().hash(secret(password)).await.unwrap()),
        None => None,
    };
    let (vault, registration) = (house.vault.clone(), registration.clone());
    house
        .store
        .write(async move |tx| {
            let password = hash.as_ref().map(|hash| NewPassword { hash, vault: &vault });
            declare_one(tx, Declared { registration: &registration, password }, reset, ACT).await
        })
        .await
        .unwrap()
}

async fn find(house: &House, id: &UserId) -> User {
    users::find(&mut house.store.read().await.unwrap(), id).await.unwrap().unwrap()
}

#[tokio::test]
async fn names_and_addresses_belong_to_one_person() {
    let house = House::open().await;
    house.person("alice", &[]).await;
    let refused = async |registration: Registration| {
        house.store.write(async move |tx| register(tx, &registration, None, ACT).await).await.unwrap().unwrap_err()
    };
    assert_eq!(refused(registration("ALICE", &[])).await, PeopleError::UsernameTaken);
    let other = Registration { email: Some("Alice@Example.com".to_owned()), ..registration("bob", &[]) };
    assert_eq!(refused(other).await, PeopleError::EmailTaken);
    let bad = Registration { email: Some("nonsense".to_owned()), ..registration("bob", &[]) };
    assert_eq!(refused(bad).await, PeopleError::Bad(BadRegistration::Email));
    assert_eq!(house.store.number("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn one_of_many_who_register_a_name_at_once_gets_it() {
    let house = House::open().await;
    let wishes = (0..16).map(|number| {
        let house = house.clone();
        let registration = Registration { email: Some(format!("{number}@example.com")), ..registration("alice", &[]) };
        async move { house.store.write(async move |tx| register(tx, &registration, None, ACT).await).await }
    });
    let outcomes = all_at_once(wishes).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Ok(_)))).count(), 1);
    for outcome in outcomes {
        assert!(
            matches!(outcome, Ok(Ok(_) | Err(PeopleError::UsernameTaken)) | Err(StoreError::Conflict(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(house.store.number("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_declaration_creates_changes_and_then_rests() {
    let house = House::open().await;
    house.person("root", &["admin"]).await;
    let alice = registration("Alice", &["editor", "admin", "editor"]);
    let Applied::Created(id) = applied(&house, &alice, Some(PASSWORD), false).await.unwrap() else { panic!("not new") };
    let sub = find(&house, &id).await.sub;
    assert_eq!(find(&house, &id).await.roles, ["admin", "editor"]);
    for _ in 0..2 {
        let again = applied(&house, &alice, Some("another fine password"), false).await.unwrap();
        assert_eq!(again, Applied::Unchanged(id.clone()));
    }
    let mut other = registration("alice", &[]);
    other.email = None;
    other.email_verified = false;
    other.claims.insert("name".to_owned(), "Alice Liddell".into());
    assert_eq!(applied(&house, &other, None, false).await.unwrap(), Applied::Changed(id.clone()));
    let user = find(&house, &id).await;
    assert_eq!((user.username.as_str(), user.email.clone(), user.display_name()), ("alice", None, "Alice Liddell"));
    assert_eq!((user.sub, user.roles.len()), (sub, 0));
    // The password is still the first.
    let signed_in = house.signed_in("alice", &house.browser().await).await;
    // Until it is reset, which ends what rested on it.
    let reset = applied(&house, &other, Some("another fine password"), true).await.unwrap();
    assert_eq!(reset, Applied::Changed(id));
    assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_none());
    let outcome = house.sign_in("alice", "another fine password", &house.browser().await).await;
    assert!(matches!(outcome, Outcome::SignedIn(_)));
}

#[tokio::test]
async fn a_declaration_wakes_no_disabled_person_and_takes_no_foreign_address() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    let id = alice.clone();
    house.store.write(async move |tx| disable(tx, &id, ACT).await).await.unwrap().unwrap();
    let wanted = Registration { email: Some("bob@example.com".to_owned()), ..registration("alice", &["editor"]) };
    assert_eq!(applied(&house, &wanted, None, false).await, Err(PeopleError::EmailTaken));
    assert!(find(&house, &alice).await.roles.is_empty());
    applied(&house, &registration("alice", &["editor"]), None, false).await.unwrap();
    assert!(!find(&house, &alice).await.is_active());
}

#[tokio::test]
async fn disabling_ends_everything_and_enabling_brings_nothing_back() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let signed_in = house.signed_in("alice", &house.browser().await).await;
    let act = async |on: bool| {
        let id = alice.clone();
        house
            .store
            .write(async move |tx| if on { enable(tx, &id, ACT).await } else { disable(tx, &id, ACT).await })
            .await
            .unwrap()
    };
    assert_eq!(act(false).await, Ok(true));
    assert_eq!(act(false).await, Ok(false));
    assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_none());
    let outcome = house.sign_in("alice", PASSWORD, &signed_in.session.browser_id).await;
    assert!(matches!(outcome, Outcome::WrongCredentials));
    assert_eq!(act(true).await, Ok(true));
    assert_eq!(act(true).await, Ok(false));
    assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_none());
    house.signed_in("alice", &signed_in.session.browser_id).await;
}

#[tokio::test]
async fn who_is_signed_out_everywhere_may_sign_in_again() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    house.person("bob", &[]).await;
    let mut hers = Vec::new();
    for _ in 0..2 {
        hers.push(house.signed_in("alice", &house.browser().await).await);
    }
    let bobs = house.signed_in("bob", &house.browser().await).await;
    let out = async |id: &UserId| {
        let id = id.clone();
        house.store.write(async move |tx| sign_out(tx, &id, ACT).await).await.unwrap()
    };

    assert_eq!(out(&alice).await.unwrap().sessions.len(), 2);

    for signed_in in &hers {
        assert!(house.session_of(signed_in.cookie.expose(), NOW).await.is_none());
    }
    assert!(house.session_of(bobs.cookie.expose(), NOW).await.is_some());
    assert!(out(&alice).await.unwrap().is_empty());
    assert_eq!(out(&UserId::fresh()).await, Err(PeopleError::NotFound));
    house.signed_in("alice", &hers[0].session.browser_id).await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    let house = House::open().await;
    let alice = house.person("alice", &["admin"]).await;
    let bob = house.person("bob", &["admin"]).await;
    house.person("carol", &["administrator"]).await;
    let id = bob.clone();
    house.store.write(async move |tx| disable(tx, &id, ACT).await).await.unwrap().unwrap();
    let id = alice.clone();
    let refusals = house
        .store
        .write(async move |tx| {
            Ok([
                disable(tx, &id, ACT).await?.map(drop),
                remove(tx, &id, NOW, ACT).await?,
                revoke_role(tx, &id, "admin", ACT).await?.map(drop),
                declare_one(
                    tx,
                    Declared { registration: &registration("alice", &["editor"]), password: None },
                    false,
                    ACT,
                )
                .await?
                .map(drop),
            ])
        })
        .await
        .unwrap();
    assert_eq!(refusals, [const { Err(PeopleError::LastAdmin) }; 4]);
    let user = find(&house, &alice).await;
    assert!(user.is_active() && user.is_admin());
    // A disabled admin may go; with a second one at work the first may.
    let (first, second) = (alice.clone(), bob.clone());
    house
        .store
        .write(async move |tx| {
            assert_eq!(enable(tx, &second, ACT).await?, Ok(true));
            assert_eq!(revoke_role(tx, &first, "admin", ACT).await?, Ok(true));
            assert_eq!(remove(tx, &first, NOW, ACT).await?, Ok(()));
            assert_eq!(remove(tx, &first, NOW, ACT).await?, Err(PeopleError::NotFound));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(house.store.number("SELECT COUNT(*) FROM passwords").await, 2);
}

#[tokio::test]
async fn admins_who_remove_one_another_at_once_leave_one() {
    let house = House::open().await;
    for round in 0..8 {
        let mut admins = Vec::new();
        for number in 0..4 {
            admins.push(house.person(&format!("admin-{round}-{number}"), &["admin"]).await);
        }
        let acts = admins.into_iter().enumerate().map(|(number, id)| {
            let house = house.clone();
            async move {
                let work = async move |tx: &mut Tx| match number {
                    0 => Ok(disable(tx, &id, ACT).await?.map(drop)),
                    1 => remove(tx, &id, NOW, ACT).await,
                    2 => Ok(revoke_role(tx, &id, ADMIN, ACT).await?.map(drop)),
                    _ => {
                        let Some(user) = users::find(tx, &id).await? else { return Ok(Err(PeopleError::NotFound)) };
                        let plain = registration(user.username.as_str(), &[]);
                        Ok(declare_one(tx, Declared { registration: &plain, password: None }, false, ACT)
                            .await?
                            .map(drop))
                    }
                };
                house.store.write(work).await.unwrap()
            }
        });
        let outcomes = all_at_once(acts).await;
        assert_eq!(
            outcomes.iter().filter(|outcome| **outcome == Err(PeopleError::LastAdmin)).count(),
            1,
            "{outcomes:?}"
        );
        assert_eq!(
            house.store.write(async move |tx| users::other_admins(tx, &UserId::new("")).await).await.unwrap().len(),
            1
        );
        // The next round begins with none.
        house.store.run("DELETE FROM users").await;
    }
}

#[tokio::test]
async fn roles_are_given_and_taken_once() {
    let house = House::open().await;
    let alice = house.person("alice", &[]).await;
    let id = alice.clone();
    house
        .store
        .write(async move |tx| {
            assert_eq!(grant_role(tx, &id, "editor", ACT).await?, Ok(true));
            assert_eq!(grant_role(tx, &id, "editor", ACT).await?, Ok(false));
            let bad = PeopleError::Bad(BadRegistration::Role("a b".to_owned()));
            assert_eq!(grant_role(tx, &id, "a b", ACT).await?, Err(bad));
            assert_eq!(grant_role(tx, &UserId::new("x"), "a", ACT).await?, Err(PeopleError::NotFound));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(find(&house, &alice).await.roles, ["editor"]);
    let id = alice.clone();
    let taken = house.store.write(async move |tx| revoke_role(tx, &id, "editor", ACT).await).await.unwrap();
    assert_eq!(taken, Ok(true));
    assert!(find(&house, &alice).await.roles.is_empty());
    let actions = house
        .store
        .texts("SELECT action FROM audit WHERE action IN ('user.grant_role', 'user.revoke_role') ORDER BY id")
        .await;
    assert_eq!(actions, ["user.grant_role", "user.revoke_role"]);
}
