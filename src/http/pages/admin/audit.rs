//! Who did what.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// `admin/audit.html`. The search sends `action`, `about`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/audit.html")]
pub struct AuditView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What is looked for.
    pub action: String,
    /// Whom or what it is about.
    pub about: String,
    /// The events, the newest first.
    pub events: Vec<EventRow>,
    /// Where the older ones are, a path.
    pub next: Option<String>,
}

/// An event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// When, in Unix seconds.
    pub at: i64,
    /// Who, as the audit says it.
    pub actor: String,
    /// The name of that person, and the path to them.
    pub person: Option<(String, String)>,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The name of the person it is, and the path to them.
    pub subject_person: Option<(String, String)>,
    /// More about it, a name and a value each.
    pub data: Vec<(String, String)>,
}

impl AuditView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Audit
    }

    fn is_filtered(&self) -> bool {
        !self.action.is_empty() || !self.about.is_empty()
    }
}

#[cfg(test)]
impl AuditView {
    /// None, some, and what a stranger wrote.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let some = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            action: String::new(),
            about: String::new(),
            events: sample::events(),
            next: Some("/admin/audit?before=1".into()),
        };
        vec![
            ("none", Self { action: "user".into(), events: vec![], next: None, ..some.clone() }),
            ("hostile", Self { about: sample::HOSTILE.into(), ..some.clone() }),
            ("some", some),
        ]
    }
}
