//! Whole verifiers and their status lists, on the runtime's clock, which stands unless a test lets it go.

mod keys;

use std::future::Future as _;
use std::pin::pin;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use crate::builder::VerifierBuilder;
use crate::error::{Missing, Reason, VerifyError};
use crate::fetch::{Document, Fetch, FetchFuture};
use crate::status::{StatusPolicy, Unreachable};
use crate::testing::{
    AUDIENCE, ISSUER, RuntimeClock, START, TestClock, TestIssuer, TestKey, claims, list_claims, list_uri, lst, status,
};
use crate::verifier::Verifier;

struct World {
    verifier: Verifier,
    issuer: TestIssuer,
    key: TestKey,
    clock: RuntimeClock,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl Fn(VerifierBuilder) -> VerifierBuilder) -> Self {
        let (key, clock) = (TestKey::ec("e"), RuntimeClock::new());
        let issuer = TestIssuer::new(&[&key]);
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(issuer.clone()).clock(clock.clone());
        Self { verifier: change(builder).build().unwrap(), issuer, key, clock }
    }

    fn now(&self) -> u64 {
        use crate::clock::Clock as _;
        self.clock.unix_time()
    }

    /// Publishes the list 7, signed now.
    fn publish(&self, version: u64, set: &[usize]) {
        self.issuer.list(7, &self.key.list(&list_claims(7, self.now(), version, set)));
    }

    /// A token that lives for a day.
    fn token(&self, status: Value) -> String {
        let mut claims = claims();
        claims["exp"] = json!(START + 86_400);
        claims["status"] = status;
        self.key.token(&claims)
    }

    async fn verdict(&self, list: u64, index: u64) -> Result<(), VerifyError> {
        self.verifier.verify(&self.token(status(list, index))).await.map(|_| ())
    }

    /// Lets time pass, and what is due then happen.
    async fn seconds(&self, seconds: u64) {
        sleep(Duration::from_secs(seconds) + Duration::from_millis(2)).await;
    }
}

const REVOKED: Result<(), VerifyError> = Err(VerifyError::Invalid(Reason::Revoked));
const NO_LIST: Result<(), VerifyError> =
    Err(VerifyError::Unavailable { missing: Missing::StatusList, retry_after: Duration::from_secs(1) });

#[tokio::test(start_paused = true)]
async fn a_set_bit_refuses_and_the_others_pass() {
    let world = World::new();
    world.publish(1, &[5, 64]);
    for (index, expected) in [(4, Ok(())), (5, REVOKED), (6, Ok(())), (64, REVOKED), (1023, Ok(()))] {
        assert_eq!(world.verdict(7, index).await, expected, "{index}");
    }
    for index in [1024, 1 << 20, (1 << 53) - 1] {
        assert_eq!(world.verdict(7, index).await, Err(Reason::StatusIndex.into()), "{index}");
    }
    assert_eq!(world.issuer.list_requests(7), 1);
    let metrics = world.verifier.metrics();
    assert_eq!((metrics.accepted, metrics.refused["revoked"], metrics.refused["status_index"]), (3, 2, 3));
    assert_eq!((metrics.lists.len(), metrics.lists[0].bytes), (1, 128));
    assert_eq!(metrics.lists[0].uri, list_uri(7));
}

#[tokio::test(start_paused = true)]
async fn to_the_caller_a_revoked_token_is_as_any_other_bad_one() {
    let world = World::new();
    world.publish(1, &[5]);
    let error = world.verifier.verify(&world.token(status(7, 5))).await.unwrap_err();
    assert_eq!(error.reason(), "revoked");
    let refusal = world.verifier.refusal(&error);
    assert_eq!(refusal, world.verifier.refusal(&Reason::Expired.into()));
    assert_eq!(error.to_string(), VerifyError::from(Reason::Expired).to_string());
}

