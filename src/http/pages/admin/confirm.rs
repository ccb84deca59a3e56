//! What will happen, before it does.

use std::borrow::Cow;
use std::sync::Arc;

use askama::Template;

use super::{Room, Section};
use crate::http::language::Language;
use crate::http::pages::brand::Brand;

/// A change that an admin can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Ends all sessions of a person.
    SignOut,
    /// Ends all a person has.
    EndPerson,
    /// Keeps a person from signing in.
    Disable,
    /// Lets a person sign in again.
    Enable,
    /// Gives a person the role `admin`.
    MakeAdmin,
    /// Takes the role `admin` back.
    UnmakeAdmin,
    /// Takes back what a person lets an app have.
    Withdraw,
    /// Ends one session.
    EndSession,
    /// Takes an app out of service.
    DisableApp,
    /// Puts an app into service again.
    EnableApp,
    /// Ends all an app was granted.
    EndApp,
}

/// `admin/confirm.html`. Sends `csrf`.
#[derive(Debug, Clone, Template)]
#[template(path = "admin/confirm.html")]
pub struct ConfirmView {
    /// The language of the page.
    pub t: Language,
    /// The operator's look.
    pub brand: Arc<Brand>,
    /// The room around it.
    pub room: Room,
    /// What is to be done.
    pub deed: Deed,
    /// To whom or what.
    pub name: String,
    /// Whose it is, where that is somebody else.
    pub whose: Option<String>,
    /// Whether the admin does it to their own account or session.
    pub own: bool,
    /// Where the form goes, a path.
    pub action: String,
    /// Where one goes instead, a path.
    pub back: String,
    /// Why it was not done.
    pub refused: Option<Refused>,
}

/// Why a change was not made.
#[derive(Debug, Clone)]
pub enum Refused {
    /// Nobody would be left to run this house.
    LastAdmin,
    /// Other apps took its place; what the registration says of each.
    InTheWay(Vec<String>),
}

impl Refused {
    fn text(&self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::LastAdmin => "confirm-last-admin",
            Self::InTheWay(_) => "confirm-in-the-way",
        })
    }

    fn details(&self) -> &[String] {
        match self {
            Self::LastAdmin => &[],
            Self::InTheWay(details) => details,
        }
    }
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::SignOut,
        Self::EndPerson,
        Self::Disable,
        Self::Enable,
        Self::MakeAdmin,
        Self::UnmakeAdmin,
        Self::Withdraw,
        Self::EndSession,
        Self::DisableApp,
        Self::EnableApp,
        Self::EndApp,
    ];

    const fn title_key(self) -> &'static str {
        match self {
            Self::SignOut => "confirm-sign-out",
            Self::EndPerson => "confirm-end-person",
            Self::Disable => "confirm-disable",
            Self::Enable => "confirm-enable",
            Self::MakeAdmin => "confirm-make-admin",
            Self::UnmakeAdmin => "confirm-unmake-admin",
            Self::Withdraw => "confirm-withdraw",
            Self::EndSession => "confirm-end-session",
            Self::DisableApp => "confirm-disable-app",
            Self::EnableApp => "confirm-enable-app",
            Self::EndApp => "confirm-end-app",
        }
    }

    /// What follows from it.
    fn consequences(self, t: &Language) -> Vec<Cow<'static, str>> {
        let keys: &[&str] = match self {
            Self::SignOut => &["after-sign-out", "after-apps-lose", "after-sign-in-again"],
            Self::EndPerson => &["after-everything-ends", "after-offline-too", "after-sign-in-again"],
            Self::Disable => &["after-disable", "after-everything-ends", "after-enable-again"],
            Self::Enable => &["after-enable", "after-nothing-returns"],
            Self::MakeAdmin => &["after-make-admin"],
            Self::UnmakeAdmin => &["after-unmake-admin"],
            Self::Withdraw => &["after-withdraw", "after-data-stays", "after-asks-again"],
            Self::EndSession => &["after-end-session", "after-apps-lose"],
            Self::DisableApp => &["after-disable-app", "after-grants-end", "after-enable-again"],
            Self::EnableApp => &["after-enable-app", "after-nothing-returns"],
            Self::EndApp => &["after-grants-end", "after-end-app"],
        };
        keys.iter().map(|key| t.get(key)).collect()
    }

    /// The word on the button.
    pub fn verb(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::SignOut => "do-sign-out",
            Self::EndPerson => "do-end-person",
            Self::Disable => "do-disable",
            Self::Enable => "do-enable",
            Self::MakeAdmin => "do-make-admin",
            Self::UnmakeAdmin => "do-unmake-admin",
            Self::Withdraw => "do-withdraw",
            Self::EndSession => "do-end-session",
            Self::DisableApp => "do-disable-app",
            Self::EnableApp => "do-enable-app",
            Self::EndApp => "do-end-app",
        })
    }

    /// What is said afterwards.
    pub(super) fn done(self, t: &Language) -> Cow<'static, str> {
        t.get(match self {
            Self::SignOut => "done-sign-out",
            Self::EndPerson => "done-end-person",
            Self::Disable => "done-disable",
            Self::Enable => "done-enable",
            Self::MakeAdmin => "done-make-admin",
            Self::UnmakeAdmin => "done-unmake-admin",
            Self::Withdraw => "done-withdraw",
            Self::EndSession => "done-end-session",
            Self::DisableApp => "done-disable-app",
            Self::EnableApp => "done-enable-app",
            Self::EndApp => "done-end-app",
        })
    }

    /// Whether it takes something away.
    const fn takes(self) -> bool {
        !matches!(self, Self::Enable | Self::MakeAdmin | Self::EnableApp)
    }
}

impl ConfirmView {
    fn here(&self) -> Section {
        match self.deed {
            Deed::DisableApp | Deed::EnableApp | Deed::EndApp => Section::Apps,
            Deed::EndSession => Section::Sessions,
            _ => Section::People,
        }
    }
}

#[cfg(test)]
impl ConfirmView {
    /// Each deed, and each refusal.
    pub(in crate::http) fn samples(t: Language, brand: &Arc<Brand>) -> Vec<(&'static str, Self)> {
        use crate::http::pages::sample;

        let usual = |deed: Deed, name: String| Self {
            t,
            brand: Arc::clone(brand),
            room: sample::admin_room(None),
            deed,
            name,
            whose: None,
            own: false,
            action: "/admin/people/1/sign-out".into(),
            back: "/admin/people/1".into(),
            refused: None,
        };
        let alice = || sample::alice().name;
        let notes = || sample::notes().name;
        vec![
            ("sign-out", usual(Deed::SignOut, sample::long_person().name)),
            ("end-person", usual(Deed::EndPerson, alice())),
            ("disable", Self { own: true, ..usual(Deed::Disable, alice()) }),
            ("enable", usual(Deed::Enable, alice())),
            ("make-admin", usual(Deed::MakeAdmin, alice())),
            ("last-admin", Self { refused: Some(Refused::LastAdmin), ..usual(Deed::UnmakeAdmin, alice()) }),
            ("withdraw", Self { whose: Some(alice()), ..usual(Deed::Withdraw, sample::long_app().name) }),
            ("end-session", Self { whose: Some(alice()), ..usual(Deed::EndSession, "Firefox".into()) }),
            ("disable-app", usual(Deed::DisableApp, notes())),
            (
                "in-the-way",
                Self {
                    refused: Some(Refused::InTheWay(vec![sample::HOSTILE.into()])),
                    ..usual(Deed::EnableApp, notes())
                },
            ),
            ("hostile", usual(Deed::EndApp, sample::HOSTILE.into())),
        ]
    }
}
