//! What the MAC of an audit row covers.
//!
//! A row is inserted in the transaction of its act, and sealed within a second: it gets the next number, and a MAC over the MAC
//! of the row before it, its number, id, time, action and a commitment. Each row holds the MAC of the one before it, so that one
//! row can be judged without its neighbours, and what is wrong can be told exactly.
//!
//! **Personal data.** Actor, subject and data may name a person. The MAC does not cover them but a commitment to them: a digest
//! over a random salt and the three. As long as the salt is there, they must fit it. To erase, what names the person is replaced
//! and the salt goes, so that nobody can find by trying what was there; the commitment stays, and with it the chain. What stands
//! there instead has a MAC of its own: without the key nobody erases.
//!
//! **Keys.** A row holds the id of the key that sealed it. A chain under another key can so be told from a forged one. After a
//! machine was lost there is a new key. It vouches for where the chain stood by then (`audit_turns`): who has the former key can
//! seal nothing behind that row, and change nothing before it, but erase.
//!
//! What the chain cannot show: what was changed before it was sealed, rows that were inserted from outside and then sealed, and
//! that the newest rows are gone together with the head. For the last there are checkpoints (`checkpoint.rs`).

use crate::crypto::encoding::{b64u, from_b64u};
use crate::crypto::mac::{Framed, MacKey};
use crate::crypto::{digest, random};
use crate::keys::lost_host::turned;
use crate::keys::macs::key_id;
use crate::keys::vault::{Purpose, Vault};
use crate::store::audit::Recorded;
use crate::store::audit_chain::{Seal, SealedRow};
use crate::store::audit_turns::Turn;

/// Stands where an actor or a subject was erased.
pub const ERASED: &str = "erased";
/// Stands where data were erased.
const NO_DATA: &str = "{}";

/// The key that seals audit rows, with its id, and those that did before it was lost, the latest first.
#[derive(Debug, Clone)]
pub struct ChainKey {
    current: Named,
    ended: Vec<Named>,
}

#[derive(Debug, Clone)]
struct Named {
    key: MacKey,
    id: String,
}

/// What is wrong with a row by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Another key sealed it, or so it says.
    OtherKey,
    /// The MAC does not fit number, predecessor, id, time, action and commitment.
    Changed,
    /// The MAC fits; actor, subject or data are not what was committed to, nor what an erasing left.
    PersonalPart,
}

/// Which parts of a row go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// Who did it.
    pub actor: bool,
    /// To what it was done.
    pub subject: bool,
    /// More about it.
    pub data: bool,
}

impl ChainKey {
    /// Draws the keys from the vault, as it is now.
    #[must_use]
    pub fn from_vault(vault: &Vault) -> Self {
        let mut ended = vault.macs(Purpose::Audit).each(|key| Named { key: key.clone(), id: key_id(key) });
        Self { current: ended.remove(0), ended }
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.current.id
    }

    /// The ids of the keys that were replaced, the latest first.
    pub fn ended(&self) -> impl Iterator<Item = &str> {
        self.ended.iter().map(|key| key.id.as_str())
    }

    /// Whether a key that came after a former one vouches for where the chain stood when that one was replaced.
    #[must_use]
    pub fn vouches(&self, turn: &Turn) -> bool {
        let mac = from_b64u(&turn.vouched).unwrap_or_default();
        self.all().take_while(|key| key.id != turn.key_id).any(|key| key.key.verifies(&[turned(turn).as_bytes()], &mac))
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.current).chain(&self.ended)
    }

    /// The seal of an event that follows the row with this number and MAC.
    #[must_use]
    pub fn seal(&self, event: &Recorded, (before, previous): (i64, &str)) -> Seal {
        let salt = b64u(random::bytes::<16>());
        let mut seal = Seal {
            number: before.saturating_add(1),
            previous: previous.to_owned(),
            mac: String::new(),
            key_id: self.current.id.clone(),
            commitment: commitment(&salt, event),
            salt,
            erased: String::new(),
        };
        seal.mac = self.current.mac(&row(event, &seal));
        seal
    }

    /// Judges a row by itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, SealedRow { event, seal }: &SealedRow) -> Result<(), Flaw> {
        let key = self.all().find(|key| key.id == seal.key_id).ok_or(Flaw::OtherKey)?;
        if !key.verifies(&row(event, seal), &seal.mac) {
            return Err(Flaw::Changed);
        }
        let personal_part_fits = if seal.salt.is_empty() {
            self.all().any(|key| key.verifies(&remains(event, seal), &seal.erased))
        } else {
            seal.erased.is_empty() && commitment(&seal.salt, event) == seal.commitment
        };
        if personal_part_fits { Ok(()) } else { Err(Flaw::PersonalPart) }
    }

    /// The row without some of its parts. It must be sound.
    #[must_use]
    pub fn without(&self, mut row: SealedRow, parts: Parts) -> SealedRow {
        for (goes, part, instead) in [
            (parts.actor, &mut row.event.actor, ERASED),
            (parts.subject, &mut row.event.subject, ERASED),
            (parts.data, &mut row.event.data, NO_DATA),
        ] {
            if goes {
                instead.clone_into(part);
            }
        }
        row.seal.salt.clear();
        row.seal.erased = self.current.mac(&remains(&row.event, &row.seal));
        row
    }
}

