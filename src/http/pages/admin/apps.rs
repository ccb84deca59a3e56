//! Apps: all of them, and one.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;

use super::confirm::Deed;
use super::{Room, Section};
use crate::domain::client::{ApplicationType, AuthMethod, Client, Delivery};
use crate::http::language::Language;
use crate::http::pages::AppShown;
use crate::http::pages::brand::Brand;

/// `admin/apps.html`. The search sends `find`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/apps.html")]
pub struct AppsView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What is looked for.
    pub find: String,
    /// The apps of this page.
    pub apps: Vec<AppRow>,
    /// Where the others are, a path.
    pub next: Option<String>,
}

/// An app in the list.
#[derive(Debug, Clone)]
pub struct AppRow {
    /// The path to it.
    pub href: String,
    /// The client id.
    pub id: String,
    /// The app.
    pub app: AppShown,
    /// Its kind.
    pub kind: Kind,
    /// Whether it is out of service.
    pub disabled: bool,
}

/// The kind of an app, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub ApplicationType);

/// `admin/app.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/app.html")]
pub struct AppView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The client id.
    pub id: String,
    /// The app.
    pub app: AppShown,
    /// Since when it is out of service, in Unix seconds.
    pub disabled: Option<i64>,
    /// When it was registered, in Unix seconds.
    pub since: i64,
    /// How many grants of it can do something now.
    pub grants: u64,
    /// Of how many people.
    pub people: u64,
    /// What was registered.
    pub settings: Vec<Setting>,
    /// What can be done, with the path of the page that asks.
    pub deeds: Vec<(Deed, String)>,
    /// Where it stands in the audit, a path.
    pub audit: String,
}

/// One thing that was registered.
#[derive(Debug, Clone)]
pub struct Setting {
    label: &'static str,
    values: Vec<Value>,
}

#[derive(Debug, Clone)]
enum Value {
    /// As it was registered.
    Text(String),
    /// One of our own words.
    Word(&'static str),
}

impl Kind {
    fn word(self) -> &'static str {
        match self.0 {
            ApplicationType::Web => "kind-web",
            ApplicationType::Native => "kind-native",
            ApplicationType::Browser => "kind-browser",
            ApplicationType::Service => "kind-service",
        }
    }

    fn text(self, t: &Language) -> Cow<'static, str> {
        t.get(self.word())
    }
}

impl Setting {
    /// Everything about a client that people ask for; nothing secret is among it.
    #[must_use]
    pub fn all_of(client: &Client) -> Vec<Self> {
        let settings = &client.settings;
        let texts = |label, values: Vec<String>| Self { label, values: values.into_iter().map(Value::Text).collect() };
        let word = |label, word| Self { label, values: vec![Value::Word(word)] };
        let yes = |label, yes: bool| word(label, if yes { "setting-yes" } else { "setting-no" });
        let all = vec![
            word("setting-kind", Kind(settings.application_type).word()),
            word(
                "setting-proof",
                match settings.token_endpoint_auth_method {
                    AuthMethod::None => "proof-none",
                    AuthMethod::ClientSecretBasic => "proof-basic",
                    AuthMethod::ClientSecretPost => "proof-post",
                },
            ),
            word(
                "setting-delivery",
                match settings.refresh_token_delivery {
                    Delivery::Body => "delivery-body",
                    Delivery::Cookie => "delivery-cookie",
                },
            ),
            texts("setting-scope", settings.scope.iter().map(str::to_owned).collect()),
            texts("setting-grants", settings.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect()),
            texts("setting-redirects", settings.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect()),
            texts(
                "setting-after-sign-out",
                settings.post_logout_redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            ),
            texts(
                "setting-told-by-us",
                settings.backchannel_logout_uri.iter().map(|uri| uri.as_str().to_owned()).collect(),
            ),
            texts(
                "setting-told-by-browser",
                settings.frontchannel_logout_uri.iter().map(|uri| uri.as_str().to_owned()).collect(),
            ),
            texts(
                "setting-origins",
                settings.allowed_origins.iter().map(|origin| origin.as_str().to_owned()).collect(),
            ),
            texts("setting-contacts", settings.contacts.clone()),
            texts("setting-owner", settings.owner.iter().cloned().collect()),
            yes("setting-first-party", settings.first_party),
            yes("setting-direct-login", settings.direct_login),
            yes("setting-admin-api", settings.admin_api),
        ];
        all.into_iter().filter(|setting| !setting.values.is_empty()).collect()
    }

    fn label(&self, t: &Language) -> Cow<'static, str> {
        t.get(self.label)
    }
}

impl AppsView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Apps
    }
}

impl AppView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Apps
    }
}

#[cfg(test)]
impl AppsView {
    /// None, several, and what somebody registered.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let row = |id: &str, app: AppShown, kind: ApplicationType, disabled: bool| AppRow {
            href: format!("/admin/apps/{}", id.len()),
            id: id.into(),
            app,
            kind: Kind(kind),
            disabled,
        };
        let several = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            find: String::new(),
            apps: vec![
                row("notes", sample::notes(), ApplicationType::Browser, false),
                row("com.example.notes", sample::long_app(), ApplicationType::Native, true),
                row("robot", AppShown { name: "robot".into(), host: None }, ApplicationType::Service, false),
            ],
            next: Some("/admin/apps?after=robot".into()),
        };
        vec![
            ("none", Self { apps: vec![], next: None, ..several.clone() }),
            (
                "hostile",
                Self {
                    find: sample::HOSTILE.into(),
                    apps: vec![row(sample::HOSTILE, sample::hostile_app(), ApplicationType::Web, false)],
                    ..several.clone()
                },
            ),
            ("several", several),
        ]
    }
}

#[cfg(test)]
impl AppView {
    /// In service, and out of it.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let usual = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            id: "notes".into(),
            app: sample::notes(),
            disabled: None,
            since: 1_730_000_000,
            grants: 12,
            people: 1,
            settings: vec![
                Setting { label: "setting-kind", values: vec![Value::Word("kind-browser")] },
                Setting { label: "setting-proof", values: vec![Value::Word("proof-none")] },
                Setting {
                    label: "setting-redirects",
                    values: vec![Value::Text(sample::long_app().name), Value::Text(sample::HOSTILE.into())],
                },
                Setting { label: "setting-first-party", values: vec![Value::Word("setting-no")] },
            ],
            deeds: [Deed::EndApp, Deed::DisableApp].map(|deed| (deed, "/admin/apps/notes/x".to_owned())).into(),
            audit: "/admin/audit?about=notes".into(),
        };
        vec![
            (
                "out",
                Self {
                    app: sample::long_app(),
                    disabled: Some(1_763_000_000),
                    grants: 0,
                    people: 0,
                    deeds: vec![(Deed::EnableApp, "/admin/apps/notes/enable".into())],
                    ..usual.clone()
                },
            ),
            ("hostile", Self { app: sample::hostile_app(), ..usual.clone() }),
            ("usual", usual),
        ]
    }
}
