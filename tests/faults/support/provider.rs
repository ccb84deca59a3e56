//! An installation: a folder with settings, a database, and the server that runs on them.

use std::fmt;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use frontdesk::domain::time::Clock;

use super::database::TestDatabase;
use super::place::Place;
use super::relying_party::Registered;
use super::server::{Refused, Server};
use super::{Answer, house};

/// Where requests come from.
pub(super) const HOME: &str = "127.0.0.1:40000";
/// Stands in every token. Where the server really listens is another port at every start.
const ISSUER: &str = "http://localhost:8080";

/// An installation. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct TestProvider(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    // Before what it works on, so that it ends first.
    server: Mutex<Option<Server>>,
    /// Whether the server is about to end: then nobody wonders about answers that do not come.
    ending: AtomicBool,
    place: Place,
    database: TestDatabase,
    http: reqwest::Client,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TestProvider {
    /// With everybody in it, and running. Only ES256: RSA keys take long to make.
    pub(crate) async fn start() -> Self {
        let this = Self::installed().await;
        this.serve();
        this
    }

    /// With everybody in it, and not running.
    pub(crate) async fn installed() -> Self {
        Self::over(TestDatabase::empty().await, r#"["ES256"]"#).furnished()
    }

    /// The same on SQLite in any case.
    pub(crate) fn installed_in_file() -> Self {
        Self::over(TestDatabase::in_file(), r#"["ES256"]"#).furnished()
    }

    /// Settings with both algorithms and nothing else: neither tables nor a master key.
    pub(crate) async fn empty() -> Self {
        Self::over(TestDatabase::empty().await, r#"["ES256", "RS256"]"#)
    }

    fn furnished(self) -> Self {
        self.place().write("house.toml", &house::text());
        self.place().ok(&["apply", "house.toml"]);
        self
    }

    fn over(database: TestDatabase, algorithms: &str) -> Self {
        let place = Place::with("");
        // Without limits on who asks too much, since everybody here does. And a sign-in that was killed counts as a failed try.
        let settings = format!(
            "[server]\nissuer = \"{ISSUER}\"\nlisten = \"127.0.0.1:0\"\n\
             [database]\nurl = \"{}\"\nmigrate_on_start = true\n\
             [secrets]\nmaster_key_file = \"master.key\"\n\
             [keys]\nalgorithms = {algorithms}\n\
             [tokens]\nauthorization_code_ttl = \"10m\"\n\
             [limits]\nrequests_per_network = 0\nrefreshes_per_family = 0\n\
             [passwords]\nattempts_per_account_and_network = 10000\nattempts_per_account = 10000\nattempts_per_network = 10000\n\
             [telemetry]\nlog = \"info\"\nlog_format = \"json\"\n",
            database.url,
        );
        place.write("config.toml", &settings);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let inside = Inside { server: Mutex::default(), ending: AtomicBool::new(false), place, database, http };
        Self(Arc::new(inside))
    }

    /// Where the program is run.
    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Its database, past the provider.
    pub(super) fn database(&self) -> &TestDatabase {
        &self.0.database
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> &str {
        &self.database().url
    }

    /// The file of the database, on SQLite.
    pub(crate) fn database_file(&self) -> Option<&str> {
        self.database().url.strip_prefix("sqlite://")
    }

    /// Starts the server, which must become ready.
    #[track_caller]
    pub(crate) fn serve(&self) {
        self.serve_by(&mut self.place().command(&["serve"]));
    }

    /// The same by a command of one's own.
    #[track_caller]
    pub(crate) fn serve_by(&self, command: &mut Command) {
        self.0.ending.store(false, Ordering::SeqCst);
        let server = Server::start(command).unwrap_or_else(|refused| panic!("it did not start: {refused:#?}"));
        *self.0.server.lock().unwrap() = Some(server);
    }

    /// A further process of the same installation.
    pub(crate) fn serve_beside(&self) -> Result<Server, Refused> {
        Server::start(&mut self.place().command(&["serve"]))
    }

    /// Looks at the running server.
    pub(crate) fn server<T>(&self, look: impl FnOnce(&Server) -> T) -> T {
        look(self.0.server.lock().unwrap().as_ref().expect("it runs"))
    }

    /// `kill -9`. Whoever waits for an answer waits for ever.
    pub(crate) fn kill(&self) {
        self.take().kill();
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(&self) -> ExitStatus {
        let server = self.take();
        server.terminate();
        server.end()
    }

    /// Waits for the end of a server that was asked to stop.
    pub(crate) fn end(&self) -> ExitStatus {
        self.take().end()
    }

    fn take(&self) -> Server {
        self.0.ending.store(true, Ordering::SeqCst);
        self.0.server.lock().unwrap().take().expect("it runs")
    }

    /// `iss`.
    #[expect(clippy::unused_self, reason = "as the provider in this process has it")]
    pub(crate) fn issuer(&self) -> &str {
        ISSUER
    }

    /// The moment.
    #[expect(clippy::unused_self, reason = "as the provider in this process has it")]
    pub(crate) fn now(&self) -> i64 {
        Clock::system().now().as_seconds()
    }

    /// What is registered of a client.
    #[expect(clippy::unused_self, reason = "as the provider in this process has it")]
    pub(super) fn registered(&self, id: &str) -> Registered {
        house::registered(id)
    }

    /// Sends a request and waits for the answer, for ever if the server was killed meanwhile.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        match self.try_to_send(request).await {
            Ok(answer) => answer,
            Err(_) if self.0.ending.load(Ordering::SeqCst) => std::future::pending().await,
            Err(error) => panic!("{error}\n{}", self.server(Server::words)),
        }
    }

    /// A GET at a further process.
    pub(crate) async fn get_at(&self, server: &Server, path: &str) -> Answer {
        self.try_at(server.address, Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn try_to_send(&self, request: Request<Body>) -> Result<Answer, NoAnswer> {
        let running = self.0.server.lock().unwrap().as_ref().map(|server| server.address);
        self.try_at(running.ok_or_else(|| NoAnswer("no server runs".to_owned()))?, request).await
    }

    async fn try_at(&self, address: SocketAddr, request: Request<Body>) -> Result<Answer, NoAnswer> {
        let no_answer = |error: reqwest::Error| NoAnswer(format!("{error:?}"));
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let url = format!("http://{address}{}", parts.uri);
        let asked = self.0.http.request(parts.method, url).headers(parts.headers).body(body);
        let response = asked.send().await.map_err(no_answer)?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await.map_err(no_answer)? })
    }
}
