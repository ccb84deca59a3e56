//! A server with a few routes of its own, certificates for it, and plain talk with it.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use frontdesk::config::{Config, Issuer, Listen, ListenAddress};
use frontdesk::http::extract::form::StrictForm;
use frontdesk::http::layers::{Front, not_found};
use frontdesk::http::pages::brand::Brand;
use frontdesk::http::server::{Server, ServerError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; only a test that hangs gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.server.listen = Listen(vec![ListenAddress::Localhost(0)]);
    config.limits.header_timeout = Duration::from_secs(1);
    config
}

pub(crate) struct Running {
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), ServerError>>,
    pub(crate) entered: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
}

pub(crate) fn start(config: &Config) -> Running {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, wait) = (entered.clone(), release.clone());
    let slow = async move || {
        inside.notify_one();
        wait.notified().await;
        "finished"
    };
    let gauge = Arc::new(Gauge::default());
    let (held, large) = (Arc::clone(&gauge), Arc::clone(&gauge));
    let router = Router::new()
        .route(
            "/held",
            get(async move || {
                let _one = held.one();
                std::future::pending::<()>().await;
            }),
        )
        .route("/large", get(async move || Bytes::from_owner(Large(large.one(), vec![0; LARGE]))))
        .route("/", get(|| async { "hello" }))
        .route("/form", post(|StrictForm(params)| async move { params.get("a").unwrap_or("none").to_owned() }))
        .route("/slow", get(slow))
        .route("/panic", get(async || "no number".parse::<u8>().expect("on purpose").to_string()))
        .fallback(not_found)
        .layer(Front::new(config, Arc::new(Brand::plain("Frontdesk".to_owned()))));
    let server = Server::bind(config).unwrap();
    let addresses = server.addresses().to_vec();
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.serve(router, stop.clone()));
    Running { gauge, addresses, stop, task, entered, release }
}

/// An answer that no buffer of the system can hold.
const LARGE: usize = 16 << 20;

/// How many of something there are, and were at most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn one(self: &Arc<Self>) -> One {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        One(Arc::clone(self))
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

struct One(Arc<Gauge>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Large(#[expect(dead_code, reason = "counts while it lives")] One, Vec<u8>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// A certificate for `localhost` in files, and a client that trusts nothing else.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub(crate) fn renew(&self) -> reqwest::Client {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.certificate(), made.cert.pem()).unwrap();
        fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        self.set_mode_of_key(0o600);
        trusting(&made.cert.pem())
    }

    pub(crate) fn set_mode_of_key(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(self.key(), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = config();
        config.server.issuer = Issuer::parse("https://id.example.com").unwrap();
        config.server.tls.certificate = Some(self.certificate());
        config.server.tls.key = Some(self.key());
        config
    }
}

fn trusting(pem: &str) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    // No connection is kept, so that every request sees the certificate of its moment.
    reqwest::Client::builder().tls_certs_only([certificate]).pool_max_idle_per_host(0).no_proxy().build().unwrap()
}

pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("waited in vain");
}

/// Everything this test program logs.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn keep_log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| tracing_subscriber::fmt().with_writer(|| Writer).with_ansi(false).init());
}

pub(crate) fn logged(text: &str) -> bool {
    String::from_utf8_lossy(&LOG.lock().unwrap()).contains(text)
}

/// Sends and reads until the server closes. A server that stops reading may reset what was still being sent.
pub(crate) async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    let talk = async {
        let _ = stream.write_all(request.as_bytes()).await;
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, talk).await.expect("the server keeps the connection");
    String::from_utf8_lossy(&answer).into_owned()
}
