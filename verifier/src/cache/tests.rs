//! The cache against an issuer without a network and a clock that is set by hand.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use super::*;
use crate::fetch::{Document, FetchFuture};
use crate::testing::{ISSUER, TestClock, TestIssuer, TestKey};

const DEFAULTS: CacheSettings = CacheSettings {
    min_freshness: Duration::from_secs(30),
    max_stale: Duration::from_secs(3600),
    pace: Pace { cool_down: Duration::from_secs(10), refetches_per_minute: 6 },
};

struct World {
    cache: Arc<KeyCache>,
    issuer: TestIssuer,
    clock: TestClock,
}

impl World {
    fn new(keys: &[&TestKey]) -> Self {
        Self::with(keys, DEFAULTS)
    }

    fn with(keys: &[&TestKey], settings: CacheSettings) -> Self {
        let (issuer, clock) = (TestIssuer::new(keys), TestClock::default());
        let cache = cache(issuer.clone(), clock.clone(), settings);
        Self { cache: Arc::new(cache), issuer, clock }
    }

    fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn find(&self, kid: &str) -> Result<(), NoKey> {
        match self.cache.at_hand(kid) {
            Some(_) => Ok(()),
            None => self.cache.find(kid).await.map(|_| ()),
        }
    }

    /// Fifty tasks ask at once, one `kid` each, and only then the issuer answers.
    async fn find_fifty(&self, kid: impl Fn(usize) -> String) -> Vec<Result<(), NoKey>> {
        self.issuer.close_gate();
        let mut tasks = JoinSet::new();
        for index in 0..50 {
            let (cache, kid) = (Arc::clone(&self.cache), kid(index));
            tasks.spawn(async move { cache.find(&kid).await.map(|_| ()) });
        }
        self.issuer.request_waits().await;
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.issuer.waiting(), 1);
        self.issuer.open_gate();
        tasks.join_all().await
    }

    /// Lets the background task come to its end.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

fn cache(fetch: impl Fetch, clock: TestClock, settings: CacheSettings) -> KeyCache {
    let issuer = Issuer::parse(ISSUER.to_owned()).unwrap();
    KeyCache::new(issuer, Arc::new(fetch), Arc::new(clock), settings)
}

const UNAVAILABLE: Result<(), NoKey> = Err(NoKey::Unavailable { retry_after: Duration::from_secs(1) });
const UNKNOWN: Result<(), NoKey> = Err(NoKey::Unknown);

#[tokio::test]
async fn fifty_callers_share_the_first_fetch() {
    let world = World::new(&[&TestKey::ec("a")]);
    assert_eq!(world.cache.age(), None);
    let found = world.find_fifty(|_| "a".into()).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!((world.issuer.requests(), world.issuer.key_requests()), (2, 1));
    world.after(7);
    assert_eq!(world.cache.age(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn fifty_callers_share_the_fetch_for_a_new_key() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&new, &old]);
    world.after(10);
    let found = world.find_fifty(|_| "new".into()).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(world.issuer.key_requests(), 2);
}

#[tokio::test]
async fn fifty_invented_kids_cost_one_fetch() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.cache.warm_up().await.unwrap();
    world.after(10);
    let found = world.find_fifty(|index| format!("invented-{index}")).await;
    assert!(found.iter().all(|result| *result == UNKNOWN));
    assert_eq!(world.issuer.key_requests(), 2);
    assert_eq!(world.find("a").await, Ok(()));
}

#[tokio::test]
async fn an_unknown_kid_waits_for_the_cool_down() {
    let world = World::new(&[&TestKey::ec("a")]);
    assert_eq!(world.find("x1").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 1);
    world.clock.advance(Duration::from_millis(9_999));
    assert_eq!(world.find("x2").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 1);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.find("x3").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 2);
    assert_eq!(world.find("x4").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 2);
}

