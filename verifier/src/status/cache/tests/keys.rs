//! Decision 54: what lists say about compromised keys.

use super::*;

struct Theft {
    world: World,
    stolen: TestKey,
}

impl Theft {
    fn new() -> Self {
        let (world, stolen) = (World::new(), TestKey::ec("stolen"));
        world.issuer.publish(&[&world.key, &stolen]);
        world.publish(1, &[]);
        Self { world, stolen }
    }

    /// The issuer says in list 7 that the key was stolen.
    fn deny(&self, version: u64) {
        let world = &self.world;
        let mut list = list_claims(7, world.now(), version, &[]);
        list["denied_kids"] = json!(["stolen"]);
        world.issuer.list(7, &world.key.list(&list));
    }

    async fn verdict(&self) -> Result<(), VerifyError> {
        let mut claims = claims();
        claims["exp"] = json!(START + 864_000);
        self.world.verifier.verify(&self.stolen.token(&claims)).await.map(|_| ())
    }
}

const DENIED: Result<(), VerifyError> = Err(VerifyError::Invalid(Reason::DeniedKey));

#[tokio::test(start_paused = true)]
async fn decision_54_a_denied_key_is_refused_at_once_and_for_48_hours() {
    let theft = Theft::new();
    let world = &theft.world;
    assert_eq!(theft.verdict().await, Ok(()));
    theft.deny(2);
    assert_eq!(world.verdict(7, 5).await, Ok(()), "the first token that names the list brings the word");
    assert_eq!(theft.verdict().await, DENIED, "although the key is still published");
    assert_eq!(world.verifier.metrics().denied_kids, 1);
    // The list no longer says so, and after an hour nobody asks for it.
    world.publish(3, &[]);
    world.seconds(48 * 3600 - 100).await;
    assert_eq!(theft.verdict().await, DENIED);
    assert_eq!(world.verifier.verify(&world.token(json!(null))).await.unwrap_err().reason(), "expired");
    world.seconds(200).await;
    assert_eq!(theft.verdict().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn decision_54_a_denied_key_signs_no_lists_and_those_it_signed_are_gone() {
    let theft = Theft::new();
    let world = &theft.world;
    // The thief's list says that all is well with everybody, for ever.
    let mut forged = list_claims(8, START, 1 << 40, &[]);
    forged["exp"] = json!(START + 864_000);
    forged["ttl"] = json!(300);
    world.issuer.list(8, &theft.stolen.list(&forged));
    assert_eq!(world.verdict(8, 5).await, Ok(()));
    theft.deny(2);
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    assert_eq!(world.verdict(8, 5).await, NO_LIST);
    world.seconds(20).await;
    assert_eq!(world.verdict(8, 5).await, NO_LIST);
    world.issuer.list(8, &world.key.list(&list_claims(8, world.now(), 2, &[5])));
    world.seconds(10).await;
    assert_eq!(world.verdict(8, 5).await, REVOKED, "its great version is gone with it");
}

#[tokio::test(start_paused = true)]
async fn a_great_version_signed_with_a_stolen_key_keeps_no_honest_list_out() {
    let theft = Theft::new();
    let world = &theft.world;
    world.issuer.list(7, &theft.stolen.list(&list_claims(7, START, 1_000_000, &[])));
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    let mut honest = list_claims(7, world.now(), 2, &[5]);
    honest["denied_kids"] = json!(["stolen"]);
    world.issuer.list(7, &world.key.list(&honest));
    world.seconds(20).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(theft.verdict().await, DENIED);
}

#[tokio::test(start_paused = true)]
async fn decision_54_only_a_good_list_by_another_key_denies() {
    let theft = Theft::new();
    let world = &theft.world;
    let deny = |kid: &str, version| {
        let mut list = list_claims(7, START, version, &[]);
        list["denied_kids"] = json!([kid]);
        list
    };
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    for (name, token) in [
        ("a stranger", TestKey::ec("e").list(&deny("stolen", 5))),
        ("the key itself", theft.stolen.list(&deny("stolen", 5))),
        ("an older list", world.key.list(&deny("stolen", 0))),
    ] {
        world.issuer.list(7, &token);
        world.seconds(20).await;
        assert_eq!(theft.verdict().await, Ok(()), "{name}");
    }
    // Once denied, the thief cannot turn the tables.
    theft.deny(2);
    world.seconds(20).await;
    assert_eq!(theft.verdict().await, DENIED);
    world.issuer.list(7, &theft.stolen.list(&deny("e", 9)));
    world.seconds(20).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_keys_are_fetched_again_when_one_is_denied() {
    let theft = Theft::new();
    assert_eq!(theft.world.verdict(7, 5).await, Ok(()));
    let asked = theft.world.issuer.key_requests();
    theft.deny(2);
    theft.world.seconds(11).await;
    assert_eq!(theft.world.issuer.key_requests(), asked + 1);
    theft.world.seconds(30).await;
    assert_eq!(theft.world.issuer.key_requests(), asked + 1, "saying it again is no news");
}
