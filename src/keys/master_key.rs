//! Whether the master key belongs to the database: a sealed probe, written at the first start and opened at every start.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::vault::{Place, Sealed, Vault, VaultError};
use crate::store::installation::{self, MASTER_KEY_CHECK};
use crate::store::{Store, StoreError, refresh_roots, signing_keys};

const PLACE: Place<'static> = Place { purpose: "master key check", table: "installation", row: MASTER_KEY_CHECK };
const PROBE: &[u8] = b"frontdesk";

/// The probe as its row holds it.
#[derive(Serialize, Deserialize)]
struct Probe {
    sealed: String,
    kek_id: String,
}

/// The master key is not the database's.
#[derive(Debug, Clone)]
pub enum MasterKeyMismatch {
    /// It is another than the one the database was made with.
    Wrong {
        /// The id of the database's master key.
        expected: String,
        /// The id of the master key that was loaded.
        loaded: String,
    },
    /// It is a new one, and everything in the database is still sealed under the previous one.
    NotYet {
        /// The id of the database's master key.
        previous: String,
        /// The id of the master key that was loaded.
        loaded: String,
    },
    /// The database holds keys and no probe.
    ProbeMissing,
    /// The probe was changed.
    ProbeDamaged,
    /// The database refused.
    Store(StoreError),
}