#[tokio::test]
async fn a_key_refused_in_the_cool_down_is_found_right_after_it() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&new]);
    world.after(9);
    assert_eq!(world.find("new").await, UNKNOWN);
    world.after(1);
    assert_eq!(world.find("new").await, Ok(()));
}

#[tokio::test]
async fn a_kid_that_the_issuer_does_not_have_is_remembered_for_a_minute() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.cache.warm_up().await.unwrap();
    world.after(10);
    assert_eq!(world.find("x").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 2);
    world.after(59);
    assert_eq!(world.find("x").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 2);
    world.after(1);
    assert_eq!(world.find("x").await, UNKNOWN);
    assert_eq!(world.issuer.key_requests(), 3);
}

#[tokio::test]
async fn unknown_kids_cause_six_fetches_a_minute_at_most() {
    let pace = Pace { cool_down: Duration::ZERO, refetches_per_minute: 6 };
    let world = World::with(&[&TestKey::ec("a")], CacheSettings { pace, ..DEFAULTS });
    world.cache.warm_up().await.unwrap();
    for index in 0..20 {
        assert_eq!(world.find(&format!("x{index}")).await, UNKNOWN);
    }
    assert_eq!(world.issuer.key_requests(), 1 + 6);
    world.after(10);
    for index in 20..30 {
        assert_eq!(world.find(&format!("x{index}")).await, UNKNOWN);
    }
    assert_eq!(world.issuer.key_requests(), 1 + 7);
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_nothing_from_the_others() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.issuer.close_gate();
    {
        let mut first = pin!(world.cache.find("a"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(first.as_mut().poll(&mut context), Poll::Pending));
    }
    let mut others = JoinSet::new();
    let cache = Arc::clone(&world.cache);
    others.spawn(async move { cache.find("a").await.map(|_| ()) });
    world.issuer.request_waits().await;
    world.issuer.open_gate();
    assert_eq!(others.join_all().await, [Ok(())]);
    assert_eq!(world.issuer.key_requests(), 1);
}

#[tokio::test]
async fn ageing_keys_are_renewed_while_they_serve() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&new, &old]);
    world.issuer.close_gate();
    world.after(239);
    assert!(world.cache.at_hand("old").is_some());
    world.settle().await;
    assert_eq!(world.issuer.key_requests(), 1);
    world.after(1);
    for _ in 0..50 {
        assert!(world.cache.at_hand("old").is_some(), "nobody waits");
    }
    world.issuer.request_waits().await;
    assert!(world.cache.at_hand("old").is_some());
    assert!(world.cache.at_hand("new").is_none());
    world.issuer.open_gate();
    world.settle().await;
    assert_eq!(world.issuer.key_requests(), 2);
    assert!(world.cache.at_hand("new").is_some());
    assert_eq!(world.cache.age(), Some(Duration::ZERO));
}

#[tokio::test]
async fn a_token_with_a_new_key_joins_the_refresh_under_way() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&new]);
    world.after(240);
    assert!(world.cache.at_hand("old").is_some());
    // The cool-down forbids a second attempt, not waiting for the first.
    assert_eq!(world.find("new").await, Ok(()));
    assert_eq!(world.issuer.key_requests(), 2);
}

#[tokio::test]
async fn past_their_freshness_keys_are_not_used_before_the_issuer_was_asked() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&new]);
    world.after(1800);
    assert!(world.cache.at_hand("old").is_none());
    // Also while somebody else's question is under way.
    world.issuer.close_gate();
    let found = world.find_fifty(|_| "old".into()).await;
    assert!(found.iter().all(|result| *result == UNKNOWN));
    assert_eq!(world.issuer.key_requests(), 2);
}

