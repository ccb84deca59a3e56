//! The waiting key signs for one app, for an hour: an app that pins keys, or takes the first one it finds, is found out before the
//! turn and not by it.

use std::time::Duration;

use serde_json::json;

use super::KeysError;
use super::policy::KeyPolicy;
use super::record::KeyRecord;
use super::ring::Canary;
use super::rotation::{self, Standing};
use super::vault::{Purpose, Vault};
use crate::domain::alg::Alg;
use crate::domain::id::ClientId;
use crate::domain::time::Timestamp;
use crate::store::audit::{self, Event};
use crate::store::changes::{self, Kind};
use crate::store::{Store, canaries, signing_keys};

/// How long it sings.
const LASTS: Duration = Duration::from_secs(3600);

/// Has the waiting keys of some algorithms sign for an app from now on, or none of them. It stops by itself.
///
/// # Errors
/// [`KeysError::Refused`] where no key waits, or it is not published for long enough.
pub async fn begin(
    store: &Store,
    vault: &Vault,
    policy: &KeyPolicy,
    (client, algs): (&ClientId, &[Alg]),
    actor: &str,
    now: Timestamp,
) -> Result<Vec<Canary>, KeysError> {
    let mac_key = vault.mac_key(Purpose::SigningKey);
    let (policy, client, algs, actor) = (policy.clone(), client.clone(), algs.to_vec(), actor.to_owned());
    let outcome = store
        .write(async move |tx| {
            changes::bump(tx, Kind::Keys).await?;
            let rows = signing_keys::list(tx).await?;
            let keys: Vec<Standing> = rows
                .iter()
                .filter_map(|row| KeyRecord::verified(row, &mac_key).ok())
                .map(|record| Standing::from(&record))
                .collect();
            let kids: Result<Vec<_>, _> =
                algs.iter().map(|alg| rotation::may_try(&keys, &policy, *alg, now).map(|kid| (*alg, kid))).collect();
            let kids = match kids {
                Ok(kids) => kids,
                Err(refused) => return Ok(Err(refused)),
            };
            let (until, mut begun) = (now.plus(LASTS), Vec::new());
            for (alg, kid) in kids {
                canaries::begin(tx, client.as_str(), kid.as_str(), until).await?;
                let data = json!({"alg": alg, "client_id": client.as_str(), "until": until.as_seconds()});
                let event = Event { actor: &actor, action: "key.canary", subject: kid.as_str(), data };
                audit::record(tx, &event, now).await?;
                begun.push(Canary { client: client.clone(), kid, until });
            }
            Ok(Ok(begun))
        })
        .await?;
    Ok(outcome?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::bootstrap;
    use crate::keys::ring::tests::{NOW, vault};
    use crate::keys::rotation::Refused;
    use crate::keys::signer::Typ;
    use crate::keys::verify::VerifyFor;
    use crate::store::testing::TestStore;

    #[tokio::test]
    async fn for_one_app_the_next_key_signs_for_an_hour() {
        let store = TestStore::open().await;
        let both = [Alg::ES256, Alg::RS256];
        let (vault, policy) = (vault(), KeyPolicy::usual(&both));
        let (keys, _) = bootstrap::start(&store, &vault, &policy, NOW).await.unwrap();
        let shop = ClientId::new("shop");
        let try_at = async |now| begin(&store, &vault, &policy, (&shop, &both), "cli", now).await;
        let too_young = try_at(NOW.plus(Duration::from_secs(3_600))).await;
        assert!(matches!(too_young, Err(KeysError::Refused(Refused::TooYoung { .. }))), "{too_young:?}");
        let now = NOW.plus(policy.publish_ahead).plus(Duration::from_secs(1));
        let [canary, other] = try_at(now).await.unwrap().try_into().unwrap();
        assert_eq!((canary.until, other.until), (now.plus(LASTS), now.plus(LASTS)));
        assert_eq!(try_at(now).await.unwrap().len(), 2, "asked again, it goes on");
        keys.reload(&store, &vault, now).await.unwrap();
        let ring = keys.ring();
        let active = ring.signer(Alg::ES256).unwrap().kid().clone();
        assert_ne!(canary.kid, active);
        let signs_for = |client: &str, now| ring.signer_for(client, Alg::ES256, now).unwrap().kid().clone();
        assert_eq!((signs_for("shop", now), signs_for("other", now)), (canary.kid.clone(), active.clone()));
        let rs256 = ring.signer_for("shop", Alg::RS256, now).unwrap().kid().clone();
        assert_eq!(rs256, other.kid, "for every algorithm");
        let token = ring.signer_for("shop", Alg::ES256, now).unwrap().sign(Typ::AccessToken, b"{}").unwrap();
        let over = canary.until;
        assert_eq!(signs_for("shop", over), active, "it stops by itself");
        assert!(ring.verify(&token, VerifyFor::AccessToken, over).is_ok(), "and its tokens are good to their end");
        assert_eq!((ring.canaries(now).count(), ring.canaries(over).count()), (2, 0));
        let last = audit::about(&mut store.read().await.unwrap(), canary.kid.as_str(), 1).await.unwrap().remove(0);
        assert_eq!(last.action, "key.canary");
    }
}
