//! Checkpoints: number and MAC of the newest row at one moment, signed. Kept off the machine, they show later that the chain
//! still holds that row, and with it all rows before it. So it is noticed when the newest rows are removed, and when somebody who
//! has the master key writes the whole chain anew.
//!
//! A checkpoint is a compact JWS (RFC 7515 §7.1) of a type of its own, and so is found wherever it stands: in lines of a log,
//! text or JSON, and in what `frontdesk audit verify --json` prints. It has none of a token's claims, so that nobody takes it for
//! one.

use serde_json::{Map, Value, json};

use crate::crypto::encoding::from_b64u;
use crate::domain::alg::Alg;
use crate::domain::strict_json;
use crate::domain::time::Timestamp;
use crate::keys::ring::KeyRing;
use crate::keys::signer::Typ;
use crate::keys::verify::{VerifyError, VerifyFor};

/// A checkpoint that somebody has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The number of the row it names.
    pub number: i64,
    /// The MAC of that row.
    pub mac: String,
    /// Who vouches for it.
    pub vouched: Vouched,
}

/// Who vouches for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// The signature is that of a key of ours.
    Signed,
    /// The key is not known any more, or was revoked. The chain can hold that row all the same.
    Unknown,
    /// The signature is not that of the key it names: somebody has changed the checkpoint.
    Forged,
}

/// Signs a checkpoint. `None`: no key signs now.
#[must_use]
pub fn sign(ring: &KeyRing, (number, mac): (i64, &str), now: Timestamp) -> Option<String> {
    // The shorter signature first.
    let signer = [Alg::ES256, Alg::RS256].into_iter().find_map(|alg| ring.signer(alg))?;
    let claims = json!({ "number": number, "mac": mac, "at": now }).to_string();
    signer.sign(Typ::AuditCheckpoint, claims.as_bytes()).ok()
}

/// The checkpoints in a text, each once, whatever else stands there.
#[must_use]
pub fn find(text: &str, ring: &KeyRing, now: Timestamp) -> Vec<Kept> {
    let mut found: Vec<Kept> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .filter_map(|word| read(word.trim_matches('.'), ring, now))
        .collect();
    found.sort_by(|one, other| (one.number, &one.mac).cmp(&(other.number, &other.mac)));
    found.dedup();
    found
}

fn read(word: &str, ring: &KeyRing, now: Timestamp) -> Option<Kept> {
    let mut parts = word.split('.').map(from_b64u);
    let (header, claims) = (parts.next()??, parts.next()??);
    if strict_json::object(&header)?.get("typ")?.as_str()? != Typ::AuditCheckpoint.as_str() {
        return None;
    }
    let vouched = match ring.verify(word, VerifyFor::AuditCheckpoint, now) {
        Ok(_) => Vouched::Signed,
        Err(VerifyError::UnknownKey | VerifyError::KeyNotAccepted) => Vouched::Unknown,
        Err(_) => Vouched::Forged,
    };
    let claims = strict_json::object(&claims).unwrap_or_default();
    let (number, mac) = (member(&claims, "number", Value::as_i64), member(&claims, "mac", Value::as_str));
    Some(match (number, mac) {
        (Some(number), Some(mac)) => Kept { number, mac: mac.to_owned(), vouched },
        _ => Kept { number: 0, mac: String::new(), vouched: Vouched::Forged },
    })
}