#[tokio::test]
async fn a_new_set_replaces_the_old_one_whole() {
    let (a, b, c) = (TestKey::ec("a"), TestKey::ec("b"), TestKey::ec("c"));
    let world = World::new(&[&a, &b]);
    world.cache.warm_up().await.unwrap();
    world.issuer.publish(&[&b, &c]);
    world.after(10);
    assert_eq!(world.find("c").await, Ok(()));
    assert_eq!(world.find("b").await, Ok(()));
    assert_eq!(world.find("a").await, UNKNOWN);
    world.issuer.publish(&[]);
    world.after(300);
    assert_eq!(world.find("c").await, UNKNOWN, "an empty set is an answer too");
}

#[tokio::test]
async fn without_an_answer_the_last_set_serves_for_an_hour_and_then_nothing() {
    let key = TestKey::ec("a");
    let world = World::new(&[&key]);
    world.cache.warm_up().await.unwrap();
    world.issuer.break_down();
    world.after(300);
    assert!(world.cache.at_hand("a").is_none(), "one caller asks");
    assert_eq!(world.find("a").await, Ok(()));
    assert_eq!(world.issuer.key_requests(), 2);
    // Now it is known that the issuer is away: nobody waits, attempts follow the cool-down.
    for second in 1..=40 {
        world.after(1);
        assert!(world.cache.at_hand("a").is_some(), "second {second}");
        world.settle().await;
    }
    assert_eq!(world.issuer.key_requests(), 2 + 4);
    world.clock.advance(Duration::from_millis(3_259_999));
    assert!(world.cache.at_hand("a").is_some(), "one millisecond before the hour");
    world.settle().await;
    world.clock.advance(Duration::from_millis(1));
    assert!(world.cache.at_hand("a").is_none());
    assert_eq!(world.find("a").await, UNAVAILABLE);
    assert_eq!(world.cache.warm_up().await, UNAVAILABLE);
    // Back again: attempts are a second apart now.
    world.issuer.publish(&[&key]);
    world.after(1);
    assert_eq!(world.find("a").await, Ok(()));
}

#[tokio::test]
async fn in_an_outage_nobody_waits_for_the_attempt_under_way() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.cache.warm_up().await.unwrap();
    world.issuer.break_down();
    world.after(300);
    assert_eq!(world.find("a").await, Ok(()));
    world.issuer.close_gate();
    world.after(10);
    for _ in 0..50 {
        assert!(world.cache.at_hand("a").is_some());
    }
    world.issuer.request_waits().await;
    assert!(world.cache.at_hand("a").is_some());
}

#[tokio::test]
async fn discovery_is_read_again_when_it_is_no_longer_fresh() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.cache.warm_up().await.unwrap();
    world.after(299);
    assert_eq!(world.find("b").await, UNKNOWN);
    assert_eq!((world.issuer.requests(), world.issuer.key_requests()), (3, 2));
    let late = World::new(&[&TestKey::ec("a")]);
    late.cache.warm_up().await.unwrap();
    late.after(300);
    assert_eq!(late.find("a").await, Ok(()));
    assert_eq!((late.issuer.requests(), late.issuer.key_requests()), (4, 2));
}

#[tokio::test]
async fn an_unknown_kid_during_an_outage_is_refused_and_tried_again() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.issuer.break_down();
    world.after(10);
    assert_eq!(world.find("new").await, UNKNOWN);
    assert_eq!(world.find("old").await, Ok(()));
    world.issuer.publish(&[&new, &old]);
    world.after(10);
    assert_eq!(world.find("new").await, Ok(()), "a failed question proves nothing");
}

#[tokio::test]
async fn a_cold_start_without_issuer_is_retried_every_second() {
    let key = TestKey::ec("a");
    let world = World::new(&[&key]);
    world.issuer.break_down();
    for _ in 0..5 {
        assert_eq!(world.find("a").await, UNAVAILABLE);
    }
    assert_eq!(world.issuer.key_requests(), 1);
    world.issuer.publish(&[&key]);
    assert_eq!(world.find("a").await, UNAVAILABLE);
    world.after(1);
    assert_eq!(world.find("a").await, Ok(()));
}

