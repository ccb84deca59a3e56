//! Personal data go from a row of the audit, and the chain stands.

use super::chain::{ChainKey, Parts};
use crate::store::{StoreError, Tx, audit_chain};

/// Erases parts of a row for good. False: there is no such row, or it is not sealed yet, which takes a second.
///
/// # Errors
/// If the database refuses, or the row was changed from outside: erasing would cover that up.
pub async fn erase(tx: &mut Tx, key: &ChainKey, id: &str, parts: Parts) -> Result<bool, StoreError> {
    let Some(row) = audit_chain::find(tx, id).await? else { return Ok(false) };
    if key.check(&row).is_err() {
        return Err(StoreError::corrupt("a row of the audit was changed from outside"));
    }
    audit_chain::rewrite(tx, &key.without(row, parts)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{KEY, act, seal_all, verified};
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
}
