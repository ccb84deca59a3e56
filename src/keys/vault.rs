//! The master key, and what is sealed under it.
//!
//! Envelope encryption: each row has a subkey of its own (HKDF over the row's context), and the context is bound to the sealed
//! text, so that a sealed value cannot be moved to another row. Key ids are derived from the keys.
//!
//! Which of the keys seals is for the database to say (`master_key.rs`): so processes that have a new key already and others
//! that have not can work side by side. The MAC root comes from there too.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

pub use super::macs::Purpose;
use super::macs::{MacRoot, MacRoots, Macs};
use crate::crypto::encoding::{b64u, from_b64u};
use crate::crypto::mac::{Framed, MacKey, subkey};
use crate::crypto::{digest, random, seal};
use crate::store::sealed::Table;

/// Where a sealed value stands. It must be named again, the same, to open the value.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// What the value is.
    pub purpose: &'a str,
    /// The table.
    pub table: &'a str,
    /// The row's identity.
    pub row: &'a str,
}

impl<'a> Place<'a> {
    /// Where the value of a row of a table is sealed.
    #[must_use]
    pub const fn of(table: Table, row: &'a str) -> Self {
        let purpose = match table {
            Table::MacRoots => "mac root",
            Table::RefreshRoots => "refresh root",
            Table::SigningKeys => "signing key",
            Table::Passwords => "password",
        };
        Self { purpose, table: table.name(), row }
    }
}

/// A sealed value as rows hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Nonce, ciphertext and tag, base64url.
    pub text: String,
    /// Which master key sealed it.
    pub kek_id: String,
}

/// A sealed value does not open. Never a reason to refuse a person or an app: it is our fault, and an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultError {
    /// It was sealed under a key that we do not have.
    UnknownKey {
        /// The key's id.
        kek_id: String,
    },
    /// It was changed, or moved here from elsewhere.
    Damaged {
        /// The table it stands in.
        table: String,
    },
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { kek_id } => write!(
                f,
                "a value is sealed under master key {kek_id}, which is not among secrets.master_key_file and secrets.previous_master_key_files"
            ),
            Self::Damaged { table } => write!(f, "a sealed value in table {table} was changed or moved"),
        }
    }
}

impl std::error::Error for VaultError {}

/// Why no master key could be loaded.
#[derive(Debug)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    File(PathBuf, std::io::Error),
    /// The file does not hold 32 bytes as base64url.
    Malformed(PathBuf),
    /// Others than its owner may read it.
    Loose(PathBuf),
    /// A new key was to be made where a file is already.
    Exists(PathBuf),
}

impl fmt::Display for MasterKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "the master key file {}: {error}", path.display()),
            Self::Malformed(path) => write!(
                f,
                "the master key file {} does not hold a master key (43 characters of base64url, 32 bytes); restore it from your backup",
                path.display()
            ),
            Self::Loose(path) => write!(
                f,
                "the master key file {} can be read by others; run `chmod 600 {}`",
                path.display(),
                path.display()
            ),
            Self::Exists(path) => write!(f, "{} is there already; name a file that is not", path.display()),
        }
    }
}

impl std::error::Error for MasterKeyError {}

type Key = Zeroizing<[u8; 32]>;

/// A master key.
struct MasterKey {
    id: String,
    key: Key,
}

/// The master key and its predecessors, opened.
pub struct Vault {
    current: Arc<MasterKey>,
    previous: Vec<Arc<MasterKey>>,
    sealing: ArcSwap<MasterKey>,
    macs: Arc<ArcSwap<MacRoots>>,
}

impl Vault {
    /// Loads the master key. A file that is not there is made, but only where `create` says that the database is new.
    ///
    /// # Errors
    /// If a file cannot be read, holds no key, or may be read by others.
    pub fn load(file: &Path, previous: &[PathBuf], create: bool) -> Result<Self, MasterKeyError> {
        let current = match read_key(file) {
            Err(MasterKeyError::File(_, error)) if create && error.kind() == std::io::ErrorKind::NotFound => {
                make_key(file)?
            }
            read => read?,
        };
        let previous =
            previous.iter().map(|file| read_key(file).map(MasterKey::new).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self::with(MasterKey::new(current), previous))
    }

    /// A vault over a key in memory: for tests and throw-away installations.
    #[must_use]
    pub fn over(key: [u8; 32]) -> Self {
        Self::with(MasterKey::new(Zeroizing::new(key)), Vec::new())
    }

