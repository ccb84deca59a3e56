//! The master key, and what is sealed and MACed under it.
//!
//! Envelope encryption: each row has a subkey of its own (HKDF over the row's context), and the context is bound to the sealed
//! text, so that a sealed value cannot be moved to another row. Key ids are derived from the keys.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::crypto::encoding::{b64u, from_b64u};
use crate::crypto::mac::{Framed, MacKey, subkey};
use crate::crypto::{digest, random, seal};

/// What a MAC key is for. Keys of different purposes tell nothing of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Client secrets as they stand in rows.
    ClientSecret,
    /// Immutable columns of grants.
    Grant,
    /// Rows of the key ring.
    SigningKey,
    /// The `sid` of a session for a client.
    Sid,
    /// Buckets of the throttle.
    Throttle,
    /// CSRF values of forms.
    Csrf,
    /// Cookies that say since when an admin may change things.
    Elevation,
    /// Numbered audit rows, and the salted commitments in them.
    Audit,
}

impl Purpose {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::ClientSecret => b"mac client secret",
            Self::Grant => b"mac grant",
            Self::SigningKey => b"mac signing key",
            Self::Sid => b"mac sid",
            Self::Throttle => b"mac throttle",
            Self::Csrf => b"mac csrf",
            Self::Elevation => b"mac elevation",
            Self::Audit => b"mac audit",
        }
    }
}

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
        }
    }
}

impl std::error::Error for MasterKeyError {}

type Key = Zeroizing<[u8; 32]>;

/// The master key and its predecessors, opened.
pub struct Vault {
    current: (String, Key),
    previous: Vec<(String, Key)>,
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
        let previous = previous.iter().map(|file| read_key(file).map(named)).collect::<Result<_, _>>()?;
        Ok(Self { current: named(current), previous })
    }

    /// A vault over a key in memory: for tests and throw-away installations.
    #[must_use]
    pub fn over(key: [u8; 32]) -> Self {
        Self { current: named(Zeroizing::new(key)), previous: Vec::new() }
    }

    /// The id of the master key that seals.
    #[must_use]
    pub fn kek_id(&self) -> &str {
        &self.current.0
    }

    /// Seals a value for its place.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Sealed {
        let (kek_id, key) = &self.current;
        let context = context(place, kek_id);
        Sealed {
            text: b64u(seal::seal(&subkey(key, context.as_bytes()), context.as_bytes(), plain)),
            kek_id: kek_id.clone(),
        }
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`VaultError`]: a fault of ours, to be answered 503.
    pub fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|(kek_id, _)| *kek_id == sealed.kek_id)
            .map(|(_, key)| key)
            .ok_or_else(|| VaultError::UnknownKey { kek_id: sealed.kek_id.clone() })?;
        let damaged = || VaultError::Damaged { table: place.table.to_owned() };
        let bytes = from_b64u(&sealed.text).ok_or_else(damaged)?;
        let context = context(place, &sealed.kek_id);
        seal::open(&subkey(key, context.as_bytes()), context.as_bytes(), &bytes).map_err(|_| damaged())
    }

    /// The MAC key for a purpose, drawn from the master key.
    #[must_use]
    pub fn mac_key(&self, purpose: Purpose) -> MacKey {
        MacKey::new(subkey(&self.current.1, purpose.name()).as_slice())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.current.0)
    }
}

fn context(place: Place<'_>, kek_id: &str) -> Framed {
    Framed::of(&["seal", place.purpose, place.table, place.row, kek_id])
}

fn named(key: Key) -> (String, Key) {
    let id = b64u(digest::sha256(subkey(&key, b"kek id").as_slice()));
    (id.chars().take(16).collect(), key)
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
    use std::io::Write as _;
    let about = |error| MasterKeyError::File(file.to_owned(), error);
    let key = Zeroizing::new(random::bytes::<32>());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(about)?;
    // Written aside and linked into place, so that no one ever reads half a key.
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(about)?;
    writeln!(aside, "{}", b64u(key.as_slice())).map_err(about)?;
    aside.as_file().sync_all().map_err(about)?;
    match aside.persist_noclobber(file) {
        Ok(_) => Ok(key),
        Err(failure) if failure.error.kind() == std::io::ErrorKind::AlreadyExists => read_key(file),
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
        let turned = Vault::load(&newer, &[file], true).unwrap();
        assert_ne!(turned.kek_id(), first.kek_id());
        assert!(turned.open(PLACE, &sealed).is_ok());
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
