//! `kill -9` between the commit of a sign-out and its delivery: the app is told all the same, and only once more.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{ALICE, TestProvider};

/// Longer than the lease of a killed process.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_told_of_a_sign_out_though_the_server_was_killed_in_the_midst_of_it() {
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", app.local_addr().unwrap());
    let provider = TestProvider::installed().await;
    let settings = std::fs::read_to_string(provider.place().path().join("config.toml")).unwrap();
    provider.place().write("config.toml", &format!("{settings}[outbound]\nallow = [\"{origin}\"]\n"));
    let told_at = format!("{origin}/told");
    provider.place().ok(&["clients", "update", "web", "--backchannel-logout-uri", &told_at]);
    provider.serve();
    let browser = provider.browser();
    provider.client("web").tokens_at(&browser, ALICE).await;
    let page = browser.go("/logout").await;
    browser.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");

    let (first, unanswered) = heard(&app).await;
    provider.kill();
    drop(unanswered);
    provider.serve();

    let (second, mut stream) = heard(&app).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(claims(&first)["jti"], claims(&second)["jti"]);
    assert_eq!(claims(&second)["aud"], "web");
    let delivered = "SELECT COUNT(*) FROM outbox WHERE outcome = 'delivered'";
    timeout(PATIENCE, async {
        while provider.number(delivered).await == 0 {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(provider.number("SELECT COUNT(*) FROM outbox").await, 1);
}

/// The next logout token that comes, and who waits for an answer.
async fn heard(app: &TcpListener) -> (String, TcpStream) {
    let (mut stream, _) = timeout(PATIENCE, app.accept()).await.unwrap().unwrap();
    let mut text = String::new();
    loop {
        let mut some = [0; 4_096];
        let count = timeout(PATIENCE, stream.read(&mut some)).await.unwrap().unwrap();
        assert_ne!(count, 0, "the request broke off: {text}");
        text.push_str(std::str::from_utf8(&some[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return (body.strip_prefix("logout_token=").unwrap().to_owned(), stream);
        }
    }
}

fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}
