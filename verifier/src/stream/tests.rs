//! The stream against an issuer without a network, on the runtime's clock, which stands.

use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::*;
use crate::builder::VerifierBuilder;
use crate::error::{Reason, VerifyError};
use crate::fetch::Document;
use crate::status::StatusPolicy;
use crate::testing::{
    AUDIENCE, ISSUER, Log, RuntimeClock, START, TestIssuer, TestKey, claims, list_claims, list_uri, status,
};
use crate::verifier::Verifier;

struct World {
    verifier: Verifier,
    issuer: TestIssuer,
    key: TestKey,
    clock: RuntimeClock,
}

const SECRET: &str = "the-secret-of-the-service";

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl Fn(VerifierBuilder) -> VerifierBuilder) -> Self {
        let (key, clock) = (TestKey::ec("e"), RuntimeClock::new());
        let issuer = TestIssuer::new(&[&key]);
        issuer.list(7, &key.list(&list_claims(7, START, 1, &[])));
        let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(issuer.clone()).clock(clock.clone());
        let verifier = change(builder.revocation_stream("notes-api", SECRET)).build().unwrap();
        Self { verifier, issuer, key, clock }
    }

    /// A world whose stream is open and has brought the `reset` that comes first.
    async fn connected() -> (Self, UnboundedSender<Vec<u8>>) {
        let world = Self::new();
        let stream = world.connect().await;
        (world, stream)
    }

    async fn connect(&self) -> UnboundedSender<Vec<u8>> {
        let stream = self.issuer.stream();
        assert_eq!(self.verdict(7, 5).await, Ok(()));
        send(&stream, "reset", "1", "{}");
        settle().await;
        assert_eq!(self.verifier.metrics().stream_connected, Some(true));
        stream
    }

    fn token(&self, list: u64, index: u64) -> String {
        let mut claims = claims();
        claims["exp"] = json!(START + 86_400);
        claims["status"] = status(list, index);
        self.key.token(&claims)
    }

    async fn verdict(&self, list: u64, index: u64) -> Result<(), VerifyError> {
        self.verifier.verify(&self.token(list, index)).await.map(|_| ())
    }

    fn publish(&self, version: u64, set: &[usize]) {
        self.issuer.list(7, &self.key.list(&list_claims(7, self.clock.unix_time(), version, set)));
    }

    /// What each connection said of itself.
    fn connections(&self) -> Vec<[Option<String>; 3]> {
        self.issuer.secrets().into_iter().filter(|[_, _, form]| form.is_none()).collect()
    }

    fn logins(&self) -> Vec<[Option<String>; 3]> {
        self.issuer.secrets().into_iter().filter(|[_, _, form]| form.is_some()).collect()
    }
}

fn send(stream: &UnboundedSender<Vec<u8>>, event: &str, id: &str, data: &str) {
    stream.send(format!("event: {event}\nid: {id}\ndata: {data}\n\n").into_bytes()).unwrap();
}

fn revoke(stream: &UnboundedSender<Vec<u8>>, id: &str, list: u64, set: &[u64]) {
    send(stream, "revoked", id, &json!({"list": list_uri(list), "set": set}).to_string());
}

/// Lets everything happen that waits for no time to pass.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

const REVOKED: Result<(), VerifyError> = Err(VerifyError::Invalid(Reason::Revoked));