impl Named {
    fn mac(&self, fields: &Framed) -> String {
        b64u(self.key.sign(&[fields.as_bytes()]))
    }

    fn verifies(&self, fields: &Framed, mac: &str) -> bool {
        self.key.verifies(&[fields.as_bytes()], &from_b64u(mac).unwrap_or_default())
    }
}

/// What the MAC of a row covers.
fn row(event: &Recorded, seal: &Seal) -> Framed {
    let (number, at) = (seal.number.to_string(), event.at.as_seconds().to_string());
    Framed::of(&["row", &seal.previous, &number, &event.id, &at, &event.action, &seal.commitment])
}

/// What the MAC over the remains of an erased part covers.
fn remains(event: &Recorded, seal: &Seal) -> Framed {
    Framed::of(&["erased", &seal.mac, &event.actor, &event.subject, &event.data])
}

fn commitment(salt: &str, event: &Recorded) -> String {
    digest::sha256_b64u(Framed::of(&[salt, &event.actor, &event.subject, &event.data]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    type Change = fn(&mut SealedRow);

    fn key(seed: u8) -> ChainKey {
        ChainKey::from_vault(&Vault::over([seed; 32]))
    }

    fn sealed() -> SealedRow {
        let event = Recorded {
            id: "01".to_owned(),
            at: Timestamp::from_seconds(1_800_000_000),
            actor: "user:ann".to_owned(),
            action: "user.disable".to_owned(),
            subject: "bob".to_owned(),
            data: r#"{"reason":"x"}"#.to_owned(),
            sealed: None,
        };
        let seal = key(1).seal(&event, (6, "the MAC before"));
        SealedRow { event, seal }
    }

    #[test]
    fn every_column_counts() {
        let good = sealed();
        assert_eq!((good.seal.number, key(1).check(&good)), (7, Ok(())));
        let cases: [(Change, Flaw); 15] = [
            (|row| row.seal.number = 8, Flaw::Changed),
            (|row| row.seal.previous.clear(), Flaw::Changed),
            (|row| row.seal.mac.replace_range(..1, "~"), Flaw::Changed),
            (|row| row.seal.mac.clear(), Flaw::Changed),
            (|row| row.seal.key_id.clear(), Flaw::OtherKey),
            (|row| row.seal.commitment.push('A'), Flaw::Changed),
            (|row| row.event.id.push('1'), Flaw::Changed),
            (|row| row.event.at = row.event.at.plus(std::time::Duration::from_secs(1)), Flaw::Changed),
            (|row| row.event.action.push('d'), Flaw::Changed),
            (|row| row.event.actor.push('a'), Flaw::PersonalPart),
            (|row| row.event.subject.push('a'), Flaw::PersonalPart),
            (|row| row.event.data.push(' '), Flaw::PersonalPart),
            (|row| row.seal.salt.push('A'), Flaw::PersonalPart),
            (|row| row.seal.salt.clear(), Flaw::PersonalPart),
            (|row| row.seal.erased = row.seal.mac.clone(), Flaw::PersonalPart),
        ];
        for (number, (change, flaw)) in cases.into_iter().enumerate() {
            let mut row = good.clone();
            change(&mut row);
            assert_eq!(key(1).check(&row), Err(flaw), "{number}");
        }
    }

    #[test]
    fn what_was_erased_is_gone_and_the_mac_stands() {
        let (good, key) = (sealed(), key(1));
        let row = key.without(good.clone(), Parts { subject: true, data: true, ..Parts::default() });
        assert_eq!(key.check(&row), Ok(()));
        assert_eq!(
            (row.event.actor.as_str(), row.event.subject.as_str(), row.event.data.as_str()),
            ("user:ann", ERASED, NO_DATA)
        );
        assert_eq!(
            (&row.seal.mac, &row.seal.commitment, row.seal.salt.as_str()),
            (&good.seal.mac, &good.seal.commitment, "")
        );
        // More may go later; what is left is guarded as well.
        let bare = key.without(row.clone(), Parts { actor: true, ..Parts::default() });
        assert_eq!((key.check(&bare), bare.event.actor.as_str()), (Ok(()), ERASED));
        let changes: [Change; 4] = [
            |row| row.event.actor = "user:eve".to_owned(),
            |row| row.event.subject = "eve".to_owned(),
            |row| row.event.data.push(' '),
            |row| row.seal.erased.clear(),
        ];
        for change in changes {
            let mut changed = row.clone();
            change(&mut changed);
            assert_eq!(key.check(&changed), Err(Flaw::PersonalPart));
        }
        // The remains of one row are not another's.
        let mut other = SealedRow { seal: key.seal(&good.event, (7, &good.seal.mac)), event: row.event.clone() };
        other.seal.salt.clear();
        other.seal.erased.clone_from(&row.seal.erased);
        assert_eq!(key.check(&other), Err(Flaw::PersonalPart));
    }

    #[test]
    fn another_key_is_told_from_a_forgery() {
        let row = sealed();
        assert_ne!(key(1).id(), key(2).id());
        assert_eq!(key(2).check(&row), Err(Flaw::OtherKey));
        let mut forged = row;
        forged.seal.key_id = key(2).id().to_owned();
        assert_eq!(key(2).check(&forged), Err(Flaw::Changed));
    }

    #[test]
    fn equal_events_have_unequal_commitments() {
        assert_ne!(sealed().seal.commitment, sealed().seal.commitment);
    }
}
