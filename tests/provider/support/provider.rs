//! The provider in this process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use frontdesk::accounts::people::{self, Act};
use frontdesk::app::App;
use frontdesk::config::{Config, Issuer};
use frontdesk::domain::alg::Alg;
use frontdesk::domain::grant::EndReason;
use frontdesk::domain::id::{ClientId, GrantId, UserId};
use frontdesk::domain::time::{Clock, Timestamp};
use frontdesk::http::cookies::Cookies;
use frontdesk::http::doors::Doors;
use frontdesk::http::router::router;
use frontdesk::keys::vault::Vault;
use frontdesk::oauth::registration::{Declaration, House, Registrar};
use frontdesk::store::{Store, Tx};
use frontdesk::tokens::revoke::{self, What};
use serde_json::Value;
use tower::ServiceExt as _;

use super::database::TestDatabase;
use super::{Answer, Browser, RelyingParty, house};

/// When every test begins.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Where requests come from unless a test says otherwise.
pub(super) const HOME: &str = "192.0.2.7:40000";

/// A provider over a database of its own, with [`house`] in it. Clones are the same provider.
#[derive(Debug, Clone)]
pub(crate) struct TestProvider(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    app: Arc<App>,
    router: Router,
    database: Arc<TestDatabase>,
    answers: Mutex<Vec<Answer>>,
}

impl TestProvider {
    /// On plain http and loopback, as on a developer's machine.
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// On https, with real cookies.
    pub(crate) async fn https() -> Self {
        Self::with(on_https).await
    }

