//! The consent page: who asks for what, and where it leads.

use std::sync::Arc;

use askama::Template;

use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::details::{Detail, ResourceShown};
use crate::http::pages::problem::Problems;
use crate::http::pages::{AppShown, Person};

/// `consent.html`. Sends `decision` (`accept` or `deny`), `csrf`, `txn`, and in `person` who was asked.
#[derive(Debug, Clone, Template)]
#[template(path = "consent.html")]
pub struct ConsentView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// Where the form goes, a path.
    pub action: String,
    /// The CSRF value of this browser.
    pub csrf: String,
    /// The id of the parked request.
    pub txn: String,
    /// The app that asks.
    pub client: AppShown,
    /// Who is asked.
    pub person: Person,
    /// The address behind "not you?", a path.
    pub switch: String,
    /// Where the browser goes afterwards.
    pub returns_to: ReturnsTo,
    /// What the app will see.
    pub sees: Vec<Detail>,
    /// What the app will be able to do.
    pub may_use: Vec<ResourceShown>,
    /// Whether the app asked for `offline_access`.
    pub offline: bool,
    /// Whether the person agreed to less before.
    pub asks_more: bool,
    /// What went wrong with the last try.
    pub problems: Problems,
}

/// Where a redirect URI leads, as far as people can judge it.
#[derive(Debug, Clone)]
pub enum ReturnsTo {
    /// A website; its host.
    Website(String),
    /// A program on this computer that listens on a loopback address; any program could.
    Loopback,
    /// A program that has claimed this scheme; any program could.
    PrivateScheme(String),
}

#[cfg(test)]
impl ConsentView {
    /// Little and much, long and hostile.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::problem::Problem;
        use crate::http::pages::sample;

        let full = Self {
            t,
            brand: Arc::clone(brand),
            action: "/consent".into(),
            csrf: "c5rf".into(),
            txn: "01J9ZK".into(),
            client: sample::notes(),
            person: sample::alice(),
            switch: "/login?txn=01J9ZK&switch=1".into(),
            returns_to: ReturnsTo::Website("notes.example.com".into()),
            sees: sample::details(),
            may_use: sample::resources(),
            offline: true,
            asks_more: false,
            problems: Problems::default(),
        };
        let little: Vec<Detail> = sample::details().into_iter().take(1).collect();
        vec![
            ("expired", Self { problems: Problem::FormExpired.into(), ..full.clone() }),
            ("little", Self { sees: little, may_use: vec![], offline: false, ..full.clone() }),
            ("machine", Self { sees: vec![], asks_more: true, offline: false, ..full.clone() }),
            (
                "loopback",
                Self {
                    returns_to: ReturnsTo::Loopback,
                    client: AppShown { host: None, ..sample::notes() },
                    ..full.clone()
                },
            ),
            ("scheme", Self { returns_to: ReturnsTo::PrivateScheme("com.example.notes".into()), ..full.clone() }),
            (
                "long",
                Self {
                    client: sample::long_app(),
                    person: sample::long_person(),
                    returns_to: ReturnsTo::Website(sample::long_app().host.unwrap_or_default()),
                    ..full.clone()
                },
            ),
            (
                "hostile",
                Self {
                    client: sample::hostile_app(),
                    person: Person { name: sample::HOSTILE.into(), username: sample::HOSTILE.into() },
                    returns_to: ReturnsTo::PrivateScheme(sample::HOSTILE.into()),
                    ..full.clone()
                },
            ),
            ("full", full),
        ]
    }
}
