//! The account room: who I am, my password, my sessions, the apps I let in.

pub mod apps;
pub mod overview;
pub mod password;
pub mod sessions;

use std::borrow::Cow;

use crate::http::language::Language;
use crate::http::pages::Person;

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
    /// Whether the admin's room is open to them.
    pub admin: bool,
}

/// Something that has been done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The password is a new one, and every other session has ended.
    PasswordChanged,
    /// One session has ended.
    SessionEnded,
    /// Every session but this one has ended.
    OthersEnded,
    /// An app has lost its access.
    AppWithdrawn,
}

/// The pages of the room; the paths are those of the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Overview,
    Password,
    Sessions,
    Apps,
}

impl Notice {
    fn text(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::PasswordChanged => "notice-password-changed",
            Self::SessionEnded => "notice-session-ended",
            Self::OthersEnded => "notice-others-ended",
            Self::AppWithdrawn => "notice-app-withdrawn",
        })
    }
}

impl Section {
    const ALL: [Self; 4] = [Self::Overview, Self::Password, Self::Sessions, Self::Apps];

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Password => "/account/password",
            Self::Sessions => "/account/sessions",
            Self::Apps => "/account/apps",
        }
    }

    fn label(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::Overview => "account-overview",
            Self::Password => "account-password",
            Self::Sessions => "account-sessions",
            Self::Apps => "account-apps",
        })
    }
}
