//! Whether the master key belongs to the database, and what the database says of it: a sealed probe, written at the first start
//! and opened at every start. The key that sealed the probe is the one that all processes seal with.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::mac_roots;
use super::vault::{Place, Sealed, Vault, VaultError};
use crate::domain::time::Timestamp;
use crate::store::installation::{self, MASTER_KEY_CHECK};
use crate::store::sealed::Table;
use crate::store::{Store, StoreError, Tx, refresh_roots, sealed, signing_keys};

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
    /// Neither it nor a previous one is the one that the database is sealed under.
    Wrong {
        /// The id of the database's master key.
        expected: String,
        /// The id of the master key that was loaded.
        loaded: String,
    },
    /// Something in the database is still sealed under a key that was taken away.
    Left {
        /// The table it stands in.
        table: &'static str,
        /// The id of the missing key.
        kek_id: String,
    },
    /// The MAC root does not open.
    MacRoot(VaultError),
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
                "this database is sealed under master key {expected}, and secrets.master_key_file holds master key {loaded}; put the \
                 file that belongs to this database back from your backup, or, where {loaded} is to take its place, name the file \
                 of {expected} in secrets.previous_master_key_files. Nothing was changed"
            ),
            Self::Left { table, kek_id } => write!(
                f,
                "values in table {table} are still sealed under master key {kek_id}, and no file of it is named; name it in \
                 secrets.previous_master_key_files and run `frontdesk keys rewrap` to its end. Nothing was changed"
            ),
            Self::MacRoot(error) => write!(f, "the root of all MAC keys does not open: {error}. Nothing was changed"),
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

/// Checks that the master key, or a previous one, is the one this database is sealed under, and that nothing is left under a
/// key that is not at hand. The vault then seals with the database's key and MACs under its root. The first start writes probe
/// and root; of two that start at once with two keys, one is refused.
///
/// # Errors
/// [`MasterKeyMismatch`], which says what to do.
pub async fn check_master_key(store: &Store, vault: &Vault, now: Timestamp) -> Result<(), MasterKeyMismatch> {
    if stored_probe(store).await?.is_none() {
        let holds_keys = holds_keys(store).await?;
        // Asked again after the keys were looked for: another process may be starting, which writes the probe first.
        if holds_keys && stored_probe(store).await?.is_none() {
            return Err(MasterKeyMismatch::ProbeMissing);
        }
        let (text, (root, _)) = (probe(&vault.seal(PLACE, PROBE))?, mac_roots::fresh(vault, now));
        store
            .write(async move |tx| {
                if installation::write_once(tx, MASTER_KEY_CHECK, &text).await? {
                    // In one unit with the probe: who finds a probe and no root is in a database from before there were roots.
                    crate::store::mac_roots::insert(tx, &root).await?;
                }
                Ok(())
            })
            .await?;
    }
    let kek_id = database_key(store, vault).await?;
    if crate::store::mac_roots::list(&mut store.read().await?).await?.is_empty() {
        mac_roots::adopt(store, vault, &kek_id, now).await?.map_err(MasterKeyMismatch::MacRoot)?;
    }
    follow(store, vault).await?;
    nothing_is_left(store, vault).await
}

/// Brings the vault up to date with what the database says: which key seals, and the MAC roots. On failure the vault stays as
/// it was.
///
/// # Errors
/// [`MasterKeyMismatch`].
pub async fn follow(store: &Store, vault: &Vault) -> Result<(), MasterKeyMismatch> {
    let kek_id = database_key(store, vault).await?;
    let rows = crate::store::mac_roots::list(&mut store.read().await?).await?;
    let roots = mac_roots::build(&rows, vault).map_err(MasterKeyMismatch::MacRoot)?;
    vault.follow(&kek_id, roots).map_err(MasterKeyMismatch::MacRoot)
}

/// With what a vault seals and MACs at a moment.
#[derive(Debug, Clone)]
pub(super) struct Stand {
    seals_with: String,
    mac_root: String,
}

impl Stand {
    pub(super) fn of(vault: &Vault) -> Self {
        Self { seals_with: vault.seals_with(), mac_root: vault.mac_root() }
    }

    /// Whether that is still what the database says. To be asked under the lock that whoever turns them holds.
    pub(super) async fn holds(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let text = installation::find(tx, MASTER_KEY_CHECK).await?;
        let probe = text.map(|text| serde_json::from_str::<Probe>(&text).map_err(StoreError::corrupt)).transpose()?;
        let root = crate::store::mac_roots::list(tx).await?.into_iter().find(|root| root.ended_at.is_none());
        Ok(probe.is_none_or(|probe| probe.kek_id == self.seals_with)
            && root.is_none_or(|root| root.id == self.mac_root))
    }
}

