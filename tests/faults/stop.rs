//! SIGTERM while requests run.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::journal::Journal;
use crate::kill::nothing_is_lost;
use crate::load::{Load, signed_in};
use crate::support::{ALICE, RelyingParty, Server, TestProvider, encode};
use crate::{invariants, rounds};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that the server has begun to read, and whose body is still to come.
struct Begun {
    stream: TcpStream,
    body: String,
}

impl Begun {
    /// Sends the head. The answer to `Expect` (RFC 9110 §10.1.1) tells that a handler waits for the body.
    async fn new(address: SocketAddr, app: &RelyingParty, path: &str, form: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (body, proof) = (encode(form), STANDARD.encode(format!("{}:{}", app.id, app.secret())));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {proof}\r\nExpect: 100-continue\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer[..read]), "HTTP/1.1 100 Continue\r\n\r\n");
        Self { stream, body }
    }

    /// Sends the body and reads until the server closes; status and body.
    async fn finish(mut self) -> (String, String) {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, self.stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_lets_running_requests_finish_and_keeps_what_they_did() {
    let provider = TestProvider::start().await;
    let app = provider.client("web");
    let browsers = signed_in(&provider, 1).await;
    let refreshed = app.tokens_at(&browsers[0], ALICE).await;
    let revoked = app.tokens_at(&browsers[0], ALICE).await;
    let code = app.code_at(&browsers[0], ALICE).await;

    let address = provider.server(|server| server.address);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &code.code),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", &code.verifier),
    ];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &refreshed.refresh)];
    let exchanging = Begun::new(address, &app, "/oauth2/token", &exchange).await;
    let refreshing = Begun::new(address, &app, "/oauth2/token", &refresh).await;
    let revoking = Begun::new(address, &app, "/oauth2/revoke", &[("token", &revoked.refresh)]).await;
    provider.server(Server::terminate);
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("it still takes connections");

    let (status, answer) = exchanging.finish().await;
    assert_eq!(status, "200", "{answer}");
    let exchanged: Value = serde_json::from_str(&answer).unwrap();
    let (status, answer) = refreshing.finish().await;
    assert_eq!(status, "200", "{answer}");
    let successor: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(revoking.finish().await.0, "200");
    assert_eq!(provider.end().code(), Some(0));

    provider.serve();
    assert_eq!(provider.texts("SELECT COUNT(*) || '' FROM codes WHERE used_at IS NULL").await, ["0"]);
    app.refresh(exchanged["refresh_token"].as_str().unwrap()).await.expect_tokens();
    let generations = "SELECT generation FROM refresh_families f JOIN grants g ON g.id = f.grant_id \
                       WHERE f.generation = 1 AND f.ended_at IS NULL";
    assert_eq!(provider.number(&format!("SELECT COUNT(*) FROM ({generations}) ones")).await, 2);
    app.refresh(successor["refresh_token"].as_str().unwrap()).await.expect_tokens();
    app.refresh(&revoked.refresh).await.expect_error("invalid_grant");
    invariants::hold(&provider).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_under_load_is_clean_and_loses_nothing() {
    let provider = TestProvider::start().await;
    let browsers = signed_in(&provider, 4).await;
    for round in 0..rounds(2, 10) {
        let journal = Journal::new();
        let mut load = Load::start(&provider, &browsers, &journal);
        load.during(journal.until(60 + 37 * (round % 5))).await;
        let stopping = provider.clone();
        let stopped = load.during(tokio::task::spawn_blocking(move || stopping.stop())).await.unwrap();
        load.end().await;
        assert_eq!(stopped.code(), Some(0));

        // Nothing is left to be recovered.
        if let Some(file) = provider.database_file() {
            assert!(!std::path::Path::new(&format!("{file}-wal")).exists(), "the database was not closed");
        }
        provider.serve();
        invariants::hold(&provider).await;
        nothing_is_lost(&provider, &journal).await;
        invariants::hold(&provider).await;
    }
}
