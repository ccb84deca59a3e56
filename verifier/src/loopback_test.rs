//! A verifier as services use it, with its own HTTP client, against an issuer that listens on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::testing::{ISSUER, START, TestKey, claims, list_claims, status};
use crate::{Clock, SystemClock, Verifier};

/// Seconds since 1970 as in the other tests, going on with the machine's clock.
struct FromStart(SystemClock);

impl Clock for FromStart {
    fn unix_time(&self) -> u64 {
        START + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Issuer {
    base: String,
    key: TestKey,
    list: Mutex<(u64, Vec<usize>)>,
    events: broadcast::Sender<String>,
}

impl Issuer {
    /// Signs claims, with this issuer's address in them.
    fn own(&self, claims: &Value) -> Value {
        serde_json::from_str(&claims.to_string().replace(ISSUER, &self.base)).unwrap()
    }

    fn token(&self, index: u64) -> String {
        let mut claims = claims();
        claims["status"] = status(7, index);
        claims["aud"] = json!("notes");
        self.key.token(&self.own(&claims))
    }

    fn revoke(&self, index: usize) {
        let mut list = self.list.lock().unwrap();
        list.0 += 1;
        list.1.push(index);
    }

    /// The answer to a GET or POST without a stream.
    fn answer(&self, request: &str) -> String {
        let ok = |kind: &str, body: String| {
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        let json = |value: Value| ok("application/json", self.own(&value).to_string());
        match request.split(' ').nth(1).unwrap() {
            "/.well-known/openid-configuration" => json(json!({
                "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks"), "token_endpoint": format!("{ISSUER}/token"),
                "status_list_aggregation_endpoint": format!("{ISSUER}/status"),
                "frontdesk_revocation_stream_endpoint": format!("{ISSUER}/revocations/stream"),
            })),
            "/jwks" => json(json!({ "keys": [self.key.jwk()] })),
            "/status" => json(json!({ "status_lists": [format!("{ISSUER}/status/7")] })),
            "/token" => {
                assert!(request.starts_with("POST") && request.contains("grant_type=client_credentials"));
                json(json!({"access_token": "ticket", "token_type": "Bearer", "expires_in": 900}))
            }
            "/status/7" => {
                let (version, set) = self.list.lock().unwrap().clone();
                if request.contains(&format!("if-none-match: \"{version}\"")) {
                    return "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned();
                }
                let mut claims = list_claims(7, START, version, &set);
                claims["ttl"] = json!(0.1);
                let token = self.key.list(&self.own(&claims));
                ok(&format!("application/statuslist+jwt\r\nETag: \"{version}\""), token)
            }
            other => panic!("nobody should ask for {other}"),
        }
    }

    async fn serve(self: Arc<Self>, mut connection: TcpStream) {
        let mut request = vec![0; 8192];
        loop {
            let read = connection.read(&mut request).await.unwrap();
            if read == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            if !text.starts_with("GET /revocations/stream") {
                connection.write_all(self.answer(&text).as_bytes()).await.unwrap();
                continue;
            }
            assert!(text.contains("authorization: Bearer ticket"));
            let mut events = self.events.subscribe();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n\r\n: alive\n\n";
            connection.write_all(head.as_bytes()).await.unwrap();
            while let Ok(event) = events.recv().await {
                connection.write_all(event.as_bytes()).await.unwrap();
            }
        }
    }
}

/// Asks again and again until it is so.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    while !so().await {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn revocations_arrive_by_poll_and_by_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let issuer = Arc::new(Issuer {
        base: base.clone(),
        key: TestKey::ec("e"),
        list: Mutex::new((1, vec![5])),
        events: broadcast::channel(16).0,
    });
    let mut server = JoinSet::new();
    let served = Arc::clone(&issuer);
    server.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            connections.spawn(Arc::clone(&served).serve(connection));
        }
    });
    let builder = Verifier::builder(base.as_str()).audience("notes").clock(FromStart(SystemClock::new()));
    let builder = builder.status_min_poll(Duration::from_millis(100)).revocation_stream("notes-api", "secret");
    let verifier = builder.build().unwrap();
    verifier.warm_up().await.unwrap();
    let reason = async |index| verifier.verify(&issuer.token(index)).await.err().map(|error| error.reason());
    assert_eq!(reason(5).await, Some("revoked"));
    assert_eq!(reason(6).await, None);
    until(async || verifier.metrics().list_fetches.not_modified > 2).await;
    issuer.revoke(6);
    until(async || reason(6).await == Some("revoked")).await;
    // The stream brings what the list does not have yet.
    until(async || verifier.metrics().stream_connected == Some(true)).await;
    until(async || issuer.events.receiver_count() > 0).await;
    let event = format!("event: revoked\nid: 2\ndata: {{\"list\":\"{base}/status/7\",\"set\":[8]}}\n\n");
    issuer.events.send(event).unwrap();
    until(async || reason(8).await == Some("revoked")).await;
    assert_eq!(reason(9).await, None);
    let metrics = verifier.metrics();
    assert_eq!((metrics.list_fetches.failed, metrics.lists.len()), (0, 1));
}
