//! The demo: the provider, a browser app and a protected API in one process, on loopback.
//!
//! | file        | says                                                        |
//! |-------------|-------------------------------------------------------------|
//! | `people.rs` | who lives here and what is registered                       |
//! | `app.rs`    | the browser app: static files on an origin of its own       |
//! | `api.rs`    | the protected API, a customer of the verifier library       |
//! | `folder.rs` | where the data are kept, and that nobody else's are touched |
//!
//! The app and the API never read, log or echo `Cookie`: all ports of one host share cookies.

mod api;
mod app;
mod folder;
mod people;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::app::App;
use crate::config::{Config, Issuer, Listen, ListenAddress};
use crate::domain::time::Clock;
use crate::http::cookies::Cookies;
use crate::http::doors::Doors;
use crate::http::router::entrance;
use crate::http::server::{Server, stop_on_signals};
use crate::jobs::{self, Jobs};
use crate::keys;
use crate::keys::vault::Vault;
use crate::store::{OpenOptions, Store};

use self::folder::Folder;
pub use self::folder::NotForDemo;

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder to keep data in.
    pub data: PathBuf,
    /// The provider's port; the app and the API take the next two. 0: any three.
    pub port: u16,
    /// Run as `id.`, `app.` and `api.` of this name, under the real cookie names.
    pub site: Option<String>,
}

/// Where everything is, and who can sign in.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    /// The provider.
    pub issuer: String,
    /// The browser app.
    pub app: String,
    /// The protected API.
    pub api: String,
    /// The folder with the data.
    pub data: PathBuf,
    /// The settings, for the other commands.
    pub config: PathBuf,
    /// Who can sign in.
    pub users: Vec<DemoUser>,
}

/// A person of the demo. The password is shown on purpose: it is made anew at every start.
#[derive(Clone, Serialize)]
pub struct DemoUser {
    /// The name to sign in with.
    pub username: String,
    /// The password.
    pub password: String,
    /// Roles in this house.
    pub roles: Vec<String>,
}

impl fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DemoUser({})", self.username)
    }
}

/// Anything that went wrong.
pub type Failed = Box<dyn Error + Send + Sync>;

/// Builds the demo, tells `announce` where everything is, and serves until a signal.
///
/// # Errors
/// What kept it from starting; [`NotForDemo`] if it is the folder.
pub async fn run(options: Options, announce: impl FnOnce(&Addresses) -> Result<(), Failed>) -> Result<(), Failed> {
    let ports = Ports::of(&options)?;
    let folder = Folder::open(&options.data).await?;
    let provider = Server::bind(&ports.config(ports.provider))?;
    let app_server = Server::bind(&ports.config(ports.app))?;
    let api_server = Server::bind(&ports.config(ports.api))?;
    let host = |name: &str| options.site.as_ref().map_or("localhost".to_owned(), |site| format!("{name}.{site}"));
    let url = |name: &str, server: &Server| {
        let port = server.addresses().first().map_or(0, std::net::SocketAddr::port);
        format!("http://{}:{port}", host(name))
    };
    let (issuer, app_url, api_url) = (url("id", &provider), url("app", &app_server), url("api", &api_server));

    let settings = folder.settings(&Issuer::parse(&issuer)?)?;
    let config = &settings.config;
    let store = Store::open(&OpenOptions {
        url: config.database.url.connect_url(),
        max_connections: config.database.max_connections,
        migrate: true,
    })
    .await?;
    let config = folder.keep(&store, settings).await?;
    let create = keys::is_new_installation(&store).await?;
    let vault = Arc::new(Vault::load(&config.secrets.master_key_file, &[], create)?);
    let house = Arc::new(App::start(Arc::new(config), store.clone(), vault, Clock::system()).await?);
    let users = people::register(&house, &app_url, &api_url).await?;
    house.follow_changes().await?;

    let stop = house.stopping.clone();
    stop_on_signals(&stop)?;
    let cookies = if options.site.is_some() { Cookies::real() } else { Cookies::development() };
    jobs::status_lists::begin(&house).await;
    let jobs = Jobs::start(&house);
    announce(&Addresses {
        issuer: issuer.clone(),
        app: app_url.clone(),
        api: api_url.clone(),
        data: options.data.clone(),
        config: folder.config_file(),
        users,
    })?;
    let served = tokio::try_join!(
        provider.serve(entrance(Doors::new(house, cookies)), stop.clone()),
        app_server.serve(app::router(&issuer, &app_url, &api_url), stop.clone()),
        api_server.serve(api::router(&issuer, &app_url, &api_url)?, stop.clone()),
    );
    jobs.stop().await;
    store.close().await;
    served?;
    Ok(())
}

/// The ports of the three.
struct Ports {
    provider: u16,
    app: u16,
    api: u16,
}

impl Ports {
    fn of(options: &Options) -> Result<Self, Failed> {
        let next = |by: u16| {
            options.port.checked_add(by).ok_or("--port is at most 65533: the app and the API take the next two")
        };
        Ok(match options.port {
            0 => Self { provider: 0, app: 0, api: 0 },
            port => Self { provider: port, app: next(1)?, api: next(2)? },
        })
    }

    fn config(&self, port: u16) -> Config {
        let mut config = Config::default();
        config.server.listen = Listen(vec![ListenAddress::Localhost(port)]);
        config
    }
}
