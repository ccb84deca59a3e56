//! What every handler has at hand: the house, the names of the cookies, the look of the pages, the prepared documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::http::HeaderValue;

use super::admin::elevation::Elevation;
use super::cookies::Cookies;
use super::csrf::Csrf;
use super::forward_auth::host::AppHosts;
use super::limits::Limits;
use super::pages::brand::Brand;
use super::prepared::Prepared;
use super::protocol::status::ReadyList;
use super::whereabouts::Whereabouts;
use crate::app::App;
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::keys::history;
use crate::keys::record::KeyRecord;
use crate::keys::ring::KeyRing;
use crate::keys::vault::Purpose;
use crate::oauth::discovery;
use crate::oauth::provider::Provider;
use crate::store::directory::Snapshot;

/// The state of the router.
#[derive(Debug, Clone)]
pub struct Doors(Arc<House>);

#[derive(Debug)]
struct House {
    app: Arc<App>,
    cookies: Cookies,
    csrf: Csrf,
    app_hosts: AppHosts,
    elevation: Elevation,
    limits: Limits,
    brand: Arc<Brand>,
    logo: Option<Prepared>,
    whereabouts: Whereabouts,
    jwks: ArcSwapOption<KeySet>,
    key_history: ArcSwapOption<(Arc<KeyRing>, Prepared)>,
    discovery: ArcSwapOption<(Arc<Snapshot>, Prepared)>,
    status_lists: ArcSwap<BTreeMap<i64, ReadyList>>,
}

impl Doors {
    /// Opens the doors of a house.
    #[must_use]
    pub fn new(app: Arc<App>, cookies: Cookies) -> Self {
        let (brand, logo) = look(app.config());
        let whereabouts = whereabouts(app.config());
        Self(Arc::new(House {
            csrf: Csrf::new(&app.vault),
            app_hosts: AppHosts::of(app.config()),
            elevation: Elevation::new(app.vault.macs(Purpose::Elevation)),
            limits: Limits::new(&app.config().limits),
            app,
            cookies,
            brand: Arc::new(brand),
            logo,
            whereabouts,
            jwks: ArcSwapOption::empty(),
            key_history: ArcSwapOption::empty(),
            discovery: ArcSwapOption::empty(),
            status_lists: ArcSwap::default(),
        }))
    }