#[tokio::test(start_paused = true)]
async fn the_service_logs_in_with_its_own_credentials() {
    let (world, _stream) = World::connected().await;
    let basic = Some("Basic bm90ZXMtYXBpOnRoZS1zZWNyZXQtb2YtdGhlLXNlcnZpY2U=".to_owned());
    let form = Some("grant_type=client_credentials&scope=frontdesk%3Arevocations".to_owned());
    assert_eq!(world.logins(), [[basic, None, form]]);
    assert_eq!(world.connections(), [[Some("Bearer ticket-for-the-stream".to_owned()), None, None]]);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_counts_at_once_and_until_a_later_list_has_it() {
    let (world, stream) = World::connected().await;
    revoke(&stream, "2", 7, &[5, 99]);
    settle().await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(world.verdict(7, 99).await, REVOKED);
    assert_eq!(world.verdict(7, 6).await, Ok(()));
    // A list that was signed before does not take it back, nor one that is signed within the leeway.
    world.publish(2, &[]);
    sleep(Duration::from_secs(25)).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    // The list is the truth in the end.
    world.publish(3, &[99]);
    sleep(Duration::from_secs(20)).await;
    world.publish(4, &[99]);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    assert_eq!(world.verdict(7, 99).await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn without_leeway_a_list_that_was_read_before_the_revocation_does_not_take_it_back() {
    let world = World::with(|builder| builder.leeway(Duration::ZERO));
    let stream = world.connect().await;
    // The issuer reads, revokes, and signs what it has read, all in one second or soon after.
    revoke(&stream, "2", 7, &[5]);
    for (second, version) in [(0, 2), (9, 3)] {
        sleep(Duration::from_secs(second)).await;
        world.publish(version, &[]);
        send(&stream, "reset", "3", "{}");
        settle().await;
        assert_eq!(world.verdict(7, 5).await, REVOKED, "version {version}");
    }
    sleep(Duration::from_secs(1)).await;
    world.publish(4, &[]);
    send(&stream, "reset", "4", "{}");
    settle().await;
    assert_eq!(world.verdict(7, 5).await, Ok(()), "the list is the truth in the end");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_counts_for_a_list_that_is_not_here_yet() {
    let (world, stream) = World::connected().await;
    revoke(&stream, "2", 8, &[5]);
    settle().await;
    assert_eq!(world.verdict(8, 5).await, REVOKED, "also where the list cannot be had");
    world.issuer.list(8, &world.key.list(&list_claims(8, START, 1, &[])));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.verdict(8, 6).await, Ok(()));
    assert_eq!(world.verdict(8, 5).await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn a_list_elsewhere_is_not_heard_of() {
    let (world, stream) = World::connected().await;
    send(&stream, "revoked", "2", &json!({"list": "https://evil.example/status/7", "set": [5]}).to_string());
    settle().await;
    assert_eq!(world.verdict(7, 5).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn who_was_away_fetches_everything_at_once() {
    let (world, stream) = World::connected().await;
    world.publish(2, &[5]);
    let asked = world.issuer.list_requests(7);
    send(&stream, "reset", "2", "{}");
    settle().await;
    assert_eq!(world.issuer.list_requests(7), asked + 1);
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    // An event that cannot be read is as good as a reset.
    for data in ["", "[]", "{}", r#"{"list":"x"}"#, r#"{"list":"x","set":[-1]}"#, r#"{"list":1,"set":[1]}"#] {
        let asked = world.issuer.list_requests(7);
        send(&stream, "revoked", "3", data);
        settle().await;
        assert_eq!(world.issuer.list_requests(7), asked + 1, "{data}");
    }
    let asked = world.issuer.list_requests(7);
    send(&stream, "something-new", "4", "{}");
    settle().await;
    assert_eq!(world.issuer.list_requests(7), asked);
}

#[tokio::test(start_paused = true)]
async fn decision_54_kid_denied_is_a_hint_and_the_signed_list_counts() {
    let (world, stream) = World::connected().await;
    let keys = world.issuer.key_requests();
    sleep(Duration::from_secs(2)).await;
    send(&stream, "kid-denied", "2", r#"{"kid":"e"}"#);
    settle().await;
    assert_eq!(world.issuer.key_requests(), keys + 1);
    assert_eq!(world.verdict(7, 5).await, Ok(()), "the stream alone denies no key");
    let (stolen, mut list) = (TestKey::ec("stolen"), list_claims(7, START, 2, &[]));
    list["denied_kids"] = json!(["stolen"]);
    world.issuer.publish(&[&world.key, &stolen]);
    world.issuer.list(7, &world.key.list(&list));
    sleep(Duration::from_secs(2)).await;
    send(&stream, "kid-denied", "3", r#"{"kid":"stolen"}"#);
    settle().await;
    let verdict = world.verifier.verify(&stolen.token(&claims())).await.map(|_| ());
    assert_eq!(verdict, Err(Reason::DeniedKey.into()));
}

#[tokio::test(start_paused = true)]
async fn kid_denied_right_after_the_keys_were_fetched_fetches_them_again() {
    let (world, stream) = World::connected().await;
    let keys = world.issuer.key_requests();
    send(&stream, "kid-denied", "2", r#"{"kid":"stolen"}"#);
    settle().await;
    assert_eq!(world.issuer.key_requests(), keys, "attempts are a second apart");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.issuer.key_requests(), keys + 1);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.issuer.key_requests(), keys + 1, "once is enough");
}

#[tokio::test(start_paused = true)]
async fn kid_denied_fetches_a_list_where_there_is_none() {
    let world = World::new();
    let stream = world.issuer.stream();
    world.issuer.answer("/status", Document::new(200, json!({"status_lists": [list_uri(7), list_uri(8)]}).to_string()));
    world.verifier.verify(&world.key.token(&claims())).await.unwrap();
    send(&stream, "kid-denied", "2", r#"{"kid":"stolen"}"#);
    settle().await;
    assert_eq!((world.issuer.list_requests(7), world.issuer.list_requests(8)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_goes_on_where_it_ended() {
    let (world, stream) = World::connected().await;
    revoke(&stream, "id-2", 7, &[5]);
    stream.send(b"data: without an id\n\n".to_vec()).unwrap();
    stream.send(b"event: revoked\nid: id-3\ndata: cut off".to_vec()).unwrap();
    settle().await;
    let next = world.issuer.stream();
    drop(stream);
    settle().await;
    assert_eq!(world.verifier.metrics().stream_connected, Some(false));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.verifier.metrics().stream_connected, Some(true));
    let bearer = Some("Bearer ticket-for-the-stream".to_owned());
    assert_eq!(world.connections()[1..], [[bearer, Some("id-2".to_owned()), None]]);
    assert_eq!(world.logins().len(), 1, "the token is still good");
    revoke(&next, "id-3", 7, &[6]);
    settle().await;
    assert_eq!(world.verdict(7, 6).await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_soon_is_replaced() {
    let (world, mut stream) = World::connected().await;
    for _ in 0..88 {
        sleep(Duration::from_secs(10)).await;
        stream.send(b": alive\n".to_vec()).unwrap();
    }
    let next = world.issuer.stream();
    drop(std::mem::replace(&mut stream, next));
    sleep(Duration::from_secs(1)).await;
    assert_eq!((world.connections().len(), world.logins().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn forty_five_seconds_of_silence_end_a_connection() {
    let (world, stream) = World::connected().await;
    for _ in 0..10 {
        sleep(Duration::from_secs(44)).await;
        stream.send(b": alive\n".to_vec()).unwrap();
    }
    settle().await;
    assert_eq!(world.connections().len(), 1);
    let _next = world.issuer.stream();
    sleep(Duration::from_secs(44)).await;
    assert_eq!(world.connections().len(), 1);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(world.connections().len(), 2);
    assert!(stream.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_endless_event_ends_the_connection_and_the_lists_are_fetched() {
    let (world, stream) = World::connected().await;
    let asked = world.issuer.list_requests(7);
    let _next = world.issuer.stream();
    for _ in 0..1025 {
        stream.send(vec![b'x'; 1024]).unwrap();
    }
    settle().await;
    assert_eq!(world.issuer.list_requests(7), asked + 1);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(world.connections().last().unwrap()[1], None, "the server is not asked for it again");
}

#[tokio::test(start_paused = true)]
async fn without_a_stream_polling_goes_on_and_attempts_become_rare() {
    let world = World::new();
    drop(world.issuer.stream());
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    world.publish(2, &[5]);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(world.verdict(7, 5).await, REVOKED);
    assert_eq!(world.verifier.metrics().stream_connected, Some(false));
    sleep(Duration::from_secs(600)).await;
    let attempts = world.connections().len();
    assert!((22..=50).contains(&attempts), "{attempts} in ten minutes");
    // It comes back by itself.
    let stream = world.issuer.stream();
    sleep(Duration::from_secs(31)).await;
    revoke(&stream, "2", 7, &[6]);
    settle().await;
    assert_eq!(world.verdict(7, 6).await, REVOKED);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_may_not_listen_still_checks() {
    for (status, body) in [(401, r#"{"error":"invalid_client"}"#), (400, "{}"), (500, ""), (200, "{}"), (302, "")] {
        let world = World::new();
        let _stream = world.issuer.stream();
        world.issuer.answer("/token", Document::new(status, body));
        assert_eq!(world.verdict(7, 5).await, Ok(()));
        sleep(Duration::from_secs(20)).await;
        assert_eq!((world.verdict(7, 5).await, world.connections().len()), (Ok(()), 0), "{status}");
    }
    // An issuer without a stream.
    let world = World::new();
    assert_eq!(world.verdict(7, 5).await, Ok(()));
    sleep(Duration::from_secs(20)).await;
    assert!(world.issuer.secrets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_with_the_last_clone_of_the_verifier() {
    let (world, stream) = World::connected().await;
    let clone = world.verifier.clone();
    drop(world.verifier);
    settle().await;
    assert!(!stream.is_closed());
    drop(clone);
    settle().await;
    assert!(stream.is_closed());
}

#[tokio::test(start_paused = true)]
async fn who_looks_up_no_status_listens_to_nothing() {
    let world = World::new();
    let _stream = world.issuer.stream();
    let builder = Verifier::builder(ISSUER).audience(AUDIENCE).fetch(world.issuer.clone()).clock(world.clock.clone());
    let verifier = builder.revocation_stream("a", "b").status_policy(StatusPolicy::Off).build().unwrap();
    verifier.verify(&world.token(7, 5)).await.unwrap();
    settle().await;
    assert!(world.issuer.secrets().is_empty());
    assert_eq!(verifier.metrics().stream_connected, None);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_logged_or_shown() {
    let log = Log::default();
    let _guard = log.listen();
    let (world, stream) = World::connected().await;
    let token = world.token(7, 5);
    revoke(&stream, "2", 7, &[5]);
    settle().await;
    world.verifier.verify(&token).await.unwrap_err();
    drop(stream);
    world.issuer.answer("/token", Document::new(401, "ticket-for-the-stream"));
    world.issuer.list(7, "no list at all");
    sleep(Duration::from_secs(900)).await;
    world.verifier.verify(&token).await.unwrap_err();
    let builder = Verifier::builder(ISSUER).revocation_stream("notes-api", SECRET);
    let text = format!("{}{:?}{builder:?}", log.text(), world.verifier);
    for part in ["revocation stream is open", "stream is closed", "could not fetch a status list", "revoked"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let basic = "bm90ZXMtYXBpOnRoZS1zZWNyZXQtb2YtdGhlLXNlcnZpY2U";
    for secret in token.split('.').chain([SECRET, "ticket-for-the-stream", basic]) {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn pauses_grow_and_differ() {
    for (failures, longest) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (u32::MAX, 30)] {
        let longest = Duration::from_secs(longest);
        let pauses: Vec<_> = (0..100).map(|_| pause(failures)).collect();
        assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{failures}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
