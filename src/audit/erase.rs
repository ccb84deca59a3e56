//! Personal data go from the audit, and the chain stands.
//!
//! Who it was, to whom it was done, and what else such a row tells go for good. That something was done, what, and when stays.

use serde_json::json;

use super::chain::{ChainKey, Parts};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event, Recorded};
use crate::store::{Store, StoreError, Tx, audit_chain};

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// Rows that are erased in one unit of work.
const BATCH: usize = 100;

/// The rows that tell of a person.
#[derive(Debug, Default)]
pub struct Found {
    /// Sealed ones, and what goes from each.
    pub rows: Vec<(String, Parts)>,
    /// How many are not sealed yet, and cannot be erased before.
    pub unsealed: usize,
}

/// What has to go from a row; `None` if it tells nothing of the person. Names and addresses do not stand in the audit. An identity
/// is long and random, so that it means nobody else wherever it stands.
fn parts(event: &Recorded, person: &UserId) -> Option<Parts> {
    let names = |text: &str| text.contains(person.as_str());
    let (actor, subject, data) = (names(&event.actor), names(&event.subject), names(&event.data));
    (actor || subject || data).then_some(Parts { actor, subject, data: true })
}

/// Reads the whole audit for rows that tell of a person.
///
/// # Errors
/// If the database refuses.
pub async fn find(store: &Store, person: &UserId) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (mut number, mut id) = (i64::MIN, String::new());
    loop {
        let page = audit_chain::following(&mut store.read().await?, (number, &id), PAGE).await?;
        let Some(last) = page.last() else { break };
        (number, id) = (last.seal.number, last.event.id.clone());
        let of = page.into_iter().filter_map(|row| parts(&row.event, person).map(|parts| (row.event.id, parts)));
        found.rows.extend(of);
    }
    let waiting = audit::unsealed(&mut store.read().await?, u32::MAX).await?;
    found.unsealed = waiting.iter().filter(|event| parts(event, person).is_some()).count();
    Ok(found)
}

/// Erases what was found, some rows at a time, and records how many; not of whom. How many there were.
///
/// # Errors
/// If the database refuses, or a row was changed from outside. What was erased before stays so.
pub async fn erase_all(
    store: &Store,
    key: &ChainKey,
    rows: &[(String, Parts)],
    actor: &'static str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut erased = 0;
    for rows in rows.chunks(BATCH) {
        let (key, rows) = (key.clone(), rows.to_vec());
        erased += store
            .write(async move |tx| {
                let mut erased: u64 = 0;
                for (id, parts) in &rows {
                    erased += u64::from(erase(tx, &key, id, *parts).await?);
                }
                let event = Event { actor, action: "audit.erase", subject: "audit", data: json!({ "rows": erased }) };
                audit::record(tx, &event, now).await?;
                Ok(erased)
            })
            .await?;
    }
    Ok(erased)
}