#[tokio::test(start_paused = true)]
async fn any_value_but_zero_refuses() {
    let world = World::new();
    for (version, bits) in [(1, 2), (2, 4), (3, 8)] {
        let mut list = list_claims(7, world.now(), version, &[]);
        list["status_list"] = json!({"bits": bits, "lst": lst(&[0b0000_0010, 0])});
        world.issuer.list(7, &world.key.list(&list));
        world.seconds(10).await;
        assert_eq!(world.verdict(7, 0).await, REVOKED, "{bits} bits");
        assert_eq!(world.verdict(7, 1).await, Ok(()), "{bits} bits");
        assert_eq!(world.verdict(7, 16 / bits).await, Err(Reason::StatusIndex.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_decides_about_tokens_without_status() {
    let bad = json!({"status_list": {"idx": -1, "uri": list_uri(7)}});
    let foreign = json!({"status_list": {"idx": 1, "uri": "https://evil.example/status/7"}});
    for (policy, without, with_bad, revoked) in [
        (StatusPolicy::Off, Ok(()), Ok(()), Ok(())),
        (StatusPolicy::IfPresent, Ok(()), Err(Reason::Status.into()), REVOKED),
        (StatusPolicy::Required, Err(Reason::StatusMissing.into()), Err(Reason::Status.into()), REVOKED),
    ] {
        let world = World::with(|builder| builder.status_policy(policy));
        world.publish(1, &[5]);
        assert_eq!(world.verifier.verify(&world.key.token(&claims())).await.map(|_| ()), without, "{policy:?}");
        for status in [&bad, &foreign] {
            let verdict = world.verifier.verify(&world.token(status.clone())).await.map(|_| ());
            assert_eq!(verdict, with_bad, "{policy:?}");
        }
        assert_eq!(world.verdict(7, 5).await, revoked, "{policy:?}");
        let asked = usize::from(policy != StatusPolicy::Off);
        assert_eq!(world.issuer.list_requests(7), asked, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn status_is_looked_at_last() {
    let world = World::new();
    let stranger = TestKey::ec("e");
    let mut expired = claims();
    expired["exp"] = json!(START - 100);
    expired["status"] = status(7, 5);
    for (token, reason) in [(world.key.token(&expired), Reason::Expired), (stranger.token(&expired), Reason::Signature)]
    {
        assert_eq!(world.verifier.verify(&token).await.map(|_| ()), Err(reason.into()));
    }
    assert_eq!(world.issuer.list_requests(7), 0, "nobody is asked for such tokens");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_arrives_with_the_next_poll() {
    let world = World::new();
    world.publish(1, &[]);
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    world.publish(2, &[5]);
    world.seconds(9).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()), "ttl is 10 seconds");
    world.seconds(1).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    world.publish(3, &[]);
    world.seconds(10).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()), "the list is the truth, also when it takes a bit back");
}

#[tokio::test(start_paused = true)]
async fn ttl_is_clamped() {
    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
    let half = Duration::from_millis(500);
    for (ttl, min_poll, expected) in [
        (json!(1), secs(2), secs(2)),
        (json!(0.1), half, half),
        (json!(17), secs(2), secs(17)),
        (json!(86_400), secs(2), secs(300)),
        (json!(5), secs(60), secs(60)),
    ] {
        let world = World::with(|builder| builder.status_min_poll(min_poll));
        let mut list = list_claims(7, START, 1, &[]);
        list["exp"] = json!(START + 86_400);
        list["ttl"] = ttl.clone();
        world.issuer.list(7, &world.key.list(&list));
        assert_eq!(world.verdict(7, 5).await, Ok(()));
        sleep(expected - Duration::from_millis(1)).await;
        assert_eq!(world.issuer.list_requests(7), 1, "{ttl} before");
        sleep(Duration::from_millis(2)).await;
        assert_eq!(world.issuer.list_requests(7), 2, "{ttl} after");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_list_is_304_until_it_must_be_signed_again() {
    let world = World::new();
    world.publish(1, &[5]);
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    world.seconds(200).await;
    assert_eq!((world.issuer.list_requests(7), world.issuer.unchanged()), (21, 20));
    let metrics = world.verifier.metrics();
    assert_eq!((metrics.list_fetches.fetched, metrics.list_fetches.not_modified), (1, 20));
    assert!(metrics.lists[0].age.unwrap() < Duration::from_secs(1));
    // 304 does not make it live longer: shortly before its end it is fetched whole.
    world.seconds(90).await;
    let metrics = world.verifier.metrics();
    assert_eq!((metrics.list_fetches.fetched, metrics.list_fetches.not_modified), (3, 27));
    world.publish(1, &[5]);
    world.seconds(70).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED, "it is the new one that counts");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_304_without_a_list() {
    let world = World::new();
    world.issuer.answer("/status/7", Document::new(304, ""));
    assert_eq!(world.verdict(7, 5).await, NO_LIST);
}

#[tokio::test(start_paused = true)]
async fn decision_54_first_sight_of_a_list_that_cannot_be_had_fails_closed() {
    let world = World::new();
    assert_eq!(world.verdict(7, 5).await, NO_LIST);
    assert_eq!(world.issuer.list_requests(7), 1);
    assert_eq!(world.verdict(7, 6).await, NO_LIST);
    assert_eq!(world.issuer.list_requests(7), 1, "attempts are a second apart");
    let error = world.verifier.verify(&world.token(status(7, 5))).await.unwrap_err();
    let refusal = world.verifier.refusal(&error);
    assert_eq!((refusal.status(), refusal.retry_after(), error.reason()), (503, Some(1), "no_status_list"));
    world.publish(1, &[5]);
    world.seconds(1).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(world.verdict(7, 6).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn first_sight_waits_for_as_long_as_it_is_told_and_the_list_still_comes() {
    let world = World::with(|builder| builder.status_first_sight(Duration::from_millis(200)));
    world.verifier.warm_up().await.unwrap();
    world.publish(1, &[5]);
    world.issuer.close_gate();
    let before = tokio::time::Instant::now();
    assert_eq!(world.verdict(7, 5).await, NO_LIST);
    assert_eq!(before.elapsed(), Duration::from_millis(200));
    world.issuer.open_gate();
    world.seconds(0).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(world.issuer.list_requests(7), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_younger_than_its_first_token_is_asked_for_twice() {
    let world = World::new();
    world.verifier.warm_up().await.unwrap();
    world.issuer.answer("/status/7", Document::new(404, ""));
    let signing = async {
        sleep(Duration::from_millis(100)).await;
        world.publish(1, &[5]);
    };
    let (verdict, ()) = tokio::join!(world.verdict(7, 5), signing);
    assert_eq!((verdict, world.issuer.list_requests(7)), (REVOKED, 2));
    assert_eq!(world.verifier.metrics().list_fetches.failed, 0);
    // One that is not there either way is asked for as any other.
    world.issuer.answer("/status/8", Document::new(404, ""));
    assert_eq!((world.verdict(8, 5).await, world.issuer.list_requests(8)), (NO_LIST, 2));
    world.seconds(1).await;
    assert_eq!((world.verdict(8, 5).await, world.issuer.list_requests(8)), (NO_LIST, 3));
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_the_first_sight() {
    let world = World::new();
    world.verifier.warm_up().await.unwrap();
    world.publish(1, &[5]);
    world.issuer.close_gate();
    let token = world.token(status(7, 5));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (verifier, token) = (world.verifier.clone(), token.clone());
        tasks.spawn(async move { verifier.verify(&token).await.map(|_| ()) });
    }
    world.issuer.request_waits().await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.issuer.waiting(), 1);
    world.issuer.open_gate();
    assert!(tasks.join_all().await.iter().all(|verdict| *verdict == REVOKED));
    assert_eq!(world.issuer.list_requests(7), 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_issuer_the_last_list_counts_until_it_expires() {
    let world = World::with(|builder| builder.leeway(Duration::ZERO));
    world.publish(1, &[5]);
    assert_eq!(world.verdict(7, 6).await, Ok(()));
    world.issuer.answer("/status/7", Document::new(503, ""));
    world.seconds(299).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()));
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    world.seconds(1).await;
    assert_eq!(world.verdict(7, 6).await, NO_LIST);
    assert_eq!(world.verdict(7, 5).await, NO_LIST);
    world.publish(1, &[5]);
    world.seconds(10).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn who_fails_closed_refuses_once_the_list_is_overdue() {
    let world = World::with(|builder| builder.status_unreachable(Unreachable::FailClosed));
    world.publish(1, &[5]);
    assert_eq!(world.verdict(7, 6).await, Ok(()));
    world.seconds(100).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()), "304 is an answer");
    world.issuer.answer("/status/7", Document::new(503, ""));
    world.seconds(39).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()));
    world.seconds(3).await;
    assert_eq!(world.verdict(7, 6).await, NO_LIST);
    world.publish(1, &[5]);
    world.seconds(10).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn decision_53_an_older_version_never_takes_the_place_of_a_newer_one() {
    let world = World::new();
    world.publish(5, &[5]);
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    world.seconds(1).await;
    world.publish(4, &[]);
    world.seconds(20).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert!(world.verifier.metrics().list_fetches.failed > 0);
    // Neither does one without a version.
    let mut list = list_claims(7, world.now(), 9, &[]);
    list.as_object_mut().unwrap().remove("frontdesk_version");
    world.issuer.list(7, &world.key.list(&list));
    world.seconds(20).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    // A newer one does, although it was signed earlier.
    world.issuer.list(7, &world.key.list(&list_claims(7, START, 6, &[])));
    world.seconds(10).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_same_version_signed_earlier_does_not_shorten_a_lists_life() {
    let world = World::with(|builder| builder.leeway(Duration::ZERO));
    let old = world.key.list(&list_claims(7, START, 1, &[]));
    world.seconds(100).await;
    world.publish(1, &[]);
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    world.issuer.list(7, &old);
    world.seconds(299).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_the_issuers_is_no_list() {
    let (world, stranger, other) = (World::new(), TestKey::ec("e"), TestKey::ec("stranger"));
    let good = list_claims(7, START, 1, &[5]);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let header = |typ: &str| json!({"typ": typ, "alg": "ES256", "kid": "e"}).to_string();
    let (head, tail) = (world.key.list(&good), world.key.list(&with("iat", json!(START - 1))));
    let mixed = [&head[..head.rfind('.').unwrap()], &tail[tail.rfind('.').unwrap()..]].concat();
    for (name, token) in [
        ("no token", "<html>".to_owned()),
        ("not signed by us", stranger.list(&good)),
        ("signed by a key nobody published", other.list(&good)),
        ("another signature of ours", mixed),
        ("row 83: an access token", world.key.token_of(&header("at+jwt"), &good.to_string())),
        ("row 83: any other token", world.key.token_of(&header("JWT"), &good.to_string())),
        ("another list", world.key.list(&with("sub", json!(list_uri(8))))),
        ("another issuer", world.key.list(&with("iss", json!("https://evil.example")))),
        ("expired", world.key.list(&with("exp", json!(START - 31)))),
        ("signed in the future", world.key.list(&with("iat", json!(START + 6000)))),
        ("a zip bomb", world.key.list(&with("status_list", json!({"bits": 1, "lst": lst(&vec![0; 17 << 20])})))),
        ("huge", world.key.list(&with("x", json!("x".repeat(8 << 20))))),
    ] {
        world.issuer.list(7, &token);
        assert_eq!(world.verdict(7, 6).await, NO_LIST, "{name}");
        world.seconds(10).await;
    }
    world.publish(1, &[5]);
    world.seconds(10).await;
    assert_eq!(world.verdict(7, 6).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn row_83_a_status_list_is_no_access_token() {
    let world = World::new();
    let mut both = claims();
    for (name, value) in list_claims(7, START, 1, &[]).as_object().unwrap() {
        if name != "sub" {
            both[name] = value.clone();
        }
    }
    let verdict = world.verifier.verify(&world.key.list(&both)).await.map(|_| ());
    assert_eq!(verdict, Err(Reason::Type.into()));
    assert_eq!(world.verifier.verify(&world.key.token(&both)).await.map(|_| ()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_bad_list_does_not_take_the_place_of_a_good_one() {
    let world = World::new();
    world.publish(1, &[5]);
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    world.issuer.list(7, &TestKey::ec("e").list(&list_claims(7, START, 2, &[])));
    world.seconds(60).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(world.verdict(7, 6).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn polls_stop_an_hour_after_a_token_last_named_the_list() {
    let world = World::new();
    let mut list = list_claims(7, START, 1, &[]);
    list["exp"] = json!(START + 86_400);
    list["ttl"] = json!(60);
    world.issuer.list(7, &world.key.list(&list));
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    world.seconds(1800).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    world.seconds(3599).await;
    assert_eq!(world.verifier.metrics().lists.len(), 1);
    world.seconds(61).await;
    assert_eq!(world.verifier.metrics().lists.len(), 0);
    let asked = world.issuer.list_requests(7);
    world.seconds(3600).await;
    assert_eq!(world.issuer.list_requests(7), asked);
    assert_eq!(world.verdict(7, 5).await, Ok(()), "it is fetched again when a token names it");
    assert_eq!(world.issuer.list_requests(7), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn polls_stop_with_the_last_clone_of_the_verifier() {
    let world = World::new();
    world.publish(1, &[]);
    let clone = world.verifier.clone();
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    drop(world.verifier);
    world.issuer.close_gate();
    sleep(Duration::from_secs(10)).await;
    world.issuer.request_waits().await;
    drop(clone);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((world.issuer.waiting(), world.issuer.list_requests(7)), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn at_most_512_lists_are_kept_and_the_one_named_longest_ago_goes() {
    let world = World::new();
    for list in 0..513 {
        world.issuer.list(list, &world.key.list(&list_claims(list, world.now(), 1, &[])));
        assert_eq!(world.verdict(list, 5).await, Ok(()), "{list}");
        sleep(Duration::from_millis(5)).await;
    }
    let lists = world.verifier.metrics().lists;
    assert_eq!(lists.len(), 512);
    assert!(lists.iter().all(|list| list.uri != list_uri(0)));
    world.seconds(11).await;
    assert_eq!((world.issuer.list_requests(0), world.issuer.list_requests(1)), (1, 2), "and is no longer polled");
}

#[tokio::test(start_paused = true)]
async fn all_lists_together_stay_within_their_memory() {
    let world = World::with(|builder| builder.status_max_memory(3 * 128));
    for list in 0..4 {
        world.issuer.list(list, &world.key.list(&list_claims(list, world.now(), 1, &[])));
        assert_eq!(world.verdict(list, 5).await, if list < 3 { Ok(()) } else { NO_LIST });
    }
    world.issuer.list(0, &world.key.list(&list_claims(0, world.now(), 2, &[5])));
    world.seconds(11).await;
    assert_eq!(world.verdict(0, 5).await, REVOKED, "a list takes its own place");
}

struct Panicking(TestIssuer);

impl Fetch for Panicking {
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f> {
        let broken = url.path() == "/status/7" && self.0.list_requests(7) == 0;
        let answer = self.0.get(url, limit);
        Box::pin(async move {
            let answer = answer.await;
            assert!(!broken, "a bug in somebody's client");
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_client_is_one_failed_attempt() {
    let world = World::new();
    world.publish(1, &[5]);
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).clock(world.clock.clone());
    let verifier = builder.fetch(Panicking(world.issuer.clone())).build().unwrap();
    let verdict = async || verifier.verify(&world.token(status(7, 5))).await.map(|_| ());
    assert_eq!(verdict().await, NO_LIST);
    world.seconds(1).await;
    assert_eq!(verdict().await, REVOKED);
}

/// Tests of other people start a runtime each and may share a verifier.
#[test]
fn lists_outlive_the_runtime_that_fetched_them() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let first = runtime();
    let world = first.block_on(async {
        let key = TestKey::ec("e");
        let (issuer, clock) = (TestIssuer::new(&[&key]), TestClock::default());
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(issuer.clone()).clock(clock.clone());
        let verifier = builder.build().unwrap();
        issuer.list(7, &key.list(&list_claims(7, START, 1, &[])));
        let mut claims = claims();
        claims["status"] = status(7, 5);
        let token = key.token(&claims);
        verifier.verify(&token).await.unwrap();
        issuer.list(7, &key.list(&list_claims(7, START, 2, &[5])));
        (verifier, token, clock)
    });
    drop(first);
    let (verifier, token, clock) = world;
    clock.advance(Duration::from_secs(12));
    runtime().block_on(async {
        assert!(verifier.verify(&token).await.is_ok(), "nobody waits for it");
        sleep(Duration::from_millis(1)).await;
        assert_eq!(verifier.verify(&token).await.unwrap_err().reason(), "revoked");
    });
}

#[test]
fn outside_of_a_runtime_nothing_panics() {
    let first = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let key = TestKey::ec("e");
    let issuer = TestIssuer::new(&[&key]);
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(issuer).clock(TestClock::default());
    let verifier = builder.build().unwrap();
    first.block_on(verifier.warm_up()).unwrap();
    let mut claims = claims();
    claims["status"] = status(7, 5);
    let token = key.token(&claims);
    let mut verdict = pin!(verifier.verify(&token));
    let mut context = task::Context::from_waker(Waker::noop());
    assert!(matches!(verdict.as_mut().poll(&mut context), Poll::Ready(Err(VerifyError::Unavailable { .. }))));
}

#[tokio::test(start_paused = true)]
async fn warming_up_fetches_every_list_that_the_issuer_names() {
    let world = World::new();
    let lists: Vec<u64> = (1..=20).collect();
    for list in &lists {
        world.issuer.list(*list, &world.key.list(&list_claims(*list, START, 1, &[5])));
    }
    world.issuer.announce(&lists);
    world.verifier.warm_up().await.unwrap();
    let asked = world.issuer.requests();
    assert_eq!(world.verdict(20, 5).await, REVOKED);
    assert_eq!(world.verdict(1, 6).await, Ok(()));
    assert_eq!(world.issuer.requests(), asked);
    // A list that is missing is said, and the others are there.
    let late = World::new();
    late.publish(1, &[5]);
    late.issuer.announce(&[6, 7]);
    assert_eq!(late.verifier.warm_up().await, NO_LIST);
    assert_eq!(late.verdict(7, 5).await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn warming_up_asks_for_no_lists_where_there_are_none_to_ask_for() {
    let off = World::with(|builder| builder.status_policy(StatusPolicy::Off));
    off.issuer.announce(&[]);
    off.issuer.answer("/status", Document::new(500, ""));
    off.verifier.warm_up().await.unwrap();
    let elsewhere = World::new();
    elsewhere.issuer.announce(&[]);
    let names = json!({"status_lists": ["https://evil.example/status/1", format!("{ISSUER}/jwks")]});
    elsewhere.issuer.answer("/status", Document::new(200, names.to_string()));
    elsewhere.verifier.warm_up().await.unwrap();
    assert!(elsewhere.verifier.metrics().lists.is_empty());
    // Another issuer than Frontdesk has none.
    let other = World::new();
    other.verifier.warm_up().await.unwrap();
    assert_eq!(other.verifier.verify(&other.key.token(&claims())).await.map(|_| ()), Ok(()));
    for bad in ["", "[]", "{}", r#"{"status_lists":"x"}"#, r#"{"status_lists":[1]}"#] {
        let world = World::new();
        world.issuer.announce(&[]);
        world.issuer.answer("/status", Document::new(200, bad));
        assert_eq!(world.verifier.warm_up().await, NO_LIST, "{bad}");
    }
}