#[tokio::test]
async fn a_set_that_is_refused_changes_nothing() {
    let key = TestKey::ec("a");
    let mut private = TestKey::ec("b").jwk();
    private["d"] = json!("AAAA");
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    for body in [json!({ "keys": [private] }).to_string(), huge, "<html>".into()] {
        let world = World::new(&[&key]);
        world.cache.warm_up().await.unwrap();
        world.issuer.answer("/jwks", Document::new(200, body.clone()));
        world.after(300);
        assert_eq!(world.find("a").await, Ok(()));
        assert_eq!(world.find("b").await, UNKNOWN);
        let cold = World::new(&[]);
        cold.issuer.answer("/jwks", Document::new(200, body));
        assert_eq!(cold.find("b").await, UNAVAILABLE);
    }
}

#[tokio::test]
async fn the_largest_document_is_read() {
    let key = TestKey::ec("a");
    let world = World::new(&[]);
    let start = json!({ "keys": [key.jwk()] }).to_string();
    let body = format!("{start}{}", " ".repeat(256 * 1024 - start.len()));
    world.issuer.answer("/jwks", Document::new(200, body.clone()));
    assert_eq!(world.find("a").await, Ok(()));
    world.issuer.answer("/jwks", Document::new(200, format!("{body} ")));
    let cold = cache(world.issuer.clone(), world.clock.clone(), DEFAULTS);
    assert!(cold.find("a").await.is_err());
}

#[tokio::test]
async fn discovery_of_another_issuer_is_refused() {
    let discovery = "/.well-known/openid-configuration";
    for document in [
        json!({"issuer": "https://evil.example", "jwks_uri": format!("{ISSUER}/jwks")}),
        json!({"issuer": ISSUER, "jwks_uri": "https://evil.example/jwks"}),
        json!({"issuer": ISSUER}),
    ] {
        let world = World::new(&[&TestKey::ec("a")]);
        world.issuer.answer(discovery, Document::new(200, document.to_string()));
        assert_eq!(world.find("a").await, UNAVAILABLE);
        assert_eq!((world.issuer.requests(), world.issuer.key_requests()), (1, 0));
    }
    let world = World::new(&[&TestKey::ec("a")]);
    world.issuer.answer(discovery, Document::new(302, ""));
    assert_eq!(world.find("a").await, UNAVAILABLE);
}

#[tokio::test]
async fn keys_that_moved_are_found_after_one_failure() {
    let key = TestKey::ec("a");
    let world = World::new(&[&key]);
    world.cache.warm_up().await.unwrap();
    let moved = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys/jwks")});
    world.issuer.break_down();
    world.issuer.answer("/.well-known/openid-configuration", Document::new(200, moved.to_string()));
    let keys = json!({ "keys": [key.jwk()] }).to_string();
    world.issuer.answer("/keys/jwks", Document::new(200, keys));
    world.after(250);
    assert!(world.cache.at_hand("a").is_some());
    world.settle().await;
    assert_eq!(world.cache.age(), Some(Duration::from_secs(250)), "the known place failed");
    world.after(10);
    assert!(world.cache.at_hand("a").is_some());
    world.settle().await;
    assert_eq!(world.cache.age(), Some(Duration::ZERO));
}

#[tokio::test]
async fn freshness_is_clamped() {
    let scaled = CacheSettings { min_freshness: Duration::from_secs(1), ..DEFAULTS };
    let strict = CacheSettings { max_stale: Duration::from_secs(60), ..DEFAULTS };
    for (max_age, settings, fresh_for) in [
        ("max-age=0", DEFAULTS, 30),
        ("no-store", DEFAULTS, 30),
        ("max-age=29", DEFAULTS, 30),
        ("max-age=31", DEFAULTS, 31),
        ("max-age=900", DEFAULTS, 900),
        ("max-age=901", DEFAULTS, 900),
        ("max-age=86400", DEFAULTS, 900),
        ("", DEFAULTS, 300),
        ("max-age=1", scaled, 1),
        ("max-age=0", scaled, 1),
        ("max-age=300", strict, 60),
    ] {
        let world = World::with(&[], settings);
        let keys = json!({ "keys": [TestKey::ec("a").jwk()] }).to_string();
        world.issuer.answer("/jwks", Document::new(200, keys).cache_control(max_age));
        world.cache.warm_up().await.unwrap();
        world.issuer.close_gate();
        world.clock.advance(Duration::from_millis(fresh_for * 1000 - 1));
        assert!(world.cache.at_hand("a").is_some(), "{max_age}");
        world.clock.advance(Duration::from_millis(1));
        assert!(world.cache.at_hand("a").is_none(), "{max_age}");
    }
}

