//! The MAC over a grant's immutable columns: whoever can write the database cannot turn his own grant into another person's.

use crate::crypto::encoding::{b64u, from_b64u};
use crate::crypto::mac::Framed;
use crate::domain::grant::Grant;
use crate::domain::id::{ClientId, SessionId, Sid};
use crate::keys::macs::{Macs, Purpose};
use crate::keys::vault::Vault;
use crate::store::grants::Standing;

/// The keys that guard grants and name sessions for clients.
#[derive(Debug, Clone)]
pub struct GrantKeys {
    grant: Macs,
    sid: Macs,
}

impl GrantKeys {
    /// Takes the keys out of the vault.
    #[must_use]
    pub fn from_vault(vault: &Vault) -> Self {
        Self { grant: vault.macs(Purpose::Grant), sid: vault.macs(Purpose::Sid) }
    }

    /// The MAC for a grant's row.
    #[must_use]
    pub fn mac(&self, grant: &Grant) -> String {
        b64u(self.grant.sign(&[framed(grant).as_bytes()]))
    }

    /// Whether the row is as we wrote it. If not, an alarm is raised here.
    #[must_use]
    pub fn is_genuine(&self, standing: &Standing) -> bool {
        let mac = from_b64u(&standing.mac).unwrap_or_default();
        let fields = framed(&standing.grant);
        let genuine = self.grant.verifies(&[fields.as_bytes()], &mac);
        // What was given under a root that was lost since is no longer good, but ours.
        if !genuine && !self.grant.each(|key| key.verifies(&[fields.as_bytes()], &mac)).contains(&true) {
            tracing::error!(alarm = "grant", grant = %standing.grant.id, "the row of a grant was changed from outside");
        }
        genuine
    }

    /// The name of a session for a client: 128 bits that tell neither.
    #[must_use]
    pub fn sid(&self, session: &SessionId, client: &ClientId) -> Sid {
        let mac = self.sid.sign(&[Framed::of(&[session.as_str(), client.as_str()]).as_bytes()]);
        let (half, _) = mac.split_at(16);
        Sid::new(b64u(half))
    }

    /// The name of a session for scripts at its browser: 128 bits that do not tell it.
    #[must_use]
    pub fn browser_state(&self, session: &SessionId) -> String {
        let mac = self.sid.sign(&[Framed::of(&[session.as_str()]).as_bytes()]);
        let (half, _) = mac.split_at(16);
        b64u(half)
    }
}

fn framed(grant: &Grant) -> Framed {
    let fields = grant.immutable_fields();
    Framed::of(&fields.iter().map(String::as_str).collect::<Vec<_>>())
}