    /// With other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (database, store) = TestDatabase::open().await;
        let clock = Clock::standing_at(NOW);
        let app = build(change, store, clock).await;
        house::furnish(&app).await;
        app.follow_changes().await.unwrap();
        Self::over(app, Arc::new(database))
    }

    /// With other settings, and without anybody in it.
    pub(crate) async fn empty() -> Self {
        let (database, store) = TestDatabase::open().await;
        let app = build(|_| (), store, Clock::standing_at(NOW)).await;
        Self::over(app, Arc::new(database))
    }

    fn over(app: App, database: Arc<TestDatabase>) -> Self {
        let app = Arc::new(app);
        let cookies = if app.config().is_development() { Cookies::development() } else { Cookies::real() };
        let router = router(Doors::new(app.clone(), cookies));
        Self(Arc::new(Inside { app, router, database, answers: Mutex::default() }))
    }

    /// A second process over the same database, with its own memory and the same clock and settings.
    pub(crate) async fn second_process(&self) -> App {
        self.process_with(|_| ()).await
    }

    /// The same house served by a second process too, which has other settings.
    pub(crate) async fn twin(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::over(self.process_with(change).await, self.0.database.clone())
    }

    async fn process_with(&self, change: impl FnOnce(&mut Config)) -> App {
        let mut config = self.app().config().clone();
        change(&mut config);
        let store = self.0.database.open_again().await;
        let vault = Arc::new(Vault::over(MASTER));
        App::start(Arc::new(config), store, vault, self.app().clock.clone()).await.unwrap()
    }

    /// What serves.
    pub(crate) fn app(&self) -> &App {
        &self.0.app
    }

    /// `iss`.
    pub(crate) fn issuer(&self) -> &str {
        self.app().config().server.issuer.as_str()
    }

    /// The moment.
    pub(crate) fn now(&self) -> i64 {
        self.app().clock.now().as_seconds()
    }

    /// Lets time pass. The process keeps up with the database meanwhile.
    pub(crate) async fn advance(&self, seconds: u64) {
        self.app().clock.advance(Duration::from_secs(seconds));
        self.follow_changes().await;
    }

    /// What a running process does every second.
    pub(crate) async fn follow_changes(&self) {
        self.app().follow_changes().await.unwrap();
    }

    /// Sends a request as it stands, from [`HOME`] unless it says from where.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() {
            request.extensions_mut().insert(ConnectInfo(HOME.parse::<SocketAddr>().unwrap()));
        }
        if !request.headers().contains_key(header::HOST) {
            let host = self.issuer().split_once("://").unwrap().1.parse().unwrap();
            request.headers_mut().insert(header::HOST, host);
        }
        let response = self.0.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        self.0.answers.lock().unwrap().push(answer.clone());
        answer
    }

    /// Every answer given so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.0.answers.lock().unwrap().clone()
    }

    /// A GET by a program.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// A GET by a program with headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(build_request(Method::GET, path, headers, String::new())).await
    }

    /// A form sent by a program.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(build_request(Method::POST, path, &all, super::encode(form))).await
    }

    /// A registered client.
    pub(crate) fn client(&self, id: &str) -> RelyingParty {
        RelyingParty::of(self, id)
    }

    /// Registers a client, or changes one, as the command line would; this process has heard of it.
    pub(crate) async fn register(&self, id: &str, metadata: Value) -> RelyingParty {
        let declared = house::declared(self.app(), id, metadata);
        house::declare(self.app(), Declaration { clients: vec![declared], ..Declaration::default() }).await;
        self.follow_changes().await;
        self.client(id)
    }

    /// Tries to register a client. Inside: which members are wrong.
    pub(crate) async fn try_to_register(&self, id: &str, metadata: Value) -> Result<(), Vec<&'static str>> {
        let declared = house::declared(self.app(), id, metadata);
        let declaration = Declaration { clients: vec![declared], ..Declaration::default() };
        let refused = house::try_to_declare(self.app(), declaration).await;
        self.follow_changes().await;
        refused.map_err(|refused| refused.into_iter().map(|one| one.error.member).collect())
    }

    /// A fresh browser.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self)
    }

    /// The user of that name.
    pub(crate) async fn user(&self, name: &str) -> UserId {
        let id = self.texts(&format!("SELECT id FROM users WHERE username = '{name}'")).await.remove(0);
        UserId::new(id)
    }

    /// The `sub` of the user of that name.
    pub(crate) async fn sub(&self, name: &str) -> String {
        self.texts(&format!("SELECT sub FROM users WHERE username = '{name}'")).await.remove(0)
    }

    /// Checks the signature of a token of ours against the published keys and returns header and claims.
    pub(crate) async fn verify(&self, token: &str) -> (jsonwebtoken::Header, Value) {
        let jwks: jsonwebtoken::jwk::JwkSet =
            serde_json::from_value(self.get("/.well-known/jwks.json").await.json()).unwrap();
        let head = jsonwebtoken::decode_header(token).unwrap();
        let jwk = jwks.find(head.kid.as_deref().unwrap()).expect("the key is published");
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let mut checks = jsonwebtoken::Validation::new(head.alg);
        checks.validate_exp = false;
        checks.validate_aud = false;
        checks.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        checks.set_issuer(&[self.issuer()]);
        let claims = jsonwebtoken::decode::<Value>(token, &key, &checks).expect("the signature holds").claims;
        assert!(claims["iat"].as_i64().unwrap() <= self.now());
        (head, claims)
    }

    /// The one number a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.0.database.number(sql).await
    }

    /// The first column of each row.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.0.database.texts(sql).await
    }

    /// Changes rows behind the provider.
    pub(crate) async fn run(&self, sql: &str) {
        self.0.database.run(sql).await;
    }

    /// How many refresh families could be used.
    pub(crate) async fn live_families(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM refresh_families WHERE ended_at IS NULL").await
    }

    /// How many grants stand.
    pub(crate) async fn live_grants(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM grants WHERE ended_at IS NULL").await
    }

    /// How many sessions stand.
    pub(crate) async fn live_sessions(&self) -> i64 {
        self.number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await
    }

    /// Why the grants that are over ended.
    pub(crate) async fn end_reasons(&self) -> Vec<String> {
        self.texts("SELECT reason FROM grants WHERE ended_at IS NOT NULL ORDER BY id").await
    }

    /// How often something was audited.
    pub(crate) async fn audited(&self, action: &str) -> i64 {
        self.number(&format!("SELECT COUNT(*) FROM audit WHERE action = '{action}'")).await
    }

    /// Disables a person, as the command line would.
    pub(crate) async fn disable(&self, name: &str) {
        let (user, now) = (self.user(name).await, self.app().clock.now());
        let work = async move |tx: &mut Tx| people::disable(tx, &user, Act { actor: "cli", now }).await;
        assert!(self.app().store.write(work).await.unwrap().unwrap());
    }

    /// Enables a person again.
    pub(crate) async fn enable(&self, name: &str) {
        let (user, now) = (self.user(name).await, self.app().clock.now());
        let work = async move |tx: &mut Tx| people::enable(tx, &user, Act { actor: "cli", now }).await;
        assert!(self.app().store.write(work).await.unwrap().unwrap());
    }

    /// Disables a client, as the command line would. This process has not heard of it yet.
    pub(crate) async fn disable_client(&self, id: &str) {
        let house = House::of(self.app().config()).unwrap();
        let (id, now) = (ClientId::new(id), self.app().clock.now());
        let disabled = self
            .app()
            .store
            .write(async move |tx| {
                let registrar = Registrar { house: &house, actor: "cli", now };
                registrar.disable_client(tx, &id).await
            })
            .await;
        assert!(disabled.unwrap());
    }

    /// Ends one grant, as the status of a token would be ended by an admin.
    pub(crate) async fn end_grant(&self, id: &str) {
        let (id, now) = (GrantId::new(id), self.app().clock.now());
        let reason = EndReason::Admin;
        self.app()
            .store
            .write(async move |tx| revoke::end(tx, What::Grant(&id), reason, "cli", now).await.map(drop))
            .await
            .unwrap();
    }
}

const MASTER: [u8; 32] = [7; 32];

/// The settings of `https://id.shop.test`.
pub(crate) fn on_https(config: &mut Config) {
    config.server.issuer = Issuer::parse("https://id.shop.test").unwrap();
}

async fn build(change: impl FnOnce(&mut Config), store: Store, clock: Clock) -> App {
    let mut config = Config::default();
    // RSA keys take long to make; who tests RS256 asks for it.
    config.keys.algorithms = vec![Alg::ES256];
    config.passwords.memory_kib = 64;
    config.passwords.iterations = 1;
    config.passwords.threads = 2;
    config.passwords.queue = 1000;
    change(&mut config);
    App::start(Arc::new(config), store, Arc::new(Vault::over(MASTER)), clock).await.unwrap()
}

pub(super) fn build_request(method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}
