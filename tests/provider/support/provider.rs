//! The provider in this process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
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
use frontdesk::oauth::registration::{Declaration, House, Registrar, ResourceMetadata};
use frontdesk::store::{Store, Tx, resources};
use frontdesk::tokens::revoke::{self, What};
use serde_json::Value;
use tower::ServiceExt as _;

use super::database::TestDatabase;
use super::relying_party::Registered;
use super::stream::Stream;
use super::{Answer, RelyingParty, house};

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
        Self::empty_with(|_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn empty_with(change: impl FnOnce(&mut Config)) -> Self {
        let (database, store) = TestDatabase::open().await;
        let app = build(change, store, Clock::standing_at(NOW)).await;
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

    /// The same with other master keys.
    pub(crate) async fn twin_with(&self, vault: Vault) -> Self {
        Self::over(self.process(|_| (), vault).await, self.0.database.clone())
    }

    async fn process_with(&self, change: impl FnOnce(&mut Config)) -> App {
        self.process(change, Vault::over(MASTER)).await
    }

    async fn process(&self, change: impl FnOnce(&mut Config), vault: Vault) -> App {
        let mut config = self.app().config().clone();
        change(&mut config);
        let store = self.0.database.open_again().await;
        let vault = Arc::new(vault);
        App::start(Arc::new(config), store, vault, self.app().clock.clone()).await.unwrap()
    }

    /// Whether the database is PostgreSQL.
    pub(crate) fn is_on_postgres(&self) -> bool {
        self.0.database.is_postgres()
    }

    /// What serves.
    pub(crate) fn app(&self) -> &Arc<App> {
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
        let (parts, body) = self.0.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        self.0.answers.lock().unwrap().push(answer.clone());
        answer
    }

    /// Opens the stream of revocations.
    pub(crate) async fn stream(&self, token: &str, last_event_id: Option<&str>) -> Stream {
        let mut request = Request::get("/revocations/stream")
            .extension(ConnectInfo(HOME.parse::<SocketAddr>().unwrap()))
            .header(header::HOST, self.issuer().split_once("://").unwrap().1)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = self.0.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        Stream::of(response)
    }

    /// Every answer given so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.0.answers.lock().unwrap().clone()
    }

    /// What is registered of a client.
    pub(super) fn registered(&self, id: &str) -> Registered {
        let snapshot = self.app().provider.directory.snapshot();
        let client = snapshot.client(id).unwrap_or_else(|| panic!("{id} is not registered"));
        let settings = &client.settings;
        Registered {
            method: settings.token_endpoint_auth_method,
            redirect_uri: settings.redirect_uris.first().map(|uri| uri.as_str().to_owned()).unwrap_or_default(),
            scope: settings.scope.to_string(),
        }
    }

    /// Its database, past the provider.
    pub(super) fn database(&self) -> &TestDatabase {
        &self.0.database
    }

    /// Registers a client, or changes one, as the command line would; this process has heard of it.
    pub(crate) async fn register(&self, id: &str, metadata: Value) -> RelyingParty {
        let declared = house::declared(self.app(), id, metadata);
        house::declare(self.app(), Declaration { clients: vec![declared], ..Declaration::default() }).await;
        self.follow_changes().await;
        self.client(id)
    }

    /// Which members of a client's metadata registration refuses; none, and it is registered.
    pub(crate) async fn objections_to(&self, id: &str, metadata: Value) -> Vec<&'static str> {
        let declared = house::declared(self.app(), id, metadata);
        let declaration = Declaration { clients: vec![declared], ..Declaration::default() };
        house::try_declare(self.app(), declaration).await.err().unwrap_or_default()
    }

    /// Registers one more API with these scopes.
    pub(crate) async fn register_resource(&self, identifier: &str, scopes: &[&str]) {
        let resource = ResourceMetadata {
            identifier: identifier.to_owned(),
            name: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            introspected_by: Vec::new(),
            access_token_alg: None,
        };
        house::declare(self.app(), Declaration { resources: vec![resource], ..Declaration::default() }).await;
        self.follow_changes().await;
    }

    /// Tries to register a client. Inside: which members are wrong.
    pub(crate) async fn try_to_register(&self, id: &str, metadata: Value) -> Result<(), Vec<&'static str>> {
        let declared = house::declared(self.app(), id, metadata);
        let declaration = Declaration { clients: vec![declared], ..Declaration::default() };
        let refused = house::try_declare(self.app(), declaration).await;
        self.follow_changes().await;
        refused
    }

    /// The user of that name.
    pub(crate) async fn user(&self, name: &str) -> UserId {
        let id = self.texts(&format!("SELECT id FROM users WHERE username = '{name}'")).await.remove(0);
        UserId::new(id)
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

    /// Takes an API out of service, as the command line would. This process has not heard of it yet.
    pub(crate) async fn disable_resource(&self, identifier: &str) {
        let (identifier, now) = (identifier.to_owned(), self.app().clock.now());
        let work = async move |tx: &mut Tx| resources::disable(tx, &identifier, now).await;
        assert!(self.app().store.write(work).await.unwrap());
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

/// The master key of all these providers.
pub(crate) const MASTER: [u8; 32] = [7; 32];

/// The settings of `https://id.shop.test`.
pub(crate) fn on_https(config: &mut Config) {
    config.server.issuer = Issuer::parse("https://id.shop.test").unwrap();
    // Nobody listens here, so nobody reads them; without them it would speak to proxies only.
    config.server.tls.certificate = Some("certificate.pem".into());
    config.server.tls.key = Some("key.pem".into());
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
