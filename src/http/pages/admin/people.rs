//! People: all of them, and one.

use std::sync::Arc;

use askama::Template;

use super::audit::EventRow;
use super::confirm::Deed;
use super::sessions::SessionRow;
use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;
use crate::http::pages::{AppShown, Person};

/// `admin/people.html`. The search sends `find`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/people.html")]
pub struct PeopleView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What is looked for.
    pub find: String,
    /// The people of this page.
    pub people: Vec<PersonRow>,
    /// Where the others are, a path.
    pub next: Option<String>,
}

/// A person in the list.
#[derive(Debug, Clone)]
pub struct PersonRow {
    /// The path to them.
    pub href: String,
    /// Who.
    pub person: Person,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether they have the role `admin`.
    pub admin: bool,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When they were registered, in Unix seconds.
    pub since: i64,
}

/// `admin/person.html`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/person.html")]
pub struct PersonView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// The identity of the row.
    pub id: String,
    /// The `sub`.
    pub sub: String,
    /// Who.
    pub person: Person,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the address is known to be theirs.
    pub email_verified: bool,
    /// Roles.
    pub roles: Vec<String>,
    /// Whether they may not sign in, and since when, in Unix seconds.
    pub disabled: Option<i64>,
    /// When they were registered, in Unix seconds.
    pub since: i64,
    /// What can be done, with the path of the page that asks.
    pub deeds: Vec<(Deed, String)>,
    /// Their sessions.
    pub sessions: Vec<SessionRow>,
    /// The apps that have something of theirs.
    pub apps: Vec<HeldRow>,
    /// What was last done by or to them.
    pub events: Vec<EventRow>,
    /// Where the rest of that is, a path.
    pub audit: String,
}

/// An app that has something of a person.
#[derive(Debug, Clone)]
pub struct HeldRow {
    /// The client id.
    pub id: String,
    /// The path to it, if it is still registered.
    pub href: Option<String>,
    /// The app.
    pub app: AppShown,
    /// What it may have.
    pub scopes: Vec<String>,
    /// Since when, in Unix seconds.
    pub since: i64,
    /// The path of the page that asks before withdrawing.
    pub withdraw: String,
}

impl PeopleView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::People
    }
}

impl PersonView {
    #[expect(clippy::unused_self, reason = "every page of the room says where it stands")]
    fn here(&self) -> Section {
        Section::People
    }
}

#[cfg(test)]
impl PeopleView {
    /// Nobody found, several, and what somebody called himself.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let row = |person: Person, email: Option<&str>, admin: bool, disabled: bool| PersonRow {
            href: "/admin/people/1".into(),
            person,
            email: email.map(Into::into),
            admin,
            disabled,
            since: 1_730_000_000,
        };
        let several = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            find: String::new(),
            people: vec![
                row(sample::alice(), Some("alice@example.com"), true, false),
                row(sample::long_person(), Some(&sample::long_person().username), false, true),
                row(Person { name: "robot".into(), username: "robot".into() }, None, false, false),
            ],
            next: Some("/admin/people?after=robot".into()),
        };
        let hostile = Person { name: sample::HOSTILE.into(), username: sample::HOSTILE.into() };
        vec![
            ("none", Self { find: "robot".into(), people: vec![], next: None, ..several.clone() }),
            (
                "hostile",
                Self {
                    find: sample::HOSTILE.into(),
                    people: vec![row(hostile, Some(sample::HOSTILE), false, false)],
                    ..several.clone()
                },
            ),
            ("several", several),
        ]
    }
}

#[cfg(test)]
impl PersonView {
    /// Bare, full, and long.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use super::Notice;
        use crate::http::pages::sample;

        let full = Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(Some(Notice::Done(Deed::Withdraw))),
            id: "01jd9x3q7m5w8t2v".into(),
            sub: "01jd9x3q7m5w8t2v".into(),
            person: sample::alice(),
            email: Some("alice@example.com".into()),
            email_verified: true,
            roles: vec!["admin".into()],
            disabled: None,
            since: 1_730_000_000,
            deeds: [Deed::SignOut, Deed::EndPerson, Deed::Disable, Deed::UnmakeAdmin]
                .map(|deed| (deed, "/admin/people/1/x".to_owned()))
                .into(),
            sessions: sample::admin_sessions(),
            apps: vec![HeldRow {
                id: "notes".into(),
                href: Some("/admin/apps/notes".into()),
                app: sample::notes(),
                scopes: vec!["notes:read".into()],
                since: 1_730_000_000,
                withdraw: "/admin/people/1/apps/notes/withdraw".into(),
            }],
            events: sample::events(),
            audit: "/admin/audit?about=1".into(),
        };
        vec![
            (
                "bare",
                Self {
                    room: sample::admin_room(Some(Notice::Already)),
                    email: None,
                    roles: vec![],
                    disabled: Some(1_763_000_000),
                    deeds: vec![(Deed::Enable, "/admin/people/1/enable".into())],
                    sessions: vec![],
                    apps: vec![],
                    events: vec![],
                    ..full.clone()
                },
            ),
            (
                "long",
                Self {
                    room: sample::admin_room(None),
                    person: sample::long_person(),
                    email: Some(sample::long_person().username),
                    email_verified: false,
                    ..full.clone()
                },
            ),
            ("full", full),
        ]
    }
}
