//! An issuer for tests: keys, tokens, a clock that is set by hand and documents without a network.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

use crate::clock::Clock;
use crate::fetch::{Body, ChunkFuture, Document, Fetch, FetchError, FetchFuture, OpenFuture, Opened, Request};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
pub(crate) const START: u64 = 1_800_000_000;

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signing key of the issuer.
pub(crate) struct TestKey {
    pub(crate) kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl TestKey {
    pub(crate) fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Rsa(pair) }
    }

    pub(crate) fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Ec(pair) }
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let (kid, alg) = (&self.kid, self.alg());
        match &self.pair {
            Pair::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "use": "sig", "alg": alg, "kid": kid,
                       "n": b64(public.n), "e": b64(public.e)})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": alg, "kid": kid,
                       "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
        }
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.alg(), "kid": self.kid})
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// A token over any header and payload, signed with this key.
    pub(crate) fn token_of(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        let signature = b64(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token with a good header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }

    /// A status list token with a good header.
    pub(crate) fn list(&self, claims: &Value) -> String {
        let header = json!({"typ": "statuslist+jwt", "alg": self.alg(), "kid": self.kid});
        self.token_of(&header.to_string(), &claims.to_string())
    }
}

/// Claims that every check lets pass.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "client_id": "app-1", "jti": "token-1",
        "iat": START, "exp": START + 900, "scope": "notes:read profile", "sid": "session-1",
    })
}

/// The claim of a token whose status stands at a place of the list `/status/{list}`.
pub(crate) fn status(list: u64, index: u64) -> Value {
    json!({"status_list": {"idx": index, "uri": list_uri(list)}})
}

pub(crate) fn list_uri(list: u64) -> String {
    format!("{ISSUER}/status/{list}")
}

/// `lst` of the draft: bytes in zlib in base64url.
pub(crate) fn lst(bytes: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    b64(encoder.finish().unwrap())
}

/// The claims of a list with 1024 places, signed at `iat`.
pub(crate) fn list_claims(list: u64, iat: u64, version: u64, set: &[usize]) -> Value {
    let mut bytes = [0_u8; 128];
    for index in set {
        bytes[index / 8] |= 1 << (index % 8);
    }
    json!({
        "iss": ISSUER, "sub": list_uri(list), "iat": iat, "exp": iat + 300, "ttl": 10, "frontdesk_version": version,
        "status_list": {"bits": 1, "lst": lst(&bytes), "aggregation_uri": format!("{ISSUER}/status")},
    })
}

/// A clock that goes with the runtime's, which tests let stand.
#[derive(Clone)]
pub(crate) struct RuntimeClock {
    start: tokio::time::Instant,
}

impl RuntimeClock {
    pub(crate) fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn unix_time(&self) -> u64 {
        START + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone, Default)]
pub(crate) struct TestClock {
    milliseconds: Arc<AtomicU64>,
}

impl TestClock {
    pub(crate) fn advance(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        self.milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_time(&self) -> u64 {
        START + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::SeqCst))
    }
}

/// The issuer's documents, without a network. Clones share them.
#[derive(Clone)]
pub(crate) struct TestIssuer {
    state: Arc<IssuerState>,
}

struct IssuerState {
    documents: Mutex<HashMap<String, Document>>,
    asked: Mutex<Vec<String>>,
    /// What the next stream brings.
    streams: Mutex<VecDeque<mpsc::UnboundedReceiver<Vec<u8>>>>,
    /// `Authorization`, `Last-Event-ID` and the form of each request that had any of them.
    secrets: Mutex<Vec<[Option<String>; 3]>>,
    /// Answers with 304.
    unchanged: AtomicUsize,
    /// Each answer needs a permit; an open gate has plenty.
    gate: Semaphore,
    waiting: AtomicUsize,
}

/// Plenty of permits.
const OPEN: usize = 1_000_000;

impl TestIssuer {
    pub(crate) fn new(keys: &[&TestKey]) -> Self {
        let state = IssuerState {
            documents: Mutex::default(),
            asked: Mutex::default(),
            streams: Mutex::default(),
            secrets: Mutex::default(),
            unchanged: AtomicUsize::new(0),
            gate: Semaphore::new(OPEN),
            waiting: AtomicUsize::new(0),
        };
        let issuer = Self { state: Arc::new(state) };
        issuer.discovery(&json!({}));
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&TestKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.answer("/jwks", json_document(&json!({ "keys": keys })));
    }

    /// Sets the metadata: where the keys are, and more.
    pub(crate) fn discovery(&self, more: &Value) {
        let mut discovery = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks")});
        discovery.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.answer("/.well-known/openid-configuration", json_document(&discovery));
    }

    /// Says where all lists are named, and names these there.
    pub(crate) fn announce(&self, lists: &[u64]) {
        self.discovery(&json!({"status_list_aggregation_endpoint": format!("{ISSUER}/status")}));
        let lists: Vec<_> = lists.iter().map(|list| list_uri(*list)).collect();
        self.answer("/status", json_document(&json!({ "status_lists": lists })));
    }

    /// Sets the answer for a status list; its `ETag` follows its bytes.
    pub(crate) fn list(&self, list: u64, token: &str) {
        let etag = format!("\"{}\"", &token[token.len().saturating_sub(20)..]);
        self.answer(&format!("/status/{list}"), Document::new(200, token).etag(Some(etag)));
    }

