//! The apps I let in, and how to take it back.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::AppShown;
use crate::http::pages::brand::Brand;
use crate::http::pages::details::{Detail, ResourceShown};
use crate::http::pages::device::Device;
use crate::http::pages::seen_from::SeenFrom;

/// `account/apps.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "account/apps.html")]
pub struct AppsView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// Now, in Unix seconds.
    pub now: i64,
    /// Every app with access.
    pub apps: Vec<AppRow>,
}

/// One app with access.
#[derive(Debug, Clone)]
pub struct AppRow {
    /// The client id.
    pub id: String,
    /// The app.
    pub app: AppShown,
    /// What it may see.
    pub sees: Vec<Detail>,
    /// What it may use.
    pub may_use: Vec<ResourceShown>,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// When it was last used; `None`: it does nothing now.
    pub lately: Option<Lately>,
    /// The address of the page that asks before withdrawing, a path.
    pub withdraw: String,
}

/// The last use of an app.
#[derive(Debug, Clone)]
pub struct Lately {
    /// When, in Unix seconds.
    pub at: i64,
    /// What the browser said it is in which the person signed in.
    pub device: Option<Device>,
    /// Where that browser was last.
    pub seen_from: Option<SeenFrom>,
}

/// `account/withdraw.html`: what will happen, before it does. Sends `client_id`, `csrf`.
#[derive(Debug, Clone, Template)]
#[template(path = "account/withdraw.html")]
pub struct WithdrawView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The client id.
    pub client_id: String,
    /// The app.
    pub app: AppShown,
    /// Whether it has to ask again for what it had; the operator's own apps never ask.
    pub asks: bool,
    /// Where the form goes, a path.
    pub action: String,
}

impl AppsView {
    const HERE: Section = Section::Apps;
}

impl WithdrawView {
    const HERE: Section = Section::Apps;
}

#[cfg(test)]
impl AppsView {
    /// None, several, and after one was withdrawn.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use super::Notice;
        use crate::http::pages::sample;

        let row = |id: &str, app: AppShown, sees: Vec<Detail>, may_use: Vec<ResourceShown>| AppRow {
            id: id.into(),
            app,
            sees,
            may_use,
            since: 1_730_000_000,
            lately: (id != "robot").then(|| Lately {
                at: 1_763_890_000,
                device: Some(Device::from_user_agent(Some(
                    "Mozilla/5.0 (X11; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0",
                ))),
                seen_from: (id == "notes").then(|| SeenFrom::sample("203.0.113.7", Some("Vienna, Austria"))),
            }),
            withdraw: format!("/account/apps/withdraw?client_id={id}"),
        };
        let several = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::room(sample::alice(), None),
            now: 1_763_900_000,
            apps: vec![
                row("notes", sample::notes(), sample::details(), sample::resources()),
                row("long", sample::long_app(), sample::details().into_iter().take(1).collect(), vec![]),
                row("robot", AppShown { name: "robot".into(), host: None }, vec![], sample::resources()),
            ],
        };
        vec![
            ("none", Self { apps: vec![], ..several.clone() }),
            (
                "withdrawn",
                Self {
                    apps: several.apps.iter().take(1).cloned().collect(),
                    room: sample::room(sample::alice(), Some(Notice::AppWithdrawn)),
                    ..several.clone()
                },
            ),
            ("several", several),
        ]
    }
}

#[cfg(test)]
impl WithdrawView {
    /// A usual and a long one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let usual = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::room(sample::alice(), None),
            client_id: "notes".into(),
            app: sample::notes(),
            asks: true,
            action: "/account/apps/withdraw".into(),
        };
        vec![("long", Self { app: sample::long_app(), asks: false, ..usual.clone() }), ("usual", usual)]
    }
}