fn member<'c, T: 'c>(claims: &'c Map<String, Value>, name: &str, read: fn(&'c Value) -> Option<T>) -> Option<T> {
    claims.get(name).and_then(read)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audit::testing::NOW;
    use crate::crypto::encoding::b64u;
    use crate::keys::bootstrap;
    use crate::keys::policy::KeyPolicy;
    use crate::keys::ring::Keys;
    use crate::keys::vault::Vault;
    use crate::store::testing::TestStore;

    async fn house(algorithms: &[Alg]) -> (TestStore, Keys, Vault) {
        let store = TestStore::open().await;
        let policy = KeyPolicy::usual(algorithms);
        let vault = Vault::over([1; 32]);
        let (keys, _) = bootstrap::start(&store, &vault, &policy, NOW).await.unwrap();
        (store, keys, vault)
    }

    fn kept(number: i64, mac: &str, vouched: Vouched) -> Kept {
        Kept { number, mac: mac.to_owned(), vouched }
    }

    #[tokio::test]
    async fn a_checkpoint_is_found_wherever_it_was_kept() {
        let (_, keys, _) = house(&[Alg::ES256]).await;
        let ring = keys.ring();
        let (one, two) = (sign(&ring, (7, "m7"), NOW).unwrap(), sign(&ring, (9, "m9"), NOW).unwrap());
        let token = ring.signer(Alg::ES256).unwrap().sign(Typ::IdToken, br#"{"number":1,"mac":"x"}"#).unwrap();
        for text in [
            format!("{one}\n{two}\n"),
            format!("2026-11-18T11:06:40Z  INFO frontdesk: a checkpoint number=9 checkpoint=\"{two}\"\nand {one}."),
            format!(
                "{{\"level\":\"INFO\",\"checkpoint\":\"{one}\"}}\n{{\"checkpoint\":\"{two}\",\"token\":\"{token}\"}}\n{one}"
            ),
            format!("\u{1b}[3mcheckpoint\u{1b}[0m=\"{two}\" … {one}, a.b.c ..... ä"),
        ] {
            let found = find(&text, &ring, NOW);
            assert_eq!(found, [kept(7, "m7", Vouched::Signed), kept(9, "m9", Vouched::Signed)], "{text}");
        }
        assert_eq!(find(&format!("{token} nothing else"), &ring, NOW), []);
        assert!(
            ring.verify(&one, VerifyFor::AccessToken, NOW).is_err()
                && ring.verify(&one, VerifyFor::IdTokenHint, NOW).is_err()
        );
    }

    #[tokio::test]
    async fn who_vouches_for_it_is_told() {
        let ((_, keys, _), (_, others, _)) = (house(&[Alg::ES256]).await, house(&[Alg::RS256]).await);
        let (ring, other) = (keys.ring(), others.ring());
        let ours = sign(&ring, (7, "m7"), NOW).unwrap();
        let theirs = sign(&other, (7, "m7"), NOW).unwrap();
        assert_eq!(find(&theirs, &ring, NOW), [kept(7, "m7", Vouched::Unknown)]);
        assert_eq!(find(&theirs, &other, NOW), [kept(7, "m7", Vouched::Signed)]);
        let (message, signature) = ours.rsplit_once('.').unwrap();
        let header = message.split_once('.').unwrap().0;
        let claims = b64u(r#"{"number":6,"mac":"m6","at":1}"#);
        assert_eq!(find(&format!("{header}.{claims}.{signature}"), &ring, NOW), [kept(6, "m6", Vouched::Forged)]);
        assert_eq!(find(&format!("{header}.{}.{signature}", b64u("{}")), &ring, NOW), [kept(0, "", Vouched::Forged)]);
        assert_eq!(find(message, &ring, NOW), [kept(7, "m7", Vouched::Forged)], "cut short");
    }

    #[tokio::test]
    async fn a_revoked_key_vouches_for_nothing_and_a_retired_one_does() {
        for (state, vouched) in [("retired", Vouched::Signed), ("revoked", Vouched::Unknown)] {
            let (store, keys, vault) = house(&[Alg::ES256]).await;
            let signed = sign(&keys.ring(), (7, "m7"), NOW).unwrap();
            let key = vault.mac_key(crate::keys::vault::Purpose::SigningKey);
            let mut rows = crate::store::signing_keys::list(&mut store.read().await.unwrap()).await.unwrap();
            for row in &mut rows {
                let mut record = crate::keys::record::KeyRecord::verified(row, &key).unwrap();
                record.state = state.parse().unwrap();
                *row = record.row(None, &key);
            }
            let ring = KeyRing::build(&rows.into(), &vault, Duration::from_secs(60), NOW);
            assert_eq!(find(&signed, &ring, NOW), [kept(7, "m7", vouched)], "{state}");
            assert_eq!(sign(&ring, (7, "m7"), NOW), None, "no key signs");
        }
    }
}