    /// The same with a previous key.
    #[must_use]
    pub fn after(mut self, previous: [u8; 32]) -> Self {
        self.previous.push(Arc::new(MasterKey::new(Zeroizing::new(previous))));
        self
    }

    /// Until a database says otherwise, the newest key seals, and is the MAC root as well.
    fn with(current: MasterKey, previous: Vec<Arc<MasterKey>>) -> Self {
        let current = Arc::new(current);
        let macs = MacRoots { id: String::new(), current: MacRoot::new(&current.key), ended: Vec::new() };
        Self { sealing: ArcSwap::new(current.clone()), current, previous, macs: Arc::new(ArcSwap::from_pointee(macs)) }
    }

    /// Makes the file of a new master key, for its owner only. Returns the key's id.
    ///
    /// # Errors
    /// If there is a file of that name, or it cannot be written.
    pub fn make_file(file: &Path) -> Result<String, MasterKeyError> {
        let key = Zeroizing::new(random::bytes::<32>());
        if write_key(file, &key)? { Ok(MasterKey::new(key).id) } else { Err(MasterKeyError::Exists(file.to_owned())) }
    }

    /// The id of the master key of `secrets.master_key_file`.
    #[must_use]
    pub fn kek_id(&self) -> &str {
        &self.current.id
    }

    /// The ids of all master keys at hand, that of `secrets.master_key_file` first.
    pub fn kek_ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.id.as_str())
    }

    /// The id of the master key that seals.
    #[must_use]
    pub fn seals_with(&self) -> String {
        self.sealing.load().id.clone()
    }

    /// Seals a value for its place.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Sealed {
        self.sealing.load().seal(place, plain)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`VaultError`]: a fault of ours, to be answered 503.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = self.key(&sealed.kek_id)?;
        let damaged = || VaultError::Damaged { table: place.table.to_owned() };
        let bytes = from_b64u(&sealed.text).ok_or_else(damaged)?;
        let context = context(place, &sealed.kek_id);
        seal::open(&subkey(&key.key, context.as_bytes()), context.as_bytes(), &bytes).map_err(|_| damaged())
    }

    /// The same value, sealed under the key of `secrets.master_key_file`.
    ///
    /// # Errors
    /// If it does not open.
    pub fn reseal(&self, place: Place<'_>, sealed: &Sealed) -> Result<Sealed, VaultError> {
        self.open(place, sealed).map(|plain| self.current.seal(place, &plain))
    }

    /// The MAC key for a purpose, drawn from the root that counts now. Who keeps one for long takes [`Self::macs`].
    #[must_use]
    pub fn mac_key(&self, purpose: Purpose) -> MacKey {
        self.macs.load().current.key(purpose).clone()
    }

    /// The MAC keys for a purpose, which follow when there is a new root.
    #[must_use]
    pub fn macs(&self, purpose: Purpose) -> Macs {
        Macs::new(self.macs.clone(), purpose)
    }

    /// The identity of the MAC root that counts.
    #[must_use]
    pub fn mac_root(&self) -> String {
        self.macs.load().id.clone()
    }

    /// The bytes of a master key, where they are a MAC root: before there were MAC roots.
    pub(super) fn as_mac_root(&self, kek_id: &str) -> Result<&[u8; 32], VaultError> {
        self.key(kek_id).map(|key| &*key.key)
    }

    /// Seals with this one of its keys from now on: which one, the database says.
    pub(super) fn seal_with(&self, kek_id: &str) -> Result<(), VaultError> {
        self.sealing.store(self.key(kek_id)?.clone());
        Ok(())
    }

    /// Takes what the database says: which key seals, and the MAC roots.
    pub(super) fn follow(&self, seals_with: &str, roots: MacRoots) -> Result<(), VaultError> {
        self.seal_with(seals_with)?;
        self.macs.store(Arc::new(roots));
        Ok(())
    }

    fn keys(&self) -> impl Iterator<Item = &Arc<MasterKey>> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    fn key(&self, kek_id: &str) -> Result<&Arc<MasterKey>, VaultError> {
        self.keys().find(|key| key.id == kek_id).ok_or_else(|| VaultError::UnknownKey { kek_id: kek_id.to_owned() })
    }
}

impl MasterKey {
    fn new(key: Key) -> Self {
        let id = b64u(digest::sha256(subkey(&key, b"kek id").as_slice()));
        Self { id: id.chars().take(16).collect(), key }
    }

