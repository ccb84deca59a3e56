//! The admin's room: people, apps, sessions, keys, the audit, and a page that asks before each change.

pub mod apps;
pub mod audit;
pub mod canary;
pub mod confirm;
pub mod elevate;
pub mod key_rotate;
pub mod keys;
pub mod overview;
pub mod people;
pub mod sessions;

use std::borrow::Cow;

use crate::http::language::Language;
use crate::http::pages::Person;
use confirm::Deed;

/// What every page of the room has around it.
#[derive(Debug, Clone)]
pub struct Room {
    /// Who is signed in.
    pub person: Person,
    /// The CSRF value of this browser, also for the sign-out button.
    pub csrf: String,
    /// Where the sign-out button goes, a path (POST).
    pub sign_out: String,
    /// What has just been done, told once.
    pub notice: Option<Notice>,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It was done.
    Done(Deed),
    /// It was so already.
    Already,
}

/// The pages of the room; the paths are those of the table of doors. A page with a place of its own in the navigation is one more
/// of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Overview,
    People,
    Apps,
    Sessions,
    Keys,
    Audit,
}

impl Notice {
    fn text(self, t: &Language) -> Cow<'static, str> {
        match self {
            Self::Done(deed) => deed.done(t),
            Self::Already => t.get("admin-already"),
        }
    }
}

impl Section {
    const ALL: [Self; 6] = [Self::Overview, Self::People, Self::Apps, Self::Sessions, Self::Keys, Self::Audit];

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/admin",
            Self::People => "/admin/people",
            Self::Apps => "/admin/apps",
            Self::Sessions => "/admin/sessions",
            Self::Keys => "/admin/keys",
            Self::Audit => "/admin/audit",
        }
    }

    fn label(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::Overview => "admin-overview",
            Self::People => "admin-people",
            Self::Apps => "admin-apps",
            Self::Sessions => "admin-sessions",
            Self::Keys => "admin-keys",
            Self::Audit => "admin-audit",
        })
    }
}