    /// How often a status list was asked for.
    pub(crate) fn list_requests(&self, list: u64) -> usize {
        let asked = self.state.asked.lock().unwrap();
        asked.iter().filter(|url| **url == list_uri(list)).count()
    }

    /// How often the answer was 304.
    pub(crate) fn unchanged(&self) -> usize {
        self.state.unchanged.load(Ordering::SeqCst)
    }

    /// Says where the stream is, lets a client have a token for it, and prepares one connection. What
    /// is sent here arrives there; it ends when the sender is dropped.
    pub(crate) fn stream(&self) -> mpsc::UnboundedSender<Vec<u8>> {
        self.discovery(&json!({
            "status_list_aggregation_endpoint": format!("{ISSUER}/status"),
            "token_endpoint": format!("{ISSUER}/token"),
            "frontdesk_revocation_stream_endpoint": format!("{ISSUER}/revocations/stream"),
        }));
        let token = json!({"access_token": "ticket-for-the-stream", "token_type": "Bearer", "expires_in": 900});
        self.answer("/token", Document::new(200, token.to_string()));
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state.streams.lock().unwrap().push_back(receiver);
        sender
    }

    /// `Authorization`, `Last-Event-ID` and the form of each request that had any of them.
    pub(crate) fn secrets(&self) -> Vec<[Option<String>; 3]> {
        self.state.secrets.lock().unwrap().clone()
    }

    fn keep_secrets(&self, request: &Request<'_>) {
        let parts = [request.authorization(), request.last_event_id(), request.body()];
        if parts.iter().any(Option::is_some) {
            self.state.secrets.lock().unwrap().push(parts.map(|part| part.map(str::to_owned)));
        }
    }

    /// Sets the answer for a path of the issuer.
    pub(crate) fn answer(&self, path: &str, document: Document) {
        self.state.documents.lock().unwrap().insert(format!("{ISSUER}{path}"), document);
    }

    /// From now on every path answers 500, until something is published again.
    pub(crate) fn break_down(&self) {
        self.answer("/jwks", Document::new(500, ""));
    }

    /// How often the key set was asked for.
    pub(crate) fn key_requests(&self) -> usize {
        let asked = self.state.asked.lock().unwrap();
        asked.iter().filter(|url| url.ends_with("/jwks")).count()
    }

    /// How often anything was asked for.
    pub(crate) fn requests(&self) -> usize {
        self.state.asked.lock().unwrap().len()
    }

    /// Answers wait from now on.
    pub(crate) fn close_gate(&self) {
        self.state.gate.forget_permits(OPEN * 2);
    }

    /// Answers go out again.
    pub(crate) fn open_gate(&self) {
        self.state.gate.add_permits(OPEN);
    }

    /// Waits until a request stands before the closed gate.
    pub(crate) async fn request_waits(&self) {
        while self.state.waiting.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// How many requests stand before the gate.
    pub(crate) fn waiting(&self) -> usize {
        self.state.waiting.load(Ordering::SeqCst)
    }
}

fn json_document(value: &Value) -> Document {
    Document::new(200, value.to_string()).cache_control("public, max-age=300")
}

/// Counts a request as waiting for as long as it exists, also when it is dropped in between.
struct Waiting<'w>(&'w AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fetch for TestIssuer {
    fn get<'f>(&'f self, url: &'f Url, limit: usize) -> FetchFuture<'f> {
        self.send(Request::new(url, limit))
    }

    fn send<'f>(&'f self, request: Request<'f>) -> FetchFuture<'f> {
        let url = request.url();
        self.keep_secrets(&request);
        Box::pin(async move {
            self.state.asked.lock().unwrap().push(url.to_string());
            self.state.waiting.fetch_add(1, Ordering::SeqCst);
            let waiting = Waiting(&self.state.waiting);
            self.state.gate.acquire().await.unwrap().forget();
            drop(waiting);
            let documents = self.state.documents.lock().unwrap();
            let document = documents.get(url.as_str()).ok_or_else(|| FetchError::new("no such document"))?;
            if request.etag().is_some() && request.etag() == document.tag() {
                self.state.unchanged.fetch_add(1, Ordering::SeqCst);
                return Ok(Document::new(304, ""));
            }
            Ok(document.clone())
        })
    }

    fn open<'f>(&'f self, request: Request<'f>) -> OpenFuture<'f> {
        self.keep_secrets(&request);
        self.state.asked.lock().unwrap().push(request.url().to_string());
        let next = self.state.streams.lock().unwrap().pop_front();
        Box::pin(async move {
            let body = next.ok_or_else(|| FetchError::new("no stream is prepared"))?;
            Ok(Opened { status: 200, content_type: "text/event-stream".into(), body: Box::new(Pieces(body)) })
        })
    }
}

struct Pieces(mpsc::UnboundedReceiver<Vec<u8>>);

impl Body for Pieces {
    fn chunk(&mut self) -> ChunkFuture<'_> {
        Box::pin(async { Ok(self.0.recv().await) })
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From now on everything that this thread logs goes here.
    pub(crate) fn listen(&self) -> DefaultGuard {
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