    fn seal(&self, place: Place<'_>, plain: &[u8]) -> Sealed {
        let context = context(place, &self.id);
        let sealed = seal::seal(&subkey(&self.key, context.as_bytes()), context.as_bytes(), plain);
        Sealed { text: b64u(sealed), kek_id: self.id.clone() }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.current.id)
    }
}

fn context(place: Place<'_>, kek_id: &str) -> Framed {
    Framed::of(&["seal", place.purpose, place.table, place.row, kek_id])
}

fn read_key(file: &Path) -> Result<Key, MasterKeyError> {
    let about = |error| MasterKeyError::File(file.to_owned(), error);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map_err(about)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Loose(file.to_owned()));
        }
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(about)?);
    let bytes = Zeroizing::new(from_b64u(text.trim()).unwrap_or_default());
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| MasterKeyError::Malformed(file.to_owned()))?;
    Ok(Zeroizing::new(key))
}

/// Makes a key file. Of two processes that start at once on an empty folder, one makes it and the other reads it.
fn make_key(file: &Path) -> Result<Key, MasterKeyError> {
    let key = Zeroizing::new(random::bytes::<32>());
    if write_key(file, &key)? { Ok(key) } else { read_key(file) }
}

/// Writes a key into a file of its own. False: there is a file of that name, and it stays as it is.
fn write_key(file: &Path, key: &Key) -> Result<bool, MasterKeyError> {
    use std::io::Write as _;
    let about = |error| MasterKeyError::File(file.to_owned(), error);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(about)?;
    // Written aside and linked into place, so that no one ever reads half a key.
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(about)?;
    writeln!(aside, "{}", b64u(key.as_slice())).map_err(about)?;
    aside.as_file().sync_all().map_err(about)?;
    match aside.persist_noclobber(file) {
        Ok(_) => Ok(true),
        Err(failure) if failure.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(failure) => Err(about(failure.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { purpose: "password", table: "passwords", row: "u1" };

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let vault = Vault::over([1; 32]);
        let sealed = vault.seal(PLACE, b"hash");
        assert_eq!(vault.open(PLACE, &sealed).unwrap().as_slice(), b"hash");
        for other in [Place { purpose: "x", ..PLACE }, Place { table: "x", ..PLACE }, Place { row: "u2", ..PLACE }] {
            assert!(matches!(vault.open(other, &sealed), Err(VaultError::Damaged { .. })));
        }
        assert!(matches!(Vault::over([2; 32]).open(PLACE, &sealed), Err(VaultError::UnknownKey { .. })));
        let moved = Sealed { text: vault.seal(Place { row: "u2", ..PLACE }, b"hash").text, ..sealed };
        assert!(matches!(vault.open(PLACE, &moved), Err(VaultError::Damaged { .. })));
    }

    #[test]
    fn a_key_is_made_once_and_read_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/master.key");
        assert!(matches!(Vault::load(&file, &[], false), Err(MasterKeyError::File(..))));
        let first = Vault::load(&file, &[], true).unwrap();
        let second = Vault::load(&file, &[], true).unwrap();
        assert_eq!(first.kek_id(), second.kek_id());
        let sealed = first.seal(PLACE, b"x");
        assert!(second.open(PLACE, &sealed).is_ok());
        let newer = folder.path().join("new.key");
        let turned = Vault::load(&newer, std::slice::from_ref(&file), true).unwrap();
        assert_ne!(turned.kek_id(), first.kek_id());
        assert!(turned.open(PLACE, &sealed).is_ok());
        let anew = turned.reseal(PLACE, &sealed).unwrap();
        assert_eq!((anew.kek_id.as_str(), turned.open(PLACE, &anew).unwrap().as_slice()), (turned.kek_id(), &b"x"[..]));
        assert!(matches!(first.open(PLACE, &anew), Err(VaultError::UnknownKey { .. })));
    }

    #[test]
    fn a_new_key_is_made_only_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/new.key");
        let kek_id = Vault::make_file(&file).unwrap();
        assert_eq!(Vault::load(&file, &[], false).unwrap().kek_id(), kek_id);
        let before = std::fs::read(&file).unwrap();
        let error = Vault::make_file(&file).unwrap_err();
        assert!(matches!(&error, MasterKeyError::Exists(_)) && error.to_string().contains("new.key"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        Vault::load(&file, &[], true).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::load(&file, &[], true), Err(MasterKeyError::Loose(_))));
        std::fs::write(&file, "not a key").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Vault::load(&file, &[], true), Err(MasterKeyError::Malformed(_))));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a key", "nothing is overwritten");
    }
}
