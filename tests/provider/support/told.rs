//! An app that listens where it is told of sign-outs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use frontdesk::domain::origin::Origin;
use frontdesk::jobs::deliver::Courier;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::sync::CancellationToken;

use super::{Browser, TestProvider};

/// What one request said.
#[derive(Debug, Clone)]
pub(crate) struct ToldRequest {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl ToldRequest {
    /// The one field of the form.
    pub(crate) fn logout_token(&self) -> String {
        self.body.strip_prefix("logout_token=").expect("the form has one field").to_owned()
    }

    /// The `sid` in the token, unchecked.
    pub(crate) fn sid(&self) -> String {
        let token = self.logout_token();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()["sid"].as_str().unwrap().to_owned()
    }
}

/// A listener on loopback.
#[derive(Debug)]
pub(crate) struct Told {
    origin: String,
    heard: Arc<Heard>,
    authority: Option<tempfile::TempDir>,
}

#[derive(Debug, Default)]
struct Heard {
    requests: Mutex<Vec<ToldRequest>>,
    came: Notify,
}

/// What the listener does with who comes.
#[derive(Clone)]
enum Manner {
    /// Answers with one status line after the other, with the last for ever.
    Answers(&'static [&'static str]),
    /// Answers by the `sid`.
    Decides(Arc<Deciding>),
    Silent,
}

/// The status line for a `sid`; `None`: hangs up.
type Deciding = dyn Fn(&str) -> Option<&'static str> + Send + Sync;

impl Told {
    /// Answers with these status lines, the last for ever.
    pub(crate) async fn answering(lines: &'static [&'static str]) -> Self {
        Self::listen(Manner::Answers(lines), None).await
    }

    /// Answers with the status line for the `sid`; `None`: hangs up.
    pub(crate) async fn deciding(line: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self::listen(Manner::Decides(Arc::new(line)), None).await
    }

    /// Hears and never answers.
    pub(crate) async fn silent() -> Self {
        Self::listen(Manner::Silent, None).await
    }

    /// Nobody is there.
    pub(crate) async fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { origin: origin("http", listener.local_addr().unwrap()), heard: Arc::default(), authority: None }
    }

    /// As [`Told::answering`], with a certificate that nobody knows.
    pub(crate) async fn over_tls(lines: &'static [&'static str]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(made.cert.der().to_vec())], key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), made.cert.pem()).unwrap();
        let told = Self::listen(Manner::Answers(lines), Some(TlsAcceptor::from(Arc::new(config)))).await;
        Self { origin: told.origin.replace("127.0.0.1", "localhost"), authority: Some(folder), ..told }
    }

    #[expect(clippy::disallowed_methods, reason = "listens until the test is over")]
    async fn listen(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (origin, heard) = (origin(scheme, listener.local_addr().unwrap()), Arc::<Heard>::default());
        let hearing = heard.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, tls, manner) = (hearing.clone(), tls.clone(), manner.clone());
                tokio::spawn(async move {
                    match tls {
                        None => hear::<TcpStream>(stream, manner, &heard).await,
                        // Who does not know the authority goes away in the midst of the greeting.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                hear(stream, manner, &heard).await;
                            }
                        }
                    }
                });
            }
        });
        Self { origin, heard, authority: None }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The file with the certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.authority.as_ref().unwrap().path().join("authority.pem")
    }

    /// What was heard.
    pub(crate) fn requests(&self) -> Vec<ToldRequest> {
        self.heard.requests.lock().unwrap().clone()
    }

    /// How much was heard.
    pub(crate) fn count(&self) -> usize {
        self.requests().len()
    }

    /// Of which sessions it heard, in that order.
    pub(crate) fn sids(&self) -> Vec<String> {
        self.requests().iter().map(ToldRequest::sid).collect()
    }

    /// Waits until a request is heard that nobody waited for yet.
    pub(crate) async fn somebody_came(&self) {
        self.heard.came.notified().await;
    }
}

fn origin(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}")
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, manner: Manner, heard: &Heard) {
    let mut read = Vec::new();
    let request = loop {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        read.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        if body.len() >= length {
            break ToldRequest { head: format!("{head}\r\n"), body: body.to_owned() };
        }
    };
    let sid = request.sid();
    let count = {
        let mut requests = heard.requests.lock().unwrap();
        requests.push(request);
        requests.len()
    };
    heard.came.notify_one();
    let line = match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Answers(lines) => Some(*lines.get(count - 1).or(lines.last()).unwrap()),
        Manner::Decides(line) => line(&sid),
    };
    if let Some(line) = line {
        let answer = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// The job that tells apps, a step at a time.
pub(crate) struct Delivery(Courier);

impl Delivery {
    /// Tells what is due.
    pub(crate) async fn deliver(&self) {
        for client in self.0.due().await.unwrap() {
            self.0.turn(&client, &CancellationToken::new()).await.unwrap();
        }
    }
}

impl TestProvider {
    /// A house in which the app `office` is told there.
    pub(crate) async fn telling(told: &Told) -> Self {
        let origin = told.origin().to_owned();
        let provider = Self::with(|config| config.outbound.allow = vec![Origin::parse(&origin).unwrap()]).await;
        let app = json!({
            "application_type": "web", "redirect_uris": ["https://office.example/callback"], "first_party": true,
            "scope": "openid", "backchannel_logout_uri": format!("{origin}/told"),
        });
        provider.register("office", app).await;
        provider
    }

    /// As if these sessions had just ended, of which `office` shall hear.
    pub(crate) async fn ended(&self, sids: &[&str]) {
        for sid in sids {
            self.run(&format!(
                "INSERT INTO outbox (id, kind, client_id, session_id, sid, sub, created_at, not_before, attempts) \
                 VALUES ('{sid}', 'logout', 'office', '{sid}', '{sid}', 'sub', {now}, {now}, 0)",
                now = self.now()
            ))
            .await;
        }
    }

    /// How many notices wait.
    pub(crate) async fn waiting(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM outbox WHERE finished_at IS NULL").await
    }

    /// The job that tells apps.
    pub(crate) fn courier(&self) -> Delivery {
        Delivery(Courier::new(self.app().clone()))
    }
}

impl Browser {
    /// Signs out at our own page.
    pub(crate) async fn sign_out(&self) {
        let page = self.go("/logout").await;
        self.submit(&page, "/logout", &[]).await.expect(200).expect_text("You are signed out");
    }
}
