//! How the house stands.

use std::sync::Arc;

use askama::Template;

use super::audit::EventRow;
use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// `admin/overview.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/overview.html")]
pub struct OverviewView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// How many people may sign in.
    pub people: u64,
    /// How many apps are in service.
    pub apps: u64,
    /// In how many sessions somebody is signed in.
    pub sessions: u64,
    /// Why this process should be sent no requests; our own texts, empty if it is well.
    pub unready: Vec<&'static str>,
    /// The last events.
    pub events: Vec<EventRow>,
}

impl OverviewView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Overview
    }
}

#[cfg(test)]
impl OverviewView {
    /// Empty, well and ill.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let well = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            people: 1_204,
            apps: 17,
            sessions: 1,
            unready: vec![],
            events: sample::events(),
        };
        vec![
            ("new", Self { people: 1, apps: 0, events: vec![], ..well.clone() }),
            ("ill", Self { unready: vec!["a signing key is missing"], ..well.clone() }),
            ("well", well),
        ]
    }
}