#[tokio::test]
async fn dropping_the_cache_stops_its_refresh() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.cache.warm_up().await.unwrap();
    world.issuer.close_gate();
    world.after(240);
    assert!(world.cache.at_hand("a").is_some());
    world.issuer.request_waits().await;
    drop(world.cache);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.issuer.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_never_answers_is_given_up() {
    let world = World::new(&[&TestKey::ec("a")]);
    world.issuer.close_gate();
    assert_eq!(world.find("a").await, UNAVAILABLE);
    assert_eq!(world.issuer.waiting(), 0);
}

struct PanickingFetch;

impl Fetch for PanickingFetch {
    fn get<'f>(&'f self, _: &'f Url, _: usize) -> FetchFuture<'f> {
        Box::pin(async { panic!("a bug in somebody's client") })
    }
}

#[tokio::test]
async fn a_panic_in_the_client_leaves_nobody_waiting() {
    let clock = TestClock::default();
    let cache = cache(PanickingFetch, clock.clone(), DEFAULTS);
    assert!(cache.find("a").await.is_err());
    clock.advance(Duration::from_secs(1));
    assert!(cache.find("a").await.is_err());
}

#[test]
fn outside_of_a_runtime_nothing_panics() {
    let world = World::new(&[&TestKey::ec("a")]);
    let mut find = pin!(world.cache.find("a"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(find.as_mut().poll(&mut context), Poll::Ready(Err(NoKey::Unavailable { .. }))));
}

#[tokio::test(start_paused = true)]
async fn news_that_come_during_a_fetch_cause_another() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.issuer.close_gate();
    let cache = Arc::clone(&world.cache);
    let mut warming = JoinSet::new();
    warming.spawn(async move { cache.warm_up().await });
    world.issuer.request_waits().await;
    world.cache.renew();
    world.cache.renew();
    world.issuer.open_gate();
    assert_eq!(warming.join_all().await, [Ok(())]);
    world.settle().await;
    world.issuer.publish(&[&new]);
    assert_eq!(world.issuer.key_requests(), 1, "attempts are a second apart");
    world.after(1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(world.issuer.key_requests(), 2);
    assert!(world.cache.at_hand("new").is_some());
    world.after(60);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.issuer.key_requests(), 2, "both were answered by one fetch");
}

#[tokio::test(start_paused = true)]
async fn news_are_remembered_while_fetches_fail() {
    let (old, new) = (TestKey::ec("old"), TestKey::ec("new"));
    let world = World::new(&[&old]);
    world.cache.warm_up().await.unwrap();
    world.after(1);
    world.issuer.break_down();
    world.cache.renew();
    world.settle().await;
    assert_eq!(world.issuer.key_requests(), 2);
    world.issuer.publish(&[&new]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.issuer.key_requests(), 2, "no time has passed");
    world.after(10);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(world.issuer.key_requests(), 3);
    assert!(world.cache.at_hand("new").is_some());
    // What is still wanted when the cache goes is given up.
    world.issuer.break_down();
    world.after(1);
    world.cache.renew();
    world.settle().await;
    assert_eq!(world.issuer.key_requests(), 4);
    drop(world.cache);
    world.clock.advance(Duration::from_secs(60));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.issuer.key_requests(), 4);
}
