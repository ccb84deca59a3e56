//! Who is signed in, and where.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::device::Device;
use crate::http::pages::seen_from::SeenFrom;

/// `admin/sessions.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/sessions.html")]
pub struct SessionsView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The sessions of this page, the newest first.
    pub sessions: Vec<SessionRow>,
    /// Where the older ones are, a path.
    pub next: Option<String>,
}

/// One session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// The id of the session (not its secret).
    pub id: String,
    /// Whose it is, and the path to them; none where that is said around it.
    pub person: Option<(String, String)>,
    /// What its browser said it is.
    pub device: Device,
    /// Where it was signed in.
    pub seen_from: Option<SeenFrom>,
    /// The names of the apps that lose their access with it, where they were looked up.
    pub apps: Vec<String>,
    /// When the person signed in, in Unix seconds.
    pub signed_in: i64,
    /// When it was last used, in Unix seconds.
    pub last_used: i64,
    /// Whether it lies idle: it opens nothing new.
    pub idle: bool,
    /// Whether it is the one this page is seen in.
    pub current: bool,
    /// The path of the page that asks before it ends.
    pub end: String,
}

impl SessionsView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::Sessions
    }
}

#[cfg(test)]
impl SessionsView {
    /// Several, and one.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let alice = Some((sample::alice().name, "/admin/people/1".to_owned()));
        let long = Some((sample::long_person().username, "/admin/people/2".to_owned()));
        let rows = sample::admin_sessions().into_iter().zip([alice, long]);
        let several = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            sessions: rows.map(|(row, person)| SessionRow { person, ..row }).collect(),
            next: Some("/admin/sessions?before=1".into()),
        };
        let one = several.sessions.iter().take(1).cloned().collect();
        vec![("one", Self { sessions: one, next: None, ..several.clone() }), ("several", several)]
    }
}