/// The probe, to be sealed under the key of `secrets.master_key_file`, so that all processes seal with that one.
pub(super) struct Turning {
    /// The id of the former key.
    pub from: String,
    old: String,
    new: String,
}

impl Turning {
    /// Seals it anew. `None`: it was so already.
    pub(super) async fn prepare(store: &Store, vault: &Vault) -> Result<Option<Self>, MasterKeyMismatch> {
        let old = stored_probe(store).await?.ok_or(MasterKeyMismatch::ProbeMissing)?;
        let sealed = parsed(&old)?;
        if sealed.kek_id == vault.kek_id() {
            return Ok(None);
        }
        let new = vault.reseal(PLACE, &sealed).map_err(|error| mismatch(error, vault))?;
        Ok(Some(Self { from: sealed.kek_id, old, new: probe(&new)? }))
    }

    /// Writes it in the place of the old one. False: somebody else was first.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        installation::replace(tx, MASTER_KEY_CHECK, &self.old, &self.new).await
    }
}

/// The id of the key that opened the probe.
async fn database_key(store: &Store, vault: &Vault) -> Result<String, MasterKeyMismatch> {
    let text = stored_probe(store).await?.ok_or(MasterKeyMismatch::ProbeMissing)?;
    let sealed = parsed(&text)?;
    match vault.open(PLACE, &sealed) {
        Ok(plain) if plain.as_slice() == PROBE => Ok(sealed.kek_id),
        Ok(_) => Err(MasterKeyMismatch::ProbeDamaged),
        Err(error) => Err(mismatch(error, vault)),
    }
}

fn mismatch(error: VaultError, vault: &Vault) -> MasterKeyMismatch {
    match error {
        VaultError::UnknownKey { kek_id } => {
            MasterKeyMismatch::Wrong { expected: kek_id, loaded: vault.kek_id().to_owned() }
        }
        VaultError::Damaged { .. } => MasterKeyMismatch::ProbeDamaged,
    }
}

fn probe(sealed: &Sealed) -> Result<String, StoreError> {
    let probe = Probe { sealed: sealed.text.clone(), kek_id: sealed.kek_id.clone() };
    serde_json::to_string(&probe).map_err(StoreError::corrupt)
}

fn parsed(text: &str) -> Result<Sealed, MasterKeyMismatch> {
    let Probe { sealed, kek_id } = serde_json::from_str(text).map_err(|_| MasterKeyMismatch::ProbeDamaged)?;
    Ok(Sealed { text: sealed, kek_id })
}

/// A former key whose file is taken away too early is missed here, and not one by one by people who cannot sign in.
async fn nothing_is_left(store: &Store, vault: &Vault) -> Result<(), MasterKeyMismatch> {
    let mut db = store.read().await?;
    for table in Table::ALL {
        let found = sealed::kek_ids(&mut db, table).await?;
        if let Some(kek_id) = found.into_iter().find(|kek_id| vault.kek_ids().all(|held| held != kek_id)) {
            return Err(MasterKeyMismatch::Left { table: table.name(), kek_id });
        }
    }
    Ok(())
}

async fn holds_keys(store: &Store) -> Result<bool, StoreError> {
    let mut db = store.read().await?;
    Ok(!signing_keys::list(&mut db).await?.is_empty()
        || !refresh_roots::list(&mut db).await?.is_empty()
        || !crate::store::mac_roots::list(&mut db).await?.is_empty())
}