/// Erases parts of a row for good. False: there is no such row, or it is not sealed yet, which takes a second.
///
/// # Errors
/// If the database refuses, or the row was changed from outside: erasing would cover that up.
async fn erase(tx: &mut Tx, key: &ChainKey, id: &str, parts: Parts) -> Result<bool, StoreError> {
    let Some(row) = audit_chain::find(tx, id).await? else { return Ok(false) };
    if key.check(&row).is_err() {
        return Err(StoreError::corrupt("a row of the audit was changed from outside, see `frontdesk audit verify`"));
    }
    audit_chain::rewrite(tx, &key.without(row, parts)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{KEY, NOW, act, seal_all, verified};
    use crate::store::testing::TestStore;

    const PERSON: Parts = Parts { actor: true, subject: true, data: true };

    #[tokio::test]
    async fn a_person_goes_from_a_row_and_the_chain_stands() {
        let store = TestStore::open().await;
        for number in 0..5 {
            act(&store, number).await;
        }
        let ids = store.texts("SELECT id FROM audit ORDER BY id").await;
        let of = |number: usize| ids[number].clone();
        let erased = async |id: String| store.write(async move |tx| erase(tx, &KEY, &id, PERSON).await).await;
        assert!(!erased(of(2)).await.unwrap(), "not sealed yet");
        assert!(!erased("nobody".to_owned()).await.unwrap());
        seal_all(&store).await;
        assert!(erased(of(2)).await.unwrap());
        assert!(erased(of(4)).await.unwrap());
        let left = store.texts("SELECT actor || subject || data || salt FROM audit ORDER BY id").await;
        assert!(left[1].contains("row 1") && left[1].contains("user:ann"), "{left:?}");
        assert_eq!((left[2].as_str(), left[4].as_str()), ("erasederased{}", "erasederased{}"));
        let report = verified(&store).await;
        assert_eq!((report.problems, report.sealed, report.erased), (Vec::new(), 5, 2));
        // Sealing goes on behind it.
        act(&store, 5).await;
        seal_all(&store).await;
        assert_eq!(verified(&store).await.problems, []);
    }

    #[tokio::test]
    async fn what_was_changed_from_outside_is_not_covered_up() {
        let store = TestStore::open().await;
        act(&store, 1).await;
        seal_all(&store).await;
        store.run("UPDATE audit SET subject = 'another'").await;
        let id = store.texts("SELECT id FROM audit").await.remove(0);
        let refused = store.write(async move |tx| erase(tx, &KEY, &id, PERSON).await).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        assert_eq!(store.texts("SELECT subject FROM audit").await, ["another"]);
    }

    const ID: &str = "0199c0ffee0199c0ffee0199c0ffee01";

    #[tokio::test]
    async fn all_that_tells_of_a_person_goes_and_nothing_else() {
        let store = TestStore::open().await;
        let (ann, user) = (UserId::new(ID), format!("user:{ID}"));
        let address = format!("/admin/api/v1/people/{ID}/disable");
        let told = json!({ "of": [{ "people": [ID] }] });
        let events = [
            (user.as_str(), "grant", json!({ "n": 0 })),
            ("cli", ID, json!({ "n": 1 })),
            ("client:robot", &address, json!({ "n": 2 })),
            ("system", "grant", told),
            (&user, ID, json!({ "n": 4 })),
            // Another one, and what is erased from nowhere.
            ("user:0199c0ffee0199c0ffee0199c0ffee02", &ID[..31], json!({ "n": 5 })),
            ("cli", "notes", json!({ "changed": ["name"] })),
        ];
        for (actor, subject, data) in events.clone() {
            let (actor, subject) = (actor.to_owned(), subject.to_owned());
            let work = async move |tx: &mut Tx| {
                let event = Event { actor: &actor, action: "thing.deed", subject: &subject, data };
                audit::record(tx, &event, NOW).await
            };
            store.write(work).await.unwrap();
        }
        let found = find(&store, &ann).await.unwrap();
        assert_eq!((found.rows.len(), found.unsealed), (0, 5), "not sealed yet");
        seal_all(&store).await;
        let found = find(&store, &ann).await.unwrap();
        assert_eq!((found.rows.len(), found.unsealed), (5, 0));
        assert_eq!(erase_all(&store, &KEY, &found.rows, "cli", NOW).await.unwrap(), 5);

        let left = store.texts("SELECT actor || ' ' || subject || ' ' || data FROM audit ORDER BY id").await;
        let kept = |at: usize| format!("{} {} {}", events[at].0, events[at].1, events[at].2);
        let expected = [
            "erased grant {}",
            "cli erased {}",
            "client:robot erased {}",
            "system grant {}",
            "erased erased {}",
            &kept(5),
            &kept(6),
            r#"cli audit {"rows":5}"#,
        ];
        assert_eq!(left, expected);
        seal_all(&store).await;
        let report = verified(&store).await;
        assert_eq!((report.problems, report.sealed, report.erased), (Vec::new(), 8, 5));
        // Nothing is left to do, and nothing is recorded.
        let found = find(&store, &ann).await.unwrap();
        assert_eq!((found.rows.len(), found.unsealed), (0, 0));
        assert_eq!(erase_all(&store, &KEY, &found.rows, "cli", NOW).await.unwrap(), 0);
        assert_eq!(store.number("SELECT COUNT(*) FROM audit").await, 8);
    }

    #[tokio::test]
    async fn many_rows_go_in_batches_each_of_them_recorded() {
        let store = TestStore::open().await;
        for number in 0..150 {
            act(&store, number).await;
        }
        seal_all(&store).await;
        // `act` is done by this one.
        let found = find(&store, &UserId::new("user:ann")).await.unwrap();
        assert_eq!(erase_all(&store, &KEY, &found.rows, "cli", NOW).await.unwrap(), 150);
        let recorded = store.texts("SELECT data FROM audit WHERE action = 'audit.erase' ORDER BY id").await;
        assert_eq!(recorded, [r#"{"rows":100}"#, r#"{"rows":50}"#]);
        // Of one that was changed from outside nothing is covered up, whatever else there is.
        seal_all(&store).await;
        store.run("UPDATE audit SET actor = 'another' WHERE action = 'audit.erase'").await;
        let found = find(&store, &UserId::new("another")).await.unwrap();
        let refused = erase_all(&store, &KEY, &found.rows, "cli", NOW).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        assert_eq!(store.number("SELECT COUNT(*) FROM audit WHERE actor = 'another'").await, 2);
    }
}
