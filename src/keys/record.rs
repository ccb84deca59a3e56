//! A key's row, read and believed. The MAC keeps anyone who can write the database, but has no master key, from putting a key
//! of his own into the ring, or a revoked one back.

use std::fmt;

use super::jwk::PublicJwk;
use super::state::KeyState;
use super::vault::{Place, Sealed};
use crate::crypto::encoding::{b64u, from_b64u};
use crate::crypto::mac::{Framed, MacKey};
use crate::domain::alg::Alg;
use crate::domain::id::KeyId;
use crate::domain::time::Timestamp;
use crate::store::sealed::Table;
use crate::store::signing_keys::SigningKeyRow;

/// What a row says about a key, its private half apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public half, with the name and the algorithm.
    pub public: PublicJwk,
    /// The state.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it stands in the key set.
    pub published_at: Timestamp,
    /// When it shall sign, or began to.
    pub activate_at: Timestamp,
    /// When it leaves the key set, once that is known.
    pub retire_at: Option<Timestamp>,
    /// When the row changed last.
    pub changed_at: Timestamp,
    /// Why it was revoked.
    pub reason: Option<String>,
}

/// Why a row is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRow {
    /// Its text means nothing to us.
    Unreadable,
    /// Its name is not the thumbprint, or its algorithm not the key's.
    Misnamed,
    /// Its MAC is wrong.
    Forged,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "its text means nothing",
            Self::Misnamed => "its name does not belong to its key",
            Self::Forged => "it was changed from outside",
        })
    }
}

impl std::error::Error for BadRow {}

impl KeyRecord {
    /// Reads a row without the master key: name and key are checked, the MAC is not. For lists only, never for trust.
    ///
    /// # Errors
    /// [`BadRow`].
    pub fn read(row: &SigningKeyRow) -> Result<Self, BadRow> {
        let public = PublicJwk::parse(&row.public_jwk).map_err(|_| BadRow::Misnamed)?;
        if public.kid().as_str() != row.kid || public.alg().as_str() != row.alg {
            return Err(BadRow::Misnamed);
        }
        Ok(Self {
            public,
            state: row.state.parse().map_err(|_| BadRow::Unreadable)?,
            created_at: Timestamp::from_seconds(row.created_at),
            published_at: Timestamp::from_seconds(row.published_at),
            activate_at: Timestamp::from_seconds(row.activate_at),
            retire_at: row.retire_at.map(Timestamp::from_seconds),
            changed_at: Timestamp::from_seconds(row.changed_at),
            reason: row.reason.clone(),
        })
    }

    /// Reads a row and checks its MAC.
    ///
    /// # Errors
    /// [`BadRow`].
    pub fn verified(row: &SigningKeyRow, key: &MacKey) -> Result<Self, BadRow> {
        let record = Self::read(row)?;
        // The row's own text is what was MACed, so the JWK is taken from there and not written anew.
        let genuine =
            from_b64u(&row.mac).is_some_and(|mac| key.verifies(&[record.framed(&row.public_jwk).as_bytes()], &mac));
        if genuine { Ok(record) } else { Err(BadRow::Forged) }
    }

    /// The row of this record: `private` is the sealed private half.
    #[must_use]
    pub fn row(&self, private: Option<Sealed>, key: &MacKey) -> SigningKeyRow {
        let public_jwk = self.public.text();
        let mac = b64u(key.sign(&[self.framed(&public_jwk).as_bytes()]));
        let (private_sealed, kek_id) = private.map(|sealed| (sealed.text, sealed.kek_id)).unzip();
        SigningKeyRow {
            kid: self.kid().to_string(),
            alg: self.alg().to_string(),
            state: self.state.to_string(),
            created_at: self.created_at.as_seconds(),
            published_at: self.published_at.as_seconds(),
            activate_at: self.activate_at.as_seconds(),
            retire_at: self.retire_at.map(Timestamp::as_seconds),
            changed_at: self.changed_at.as_seconds(),
            public_jwk,
            private_sealed,
            kek_id,
            reason: self.reason.clone(),
            mac,
        }
    }

    /// The name.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        self.public.kid()
    }

    /// The algorithm.
    #[must_use]
    pub const fn alg(&self) -> Alg {
        self.public.alg()
    }

    /// Where the private half of a key is sealed.
    #[must_use]
    pub fn place(kid: &KeyId) -> Place<'_> {
        Place::of(Table::SigningKeys, kid.as_str())
    }

    fn framed(&self, public_jwk: &str) -> Framed {
        let seconds = |at: Timestamp| at.as_seconds().to_string();
        let fields = [
            self.kid().as_str(),
            self.alg().as_str(),
            public_jwk,
            self.state.as_str(),
            &seconds(self.created_at),
            &seconds(self.published_at),
            &seconds(self.activate_at),
            &self.retire_at.map(seconds).unwrap_or_default(),
            &seconds(self.changed_at),
        ];
        // One field more where there is a reason: no reason and an empty one are not the same.
        Framed::of(&fields.into_iter().chain(self.reason.as_deref()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::pair;

    fn record() -> KeyRecord {
        let at = Timestamp::from_seconds;
        KeyRecord {
            public: pair::make(Alg::ES256, 2048).unwrap().public,
            state: KeyState::Active,
            created_at: at(1),
            published_at: at(2),
            activate_at: at(3),
            retire_at: None,
            changed_at: at(3),
            reason: None,
        }
    }

    #[test]
    fn a_row_is_believed_as_written_and_not_otherwise() {
        let key = MacKey::new(&[1; 32]);
        let record = record();
        let row = record.row(None, &key);
        assert_eq!(KeyRecord::verified(&row, &key), Ok(record));
        assert_eq!(KeyRecord::verified(&row, &MacKey::new(&[2; 32])), Err(BadRow::Forged));
        type Change = fn(&mut SigningKeyRow);
        let changed: [(Change, BadRow); 13] = [
            (|row| row.state = "pending".to_owned(), BadRow::Forged),
            (|row| row.created_at += 1, BadRow::Forged),
            (|row| row.published_at += 1, BadRow::Forged),
            (|row| row.activate_at += 1, BadRow::Forged),
            (|row| row.retire_at = Some(9), BadRow::Forged),
            (|row| row.changed_at += 1, BadRow::Forged),
            (|row| row.reason = Some(String::new()), BadRow::Forged),
            (|row| row.public_jwk.push(' '), BadRow::Forged),
            (|row| row.mac.clear(), BadRow::Forged),
            (|row| row.mac.push('!'), BadRow::Forged),
            (|row| row.state = "lively".to_owned(), BadRow::Unreadable),
            (|row| row.kid = "other".to_owned(), BadRow::Misnamed),
            (|row| row.alg = "RS256".to_owned(), BadRow::Misnamed),
        ];
        for (change, expected) in changed {
            let mut row = row.clone();
            change(&mut row);
            assert_eq!(KeyRecord::verified(&row, &key), Err(expected));
        }
    }

    #[test]
    fn another_key_under_the_old_name_is_misnamed() {
        let key = MacKey::new(&[1; 32]);
        let mut row = record().row(None, &key);
        row.public_jwk = record().row(None, &key).public_jwk;
        assert_eq!(KeyRecord::verified(&row, &key), Err(BadRow::Misnamed));
    }
}