impl fmt::Display for MasterKeyMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { expected, loaded } => write!(
                f,
                "this database was sealed under master key {expected}, and secrets.master_key_file holds master key {loaded}; put the \
                 file that belongs to this database back from your backup. Nothing was changed"
            ),
            Self::NotYet { previous, loaded } => write!(
                f,
                "this database is sealed under master key {previous}, which is among secrets.previous_master_key_files, and \
                 secrets.master_key_file holds master key {loaded}; this version cannot seal a database anew: name the file of \
                 {previous} in secrets.master_key_file. Nothing was changed"
            ),
            Self::ProbeMissing => f.write_str(
                "the database holds keys, but not the probe that tells whether the master key is theirs; restore the database from \
                 your backup. Nothing was changed",
            ),
            Self::ProbeDamaged => f.write_str(
                "the probe that tells whether the master key is right was changed in the database; restore the database from your \
                 backup. Nothing was changed",
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MasterKeyMismatch {}

impl From<StoreError> for MasterKeyMismatch {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Whether nothing was ever sealed in this database, so that a master key may be made for it. Needs no master key.
///
/// # Errors
/// If the database refuses.
pub async fn is_new_installation(store: &Store) -> Result<bool, StoreError> {
    // In this order: whoever makes keys has written the probe before.
    let holds_keys = holds_keys(store).await?;
    Ok(!holds_keys && stored_probe(store).await?.is_none())
}

/// Checks that the master key is the one this database was sealed under. The first start writes the probe; of two that start
/// at once with two keys, one is refused.
///
/// # Errors
/// [`MasterKeyMismatch`], which says what to do.
pub async fn check_master_key(store: &Store, vault: &Vault) -> Result<(), MasterKeyMismatch> {
    let mut stored = stored_probe(store).await?;
    if stored.is_none() {
        let holds_keys = holds_keys(store).await?;
        // Asked again after the keys were looked for: another process may be starting, which writes the probe first.
        if holds_keys && stored_probe(store).await?.is_none() {
            return Err(MasterKeyMismatch::ProbeMissing);
        }
        let sealed = vault.seal(PLACE, PROBE);
        let probe = Probe { sealed: sealed.text, kek_id: sealed.kek_id };
        let text = serde_json::to_string(&probe).map_err(StoreError::corrupt)?;
        store.write(async move |tx| installation::write_once(tx, MASTER_KEY_CHECK, &text).await).await?;
        // Read again: another process may have been first.
        stored = stored_probe(store).await?;
    }
    let text = stored.ok_or(MasterKeyMismatch::ProbeMissing)?;
    let Probe { sealed, kek_id } = serde_json::from_str(&text).map_err(|_| MasterKeyMismatch::ProbeDamaged)?;
    match vault.open(PLACE, &Sealed { text: sealed, kek_id: kek_id.clone() }) {
        // MACs have no key id: under another key every signing key, client secret and grant would look forged.
        Ok(plain) if plain.as_slice() == PROBE && kek_id != vault.kek_id() => {
            Err(MasterKeyMismatch::NotYet { previous: kek_id, loaded: vault.kek_id().to_owned() })
        }
        Ok(plain) if plain.as_slice() == PROBE => Ok(()),
        Err(VaultError::UnknownKey { kek_id }) => {
            Err(MasterKeyMismatch::Wrong { expected: kek_id, loaded: vault.kek_id().to_owned() })
        }
        Ok(_) | Err(VaultError::Damaged { .. }) => Err(MasterKeyMismatch::ProbeDamaged),
    }
}

async fn holds_keys(store: &Store) -> Result<bool, StoreError> {
    let mut db = store.read().await?;
    Ok(!signing_keys::list(&mut db).await?.is_empty() || !refresh_roots::list(&mut db).await?.is_empty())
}

async fn stored_probe(store: &Store) -> Result<Option<String>, StoreError> {
    installation::find(&mut store.read().await?, MASTER_KEY_CHECK).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ring::tests::NOW;
    use crate::keys::roots;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn the_first_key_is_the_databases_and_no_other_is_taken() {
        let store = TestStore::open().await;
        assert!(is_new_installation(&store).await.unwrap());
        check_master_key(&store, &Vault::over([1; 32])).await.unwrap();
        assert!(!is_new_installation(&store).await.unwrap());
        let before = stored_probe(&store).await.unwrap();
        let wrong = Vault::over([2; 32]);
        let error = check_master_key(&store, &wrong).await.unwrap_err();
        assert!(matches!(&error, MasterKeyMismatch::Wrong { expected, loaded }
            if expected == Vault::over([1; 32]).kek_id() && loaded == wrong.kek_id()));
        assert!(error.to_string().contains("secrets.master_key_file"));
        assert_eq!(stored_probe(&store).await.unwrap(), before, "nothing is overwritten");
        check_master_key(&store, &Vault::over([1; 32])).await.unwrap();
    }

    #[tokio::test]
    async fn a_new_key_is_refused_while_the_database_is_sealed_under_the_previous_one() {
        let (store, folder) = (TestStore::open().await, tempfile::tempdir().unwrap());
        let (old, new) = (folder.path().join("old.key"), folder.path().join("new.key"));
        let before = Vault::load(&old, &[], true).unwrap();
        check_master_key(&store, &before).await.unwrap();
        let turned = Vault::load(&new, std::slice::from_ref(&old), true).unwrap();
        let error = check_master_key(&store, &turned).await.unwrap_err();
        assert!(matches!(&error, MasterKeyMismatch::NotYet { previous, loaded }
            if previous == before.kek_id() && loaded == turned.kek_id()));
        assert!(error.to_string().contains("secrets.master_key_file"));
        // A former key that is named and not needed harms nobody.
        check_master_key(&store, &Vault::load(&old, &[new], false).unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn of_two_first_starts_with_two_keys_one_is_refused() {
        for _ in 0..20 {
            let store = TestStore::open().await;
            let (one, two) = (Vault::over([1; 32]), Vault::over([2; 32]));
            let (one, two) = tokio::join!(check_master_key(&store, &one), check_master_key(&store, &two));
            assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        }
    }

    #[tokio::test]
    async fn keys_without_a_probe_and_a_changed_probe_are_refused() {
        let store = TestStore::open().await;
        let vault = Vault::over([1; 32]);
        roots::ensure(&store, &vault, NOW).await.unwrap();
        assert!(!is_new_installation(&store).await.unwrap());
        assert!(matches!(check_master_key(&store, &vault).await, Err(MasterKeyMismatch::ProbeMissing)));
        assert_eq!(stored_probe(&store).await.unwrap(), None);
        for text in ["nonsense".to_owned(), format!(r#"{{"sealed":"AAAA","kek_id":"{}"}}"#, vault.kek_id())] {
            let store = TestStore::open().await;
            store.write(async move |tx| installation::write_once(tx, MASTER_KEY_CHECK, &text).await).await.unwrap();
            assert!(matches!(check_master_key(&store, &vault).await, Err(MasterKeyMismatch::ProbeDamaged)));
        }
    }
}