async fn stored_probe(store: &Store) -> Result<Option<String>, StoreError> {
    installation::find(&mut store.read().await?, MASTER_KEY_CHECK).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Clock;
    use crate::keys::ring::tests::NOW;
    use crate::keys::{rewrap, roots};
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn the_first_key_is_the_databases_and_no_other_is_taken() {
        let store = TestStore::open().await;
        assert!(is_new_installation(&store).await.unwrap());
        check_master_key(&store, &Vault::over([1; 32]), NOW).await.unwrap();
        assert!(!is_new_installation(&store).await.unwrap());
        let before = stored_probe(&store).await.unwrap();
        let wrong = Vault::over([2; 32]);
        let error = check_master_key(&store, &wrong, NOW).await.unwrap_err();
        assert!(matches!(&error, MasterKeyMismatch::Wrong { expected, loaded }
            if expected == Vault::over([1; 32]).kek_id() && loaded == wrong.kek_id()));
        assert!(error.to_string().contains("secrets.master_key_file"));
        assert_eq!(stored_probe(&store).await.unwrap(), before, "nothing is overwritten");
        check_master_key(&store, &Vault::over([1; 32]), NOW).await.unwrap();
    }

    #[tokio::test]
    async fn a_new_key_is_taken_where_the_databases_key_is_named_too_and_seals_once_it_was_turned_to() {
        let store = TestStore::open().await;
        let old = Vault::over([1; 32]);
        check_master_key(&store, &old, NOW).await.unwrap();
        let both = Vault::over([2; 32]).after([1; 32]);
        check_master_key(&store, &both, NOW).await.unwrap();
        let place = Place::of(Table::Passwords, "u1");
        // Others may not have the new key yet.
        assert_eq!(both.seals_with(), old.kek_id());
        assert_eq!(old.open(place, &both.seal(place, b"hash")).unwrap().as_slice(), b"hash");
        for alone in [Vault::over([2; 32]), Vault::over([3; 32]).after([2; 32])] {
            let error = check_master_key(&store, &alone, NOW).await.unwrap_err();
            assert!(matches!(&error, MasterKeyMismatch::Wrong { expected, .. } if expected == old.kek_id()), "{error}");
            assert!(error.to_string().contains("secrets.previous_master_key_files"), "{error}");
        }

        let from = rewrap::turn(&store, &both, NOW).await.unwrap();
        assert_eq!(from.as_deref(), Some(old.kek_id()));
        assert_eq!(both.seals_with(), old.kek_id(), "it has not looked yet");
        follow(&store, &both).await.unwrap();
        assert_eq!(both.seals_with(), both.kek_id());
        // A process that was started with the settings of before, and the new key named as one of the others.
        let behind = Vault::over([1; 32]).after([2; 32]);
        check_master_key(&store, &behind, NOW).await.unwrap();
        assert_eq!(behind.seals_with(), both.kek_id());
        // The old one alone no longer goes; the new one alone not yet.
        assert!(matches!(follow(&store, &old).await, Err(MasterKeyMismatch::Wrong { .. })));
        assert_eq!(old.seals_with(), old.kek_id());
        let error = check_master_key(&store, &Vault::over([2; 32]), NOW).await.unwrap_err();
        assert!(matches!(&error, MasterKeyMismatch::MacRoot(_)), "{error:?}");
        assert!(error.to_string().contains("secrets.previous_master_key_files"), "{error}");
    }

    #[tokio::test]
    async fn what_is_left_under_a_key_that_was_taken_away_is_missed_at_the_start() {
        let store = TestStore::open().await;
        let both = Vault::over([2; 32]).after([1; 32]);
        check_master_key(&store, &Vault::over([1; 32]), NOW).await.unwrap();
        check_master_key(&store, &both, NOW).await.unwrap();
        rewrap::run(&store, &both, &Clock::standing_at(NOW), |_| ()).await.unwrap();
        check_master_key(&store, &Vault::over([2; 32]), NOW).await.unwrap();
        // Somebody who knew nothing of the turn was slow.
        let late = Vault::over([1; 32]).seal(Place::of(Table::RefreshRoots, "r"), &[9; 32]);
        let row = refresh_roots::RefreshRootRow {
            id: "r".to_owned(),
            sealed: late.text,
            kek_id: late.kek_id.clone(),
            created_at: 0,
            ended_at: None,
        };
        store.write(async move |tx| refresh_roots::insert(tx, &row).await).await.unwrap();
        let error = check_master_key(&store, &Vault::over([2; 32]), NOW).await.unwrap_err();
        assert!(
            matches!(&error, MasterKeyMismatch::Left { table: "refresh_roots", kek_id } if *kek_id == late.kek_id),
            "{error:?}"
        );
        assert!(error.to_string().contains("frontdesk keys rewrap"), "{error}");
        check_master_key(&store, &both, NOW).await.unwrap();
    }

    #[tokio::test]
    async fn of_two_first_starts_with_two_keys_one_is_refused() {
        for _ in 0..20 {
            let store = TestStore::open().await;
            let (one, two) = (Vault::over([1; 32]), Vault::over([2; 32]));
            let (one, two) = tokio::join!(check_master_key(&store, &one, NOW), check_master_key(&store, &two, NOW));
            assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1, "{one:?} {two:?}");
        }
    }

    #[tokio::test]
    async fn keys_without_a_probe_and_a_changed_probe_are_refused() {
        let store = TestStore::open().await;
        let vault = Vault::over([1; 32]);
        roots::ensure(&store, &vault, NOW).await.unwrap();
        assert!(!is_new_installation(&store).await.unwrap());
        assert!(matches!(check_master_key(&store, &vault, NOW).await, Err(MasterKeyMismatch::ProbeMissing)));
        assert_eq!(stored_probe(&store).await.unwrap(), None);
        for text in ["nonsense".to_owned(), format!(r#"{{"sealed":"AAAA","kek_id":"{}"}}"#, vault.kek_id())] {
            let store = TestStore::open().await;
            store.write(async move |tx| installation::write_once(tx, MASTER_KEY_CHECK, &text).await).await.unwrap();
            assert!(matches!(check_master_key(&store, &vault, NOW).await, Err(MasterKeyMismatch::ProbeDamaged)));
        }
    }
}