    /// The house.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.0.app
    }

    /// What the protocol's decisions are made with.
    #[must_use]
    pub fn provider(&self) -> &Arc<Provider> {
        &self.0.app.provider
    }

    /// The cookies under the names of the mode.
    #[must_use]
    pub fn cookies(&self) -> Cookies {
        self.0.cookies
    }

    /// The values of hidden fields.
    #[must_use]
    pub fn csrf(&self) -> &Csrf {
        &self.0.csrf
    }

    /// The hosts of the apps behind a proxy.
    #[must_use]
    pub fn app_hosts(&self) -> &AppHosts {
        &self.0.app_hosts
    }

    /// Who may change things as an admin, and until when.
    #[must_use]
    pub fn elevation(&self) -> &Elevation {
        &self.0.elevation
    }

    /// In which place an address is.
    #[must_use]
    pub fn whereabouts(&self) -> &Whereabouts {
        &self.0.whereabouts
    }

    /// How often may be asked.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The operator's look.
    #[must_use]
    pub fn brand(&self) -> Arc<Brand> {
        self.0.brand.clone()
    }

    /// The operator's logo, if there is one.
    #[must_use]
    pub fn logo(&self) -> Option<&Prepared> {
        self.0.logo.as_ref()
    }

    /// The key set as ready bytes. Made anew when the ring was read anew; once a second it gets another `Expires`.
    #[must_use]
    pub fn jwks(&self, now: Timestamp) -> Arc<KeySet> {
        let ring = self.provider().keys.ring();
        let known = self.0.jwks.load_full().filter(|ready| Arc::ptr_eq(&ready.ring, &ring));
        if let Some(ready) = known.as_ref().filter(|ready| ready.second == now) {
            return ready.clone();
        }
        let max_age = ring.max_age(self.app().config().keys.jwks_max_age, now);
        let document = match known {
            Some(ready) => ready.document.clone(),
            None => {
                let document = Prepared::json(ring.jwks().bytes.to_vec(), 0);
                self.app().sightings.serves(document.etag(), ring.published().map(KeyRecord::kid));
                document
            }
        };
        let ready = Arc::new(KeySet { ring, second: now, document: document.until(now, max_age) });
        self.0.jwks.store(Some(ready.clone()));
        ready
    }

    /// The key history as ready bytes. Signed anew when the ring was read anew. `None`: nothing signs.
    #[must_use]
    pub fn key_history(&self) -> Option<Arc<(Arc<KeyRing>, Prepared)>> {
        let ring = self.provider().keys.ring();
        if let Some(ready) = self.0.key_history.load_full().filter(|ready| Arc::ptr_eq(&ready.0, &ring)) {
            return Some(ready);
        }
        let text = history::document(&ring, self.provider().issuer_id())?;
        let kept = HeaderValue::from_static("public, max-age=300");
        let ready = Arc::new((ring, Prepared::new(text.into_bytes(), history::CONTENT_TYPE, kept)));
        self.0.key_history.store(Some(ready.clone()));
        Some(ready)
    }

    /// A status list as ready bytes. Made anew when it was signed anew.
    #[must_use]
    pub fn status_list(&self, list: i64) -> Option<ReadyList> {
        let published = self.app().status_lists.list(list)?;
        let ready = self.0.status_lists.load();
        if let Some(known) = ready.get(&list).filter(|known| Arc::ptr_eq(&known.list, &published)) {
            return Some(known.clone());
        }
        let made = ReadyList::of(published);
        let mut lists = BTreeMap::clone(&ready);
        // Those that have retired go with the first that changes.
        lists.retain(|number, _| self.app().status_lists.list(*number).is_some());
        lists.insert(list, made.clone());
        self.0.status_lists.store(Arc::new(lists));
        Some(made)
    }

    /// The metadata document as ready bytes. Made anew when the directory was read anew.
    #[must_use]
    pub fn discovery(&self) -> Arc<(Arc<Snapshot>, Prepared)> {
        let snapshot = self.provider().directory.snapshot();
        if let Some(ready) = self.0.discovery.load_full().filter(|ready| Arc::ptr_eq(&ready.0, &snapshot)) {
            return ready;
        }
        let body = discovery::document(self.app().config(), snapshot.resources().iter()).to_string();
        let document = Prepared::json(body.into_bytes(), DISCOVERY_MAX_AGE);
        let ready = Arc::new((snapshot, document));
        self.0.discovery.store(Some(ready.clone()));
        ready
    }
}

/// The key set of a ring, as it is answered in one second.
#[derive(Debug)]
pub struct KeySet {
    ring: Arc<KeyRing>,
    second: Timestamp,
    /// The answer.
    pub document: Prepared,
}

/// Seconds.
const DISCOVERY_MAX_AGE: u64 = 300;

const LOGO: &str = "/static/logo";

/// The operator's database of places. One that cannot be read is left out, and said.
fn whereabouts(config: &Config) -> Whereabouts {
    let Some(file) = &config.pages.places_file else { return Whereabouts::unknown() };
    Whereabouts::read(file).unwrap_or_else(|error| {
        tracing::warn!(file = %file.display(), %error, "pages.places_file cannot be read and is left out");
        Whereabouts::unknown()
    })
}

/// The look that the settings ask for. A logo that cannot be read is left out, and said.
fn look(config: &Config) -> (Brand, Option<Prepared>) {
    let mut brand = Brand::plain(config.server.issuer.host().to_owned());
    brand.name.clone_from(&config.pages.name);
    brand.accent = config.pages.accent.to_string().parse().ok();
    let logo = config.pages.logo_file.as_ref().and_then(|file| {
        let content_type = match file.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("jpg" | "jpeg") => "image/jpeg",
            Some("webp") => "image/webp",
            _ => {
                tracing::warn!(file = %file.display(), "pages.logo_file is none of svg, png, jpg, webp and is left out");
                return None;
            }
        };
        match std::fs::read(file) {
            Ok(bytes) => Some(Prepared::new(bytes, content_type, HeaderValue::from_static("public, max-age=3600"))),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "pages.logo_file cannot be read and is left out");
                None
            }
        }
    });
    brand.logo = logo.as_ref().map(|_| LOGO.to_owned());
    (brand, logo)
}
