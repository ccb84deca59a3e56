//! MAC keys: each drawn from the MAC root for one purpose. The root is no master key, so that MACs outlive the master key.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::crypto::encoding::b64u;
use crate::crypto::mac::{Framed, MacKey, subkey};

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
    /// Where somebody wanted to go who has to sign in first, and what proves that the same browser comes back (forward-auth).
    Gateway,
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
            Self::Gateway => b"mac gateway",
            Self::Audit => b"mac audit",
        }
    }
}

/// The MAC keys that are drawn from one root, ready for use.
pub struct MacRoot {
    client_secret: MacKey,
    grant: MacKey,
    signing_key: MacKey,
    sid: MacKey,
    throttle: MacKey,
    csrf: MacKey,
    elevation: MacKey,
    gateway: MacKey,
    audit: MacKey,
}

impl MacRoot {
    /// Draws the keys.
    #[must_use]
    pub fn new(root: &[u8; 32]) -> Self {
        let draw = |purpose: Purpose| MacKey::new(subkey(root, purpose.name()).as_slice());
        Self {
            client_secret: draw(Purpose::ClientSecret),
            grant: draw(Purpose::Grant),
            signing_key: draw(Purpose::SigningKey),
            sid: draw(Purpose::Sid),
            throttle: draw(Purpose::Throttle),
            csrf: draw(Purpose::Csrf),
            elevation: draw(Purpose::Elevation),
            gateway: draw(Purpose::Gateway),
            audit: draw(Purpose::Audit),
        }
    }

    /// The key for a purpose.
    #[must_use]
    pub const fn key(&self, purpose: Purpose) -> &MacKey {
        match purpose {
            Purpose::ClientSecret => &self.client_secret,
            Purpose::Grant => &self.grant,
            Purpose::SigningKey => &self.signing_key,
            Purpose::Sid => &self.sid,
            Purpose::Throttle => &self.throttle,
            Purpose::Csrf => &self.csrf,
            Purpose::Elevation => &self.elevation,
            Purpose::Gateway => &self.gateway,
            Purpose::Audit => &self.audit,
        }
    }
}

impl fmt::Debug for MacRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacRoot")
    }
}

/// The id of a MAC key, which tells nothing of the key.
#[must_use]
pub fn key_id(key: &MacKey) -> String {
    b64u(key.sign(&[Framed::of(&["key id"]).as_bytes()])).chars().take(16).collect()
}

/// The root that counts, and those that have ended.
#[derive(Debug)]
pub struct MacRoots {
    /// The identity of the root that counts; empty where the master key is the root.
    pub id: String,
    /// What new MACs are made under.
    pub current: MacRoot,
    /// What older MACs may have been made under, the latest first.
    pub ended: Vec<MacRoot>,
}

/// The MAC keys for one purpose. They follow when there is a new root.
#[derive(Debug, Clone)]
pub struct Macs {
    roots: Arc<ArcSwap<MacRoots>>,
    purpose: Purpose,
}

impl Macs {
    pub(super) const fn new(roots: Arc<ArcSwap<MacRoots>>, purpose: Purpose) -> Self {
        Self { roots, purpose }
    }

    /// The MAC over the parts, as [`MacKey::sign`].
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.roots.load().current.key(self.purpose).sign(parts)
    }

    /// Whether `mac` is the MAC over the parts under the root that counts, as [`MacKey::verifies`].
    #[must_use]
    pub fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.roots.load().current.key(self.purpose).verifies(parts, mac)
    }

    /// What `with` makes of the key that counts and of each ended one, in this order.
    pub fn each<T>(&self, mut with: impl FnMut(&MacKey) -> T) -> Vec<T> {
        let roots = self.roots.load();
        std::iter::once(&roots.current).chain(&roots.ended).map(|root| with(root.key(self.purpose))).collect()
    }
}
