//! Where I am signed in.

use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::device::Device;
use crate::http::pages::seen_from::SeenFrom;

/// `account/sessions.html`. One form per row sends `session` and `csrf`; another sends `csrf` to end all others.
#[derive(Debug, Clone, Template)]
#[template(path = "account/sessions.html")]
pub struct SessionsView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// Now, in Unix seconds.
    pub now: i64,
    /// Every session that can still do something, the current one first.
    pub sessions: Vec<SessionRow>,
    /// Where the form that ends one session goes, a path.
    pub end: String,
    /// Where the form that ends all other sessions goes, a path.
    pub end_others: String,
}

/// One session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// The id of the session (not its secret).
    pub id: String,
    /// What its browser said it is.
    pub device: Device,
    /// Where it was last used.
    pub seen_from: Option<SeenFrom>,
    /// The names of the apps that lose their access with it.
    pub apps: Vec<String>,
    /// When the person signed in, in Unix seconds.
    pub signed_in: i64,
    /// When it, or an app through it, was last used, in Unix seconds.
    pub last_used: i64,
    /// Whether it is the one this page is seen in.
    pub current: bool,
}

impl SessionsView {
    const HERE: Section = Section::Sessions;
}

#[cfg(test)]
impl SessionsView {
    /// One, several, and after one was ended.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use super::Notice;
        use crate::http::pages::sample;

        let now = 1_763_900_000;
        let row = |id: &str, agent: Option<&str>, seen_from: Option<SeenFrom>, past: i64, current: bool| SessionRow {
            id: id.into(),
            device: Device::from_user_agent(agent),
            seen_from,
            apps: if current { vec![sample::notes().name, sample::long_app().name] } else { vec![] },
            signed_in: now - past - 90_000,
            last_used: now - past,
            current,
        };
        let rows = vec![
            row(
                "01a",
                Some("Mozilla/5.0 (X11; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0"),
                Some(SeenFrom::sample("203.0.113.7", None)),
                20,
                true,
            ),
            row(
                "01b",
                Some("Mozilla/5.0 (iPhone; like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"),
                Some(SeenFrom::sample(
                    "2001:db8:1234:5678:9abc:def0:1234:5678",
                    Some("Llanfairpwllgwyngyll, United Kingdom"),
                )),
                7_300,
                false,
            ),
            row("01c", None, None, 9_000_000, false),
            row(
                "01d",
                Some("Mozilla/5.0 (Windows NT 10.0)"),
                Some(SeenFrom::sample("198.51.100.23", Some("Japan"))),
                400,
                false,
            ),
        ];
        let several = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::room(sample::alice(), None),
            now,
            sessions: rows.clone(),
            end: "/account/sessions/end".into(),
            end_others: "/account/sessions/end-others".into(),
        };
        vec![
            (
                "one",
                Self {
                    sessions: rows.into_iter().take(1).collect(),
                    room: sample::room(sample::alice(), Some(Notice::OthersEnded)),
                    ..several.clone()
                },
            ),
            (
                "ended",
                Self { room: sample::room(sample::long_person(), Some(Notice::SessionEnded)), ..several.clone() },
            ),
            ("several", several),
        ]
    }
}
